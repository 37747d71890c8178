"""World coordinates against the SIAF itself (pysiaf): attitude, distortion, and the whole chain."""

import numpy as np
import pytest
from wcs_cases import CASES, image, miri_aperture

from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate import CrdsCache, write_image_references
from webbcal.simulate.geometry import Pointing, find_aperture, load_pysiaf
from webbcal.wcs.attitude import Attitude
from webbcal.wcs.evaluation import forward
from webbcal.wcs.transforms import aberration_correction

ARCSEC = 1e-5
UNABERRATED = [type(c)(**{**c.__dict__, "scale": 1.0}) for c in CASES]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    cache = CrdsCache(tmp_path_factory.mktemp("truth") / "crds")
    write_image_references(cache, {c.detector for c in CASES})  # no filter offsets: the SIAF has none
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        return [AssignWcsStep.call(image(case)) for case in UNABERRATED]


def siaf_of(case, model):
    """Return the full-frame aperture and where the image begins in it."""
    corner = model.meta.subarray.xstart, model.meta.subarray.ystart
    if case.detector == "MIRIMAGE":
        return miri_aperture(), corner
    d = find_aperture(case.detector).detector
    siaf = load_pysiaf().Siaf({"NIRCAM": "NIRCam"}.get(d.instrument, d.instrument))
    return siaf[d.full_aperture], corner


def pixels(model):
    ny, nx = model.shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, 23), np.linspace(0, ny - 1, 23))
    return x.ravel(), y.ravel()


def separation(ra, dec, ra2, dec2):
    """Return angular distances in arcsec, exact for small ones."""
    a, b, c, d = (np.radians(v) for v in (ra, dec, ra2, dec2))
    half = np.sin((d - b) / 2) ** 2 + np.cos(b) * np.cos(d) * np.sin((c - a) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600


def test_pixels_to_the_telescope_frame(images):
    for case, model in zip(UNABERRATED, images, strict=True):
        aperture, (x0, y0) = siaf_of(case, model)
        x, y = pixels(model)
        v2, v3 = model.meta.wcs.get_transform("detector", "v2v3")(x, y)
        expected = aperture.sci_to_tel(x + x0, y + y0)
        assert np.hypot(v2 - expected[0], v3 - expected[1]).max() < ARCSEC, case.name


def test_pixels_to_the_sky_and_back(images):
    rotations = load_pysiaf().utils.rotations
    for case, model in zip(UNABERRATED, images, strict=True):
        aperture, (x0, y0) = siaf_of(case, model)
        info = model.meta.wcsinfo
        attitude = rotations.attitude(info.v2_ref, info.v3_ref, info.ra_ref, info.dec_ref, info.roll_ref)
        x, y = pixels(model)
        sky = rotations.tel_to_sky(attitude, *aperture.sci_to_tel(x + x0, y + y0))
        expected = [v.to_value("deg") for v in sky]
        ra, dec = model.meta.wcs(x, y)
        assert separation(ra, dec, *expected).max() < ARCSEC, case.name
        back = model.meta.wcs.invert(*expected)
        assert np.hypot(back[0] - x, back[1] - y).max() < 1e-4, case.name


def test_sources_are_where_the_simulator_put_them(images):
    for case, model in zip(UNABERRATED, images, strict=True):
        if case.detector == "MIRIMAGE":
            continue
        info = model.meta.wcsinfo
        aperture = find_aperture(case.detector, case.subarray, case.filter)
        pointing = Pointing(aperture, info.ra_ref, info.dec_ref, info.roll_ref)
        x, y = pixels(model)
        ra, dec = model.meta.wcs(x, y)
        assert np.hypot(*np.subtract(pointing.sky_to_pixel(ra, dec), (x, y))).max() < 1e-4, case.name


def test_velocity_aberration_scales_about_the_reference_position():
    """The reference position stays; distances from it change by the scale."""
    scale, v2_ref, v3_ref = 1.0001, 86.1, -493.2
    correct = forward(aberration_correction(scale, v2_ref, v3_ref))
    np.testing.assert_allclose(correct(v2_ref, v3_ref), (v2_ref, v3_ref), rtol=1e-14)
    v2, v3 = correct(v2_ref + 60.0, v3_ref - 30.0)
    np.testing.assert_allclose((v2 - v2_ref, v3 - v3_ref), (60.0 * scale, -30.0 * scale), rtol=1e-10)


@pytest.mark.parametrize("pointing", [(10.0, 20.0, 30.0), (359.99, -89.0, 200.0), (0.0, 0.0, 0.0)])
def test_attitude(pointing):
    rotations = load_pysiaf().utils.rotations
    ours, theirs = Attitude.from_v1(*pointing), rotations.attitude(0.0, 0.0, *pointing)
    np.testing.assert_allclose(ours.matrix, theirs, atol=1e-14)
    v2, v3 = 89.4, -491.2
    ra, dec = (v.to_value("deg") for v in rotations.tel_to_sky(theirs, v2, v3))
    assert separation(*ours.sky(v2, v3), ra, dec) < 1e-9
    np.testing.assert_allclose(ours.telescope(ra, dec), (v2, v3), atol=1e-8)
    difference = ours.roll(v2, v3) - rotations.posangle(theirs, v2, v3)
    assert abs((difference + 180) % 360 - 180) < 1e-9
