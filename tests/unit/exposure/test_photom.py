"""photom: rows of all instruments' tables, change in time, pixel areas, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from stage2_cases import CONFIG, SHAPE, area, photom, rate

from webbcal import datamodels, simulate
from webbcal.core.errors import InputError, PlanError, ReferenceFileError
from webbcal.exposure.response.photom import MJSR_TO_UJA2, PhotomStep
from webbcal.run.record import runs_of

ROWS = [
    {"filter": "F200W", "pupil": "CLEAR", "photmjsr": 0.5},
    {"filter": "F150W2", "pupil": "F162M", "photmjsr": 3.0},
]


def run(model, reference, areas="N/A", **parameters):
    return PhotomStep.call(model, override_photom=reference, override_area=areas, **parameters)


def converted(model, reference, **parameters):
    """Return the factor that was applied."""
    result = run(model, reference, **parameters)
    return result.data.flat[0] / model.data.flat[0]


def test_nircam():
    result = run(rate(), photom(rows=ROWS))
    assert (result.data == 5).all() and result.err[0, 0] == 0.25
    assert result.var_poisson[0, 0] == np.float32(0.15) * np.float32(0.25)
    assert (result.meta.bunit_data, result.meta.bunit_err) == ("MJy/sr", "MJy/sr")
    assert result.meta.photometry.conversion_megajanskys == 0.5
    assert result.meta.photometry.conversion_microjanskys == pytest.approx(0.5 * 23.50443, rel=1e-6)
    assert result.meta.cal_step.photom == "COMPLETE"
    assert (
        converted(rate(**{"instrument.filter": "F150W2", "instrument.pupil": "F162M"}), photom(rows=ROWS))
        == 3
    )


def test_microjanskys():
    arcsec = np.pi / 180 / 3600
    assert pytest.approx(1e6 * 1e6 * arcsec**2) == MJSR_TO_UJA2


def test_names_match_whatever_their_case_and_padding():
    rows = [{"filter": "f200w  ", "pupil": "clear", "photmjsr": 0.25}]
    assert converted(rate(), photom(rows=rows)) == 0.25


def test_integrations():
    result = run(rate(nints=2), photom(rows=ROWS), area())
    assert result.data.shape == (2, *SHAPE) and (result.data == 5).all()
    assert result.area.shape == SHAPE


def test_niriss():
    config = replace(CONFIG, detector="NIS", subarray="SUB64", readpatt="NISRAPID")
    reference = photom("NisImgPhotomModel", [{"filter": "CLEAR", "pupil": "F200W", "photmjsr": 0.7}])
    assert converted(rate(config=config), reference) == np.float32(0.7)
    skipped = run(rate(nints=2, config=config), reference)
    assert skipped.meta.cal_step.photom == "SKIPPED" and (skipped.data == 10).all()
    assert skipped.meta.bunit_data == "DN/s"


def test_fgs_has_one_row():
    config = replace(CONFIG, detector="GUIDER1", filter="N/A", subarray="FULL", readpatt="FGSRAPID")
    model = rate(config=config, **{"subarray.xsize": 64, "subarray.ysize": 64})
    assert converted(model, photom("FgsImgPhotomModel", [{"photmjsr": 0.1}])) == np.float32(0.1)


MIRI = replace(CONFIG, detector="MIRIMAGE", subarray="SUB64", filter="F770W", readpatt="FASTR1")


def miri(subarray="SUB64", **meta):
    size = {"subarray.xsize": 64, "subarray.ysize": 64}
    return rate(config=MIRI, **size, **{"subarray.name": subarray, "exposure.mid_time": 60000.0}, **meta)


def miri_photom(coefficients=None):
    rows = [
        {"filter": "F770W", "subarray": "GENERIC", "photmjsr": 1.0},
        {"filter": "F770W", "subarray": "SUB64", "photmjsr": 2.0},
        {"filter": "F560W", "subarray": "SUB64", "photmjsr": 3.0},
    ]
    return photom("MirImgPhotomModel", rows, coefficients)


def test_miri_falls_back_to_the_generic_subarray():
    assert converted(miri(), miri_photom()) == 2.0
    assert converted(miri("BRIGHTSKY"), miri_photom()) == 1.0


@pytest.mark.parametrize(
    ("table", "row", "left"),
    [
        ("timecoeff_linear", {"t0": 59635.0, "lossperyear": 0.1}, 0.9),
        (
            "timecoeff_exponential",
            {"t0": 59800.0, "amplitude": 0.2, "tau": 200.0, "const": 0.8},
            0.8 + 0.2 * np.exp(-1),
        ),
        ("timecoeff_powerlaw", {"t0": 59635.0, "year1value": 0.9, "tsoft": 1.0, "alpha": -0.5}, 0.9),
    ],
)
def test_throughput_that_is_lost(table, row, left):
    coefficients = {table: [row | {"t0": 0.0}, row, row]}
    reference = miri_photom(coefficients)
    assert converted(miri(), reference) == pytest.approx(2.0 / left, rel=1e-5)
    assert converted(miri(), reference, apply_time_correction=False) == 2.0
    result = run(miri(), reference)
    assert result.meta.photometry.conversion_megajanskys == pytest.approx(2.0 / left, rel=1e-5)
    assert result.data.dtype == np.float32


def test_several_losses_multiply():
    linear = {"t0": 59635.0, "lossperyear": 0.1}
    exponential = {"t0": 59800.0, "amplitude": 0.0, "tau": 1.0, "const": 0.5}
    reference = miri_photom({"timecoeff_linear": [linear] * 3, "timecoeff_exponential": [exponential] * 3})
    assert converted(miri(), reference) == pytest.approx(2.0 / 0.45, rel=1e-5)


def test_pixel_areas():
    sizes = {"photometry.pixelarea_steradians": 2e-14, "photometry.pixelarea_arcsecsq": 9e-4}
    result = run(rate(), photom(rows=ROWS), area(**sizes))
    box = CONFIG.aperture.box
    np.testing.assert_array_equal(result.area, area().data[box.slices])
    assert result.meta.photometry.pixelarea_steradians == 2e-14
    assert result.meta.photometry.pixelarea_arcsecsq == 9e-4
    assert result.meta.ref_file.area.name.startswith("override://")


def test_pixel_areas_of_the_photom_reference():
    sizes = {"photometry.pixelarea_steradians": 3e-14, "photometry.pixelarea_arcsecsq": 8e-4}
    for areas in ("N/A", area()):
        result = run(rate(), photom(rows=ROWS, **sizes), areas)
        assert result.meta.photometry.pixelarea_steradians == 3e-14
        assert result.has("area") == (areas != "N/A")


def test_inverse():
    model = run(rate(), photom(rows=ROWS))
    back = run(model, photom(rows=ROWS), inverse=True)
    np.testing.assert_allclose(back.data, 10.0)
    np.testing.assert_allclose(back.var_rnoise, 0.1)
    assert back.meta.bunit_data == "DN/s"


def test_no_row_leaves_the_data_and_says_so():
    result = run(rate(**{"instrument.filter": "F070W"}), photom(rows=ROWS), area())
    assert result.meta.cal_step.photom == "SKIPPED" and (result.data == 10).all()
    assert result.meta.bunit_data == "DN/s" and result.has("area")
    reason = runs_of(result)[0]["steps"][0]["reason"]
    assert "FILTER = F070W" in reason and "DN/s" in reason


def test_no_reference_skips():
    assert run(rate(), "N/A").meta.cal_step.photom == "SKIPPED"


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_factors_that_are_none(bad):
    with pytest.raises(ReferenceFileError, match="photmjsr"):
        run(rate(), photom(rows=[ROWS[0] | {"photmjsr": bad}]))


def test_two_rows_that_fit():
    with pytest.raises(ReferenceFileError, match="2 rows for FILTER = F200W"):
        run(rate(), photom(rows=[ROWS[0], ROWS[0]]))


def test_tables_of_different_length():
    with pytest.raises(ReferenceFileError, match="1 rows, but PHOTOM has 3"):
        run(miri(), miri_photom({"timecoeff_linear": [{"t0": 59635.0}]}))


def test_the_time_is_needed():
    model = miri()
    model.meta.exposure.mid_time = None
    coefficients = {"timecoeff_linear": [{"t0": 59635.0, "lossperyear": 0.1}] * 3}
    with pytest.raises(InputError, match="EXPMID"):
        run(model, miri_photom(coefficients))
    assert converted(model, miri_photom(coefficients), apply_time_correction=False) == 2.0


@pytest.mark.parametrize("kind", ["NrcWfssPhotomModel", "NrsFsPhotomModel"])
def test_tables_for_spectra(kind):
    with pytest.raises(ReferenceFileError, match="imaging conversion factors"):
        run(rate(), photom(kind, [{"filter": "F200W"}]))


def test_a_reference_that_is_no_photom():
    with pytest.raises(ReferenceFileError, match="imaging conversion factors"):
        run(rate(), datamodels.ReferenceFileModel())


def test_spectra_are_refused():
    with pytest.raises(PlanError, match=r"photom\.skip=true"):
        run(rate(**{"instrument.name": "MIRI", "instrument.detector": "MIRIFULONG"}), photom(rows=ROWS))


def test_old_parameters_warn_and_have_no_effect(caplog):
    step = PhotomStep(override_photom=photom(rows=ROWS), override_area="N/A")
    step.mrs_time_correction = False
    assert "mrs_time_correction" in caplog.text
    assert (step.run(rate()).data == 5).all()


def test_a_simulated_exposure_has_the_surface_brightness_of_its_sky(tmp_path, monkeypatch):
    sky = simulate.Sky(stars=0.0, galaxies=0.0, background=4.0)
    for config in (replace(CONFIG, sky=sky, ngroups=60), replace(MIRI, sky=sky, ngroups=60)):
        world = simulate.rate_universe(tmp_path / config.detector, config, subarray_only=True)
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        from webbcal.exposure.response.flat_field import FlatFieldStep

        result = PhotomStep.call(FlatFieldStep.call(world.rate[0]))
        good = (result.dq == 0) & np.isfinite(result.err)
        pulls = ((result.data - 4.0) / result.err)[good]
        assert good.sum() > 3000 and abs(pulls.mean()) < 4.5 / np.sqrt(good.sum())
        assert pulls.std() == pytest.approx(1.0, abs=0.06)
