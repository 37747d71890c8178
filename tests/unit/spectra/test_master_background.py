"""The spectrum of the sky, subtracted from hand-made slits."""

import numpy as np
import pytest
import spectrum_cases as cases

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.spectra.master_background import MasterBackgroundStep
from webbcal.spectra.tables import VECTORS, table_of


def sky(level=3.0, wavelength=None, target=True, name="jw9_x1d.fits"):
    """Return an extracted spectrum of a background exposure, or of a nod."""
    w = np.linspace(4.5, 10, 111) if wavelength is None else wavelength
    columns = {n: np.zeros(len(w), np.uint32 if n == "DQ" else float) for n in VECTORS}
    columns |= {"WAVELENGTH": w, "FLUX": np.ones(len(w)), "SURF_BRIGHT": level * w, "BACKGROUND": 7.0 * w}
    model = datamodels.MultiSpecModel()
    model.spec.append(model.spec.item(spec_table=table_of(columns, {}), spectral_order=1))
    model.meta.observation.bkgdtarg, model.meta.filename = target, name
    model.meta.exposure.exposure_time = 50.0
    return model


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def subtract(slits, backgrounds, **parameters):
    """Return exposures less the sky."""
    return MasterBackgroundStep(**parameters).run(slits, backgrounds)


def test_the_sky_is_taken_away_by_wavelength():
    slit = cases.slit(bad=0)
    (made,) = subtract([slit], [sky(2.0), sky(4.0)])
    np.testing.assert_allclose(slit.data - made.data, 3.0 * slit.wavelength, rtol=1e-4)
    np.testing.assert_array_equal(made.err, slit.err)
    np.testing.assert_array_equal(made.dq, slit.dq)
    assert made.meta.cal_step.master_background == "COMPLETE"


def test_of_nods_the_background_is_the_sky():
    slit = cases.slit(bad=0)
    (made,) = subtract([slit], [sky(target=False)])
    np.testing.assert_allclose(slit.data - made.data, 7.0 * slit.wavelength, rtol=1e-4)


def test_beyond_the_spectrum_pixels_are_not_to_be_used():
    slit = cases.slit(bad=0)
    (made,) = subtract([slit], [sky(wavelength=np.linspace(4.5, 8.0, 70))])
    beyond = slit.wavelength > 8.0
    assert beyond.any()
    assert (made.dq[beyond] == 1).all()
    assert (made.dq[~beyond] == 0).all()
    np.testing.assert_array_equal(made.data[beyond], slit.data[beyond])


def test_pixels_without_wavelength_keep_their_data():
    slit = cases.slit(bad=0)
    slit.wavelength[:, 3] = np.nan
    (made,) = subtract([slit], [sky()])
    np.testing.assert_array_equal(made.data[:, 3], slit.data[:, 3])
    assert (made.dq[:, 3] == 1).all()


def test_integrations_and_slits_have_the_same_sky():
    series = cases.slit(bad=0, nints=3, exp_type="MIR_LRS-SLITLESS")
    (made,) = subtract([series], [sky()])
    taken = series.data - made.data
    np.testing.assert_allclose(taken, np.repeat(3 * series.wavelength[None], 3, 0), rtol=1e-4)
    field = cases.field(0)
    (slits,) = subtract([field], [sky()])
    for before, after in zip(field.slits, slits.slits, strict=True):
        good = np.isfinite(before.data)
        np.testing.assert_allclose((before.data - after.data)[good], (3 * before.wavelength)[good], rtol=1e-4)


def test_a_users_sky_is_named(tmp_path):
    sky(5.0).save(tmp_path / "my_sky.fits")
    slit = cases.slit(bad=0)
    (made,) = subtract([slit], [], user_background=str(tmp_path / "my_sky.fits"))
    np.testing.assert_allclose(slit.data - made.data, 5.0 * slit.wavelength, rtol=1e-4)
    assert made.meta.background.master_background_file == "my_sky.fits"


def test_a_moving_median_takes_a_spike_out():
    spiked = sky()
    spiked.spec[0].spec_table["SURF_BRIGHT"][50] = 1e4
    slit = cases.slit(bad=0)
    (made,) = subtract([slit], [spiked], median_kernel=6)
    assert np.abs(slit.data - made.data - 3 * slit.wavelength).max() < 1


def test_the_sky_is_saved_if_that_is_wished(tmp_path):
    slits = [cases.slit(bad=0, seed=k, filename=f"jw{k}_cal.fits") for k in (1, 2)]
    made = subtract(slits, [sky()], save_background=True)
    names = sorted(path.name for path in tmp_path.glob("*masterbg*"))
    assert sum("masterbg1d" in name for name in names) == 1
    images = [datamodels.open(tmp_path / name) for name in names if "masterbg2d" in name]
    assert len(images) == 2
    np.testing.assert_allclose(slits[0].data - made[0].data, images[0].data, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("forced", [False, True])
def test_it_is_not_subtracted_twice(caplog, forced):
    slit = cases.slit(bad=0, **{"cal_step.bkg_subtract": "COMPLETE"})
    (made,) = subtract([slit], [sky()], force_subtract=forced)
    assert np.array_equal(made.data, slit.data) is not forced
    if not forced:
        assert "was subtracted" in caplog.text


def test_without_a_sky_the_step_fails_and_says_so(caplog):
    (made,) = subtract([cases.slit()], [])
    assert made.meta.cal_step.master_background == "FAILED"
    assert "no background exposures" in caplog.text


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(InputError, match="no extracted spectrum"):
        subtract([cases.slit()], [cases.slit()])
    with pytest.raises(InputError, match="cannot be combined"):
        subtract([cases.slit()], [sky(), sky(wavelength=np.array([5.0, 7.0, 6.0]))][1:])


def test_combined_spectra_and_those_of_many_sources_are_no_background():
    combined, field = datamodels.MultiCombinedSpecModel(), datamodels.WFSSMultiSpecModel()
    names = ("WAVELENGTH", "FLUX", "ERROR", "SURF_BRIGHT", "SB_ERROR", "DQ", "WEIGHT", "N_INPUT")
    table = np.zeros(5, [(n, float if n != "DQ" else np.uint32) for n in names])
    combined.spec.append(combined.spec.item(spec_table=table))
    with pytest.raises(InputError, match="no column FLUX_ERROR, BACKGROUND, BKGD_ERROR"):
        subtract([cases.slit()], [combined])
    columns = {n: np.zeros((3, 5), np.uint32 if n == "DQ" else float) for n in VECTORS}
    of_source = ("SOURCE_ID", "N_ALONGDISP", "SOURCE_XPOS", "SOURCE_YPOS", "SOURCE_RA", "SOURCE_DEC")
    of_box = [f"EXTRACT2D_{axis}{end}" for end in ("START", "STOP") for axis in "XY"]
    columns |= {name: np.zeros(3) for name in (*of_source, *of_box)}
    columns["SOURCE_TYPE"] = np.array(["POINT"] * 3)
    field.spec.append(field.spec.item(spec_table=table_of(columns, {})))
    with pytest.raises(InputError, match="several sources or integrations"):
        subtract([cases.slit()], [field])


def test_a_sky_of_nothing_is_told(caplog):
    subtract([cases.slit()], [sky(0.0)])
    assert "the master background is 0 at all of its wavelengths" in caplog.text
    subtract([cases.slit()], [sky(wavelength=np.linspace(20.0, 30.0, 9))])
    assert "the master background does not reach any of its wavelengths" in caplog.text


def test_the_given_models_are_not_changed():
    slit, before = cases.slit(bad=0), cases.slit(bad=0).data
    subtract([slit], [sky(target=False)])
    np.testing.assert_array_equal(slit.data, before)
