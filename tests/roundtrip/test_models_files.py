"""What is saved comes back: values, arrays, what webbcal does not know, and things only ASDF can hold."""

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels


def filled():
    model = datamodels.CubeModel(data=np.arange(24.0).reshape(2, 3, 4))
    model.meta.target.ra, model.meta.exposure.zero_frame, model.meta.exposure.nints = 1 / 3, True, 2
    model.meta.target.catalog_name = "α Cen, a 'bright' one"
    model.meta.background.level = float("nan")
    model.meta.my_own = {"list": [1, 2.5, "x", None], "flag": False, "date": "2023-01-01", "number": "007"}
    model.int_times = [(1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (2, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)]
    model.add_history_entry("made by a test")
    return model


@pytest.mark.parametrize("ending", ["fits", "asdf"])
def test_values_and_arrays(tmp_path, ending):
    model = filled()
    path = model.save(tmp_path / f"x_rateints.{ending}")
    back = datamodels.open(path)
    assert type(back) is type(model)
    np.testing.assert_array_equal(back.data, model.data)
    np.testing.assert_array_equal(back.int_times, model.int_times)
    ours, theirs = model.to_flat_dict(False), back.to_flat_dict(False)
    assert np.isnan(ours.pop("meta.background.level")) and np.isnan(theirs.pop("meta.background.level"))
    assert ours == theirs
    assert [entry["description"] for entry in back.history] == ["made by a test"]
    assert back.meta.my_own.number == "007" and back.meta.my_own.instance["date"] == "2023-01-01"


def test_unknown_keywords_and_hdus_survive(tmp_path):
    path = filled().save(tmp_path / "a.fits")
    odd = [fits.Column("v", "PJ()", array=np.array([np.arange(2), np.arange(3)], dtype=object))]
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.ImageHDU(np.arange(6, dtype=np.uint16).reshape(2, 3), name="MINE", ver=1))
        hdus.append(fits.ImageHDU(np.ones((2, 2)), name="MINE", ver=2))
        hdus.append(fits.BinTableHDU.from_columns(odd, name="ODD"))
        hdus["ODD"].header["ODDKEY"] = (4, "of a table")
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["MYKEY"] = ("here", "my comment")
        hdus["SCI"].header["SCIKEY"] = 3
        hdus[0].header.add_comment("a remark")
    model = datamodels.open(path)
    copy = model.save(tmp_path / "b.fits")
    again = datamodels.open(copy).save(tmp_path / "c.fits")
    with fits.open(again) as hdus:
        hdus.verify("exception")
        assert hdus[0].header["MYKEY"] == "here" and hdus[0].header.comments["MYKEY"] == "my comment"
        assert hdus[0].header["COMMENT"][0] == "a remark" and hdus["SCI"].header["SCIKEY"] == 3
        np.testing.assert_array_equal(hdus["MINE", 1].data, np.arange(6).reshape(2, 3))
        assert hdus["MINE", 1].data.dtype == np.uint16 and (hdus["MINE", 2].data == 1).all()
        assert [len(cell) for cell in hdus["ODD"].data["v"]] == [2, 3] and hdus["ODD"].header["ODDKEY"] == 4
        assert [hdu.name for hdu in hdus].count("ASDF") == 1


def test_a_changed_header_counts_more_than_the_asdf_extension(tmp_path):
    path = filled().save(tmp_path / "a.fits")
    fits.setval(path, "TARG_RA", value=99.5)
    back = datamodels.open(path)
    assert back.meta.my_own.flag is False  # from ASDF
    assert back.meta.target.ra == 99.5


def test_arrays_and_objects_that_only_asdf_can_hold(tmp_path):
    from astropy import units
    from astropy.modeling.models import Polynomial1D

    model = filled()
    model.meta.polynomial = Polynomial1D(2, c0=1, c1=2, c2=3)
    model.meta.speed = 3 * units.km / units.s
    model.my_array = np.arange(5)
    back = datamodels.open(model.save(tmp_path / "a.fits"))
    assert back.meta.polynomial(2.0) == 17 and back.meta.speed.unit == units.km / units.s
    np.testing.assert_array_equal(back.my_array, np.arange(5))
    np.testing.assert_array_equal(back.data, model.data)
    twice = datamodels.open(back.save(tmp_path / "b.fits"))
    assert twice.meta.polynomial(2.0) == 17 and twice.to_flat_dict(False)["meta.my_own.list.2"] == "x"


def test_objects_that_slits_share_are_copied_and_stored_once(tmp_path):
    from astropy.modeling.models import Polynomial2D, Shift

    model, shared = datamodels.MultiSlitModel(), Polynomial2D(1, c0_0=3.0, c1_0=1.0, c0_1=2.0)
    for number in range(3):
        slit = model.slits.item(data=np.zeros((2, 2)))
        slit.instance["meta"] = {"model": (Shift(number) & Shift(0.0)) | shared}
        model.slits.append(slit)
    copy = model.copy()
    models = [slit.meta.model for slit in copy.slits]
    assert models[0].right is models[1].right is models[2].right is not shared
    path = copy.save(tmp_path / "a.fits")
    with open(path, "rb") as file:  # noqa: PTH123
        assert file.read().count(b"polynomial-1") == 1
    assert [slit.meta.model(1.0, 1.0) for slit in datamodels.open(path).slits] == [6.0, 7.0, 8.0]
    asdf_path = copy.save(tmp_path / "a.asdf")
    assert [slit.meta.model(1.0, 1.0) for slit in datamodels.open(asdf_path).slits] == [6.0, 7.0, 8.0]


def test_an_object_that_was_looked_at_stays_as_it_stood(tmp_path):
    """Each slit has an object of its own then; the file still holds what they share once."""
    from astropy.modeling.models import Polynomial2D, Shift

    model, shared = datamodels.MultiSlitModel(), Polynomial2D(1, c0_0=3.0, c1_0=1.0, c0_1=2.0)
    for number in range(3):
        slit = model.slits.item(data=np.zeros((2, 2)))
        slit.instance["meta"] = {"model": (Shift(number) & Shift(0.0)) | shared}
        model.slits.append(slit)
    path = model.save(tmp_path / "a.fits")
    for copied in (False, True):
        with datamodels.open(path) as opened:
            assert [slit.meta.model(1.0, 1.0) for slit in opened.slits] == [6.0, 7.0, 8.0]
            back = opened.copy() if copied else opened
            again = back.save(tmp_path / "b.fits")
            tree = fits.getdata(again, "ASDF")[0][0].tobytes()
            assert tree.count(b"polynomial-1") == 1
            back.slits[1].meta.model.right.c0_0 = 13.0
            changed = back.save(tmp_path / "c.fits")
        assert [slit.meta.model(1.0, 1.0) for slit in datamodels.open(again).slits] == [6.0, 7.0, 8.0]
        assert [slit.meta.model(1.0, 1.0) for slit in datamodels.open(changed).slits] == [6.0, 17.0, 8.0]


def test_the_astropy_header_is_that_of_official_files(tmp_path):
    path = filled().save(tmp_path / "a.fits")
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert hdus[0].data is None
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "DQ", "ERR", "INT_TIMES", "ASDF"]
        for keyword, value in {
            "DATAMODL": "CubeModel",
            "FILENAME": "a.fits",
            "NINTS": 2,
            "ZEROFRAM": True,
        }.items():
            assert hdus[0].header[keyword] == value
        assert hdus["DQ"].header["BZERO"] == 2**31 and hdus["ASDF"].columns.names == ["ASDF_METADATA"]


def test_big_endian_strided_and_bool_input(tmp_path):
    model = datamodels.ImageModel(
        data=np.arange(24, dtype=">f8").reshape(4, 6)[:, ::2], dq=np.eye(4, 3, dtype=bool)
    )
    back = datamodels.open(model.save(tmp_path / "a.fits"))
    np.testing.assert_array_equal(back.data, np.arange(24).reshape(4, 6)[:, ::2])
    np.testing.assert_array_equal(back.dq, np.eye(4, 3))


def test_from_hdulist_file_object_and_gzip(tmp_path):
    path = filled().save(tmp_path / "a.fits")
    with fits.open(path) as hdus:
        hdus.writeto(tmp_path / "a.fits.gz")
        model = datamodels.CubeModel(hdus)
        np.testing.assert_array_equal(model.data, filled().data)
        assert model.meta.my_own.number == "007"
    with (tmp_path / "a.fits").open("rb") as file:
        assert datamodels.open(file).meta.exposure.nints == 2
    assert datamodels.open(tmp_path / "a.fits.gz").int_times["integration_number"].tolist() == [1, 2]


def _with_lists_in_lists(tmp_path):
    """A model with orders in slits, as a user's schema may have them."""
    model = datamodels.MultiSlitModel()
    order = {"data": {"datatype": "float32", "ndim": 2, "fits_hdu": "ORDER"}}
    order |= {"number": {"type": "integer", "fits_keyword": "ORDNUM", "fits_hdu": "ORDER"}}
    orders = {"type": "array", "items": {"type": "object", "properties": order}}
    model.add_schema_entry("slits", {"items": {"properties": {"orders": orders}}})
    for slit in range(3):
        model.slits.append(model.slits.item(name=f"S{slit}", data=np.full((2, 2), slit)))
        for number in range(slit):
            item = model.slits[-1].orders.item(number=number, data=np.full((2, 3), 10 * slit + number))
            model.slits[-1].orders.append(item)
    return model, model.save(tmp_path / "a.fits")


def test_items_of_lists_in_lists_have_hdus_of_their_own(tmp_path):
    model, path = _with_lists_in_lists(tmp_path)
    with fits.open(path) as hdus:
        found = [(h.ver, h.header["ORDNUM"], h.data[0, 0]) for h in hdus if h.name == "ORDER"]
        assert found == [(1, 0, 10), (2, 0, 20), (3, 1, 21)]
        hdus["ORDER", 2].header["MINE"] = 5
        hdus.writeto(path, overwrite=True)
    for again in ("b.fits", "c.fits"):
        model = datamodels.MultiSlitModel(path, schema=model.schema)
        items = [(o.shape, o.number, o.data[1, 2]) for slit in model.slits for o in slit.orders]
        assert items == [((2, 3), 0, 10), ((2, 3), 0, 20), ((2, 3), 1, 21)]
        assert [slit.name for slit in model.slits] == ["S0", "S1", "S2"]
        path = model.save(tmp_path / again)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus].count("ORDER") == 3 and hdus["ORDER", 2].header["MINE"] == 5


def test_nested_hdus_that_the_tree_does_not_name_are_kept(tmp_path):
    model, path = _with_lists_in_lists(tmp_path)
    for drop_asdf in (False, True):
        with fits.open(path) as hdus:
            hdus["ORDER", 2].ver = 7
            if drop_asdf:
                del hdus["ASDF"]
            hdus.writeto(tmp_path / "other.fits", overwrite=True)
        again = datamodels.MultiSlitModel(tmp_path / "other.fits", schema=model.schema)
        copy = again.save(tmp_path / "copy.fits")
        with fits.open(copy) as hdus:
            kept = {int(hdu.data[0, 0]) for hdu in hdus if hdu.name == "ORDER" and hdu.data is not None}
            assert kept == {10, 20, 21}


@pytest.mark.parametrize("change", ["delete", "insert", "replace"])
def test_a_list_that_is_changed_before_its_items_are_looked_at(change, tmp_path):
    model = datamodels.MultiSlitModel()
    for number in range(3):
        model.slits.append(model.slits.item(name=f"S{number}", data=np.full((2, 2), number, np.float32)))
    model.save(tmp_path / "slits.fits")
    with datamodels.open(tmp_path / "slits.fits") as slits:
        new = slits.slits.item(name="new", data=np.full((2, 2), 9, np.float32))
        expected = ["S0", "S1", "S2"]
        if change == "delete":
            del slits.slits[0]
            del expected[0]
        elif change == "insert":
            slits.slits.insert(0, new)
            expected.insert(0, "new")
        else:
            slits.slits[0] = new
            expected[0] = "new"
        assert [slit.name for slit in slits.slits] == expected
        assert [int(slit.data[0, 0]) for slit in slits.slits] == [
            9 if n == "new" else int(n[1]) for n in expected
        ]
