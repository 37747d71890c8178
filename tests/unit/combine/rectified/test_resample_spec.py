"""Rectification: spectra whose result is known by hand, units, weights, and what it refuses."""

import asdf
import numpy as np
import pytest
from rectified_cases import SCALE, spectrum, wavelengths

from webbcal import datamodels
from webbcal.combine.rectified.resample_spec import ResampleSpecStep
from webbcal.core.errors import InputError, ParameterError, PlanError
from webbcal.wcs.of_model import wcs_of

INNER = (slice(2, -2), slice(2, -2))


def test_a_rectified_spectrum_stays_as_it_is():
    given = spectrum(seed=1)
    result = ResampleSpecStep().run(given)
    assert type(result).__name__ == "SlitModel" and result.shape == (40, 21)
    np.testing.assert_allclose(result.data[INNER], given.data[INNER], rtol=1e-5)
    np.testing.assert_allclose(result.var_rnoise[INNER], 0.04, rtol=1e-6)
    np.testing.assert_allclose(result.err[INNER], 0.3, rtol=1e-6)
    np.testing.assert_allclose(result.wht[INNER], 25, rtol=1e-5)
    np.testing.assert_allclose(result.wavelength, np.tile(wavelengths(40)[:, None], 21), rtol=1e-6)
    assert result.meta.cal_step.resample == "COMPLETE" and given.meta.cal_step.resample is None
    world = [float(v) for v in wcs_of(result)(7.0, 13.0)]
    assert world == pytest.approx([float(v) for v in wcs_of(given)(7.0, 13.0)], abs=1e-9)


def test_two_nods_share_a_grid():
    """As in jwst, the grid is as long as from the first centre of a pixel to the last."""
    result = ResampleSpecStep().run([spectrum(0), spectrum(5, number=2)])
    assert result.shape == (40, 25) and result.con.max() == 3
    np.testing.assert_allclose(result.data[2:-2, 2:-2], 3, rtol=1e-6)
    middle = np.median(result.wht[5:-5, 8:18])
    assert middle == pytest.approx(50, rel=1e-4) and np.median(result.wht[5:-5, 1:4]) == pytest.approx(
        25, rel=1e-4
    )
    np.testing.assert_allclose(result.var_rnoise[5:-5, 10:16], 0.02, rtol=1e-3)
    assert result.meta.exposure.exposure_time == 200 and result.meta.resample.pointings == 2


def test_wavelengths_beyond_those_of_the_first_are_added():
    longer = spectrum(number=2, waves=wavelengths(40) + 0.1)
    result = ResampleSpecStep().run([spectrum(), longer])
    added = np.count_nonzero(wavelengths(40) + 0.1 > wavelengths(40).max())
    assert result.shape == (40 + added, 21)
    assert (np.diff(result.wavelength[:, 5]) < 0).all()


def test_smaller_pixels_along_the_slit():
    result = ResampleSpecStep(pixel_scale_ratio=2.0).run(spectrum())
    assert result.shape[1] in (40, 41, 42) and result.shape[0] == 40
    np.testing.assert_allclose(result.data[2:-2, 4:-4], 3, rtol=1e-6)
    assert result.meta.photometry.pixelarea_steradians == pytest.approx(1.4e-13)
    assert result.meta.resample.pixel_scale_ratio == 2
    np.testing.assert_allclose(
        result.var_flat[5:-5, 8:-8], 0.02, rtol=1e-3
    )  # twice as many, each less certain
    flux = ResampleSpecStep(pixel_scale_ratio=2.0).run(spectrum(unit="MJy"))
    np.testing.assert_allclose(flux.data[2:-2, 4:-4], 1.5, rtol=1e-6)  # there are twice as many pixels


def test_pixel_scale_in_arcsec():
    result = ResampleSpecStep(pixel_scale=0.22).run(spectrum())
    assert result.shape == (40, 11)
    assert result.meta.resample.pixel_scale_ratio == pytest.approx(0.5, rel=1e-6)


def test_bad_pixels_do_not_count():
    given = spectrum()
    given.data[10, 10], given.dq[20, 5], given.var_rnoise[30, 7] = np.nan, 1, np.nan
    given.data[20, 5] = given.data[30, 7] = 1e6
    result = ResampleSpecStep(fillval="-1").run(given)
    assert result.data[INNER].max() == result.data[INNER].min() == pytest.approx(3)
    assert np.count_nonzero(result.wht[2:-2, 2:-2] < 1) == 3


def test_a_slit_without_any_data():
    given = spectrum(value=np.nan)
    result = ResampleSpecStep().run([given, spectrum(number=2)])
    np.testing.assert_allclose(result.data[INNER], 3, rtol=1e-6)
    alone = ResampleSpecStep().run(given)
    assert np.isnan(alone.data).all() and not alone.wht.any()


def test_exposures_one_by_one_on_the_grid_of_all():
    results = ResampleSpecStep(single=True).run([spectrum(0), spectrum(5, value=4.0, number=2)])
    assert [r.shape for r in results] == [(40, 25)] * 2
    assert [float(np.nanmedian(r.data)) for r in results] == [3, 4]
    assert results[0].meta.filename == "jw00001_00001_mirimage_outlier_s2d.fits"


def test_a_wcs_of_a_file(tmp_path):
    wanted = ResampleSpecStep().run([spectrum(0), spectrum(5, number=2)])
    with asdf.AsdfFile({"wcs": wanted.meta.wcs}) as file:
        file.write_to(tmp_path / "grid.asdf")
    result = ResampleSpecStep(output_wcs=str(tmp_path / "grid.asdf")).run(spectrum())
    assert result.shape == (40, 25)
    assert result.meta.photometry.pixelarea_steradians == pytest.approx(2.8e-13, rel=1e-6)
    np.testing.assert_allclose(np.nanmedian(result.data), 3, rtol=1e-6)


def test_the_pixel_area_of_a_file_is_in_square_arcsec(tmp_path):
    wanted = ResampleSpecStep().run(spectrum())
    with asdf.AsdfFile({"wcs": wanted.meta.wcs, "pixel_area": 0.006}) as file:
        file.write_to(tmp_path / "grid.asdf")
    photometry = ResampleSpecStep(output_wcs=str(tmp_path / "grid.asdf")).run(spectrum()).meta.photometry
    assert photometry.pixelarea_arcsecsq == pytest.approx(0.006)
    assert photometry.pixelarea_steradians == pytest.approx(0.006 * 2.3504e-11, rel=1e-4)


def test_a_wcs_of_an_image_is_refused(tmp_path):
    with asdf.AsdfFile({"wcs": None}) as file:
        file.write_to(tmp_path / "grid.asdf")
    with pytest.raises(InputError, match="with 3 axes"):
        ResampleSpecStep(output_wcs=str(tmp_path / "grid.asdf")).run(spectrum())


def test_integrations_are_refused_and_skipped_in_a_pipeline():
    series = datamodels.SlitModel(data=np.zeros((2, 4, 5), np.float32))
    series.update(spectrum())
    with pytest.raises(TypeError, match="SlitModel of shape"):
        ResampleSpecStep().run(series)
    (plan,) = ResampleSpecStep().decided(series)
    assert plan.status == "SKIPPED" and "two-dimensional" in plan.reason


@pytest.mark.parametrize(
    "parameters",
    [{"pixel_scale_ratio": 0.0}, {"pixel_scale": -1.0}, {"output_shape": [0, 3]}, {"fillval": "many"}],
)
def test_parameters_that_make_no_sense(parameters):
    with pytest.raises(ParameterError):
        ResampleSpecStep(**parameters).run(spectrum())


def test_a_spectrum_without_wcs():
    given = spectrum()
    del given.meta.wcs
    with pytest.raises(InputError, match="run assign_wcs"):
        ResampleSpecStep().run(given)


def test_a_direction_of_dispersion_that_is_none():
    given = spectrum()
    given.meta.wcsinfo.dispersion_direction = None
    with pytest.raises(InputError, match="DISPAXIS"):
        ResampleSpecStep().run(given)


def test_slits_of_many_are_refused():
    with pytest.raises(PlanError, match="many slits"):
        ResampleSpecStep().run(datamodels.MultiSlitModel())


def test_scale_of_the_grid():
    result = ResampleSpecStep().run(spectrum())
    (ra0, dec0, _), (ra1, dec1, _) = (wcs_of(result)(x, 20.0) for x in (10.0, 11.0))
    step = np.hypot((ra1 - ra0) * np.cos(np.radians(dec0)), dec1 - dec0)
    assert float(step) == pytest.approx(SCALE, rel=1e-6)


def test_a_spectrum_that_would_not_fit_or_has_no_width_is_refused():
    with pytest.raises(PlanError, match=r"would have \d{9,} × 40 pixels; set another pixel_scale"):
        ResampleSpecStep(pixel_scale_ratio=1e9).run(spectrum())
    with pytest.raises(ParameterError, match="would have 1 × 40 pixels"):
        ResampleSpecStep(pixel_scale_ratio=1e-3).run(spectrum())
