"""``extract_2d``: which spectra are cut out, where, and what is said when that cannot be."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from dispersed_cases import TSGRISM, WFSS
from wfss_fields import Field, write_fields

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.core.box import Box
from webbcal.core.errors import InputError, NoDataOnDetectorError, ParameterError, ReferenceFileError
from webbcal.exposure.geometry.extract_2d import Extract2dStep
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.geometry.grism_boxes import clipped
from webbcal.spectra.extract_1d import Extract1dStep
from webbcal.wcs.of_model import wcs_of

MIRI, SERIES = Field(WFSS[6], sources=12, extended=0.4), Field(TSGRISM[0])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Write a field of sources and a time series; return the folder and CRDS's environment."""
    folder = tmp_path_factory.mktemp("fields")
    return folder, write_fields(folder, (MIRI, SERIES))


@pytest.fixture(autouse=True)
def folder(world, monkeypatch):
    """Return the folder of the exposures."""
    for key, value in world[1].items():
        monkeypatch.setenv(key, value)
    return world[0]


@pytest.fixture
def moved(folder, tmp_path):
    """Return a function that writes the field with another catalogue, to another folder."""

    def write(change):
        for path in folder.glob(f"{MIRI.root}*"):
            shutil.copy(path, tmp_path)
        path = tmp_path / f"{MIRI.root}_cat.ecsv"
        table = change(QTable.read(path))
        table.write(path, overwrite=True)
        return str(tmp_path / MIRI.exposure)

    return write


def catalog(folder):
    return QTable.read(folder / f"{MIRI.root}_cat.ecsv")


def test_slits_are_copies_that_share_one_wcs(folder):
    with datamodels.open(folder / MIRI.exposure) as exposure:
        result = Extract2dStep().run(folder / MIRI.exposure)
        assert len(result.slits) >= 8 and result.meta.cal_step.extract_2d == "COMPLETE"
        steps = [slit.meta.instance["wcs"].value["steps"] for slit in result.slits]
        assert all(a is b for others in steps[1:] for a, b in zip(steps[0][1:], others[1:], strict=True))
        assert len({id(own[0]) for own in steps}) == len(steps)
        for slit in result.slits:
            y, x = slit.corner
            ny, nx = slit.shape
            np.testing.assert_array_equal(slit.data, exposure.data[y : y + ny, x : x + nx])
            np.testing.assert_array_equal(slit.dq, exposure.dq[y : y + ny, x : x + nx])
            assert slit.data.base is None and slit.meta.wcsinfo.spectral_order == 1
    magnitudes = dict(zip(catalog(folder)["label"], catalog(folder)["isophotal_abmag"], strict=True))
    brightness = [magnitudes[slit.source_id] for slit in result.slits]
    assert brightness == sorted(brightness)


def test_wavelengths_are_those_of_the_wcs_and_back(folder):
    slit = Extract2dStep(wfss_nbright=1).run(folder / MIRI.exposure).slits[0]
    wcs = wcs_of(slit)
    y, x = np.indices(slit.shape, float)
    ra, dec, wavelength = wcs(x, y)[:3]
    np.testing.assert_allclose(slit.wavelength, wavelength, rtol=1e-6)
    rows = {
        int(label): place
        for label, place in zip(catalog(folder)["label"], catalog(folder)["sky_centroid"], strict=True)
    }
    place = rows[slit.source_id]
    assert abs(ra - place.ra.deg).max() < 1e-7 and abs(dec - place.dec.deg).max() < 1e-7
    middle = slit.shape[0] // 2
    back = wcs.invert(place.ra.deg, place.dec.deg, wavelength[middle, 5], 1.0)
    assert abs(back[1] - middle) < 0.3  # the way there looks t up among 10 samples


def test_point_sources_have_a_fixed_width_and_extended_ones_their_own(folder):
    result = Extract2dStep(wfss_extract_half_height=7).run(folder / MIRI.exposure)
    inside = [s for s in result.slits if s.xstart > 1 and s.xstart + s.xsize < 1032]
    assert {s.xsize for s in inside if not s.is_extended} == {15}
    assert any(s.xsize != 15 for s in inside if s.is_extended)
    by_size = Extract2dStep(wfss_extract_half_height=None).run(folder / MIRI.exposure)
    assert any(s.xsize != 15 for s in by_size.slits if not s.is_extended)


def test_sources_are_chosen_by_label_position_and_brightness(folder):
    everything = Extract2dStep().run(folder / MIRI.exposure)
    first, second, third = (int(everything.slits[n].source_id) for n in range(3))
    places = dict(zip(catalog(folder)["label"], catalog(folder)["sky_centroid"], strict=True))
    place = places[second]
    near = {"source_ra": [place.ra.deg], "source_dec": [place.dec.deg + 1 / 3600]}
    both = Extract2dStep(source_ids=[third], **near).run(folder / MIRI.exposure)
    assert sorted(s.source_id for s in both.slits) == sorted([second, third])
    assert [s.source_id for s in Extract2dStep(wfss_nbright=1).run(folder / MIRI.exposure).slits] == [first]
    with pytest.raises(ParameterError, match="source_max_sep"):
        Extract2dStep(source_max_sep=0.5, **near).run(folder / MIRI.exposure)
    with pytest.raises(ParameterError, match="go together"):
        Extract2dStep(source_ra=[53.0]).run(folder / MIRI.exposure)
    with pytest.raises(ParameterError, match="are numbers"):
        Extract2dStep(source_ids=["a"]).run(folder / MIRI.exposure)


def test_sources_of_the_user(folder):
    sky = SkyCoord(53.16, -27.79, unit="deg")
    thing = SimpleNamespace(
        sid=7, order_bounding={1: ((100, 300), (400, 410))}, sky_centroid=sky, xcentroid=405.0,
        ycentroid=330.0, is_extended=False, isophotal_abmag=20.0,
    )  # fmt: skip
    (slit,) = Extract2dStep(grism_objects=[thing]).run(folder / MIRI.exposure).slits
    assert (slit.source_id, slit.xstart, slit.ystart, slit.shape) == (7, 401, 101, (201, 11))
    with pytest.raises(InputError, match="no GrismObject"):
        Extract2dStep(grism_objects=[3]).run(folder / MIRI.exposure)


@pytest.mark.parametrize(
    "box, expected",
    [
        (Box(-5, 4, 10, 20), Box(0, 4, 10, 20)),
        (Box(90, 120, 10, 20), Box(90, 100, 10, 20)),
        (Box(98, 120, 10, 20), Box(98, 100, 10, 20)),
        (Box(99, 120, 10, 20), Box(99, 100, 10, 20)),  # as in jwst, which counts to the edge
        (Box(99, 100, 10, 20), None),
        (Box(-5, 1, 10, 20), None),
        (Box(5, 50, 210, 220), None),
    ],
)
def test_boxes_on_the_detector(box, expected):
    assert clipped(box, (100, 200)) == expected


def test_another_field_is_said_and_exits_with_64(moved, capsys):
    def elsewhere(table):
        for name in ("sky_centroid", *(f"sky_bbox_{c}" for c in ("ll", "lr", "ul", "ur"))):
            table[name] = SkyCoord(table[name].ra.deg + 1, table[name].dec.deg, unit="deg")
        return table

    path = moved(elsewhere)
    with pytest.raises(NoDataOnDetectorError, match=r"is .* the catalogue of this field"):
        Extract2dStep().run(path)
    assert main(["run", "extract_2d", path]) == 64
    assert "on the detector" in capsys.readouterr().err


def test_a_catalogue_without_rows_exits_with_64(moved, capsys):
    assert main(["run", "extract_2d", moved(lambda table: table[:0])]) == 64
    told = capsys.readouterr().err
    assert "on the detector" in told and "cat.ecsv is empty" in told


def test_no_source_at_a_position_that_is_none(folder):
    with pytest.raises(ParameterError, match="no source of the catalogue is within"):
        Extract2dStep(source_ra=["nan"], source_dec=["nan"]).run(folder / MIRI.exposure)
    with pytest.raises(NoDataOnDetectorError, match=r"wfss_nbright = 0"):
        Extract2dStep(wfss_nbright=0).run(folder / MIRI.exposure)


def test_a_limit_that_leaves_no_source_is_named(folder):
    with pytest.raises(NoDataOnDetectorError, match=r"12 sources .* 0 were chosen.* \(wfss_mmag_extract"):
        Extract2dStep(wfss_mmag_extract=5).run(folder / MIRI.exposure)


def test_a_plan_knows_that_there_will_be_spectra(folder):
    with datamodels.open(folder / MIRI.exposure) as exposure:
        seen, step = Extract2dStep().foresee(exposure), Extract1dStep()
        assert len(seen.slits) == 1 and step.reason_to_skip(seen, step.parameters) is None


def test_damaged_catalogues_are_told_in_a_line(folder, moved):
    path = moved(lambda table: table)
    catalogue = Path(path).with_name(f"{MIRI.root}_cat.ecsv")
    catalogue.write_text(catalogue.read_text()[:-20])
    with pytest.raises(InputError, match=r"cat\.ecsv: cannot be read as a catalogue \(ECSV\): [^\n]+$"):
        Extract2dStep().run(path)

    def words(table):
        table["sky_centroid"] = ["here"] * len(table)
        return table

    with pytest.raises(InputError, match=r"cat\.ecsv: a column of the catalogue does not hold"):
        Extract2dStep().run(moved(words))


def test_labels_are_numbers_of_their_own(moved):
    """Products of spectra tell sources by them: of two with one label, one would be lost."""

    def labelled(labels):
        def change(table):
            table["label"] = labels(np.arange(len(table)))
            return table

        return change

    with pytest.raises(InputError, match=r"label 7 stands for \d+ sources"):
        Extract2dStep().run(moved(labelled(lambda n: 0 * n + 7)))
    with pytest.raises(InputError, match="a label is no whole number"):
        Extract2dStep().run(moved(labelled(lambda n: n + 0.5)))


def test_sources_without_a_position_are_told(folder, moved, caplog):
    """Extended ones, too, whose boxes are known."""
    labels = {slit.source_id for slit in Extract2dStep().run(folder / MIRI.exposure).slits}

    def lost(table):
        sky, known = table["sky_centroid"], table["label"] != min(labels)
        table["sky_centroid"] = SkyCoord(np.where(known, sky.ra.deg, np.nan), sky.dec.deg, unit="deg")
        return table

    seen = Extract2dStep().run(moved(lost))
    assert {slit.source_id for slit in seen.slits} == labels - {min(labels)}
    assert f"sources without a position (NaN) are left out: [{min(labels)}]" in caplog.text


def test_bad_catalogues_and_references(folder, moved):
    with pytest.raises(InputError, match="no columns sky_bbox_ul"):
        Extract2dStep().run(moved(lambda table: (table.remove_column("sky_bbox_ul"), table)[1]))
    with pytest.raises(ReferenceFileError, match=r"order 3 .* orders \[1\]"):
        Extract2dStep(extract_orders=[3]).run(folder / MIRI.exposure)
    with datamodels.open(folder / MIRI.exposure) as model:
        model.meta.source_catalog = None
        with pytest.raises(InputError, match="SCATFILE"):
            Extract2dStep().run(model)
        model.meta.source_catalog = "missing_cat.ecsv"
        with pytest.raises(FileNotFoundError, match=r"missing_cat.ecsv does not exist"):
            Extract2dStep().run(model)
        model.meta.source_catalog, model.meta.wcs = f"{MIRI.root}_cat.ecsv", None
        with pytest.raises(InputError, match="run assign_wcs first"):
            Extract2dStep().run(model)


def test_pipelines_hand_the_files_beside_the_exposure(folder):
    with datamodels.open(folder / MIRI.exposure) as model:
        model.meta.source_catalog = "elsewhere_cat.ecsv"
        field = FieldFiles(catalog=folder / f"{MIRI.root}_cat.ecsv")
        assert Extract2dStep().run(model, field).slits


def test_parameters_of_other_modes_are_said_to_do_nothing(folder, caplog):
    Extract2dStep(slit_names=["S200A1"], tsgrism_extract_height=40, wfss_nbright=1).run(
        folder / MIRI.exposure
    )
    assert "slit_names has no effect" in caplog.text and "tsgrism_extract_height has" in caplog.text
    assert "wfss_nbright" not in caplog.text


def test_images_are_left_alone():
    model = datamodels.ImageModel((4, 4))
    model.meta.exposure.type = "NRC_IMAGE"
    assert Extract2dStep().run(model).meta.cal_step.extract_2d == "SKIPPED"


def test_time_series_are_cut_around_their_source(folder):
    with datamodels.open(folder / SERIES.exposure) as exposure:
        exposure.int_times = np.zeros(2, exposure.get_dtype("int_times"))
        result = Extract2dStep(tsgrism_extract_height=50).run(exposure)
        assert type(result).__name__ == "SlitModel" and result.shape == (2, 50, 2048)
        np.testing.assert_array_equal(result.data, exposure.data[:, :50])
        assert len(result.int_times) == 2 and result.wavelength.shape == (50, 2048)
        with pytest.raises(ParameterError, match="row 35"):
            Extract2dStep(tsgrism_extract_height=20).run(exposure)
        with pytest.raises(ParameterError, match="one order"):
            Extract2dStep(extract_orders=[1, 2]).run(exposure)
        exposure.meta.wcsinfo.siaf_xref_sci = None
        with pytest.raises(InputError, match="XREF_SCI"):
            Extract2dStep().run(exposure)
