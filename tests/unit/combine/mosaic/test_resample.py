"""Mosaics: what goes in comes out, whatever the kernel, the grid and the tiles."""

import asdf
import numpy as np
import pytest
from astropy.io import fits
from combine_cases import PIXEL, brightness, dithered

from webbcal import datamodels
from webbcal.combine.members.list_step import group_of
from webbcal.combine.mosaic import drizzling
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.core.errors import InputError, ParameterError, PlanError


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Four dithered images without cosmic rays."""
    return dithered(tmp_path_factory.mktemp("dithers"), rays=0)[0]


@pytest.fixture(scope="module")
def mosaic(exposures):
    return ResampleStep().run(exposures)


def on_sky(model):
    y, x = np.mgrid[: model.shape[0], : model.shape[1]]
    return brightness(*model.meta.wcs(x, y))


def covered(model, most=0.7):
    return model.wht > most * np.median(model.wht[model.wht > 0])


def test_surface_brightness_and_errors(mosaic):
    inside = covered(mosaic) & (mosaic.data < 4)
    pull = ((mosaic.data - on_sky(mosaic)) / mosaic.err)[inside]
    assert abs(np.median(pull)) < 0.05
    # Neighbours share input pixels: noise is smoothed, and the error plane is that of single pixels.
    assert 0.5 < np.std(pull) < 1.0
    parts = mosaic.var_rnoise + mosaic.var_poisson + mosaic.var_flat
    np.testing.assert_allclose(mosaic.err[inside] ** 2, parts[inside], rtol=1e-5)


def test_flux_of_a_star_is_conserved(mosaic):
    truth = on_sky(mosaic)
    top, left = np.unravel_index(np.argmax(truth), truth.shape)
    star = np.s_[top - 9 : top + 10, left - 9 : left + 10]
    assert mosaic.data[star].sum() == pytest.approx(truth[star].sum(), rel=0.01)


def test_context_tells_the_images(mosaic, exposures):
    alone = ResampleStep(single=True).run(exposures)
    assert mosaic.con.shape == (1, *mosaic.shape)
    for number, image in enumerate(alone):
        np.testing.assert_array_equal(mosaic.con[0] >> number & 1 == 1, image.wht > 0)
        assert image.meta.filename == f"jw01234002001_02101_{number + 1:05d}_nrcalong_outlier_i2d.fits"
        assert image.meta.resample.pointings == 1


def test_metadata(mosaic, exposures):
    meta = mosaic.meta
    assert meta.cal_step.resample == "COMPLETE" and meta.resample.pointings == 4
    assert meta.resample.pixel_scale_ratio == 1 and meta.resample.weight_type == "ivm"
    assert meta.exposure.exposure_time == 406 and meta.exposure.duration == 440
    assert meta.exposure.measurement_time == 366
    assert (meta.exposure.start_time, meta.exposure.end_time) == (60000, 60003.5)
    assert meta.photometry.pixelarea_steradians == pytest.approx(np.radians(PIXEL) ** 2, rel=0.02)
    assert meta.wcsinfo.ctype1 == "RA---TAN" and meta.wcsinfo.v2_ref is None
    assert meta.wcsinfo.s_region.startswith("POLYGON ICRS")
    fits = mosaic.get_fits_wcs()
    np.testing.assert_allclose(fits.wcs_pix2world([[10, 20]], 0)[0], mosaic.meta.wcs(10, 20), atol=1e-10)
    assert len(mosaic.hdrtab) == 4
    assert mosaic.hdrtab["EXPSTART"].tolist() == [60000, 60001, 60002, 60003]
    assert mosaic.hdrtab["FILENAME"][2].strip() == exposures[2].meta.filename


def test_file_round_trip(mosaic, tmp_path):
    mosaic.save(tmp_path / "m_i2d.fits")
    again = datamodels.open(tmp_path / "m_i2d.fits")
    for name in ("data", "err", "wht", "con", "var_rnoise"):
        np.testing.assert_array_equal(getattr(again, name), getattr(mosaic, name))
    np.testing.assert_allclose(again.meta.wcs(3, 4), mosaic.meta.wcs(3, 4), rtol=1e-14)


@pytest.mark.parametrize("parameters", [{"propagate_dq": True}, {"enable_err": False}, {"report_var": False}])
def test_a_saved_mosaic_is_streamed_to_its_file(exposures, tmp_path, parameters):
    kept = ResampleStep(**parameters).run(exposures)
    streamed = ResampleStep(**parameters, save_results=True, output_dir=str(tmp_path)).run(exposures)
    kept.save(tmp_path / "kept_i2d.fits")
    (path,) = set(tmp_path.iterdir()) - {tmp_path / "kept_i2d.fits"}
    assert streamed.source("data").handle.path == path
    with fits.open(path) as ours, fits.open(tmp_path / "kept_i2d.fits") as expected:
        assert [h.name for h in ours] == [h.name for h in expected]
        for hdu, other in zip(ours[1:-1], expected[1:-1], strict=True):
            np.testing.assert_array_equal(hdu.data, other.data)
            assert set(hdu.header) - {""} == set(other.header) - {""}


@pytest.mark.parametrize("kernel", ["square", "point", "turbo", "gaussian", "lanczos2", "lanczos3"])
def test_tiles_do_not_show(exposures, kernel, monkeypatch):
    step = ResampleStep(kernel=kernel, propagate_dq=True, pixfrac=0.8)
    whole = step.run(exposures)
    monkeypatch.setattr(drizzling, "TILE", 60)
    tiled = step.run(exposures)
    for name in ("data", "wht", "err", "var_flat"):
        ours, expected = getattr(tiled, name), getattr(whole, name)
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-6 * np.nanmax(np.abs(expected)))
    assert (tiled.con != whole.con).mean() < 1e-3
    assert (tiled.dq != whole.dq).mean() < 1e-3
    if kernel != "lanczos2":  # rings around stars
        good = covered(whole) & (whole.data < 4)
        assert abs(np.median((whole.data - on_sky(whole))[good])) < 0.01


def test_many_images_fill_several_planes_of_the_context(exposures):
    mosaic = ResampleStep(kernel="turbo").run([exposures[k % 4].copy() for k in range(34)])
    assert mosaic.con.shape[0] == 2
    assert set(np.unique(mosaic.con[1].view(np.uint32))) <= {0, 1, 2, 3}
    assert (mosaic.con[0].view(np.uint32) >> 31).max() == 1


@pytest.mark.parametrize(
    "parameters, shape, scale",
    [
        ({"pixel_scale_ratio": 0.5}, (342, 346), 0.5),
        ({"pixel_scale": 0.126}, (86, 87), 2.0),
        ({"rotation": 0.0}, (237, 238), 1.0),
        ({"output_shape": [100, 90], "crpix": [50, 45], "crval": [53.16, -27.79]}, (90, 100), 1.0),
    ],
)
def test_grids(exposures, parameters, shape, scale):
    mosaic = ResampleStep(**parameters).run(exposures)
    assert np.abs(np.subtract(mosaic.shape, shape)).max() <= 4
    good = covered(mosaic) & (mosaic.data < 4)
    assert abs(np.median((mosaic.data - on_sky(mosaic))[good])) < 0.01
    assert mosaic.meta.resample.pixel_scale_ratio == pytest.approx(scale, rel=0.01)
    assert mosaic.meta.wcsinfo.cdelt1 * 3600 == pytest.approx(scale * 0.063, rel=0.02)
    if "rotation" in parameters:
        assert mosaic.meta.wcsinfo.pc1_2 == pytest.approx(0, abs=1e-12)
    if "crval" in parameters:
        np.testing.assert_allclose(mosaic.meta.wcs(50, 45), (53.16, -27.79), atol=1e-10)


def test_output_wcs_of_a_file(exposures, mosaic, tmp_path):
    asdf.AsdfFile({"wcs": mosaic.meta.wcs}).write_to(tmp_path / "wcs.asdf")
    again = ResampleStep(output_wcs=str(tmp_path / "wcs.asdf")).run(exposures)
    np.testing.assert_array_equal(again.data, mosaic.data)
    with pytest.raises(InputError, match="does not exist"):
        ResampleStep(output_wcs="nowhere.asdf").run(exposures)
    asdf.AsdfFile({"other": 1}).write_to(tmp_path / "empty.asdf")
    with pytest.raises(InputError, match="no imaging WCS"):
        ResampleStep(output_wcs=str(tmp_path / "empty.asdf")).run(exposures)


def test_weights(exposures, mosaic):
    by_time = ResampleStep(weight_type="exptime").run(exposures)
    equal = ResampleStep(weight_type=None).run(exposures)
    middle = np.s_[80:85, 80:85]
    assert np.median(by_time.wht[middle]) == pytest.approx(90 + 91 + 92 + 93, rel=0.02)
    assert np.median(equal.wht[middle]) == pytest.approx(4, rel=0.02)
    # The last image is twice as deep: only weighting by noise makes the best of it.
    assert np.median(mosaic.err[middle]) < np.median(equal.err[middle])


def test_what_is_left_out(exposures):
    bare = ResampleStep(enable_err=False, enable_ctx=False).run(exposures)
    assert not any(bare.has(name) for name in ("err", "con", "var_rnoise", "dq"))
    quiet = ResampleStep(report_var=False, fillval="-1").run(exposures)
    assert quiet.has("err") and not quiet.has("var_flat")
    assert (quiet.data[quiet.wht == 0] == -1).all() and (quiet.wht == 0).any()


def test_one_image_to_look_at(exposures, tmp_path):
    before = exposures[0].data.copy()
    path = tmp_path / "jw01_nrcalong_cal.fits"
    exposures[0].copy().save(path)
    step = ResampleStep(save_results=True, suffix="i2d")
    result = step.run(path)
    assert (tmp_path / "jw01_nrcalong_i2d.fits").exists()
    assert not result.has("hdrtab") and result.meta.resample.pointings == 1
    np.testing.assert_array_equal(exposures[0].data, before)


def test_measured_background_is_subtracted_and_flags_count(exposures):
    changed = [m.copy() for m in exposures]
    for number, model in enumerate(changed):
        model.data = model.data + np.float32(number)
        model.meta.background.level, model.meta.background.subtracted = float(number), False
        model.dq[:, :20] |= 512  # non-science
    mosaic = ResampleStep().run(changed)
    good = covered(mosaic) & (mosaic.data < 4)
    assert abs(np.median((mosaic.data - on_sky(mosaic))[good])) < 0.01
    assert (mosaic.wht > 0).sum() < 0.95 * (ResampleStep().run(exposures).wht > 0).sum()
    assert mosaic.meta.background.level is None


def test_detectors_read_together_count_once(exposures):
    pair = [m.copy() for m in exposures[:2]]
    for model in pair:
        model.meta.group_id = "one"
    assert group_of(pair[0]) == "one"
    mosaic = ResampleStep().run(pair)
    assert mosaic.meta.resample.pointings == 1 and mosaic.meta.exposure.exposure_time == 100


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"crpix": [1.0]}, "two numbers"),
        ({"fillval": "much"}, "fillval"),
        ({"pixel_scale": 60.0}, "pixels"),
        ({"pixel_scale": -1.0}, "positive"),
        ({"output_shape": [0, 5]}, "at least 1"),
    ],
)
def test_impossible_parameters(exposures, parameters, message):
    with pytest.raises(ParameterError, match=message):
        ResampleStep(**parameters).run(exposures)


def test_impossible_input(exposures):
    model = exposures[0].copy()
    model.meta.wcsinfo.s_region = None
    with pytest.raises(InputError, match="S_REGION"):
        ResampleStep().run([model, exposures[1]])
    model = exposures[1].copy()
    del model.meta.wcs
    with pytest.raises(InputError, match="assign_wcs"):
        ResampleStep().run([exposures[0], model])


@pytest.mark.parametrize("given", ["one", "all"])
def test_a_mosaic_that_does_not_fit_is_refused_at_once(exposures, given):
    """It once was begun, until the machine had no memory left."""
    with pytest.raises(PlanError, match=r"the mosaic has \d{7,} × \d{7,} pixels; set output_shape"):
        ResampleStep(pixel_scale=1e-6).run(exposures[0] if given == "one" else exposures)
