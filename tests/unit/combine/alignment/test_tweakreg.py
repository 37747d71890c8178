"""Alignment of exposures: the truth is known, and whatever cannot be aligned leaves the rest alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.modeling.models import Identity
from astropy.table import Table
from sky_scenes import DITHERS, ROLL, SIZE, Pointing, error_mas, exposure, exposures, stars, wcs_at

from webbcal import datamodels
from webbcal.combine.alignment import groups as alignment
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.core.errors import InputError, ParameterError
from webbcal.run import record

ERRORS = ((0.0, 0.0), (0.12, -0.07), (-0.2, 0.11), (0.05, 0.16))
POINTINGS = [
    Pointing(dither, error, turn)
    for dither, error, turn in zip(DITHERS, ERRORS, (0.0, 0.01, -0.1, 0.015), strict=True)
]


def entry(model):
    """Return what the run record says about the last step."""
    return record.runs_of(model)[-1]["steps"][-1]


def sky_catalog(path):
    ra, dec, _ = stars()
    Table({"ra": ra, "Dec": dec}).write(path, format="ascii.ecsv")
    return str(path)


@pytest.fixture(scope="module")
def four():
    return exposures(POINTINGS)


@pytest.mark.parametrize("starfinder", ["iraf", "dao", "segmentation"])
def test_pointing_errors_are_found(four, starfinder):
    """The first exposure has no error, so the others must come to lie true."""
    before = [m.meta.wcs(5, 5) for m in four]
    result = TweakRegStep(starfinder=starfinder, roundlo=-1.0).run(four)
    for model, pointing in zip(result, POINTINGS, strict=True):
        assert error_mas(model, pointing).max() < 5.0
        assert model.meta.cal_step.tweakreg == "COMPLETE"
    assert [m.meta.wcs(5, 5) for m in four] == before, "the input was changed"
    assert all(m.meta.cal_step.tweakreg is None for m in four)


def test_a_wcs_without_bounding_box_covers_the_whole_image(four):
    """As it is after a transform was inserted before the box, which belongs to the first one."""
    models = [model.copy() for model in four[:2]]
    for model in models:
        model.meta.wcs.insert_transform("detector", Identity(2), after=True)
        model.meta.wcs.bounding_box = None
    result = TweakRegStep().run(models)
    assert error_mas(result[1], POINTINGS[1]).max() < 5.0
    assert models[1].meta.wcs.bounding_box is None, "the input was changed"
    corners = np.array(result[1].meta.wcsinfo.s_region.split()[2:], float).reshape(4, 2)
    edge = -0.5, SIZE - 0.5
    expected = np.transpose(result[1].meta.wcs(np.array(edge)[[0, 0, 1, 1]], np.array(edge)[[0, 1, 1, 0]]))
    np.testing.assert_allclose(corners, expected, atol=1e-8)
    assert result[1].meta.wcsinfo.ctype1 == "RA---TAN", "the approximation in the header is of the new WCS"


def test_what_was_done_is_in_the_products(four, tmp_path):
    result = TweakRegStep().run(four)
    assert entry(result[0])["reason"] == "the others are aligned to it"
    found = entry(result[2])
    assert found["results"]["rms_arcsec"] < 0.012
    assert found["results"]["used"] <= found["results"]["matches"] <= found["results"]["sources"]
    assert found["results"]["rotation_deg"] == pytest.approx(0.1, abs=0.03)
    assert "mas rms of" in found["reason"]
    assert result[2].meta.wcs.available_frames == ["detector", "v2v3", "v2v3corr", "world"]
    corners = np.array(result[2].meta.wcsinfo.s_region.split()[2:], float).reshape(4, 2)
    np.testing.assert_allclose(corners[0], result[2].meta.wcs(-0.5, -0.5, with_bounding_box=False), atol=1e-8)
    fits = result[2].get_fits_wcs()
    np.testing.assert_allclose(fits.all_pix2world(40, 50, 0), result[2].meta.wcs(40, 50), atol=1e-8)
    path = result[2].save(tmp_path / "aligned.fits")
    with datamodels.open(path) as back:
        assert back.meta.wcs(11.5, 30.0) == pytest.approx(result[2].meta.wcs(11.5, 30.0), abs=1e-12)


def test_detectors_of_one_exposure_move_together():
    a, b = Pointing(DITHERS[0]), Pointing(DITHERS[1], (0.3, 0.1))
    models = [exposure(1, a), exposure(2, b), exposure(2, b, detector="NRCBLONG")]
    models[2].data[:] = 0.3  # nothing to see here: it moves with its companion
    result = TweakRegStep().run(models)
    assert error_mas(result[1], b).max() < 5.0
    assert error_mas(result[2], b).max() < 5.0


def test_to_the_sky(four, tmp_path):
    """All are off by the same: only a catalogue of the sky can tell."""
    shifted = [Pointing(p.dither, (p.error[0] + 0.4, p.error[1] - 0.3), p.turn) for p in POINTINGS]
    result = TweakRegStep(abs_refcat=sky_catalog(tmp_path / "sky.ecsv"), save_abs_catalog=True).run(
        exposures(shifted)
    )
    for model, pointing in zip(result, shifted, strict=True):
        assert error_mas(model, pointing).max() < 5.0
        assert model.meta.wcs.name.startswith("FIT-LVL3-")
    assert (tmp_path / "fit_sky.ecsv_ref.ecsv").exists()


def test_one_exposure_to_the_sky(tmp_path):
    pointing = Pointing(error=(0.5, 0.2), turn=0.03)
    (model,) = TweakRegStep(abs_refcat=sky_catalog(tmp_path / "sky.ecsv")).run([exposure(1, pointing)])
    assert error_mas(model, pointing).max() < 5.0


def test_no_network_keeps_the_relative_alignment(four, monkeypatch, caplog):
    monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", "http://127.0.0.1:9")
    result = TweakRegStep(abs_refcat="GAIADR3", enforce_user_order=True).run(four)
    assert "give a file with columns RA and DEC as abs_refcat" in caplog.text
    assert max(error_mas(m, p).max() for m, p in zip(result, POINTINGS, strict=True)) < 5.0


def test_a_sky_that_does_not_match_keeps_the_relative_alignment(four, tmp_path):
    ra, dec, _ = stars()
    Table({"RA": ra + 1.0, "DEC": dec}).write(tmp_path / "elsewhere.ecsv", format="ascii.ecsv")
    step = TweakRegStep(abs_refcat=str(tmp_path / "elsewhere.ecsv"), enforce_user_order=True)
    result = step.run(four)
    assert max(error_mas(m, p).max() for m, p in zip(result, POINTINGS, strict=True)) < 5.0
    assert "not aligned to the sky: not enough matches" in entry(result[1])["reason"]


FAILURES = {
    "all pixels flagged": lambda m: m.dq.__ior__(1),
    "no stars": lambda m: m.data.__imul__(0),
    "another field": lambda m: setattr(m, "data", exposure(9, Pointing(), stars(seed=7)).data),
    "no WCS": lambda m: setattr(m.meta, "wcs", None),
    "no roll": lambda m: setattr(m.meta.wcsinfo, "roll_ref", None),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_exposure_leaves_the_others_alone(name):
    models = exposures(POINTINGS)
    close = {"tolerance": 0.1, "separation": 0.3}  # few chance matches with another field
    expected = TweakRegStep(**close).run([models[0], models[1], models[3]])
    FAILURES[name](models[2])
    before = models[2].meta.wcs and models[2].meta.wcs(0, 0)
    result = TweakRegStep(**close).run(models)
    for ours, alone in zip((result[0], result[1], result[3]), expected, strict=True):
        assert ours.meta.wcs(20, 30) == alone.meta.wcs(20, 30)
        assert ours.meta.cal_step.tweakreg == "COMPLETE"
    assert result[2].meta.cal_step.tweakreg == "FAILED"
    assert entry(result[2])["status"] == "FAILED"
    assert (result[2].meta.wcs and result[2].meta.wcs(0, 0)) == before


def test_a_mismatch_is_undone_and_leaves_no_trace(four, monkeypatch):
    """A group that the fit moves too far is left out, and so are its sources in the reference catalogue."""
    expected = TweakRegStep(expand_refcat=True).run([four[0], four[1], four[3]])
    too_far = alignment._moved_too_far
    monkeypatch.setattr(
        alignment, "_moved_too_far", lambda c, s: c.meta["group_id"].endswith("3") or too_far(c, s)
    )
    result = TweakRegStep(expand_refcat=True).run(four)
    for ours, alone in zip((result[0], result[1], result[3]), expected, strict=True):
        assert ours.meta.wcs(20, 30) == alone.meta.wcs(20, 30)
    assert result[2].meta.cal_step.tweakreg == "FAILED"
    assert "a mismatch" in entry(result[2])["reason"]
    assert result[2].meta.wcs(20, 30) == four[2].meta.wcs(20, 30)


def test_matches_by_chance_are_told(four, tmp_path, caplog):
    """In a crowded field anything matches anything; a residual of that size is remarked upon."""
    rng = np.random.default_rng(3)
    models = [model.copy() for model in four[:2]]
    for number, model in enumerate(models):
        path = tmp_path / f"{number}.ecsv"
        Table(rng.uniform(5, SIZE - 5, (90, 2)), names=("x", "y")).write(path)
        model.meta.tweakreg_catalog = str(path)
    _, moved = TweakRegStep(use_custom_catalogs=True, minobj=5).run(models)
    found = entry(moved)
    assert found["results"]["rms_arcsec"] > 0.175
    assert "matches by chance" in found["reason"] and "matches by chance" in caplog.text


def test_how_far_an_image_moves():
    s = alignment.FitSettings(searchrad=0.5, tolerance=0.3)
    before, near, far = wcs_at(0, 0, ROLL), wcs_at(1.5, 0, ROLL), wcs_at(0, 1.7, ROLL)
    np.testing.assert_allclose(alignment.displacement(before, near), 1.5, atol=1e-3)
    for moved, expected in ((near, False), (far, True)):
        corrector = SimpleNamespace(original_wcs=before, wcs=moved)
        assert alignment._moved_too_far(corrector, s) is expected


def test_one_exposure_alone_is_skipped(caplog):
    (model,) = TweakRegStep().run([exposure(1, Pointing())])
    assert model.meta.cal_step.tweakreg == "SKIPPED"
    assert "at least two exposures" in caplog.text


def test_settings_that_confuse_sources_are_told(four):
    result = TweakRegStep(separation=0.5).run(four)
    assert {m.meta.cal_step.tweakreg for m in result} == {"FAILED"}
    assert "sqrt(2)" in entry(result[0])["reason"]


@pytest.mark.parametrize("format", ["ecsv", "fits"])
def test_catalogues_are_saved_and_used_again(four, tmp_path, format):
    step = TweakRegStep(save_catalogs=True, catalog_format=format, output_dir=str(tmp_path / "out"))
    first = step.run(four)
    names = [m.meta.tweakreg_catalog for m in first]
    assert names[0] == f"jw01234001001_02101_00001_nrcalong_cal_cat.{format}"
    lines = [f"{m.meta.filename} {n}" for m, n in zip(four, names, strict=True)]
    (tmp_path / "out" / "list.txt").write_text("# images\n" + "\n".join(lines))
    for model in (blind := [m.copy() for m in four]):
        model.data[:] = 0  # nothing can be found in them now
    again = TweakRegStep(use_custom_catalogs=True, catfile=str(tmp_path / "out" / "list.txt")).run(blind)
    for a, b in zip(first, again, strict=True):
        assert a.meta.wcs(3, 4) == pytest.approx(b.meta.wcs(3, 4), abs=1e-12)


def test_files_and_association(tmp_path):
    from webbcal.associations import asn_from_list

    models = exposures(POINTINGS[:2])
    paths = [m.save(tmp_path / m.meta.filename) for m in models]
    association = asn_from_list([m.meta.filename for m in models], product_name="mosaic")
    association.save(tmp_path / "asn.json")
    TweakRegStep(output_dir=str(tmp_path / "out"), save_results=True).run(str(tmp_path / "asn.json"))
    for path, pointing in zip(paths, POINTINGS, strict=False):
        saved = tmp_path / "out" / path.rpartition("/")[2].replace("_cal", "_tweakregstep")
        with datamodels.open(saved) as model:
            assert error_mas(model, pointing).max() < 5.0
        with datamodels.open(path) as model:
            assert model.meta.cal_step.tweakreg is None


BAD_CATALOGUES = [
    ({"abs_refcat": "nowhere.ecsv"}, ParameterError, "neither a file nor a catalogue"),
    ({"abs_refcat": "columns.ecsv"}, InputError, "neither RA and DEC nor sky_centroid"),
    ({"use_custom_catalogs": True, "catfile": "missing.txt"}, InputError, "catfile missing.txt"),
    ({"use_custom_catalogs": True, "catfile": "long.txt"}, InputError, "line 1"),
    ({"save_catalogs": True, "catalog_format": "pdf"}, ParameterError, "'ecsv' or 'fits'"),
]


@pytest.mark.parametrize("parameters, error, message", BAD_CATALOGUES)
def test_bad_catalogues(four, tmp_path, parameters, error, message):
    Table({"a": [1.0]}).write(tmp_path / "columns.ecsv", format="ascii.ecsv")
    (tmp_path / "long.txt").write_text("image.fits cat.ecsv what")
    with pytest.raises(error, match=message):
        TweakRegStep(**parameters).run(four)


def test_mixed_filters_are_told(four, caplog):
    models = [m.copy() for m in four[:2]]
    models[1].meta.instrument.filter = "F277W"
    TweakRegStep().run(models)
    assert "several filters are combined" in caplog.text and "F277W" in caplog.text


def test_images_of_other_shapes_fail():
    cube = datamodels.CubeModel(np.zeros((2, SIZE, SIZE), np.float32))
    image = exposure(1, Pointing())
    cube.meta.wcs, cube.meta.filename = image.meta.wcs, "cube.fits"
    for name in ("v2_ref", "v3_ref", "roll_ref"):
        setattr(cube.meta.wcsinfo, name, getattr(image.meta.wcsinfo, name))
    result = TweakRegStep().run([image, exposure(2, POINTINGS[1]), cube])
    assert result[2].meta.cal_step.tweakreg == "FAILED"
    assert result[1].meta.cal_step.tweakreg == "COMPLETE"
