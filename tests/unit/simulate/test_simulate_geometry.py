import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.core.errors import ParameterError
from webbcal.simulate.geometry import DETECTORS, Pointing, find_aperture, reference_pixels

NIRCAM = [d for d in DETECTORS if d.startswith("NRC")]


@pytest.mark.parametrize(
    ("detector", "subarray", "seconds"),
    [  # frame times from the JWST documentation of the instruments
        ("NRCALONG", "FULL", 10.73677),
        ("NRCALONG", "SUB64P", 0.05016),
        ("NRCALONG", "SUB160", 0.27864),
        ("NRCALONG", "SUB320", 1.06904),
        ("NRCALONG", "SUB640", 4.18584),
        ("NRCALONG", "SUBGRISM64", 0.34061),
        ("NIS", "SUBSTRIP256", 5.494),
        ("NIS", "SUB64", 0.05016),
    ],
)
def test_frame_times_are_those_of_the_documentation(detector, subarray, seconds):
    assert find_aperture(detector, subarray, "F444W").frame_time == pytest.approx(seconds, abs=2e-5)


def test_there_are_ten_nircam_detectors_with_their_readout_directions():
    assert len(NIRCAM) == 10
    flipped = {d for d in NIRCAM if (DETECTORS[d].fastaxis, DETECTORS[d].slowaxis) == (-1, 2)}
    assert flipped == {"NRCA1", "NRCA3", "NRCALONG", "NRCB2", "NRCB4"}
    others = {(DETECTORS[d].fastaxis, DETECTORS[d].slowaxis) for d in set(NIRCAM) - flipped}
    assert others == {(1, -2)}


@pytest.mark.parametrize("detector", DETECTORS)
def test_sky_and_pixels_are_inverse(detector):
    aperture = find_aperture(detector)
    pointing = Pointing(aperture, 359.999, 12.3, 77.0)
    x, y = pointing.sky_to_pixel(np.array([pointing.ra]), np.array([pointing.dec]))
    assert x[0] == pytest.approx(aperture.x_ref - 1, abs=1e-3)
    assert y[0] == pytest.approx(aperture.y_ref - 1, abs=1e-3)
    grid_x, grid_y = np.array([10.0, 1000.0, 2030.0]), np.array([2000.0, 900.0, 15.0])
    back_x, back_y = pointing.sky_to_pixel(*pointing.pixel_to_sky(grid_x, grid_y))
    np.testing.assert_allclose(back_x, grid_x, atol=1e-4)
    np.testing.assert_allclose(back_y, grid_y, atol=1e-4)


@pytest.mark.parametrize("subarray", ["SUB160", "SUB320", "SUB640"])
@pytest.mark.parametrize("detector", NIRCAM)
def test_subarrays_lie_where_their_reference_position_falls(detector, subarray):
    sub = Pointing(find_aperture(detector, subarray), 53.0, -27.0, 10.0)
    assert Box(0, 2048, 0, 2048).contains(sub.aperture.box)
    x, y = sub.sky_to_pixel(np.array([53.0]), np.array([-27.0]))
    # the reference position is the reference pixel, so the corner of the box is right
    assert (x[0], y[0]) == pytest.approx((sub.aperture.x_ref - 1, sub.aperture.y_ref - 1), abs=0.2)


def test_a_point_lands_on_the_same_detector_pixel_in_a_subarray():
    sub = Pointing(find_aperture("NRCA1", "SUB160"), 53.0, -27.0, 10.0)
    full_aperture = find_aperture("NRCA1")
    # the full frame pointed so that the telescope's attitude is the same
    box = sub.aperture.box
    centre_x, centre_y = full_aperture.x_ref - 1 - box.x0, full_aperture.y_ref - 1 - box.y0
    ra, dec = (float(v[0]) for v in sub.pixel_to_sky(np.array([centre_x]), np.array([centre_y])))
    roll = sub.roll - np.degrees(np.radians(ra - 53.0) * np.sin(np.radians(dec)))  # convergence of meridians
    full = Pointing(full_aperture, ra, dec, roll)
    point = np.array([53.0001]), np.array([-27.0001])
    xs, ys = sub.sky_to_pixel(*point)
    xf, yf = full.sky_to_pixel(*point)
    assert (xf[0] - box.x0, yf[0] - box.y0) == pytest.approx((xs[0], ys[0]), abs=0.2)


def test_reference_pixels_are_the_border_of_the_detector():
    whole = reference_pixels(Box(0, 2048, 0, 2048))
    assert whole.sum() == 2048**2 - 2040**2
    assert not whole[4:-4, 4:-4].any()
    assert not reference_pixels(Box(944, 1104, 944, 1104)).any()
    corner = find_aperture("NRCB1", "SUB160").reference_pixels
    assert corner.sum() == 160**2 - 156**2


def test_orientation_follows_the_axes_keywords():
    for name in ("NRCALONG", "NRCBLONG", "NIS", "GUIDER2"):
        aperture = find_aperture(name)
        d = aperture.detector
        slow, fast = np.mgrid[0:4, 0:6]
        turned = aperture.orient(slow * 10 + fast)
        # going along the fast axis in the direction of its sign raises the fast index by one
        axis = 1 if abs(d.fastaxis) == 1 else 0
        step = np.diff(turned, axis=axis) * np.sign(d.fastaxis)
        assert (step == 1).all()
        assert (np.diff(turned, axis=1 - axis) * np.sign(d.slowaxis) == 10).all()


def test_the_linear_wcs_describes_the_projection():
    pointing = Pointing(find_aperture("NRCALONG"), 80.0, -69.5, 120.0)
    matrix, scale = pointing.linear_wcs()
    assert np.array(scale) * 3600 == pytest.approx(0.0629, abs=2e-4)
    assert np.linalg.det(matrix) == pytest.approx(-1.0, abs=5e-3)  # east is to the left
    from astropy.wcs import WCS

    w = WCS(naxis=2)
    w.wcs.ctype, w.wcs.crval = ["RA---TAN", "DEC--TAN"], [pointing.ra, pointing.dec]
    w.wcs.crpix = [pointing.aperture.x_ref, pointing.aperture.y_ref]
    w.wcs.cdelt, w.wcs.pc = list(scale), matrix
    x, y = np.array([1000.0, 1060.0]), np.array([1050.0, 990.0])
    ra, dec = pointing.pixel_to_sky(x, y)
    back = w.wcs_world2pix(ra, dec, 0)
    np.testing.assert_allclose(back, [x, y], atol=0.02)


@pytest.mark.parametrize(
    ("detector", "subarray"), [("NRCA6", "FULL"), ("NRCALONG", "SUB161"), ("NRCA1", "41STRIPE1_DHS_F444W")]
)
def test_unknown_names_are_reported(detector, subarray):
    with pytest.raises(ParameterError, match=r"NRCA6|SUB161|has no subarray '41STRIPE1"):
        find_aperture(detector, subarray)
