"""ASDF files as people make them: arrays become what the class declares, whatever they are in the file."""

import datetime

import asdf
import numpy as np
import pytest
from astropy import units
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError


def written(tmp_path, model_type, **tree):
    path = tmp_path / "a.asdf"
    asdf.AsdfFile({"meta": {"model_type": model_type}, **tree}).write_to(path)
    return path


@pytest.mark.parametrize("kind", ["f8", ">f8", ">f4", "i2", "f2"])
def test_arrays_of_another_type(kind, tmp_path):
    data = np.arange(16).reshape(4, 4).astype(kind)
    with datamodels.open(written(tmp_path, "ImageModel", data=data, dq=np.ones((4, 4), "i2"))) as model:
        assert model.data.dtype == np.float32 and model.dq.dtype == np.uint32
        assert model.data.dtype.isnative and (model.data == np.arange(16).reshape(4, 4)).all()


def test_masked_arrays(tmp_path):
    data = np.ma.masked_array(np.ones((4, 4), "f4"), np.eye(4))
    with datamodels.open(written(tmp_path, "ImageModel", data=data)) as model:
        assert np.isnan(model.data).sum() == 4


def test_items_of_lists(tmp_path):
    slits = [{"name": "a", "data": np.ones((2, 2), "f8")}, {"name": "b", "data": np.ones((2, 2), "i4")}]
    with datamodels.open(written(tmp_path, "MultiSlitModel", slits=slits)) as model:
        assert [slit.data.dtype for slit in model.slits] == [np.float32] * 2


def test_columns_of_another_type(tmp_path):
    names = datamodels.SpecModel().get_dtype("spec_table").names
    rows = np.ones(3, [(name, ">f4") for name in names])
    with datamodels.open(written(tmp_path, "SpecModel", spec_table=rows)) as model:
        assert model.spec_table["wavelength"].dtype == np.float64


def test_a_table_with_other_columns_is_taken_with_a_word(tmp_path):
    path = written(tmp_path, "SpecModel", spec_table=np.ones(3, [("MINE", "f4")]))
    with pytest.warns(datamodels.ValidationWarning, match="columns do not match"):
        model = datamodels.open(path)
    assert list(model.spec_table["mine"]) == [1, 1, 1]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"data": np.ones((2, 4, 4))}, "data: wrong number of dimensions: expected 2, got 3"),
        ({"dq": np.full((4, 4), -1)}, "dq: has values of type int64 that uint32"),
        ({"data": np.array([["a"]])}, "data: not an array of float32"),
        ({"data": "text"}, "data: no array, but str"),
    ],
)
def test_arrays_that_are_none_of_the_kind(tree, said, tmp_path):
    with pytest.raises(InputError, match=rf"a\.asdf: {said}"):
        datamodels.open(written(tmp_path, "ImageModel", **tree))


def table_of(tmp_path):
    """A FITS file with a table of all that ASDF has no place for, and with declared units."""
    cells = np.empty(3, object)
    cells[:] = [np.arange(2, dtype="f4"), np.arange(5, dtype="f4"), np.arange(0, dtype="f4")]
    columns = [
        fits.Column("flux", "D", unit="Jy", array=np.arange(3.0)),
        fits.Column("n", "J", null=-99, array=np.array([-99, 1, 2])),
        fits.Column("bits", "5X", array=np.ones((3, 5), bool)),
        fits.Column("cells", "QE()", unit="s", array=cells),
        fits.Column("text", "PA()", array=np.array(["ab", "", "cde"], object)),
    ]
    first = fits.PrimaryHDU()
    first.header["DATAMODL"] = "ImageModel"
    hdus = [first, fits.ImageHDU(np.ones((4, 4), "f4"), name="SCI")]
    fits.HDUList([*hdus, fits.BinTableHDU.from_columns(columns, name="MINE")]).writeto(tmp_path / "t.fits")
    return tmp_path / "t.fits"


def test_tables_come_back_from_asdf_with_all_that_is_said_of_them(tmp_path):
    path = table_of(tmp_path)
    with datamodels.open(path) as model:
        middle = model.save(tmp_path / "t.asdf")
        assert list(model.extra_fits.MINE.data["cells"][1]) == [0, 1, 2, 3, 4]  # the model is as it was
    with datamodels.open(middle) as model:
        assert "column_notes" not in model.instance
        model.extra_fits.MINE.data["flux"][0] = 7
        out = model.save(tmp_path / "u.fits")
    before, after = (fits.getheader(file, "MINE") for file in (path, out))
    for keyword in ("TUNIT1", "TNULL2", "TFORM3", "TUNIT4", "TTYPE5"):
        assert before[keyword] == after[keyword], keyword
    assert after["TFORM4"].startswith("QE")
    one, other = fits.getdata(path, "MINE"), fits.getdata(out, "MINE")
    assert list(other["flux"]) == [7, 1, 2] and list(other["n"]) == [-99, 1, 2] and other["bits"].all()
    assert all(np.array_equal(a, b) for a, b in zip(one["cells"], other["cells"], strict=True))
    assert ["".join(cell) for cell in other["text"]] == ["ab", "", "cde"]


def test_units_of_declared_columns_come_back_from_asdf(tmp_path):
    model = datamodels.SpecModel()
    model.spec_table = np.ones(3, model.get_dtype("spec_table"))
    model.spec_table.columns["flux"].unit = "mJy"
    again = datamodels.open(model.save(tmp_path / "s.asdf"))
    assert again.spec_table.columns["flux"].unit == "mJy"


@pytest.mark.parametrize(
    "told",
    [
        [{"place": ["nothing"], "columns": {}}],
        [{"place": ["data"], "columns": {"a": {"unit": "s"}}}],
        [{"place": [], "columns": {}}],
        [{"columns": {}}],
        [{"place": ["table"], "columns": {"a": {"no such": 1}}}],
        [{"place": ["table"], "columns": {"a": {"cells": [[1]] * 7}}}],
        ["text"],
        5,
    ],
)
def test_notes_of_columns_that_are_damaged(told, tmp_path):
    tree = {"data": np.ones((4, 4), "f4"), "table": np.ones(3, [("a", "f4")]), "column_notes": told}
    with pytest.raises(InputError, match=r"a\.asdf: column_notes is damaged"):
        datamodels.open(written(tmp_path, "ImageModel", **tree))


TAGGED = b"""#ASDF 1.0.0
#ASDF_STANDARD 1.6.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
meta:
  model_type: ImageModel
  one: !<tag:nowhere.org:x/one-1.0.0> {two: !<tag:nowhere.org:x/two-1.0.0> [1, 2]}
  text: !<tag:nowhere.org:x/text-1.0.0> words
  width: !unit/quantity-1.2.0 {unit: !unit/unit-1.0.0 m, value: 3.0}
...
"""


@pytest.mark.parametrize("look", [False, True])
@pytest.mark.parametrize(
    "ways", [["a.asdf"], ["a.fits"], ["a.fits", "b.asdf"], ["a.asdf", "b.fits", "c.asdf"]]
)
def test_what_no_library_knows_goes_from_format_to_format(look, ways, tmp_path):
    path = tmp_path / "start.asdf"
    path.write_bytes(TAGGED)
    for name in ways:
        with datamodels.open(path) as model:
            if look:
                assert model.meta.width.unit == "m"
                with pytest.raises(InputError, match="no installed library knows tag:nowhere"):
                    str(model.meta.one)
            path = model.save(tmp_path / name)
    content = open(path, "rb").read()  # noqa: SIM115, PTH123
    for tag in (b"x/one-1.0.0", b"x/two-1.0.0", b"x/text-1.0.0", b"unit/quantity-"):
        assert content.count(tag) == 1
    assert datamodels.open(path).meta.width.value == 3


@pytest.mark.parametrize("ending", ["fits", "asdf"])
def test_what_users_put_into_metadata_comes_back(ending, tmp_path):
    values = {
        "time": datetime.datetime(2020, 1, 1, 3),
        "day": datetime.date(2020, 1, 1),
        "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
        "length": 3 * units.m,
        "lengths": [1, 2] * units.um,
        "complex": 1 + 2j,
        "deep": {"a": [{"b": np.arange(3)}, None, True]},
    }
    model = datamodels.ImageModel(np.ones((4, 4), "f4"))
    model.meta.mine = values
    mine = datamodels.open(model.save(tmp_path / f"a.{ending}")).meta.mine
    assert (mine.time, mine.day) == (values["time"], values["day"]) and mine.complex == 1 + 2j
    assert list(mine.masked.mask) == [True, False] and mine.masked[1] == 2
    assert mine.length == 3 * units.m and (mine.lengths == values["lengths"]).all()
    assert list(mine.deep.a[0].b) == [0, 1, 2] and mine.deep.a[2] is True
