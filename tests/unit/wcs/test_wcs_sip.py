"""The SIP fit on transforms whose terms are known, and the keywords of a model."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from webbcal import datamodels
from webbcal.wcs.sip import fit_sip, update_sip
from webbcal.wcs.sip_fit import Goal, tangent_plane
from webbcal.wcs.sip_settings import SipSettings

BOUNDS = (-0.5, 999.5), (-0.5, 799.5)
CRPIX = 420.5, 380.25
CD = np.array([[-8e-6, 3e-6], [3.1e-6, 8.2e-6]])
A = {(2, 0): 2e-6, (1, 1): -3e-6, (0, 3): 4e-10, (2, 2): 1e-13}
B = {(0, 2): 5e-6, (2, 1): 3e-10, (4, 0): -2e-13}


def header(a=A, b=B, dec=62.0):
    """Return a header with SIP terms of degree 4."""
    values = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 0.001, "CRVAL2": dec}
    values |= {"CRPIX1": CRPIX[0], "CRPIX2": CRPIX[1], "A_ORDER": 4, "B_ORDER": 4}
    values |= {f"CD{i + 1}_{j + 1}": CD[i, j] for i in (0, 1) for j in (0, 1)}
    values |= {f"{n}_{i}_{j}": v for n, terms in (("A", a), ("B", b)) for (i, j), v in terms.items()}
    return fits.Header(values)


def transform(**terms):
    """Return a callable from 0-based pixels to the sky, by astropy."""
    wcs = WCS(header(**terms))
    return lambda x, y, with_bounding_box: wcs.all_pix2world(x, y, 0)


def test_terms_of_a_known_approximation_come_back():
    keywords = fit_sip(transform(), BOUNDS, SipSettings(sip_max_pix_error=1e-6), CRPIX)
    assert keywords["a_order"] == keywords["b_order"] == 4 and keywords["ctype2"] == "DEC--TAN-SIP"
    assert (keywords["crpix1"], keywords["crpix2"]) == CRPIX
    assert keywords["crval1"] == pytest.approx(0.001, abs=1e-12) and keywords["crval2"] == pytest.approx(62.0)
    for (i, j), value in np.ndenumerate(CD):
        assert keywords[f"cd{i + 1}_{j + 1}"] == pytest.approx(value, rel=1e-10)
    for name, terms in (("a", A), ("b", B)):
        for i in range(5):
            for j in range(5 - i):
                if i + j > 1:
                    term = keywords[f"{name}_{i}_{j}"]
                    assert term == pytest.approx(terms.get((i, j), 0.0), rel=1e-9, abs=1e-7 / 600 ** (i + j))
    assert "a_1_0" not in keywords and keywords["sipmxerr"] < 1e-7


def test_inverse_terms_bring_pixels_back():
    keywords = fit_sip(transform(), BOUNDS, SipSettings(), CRPIX)
    wcs = WCS(fits.Header({key.upper(): value for key, value in keywords.items()}))
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(*BOUNDS[0], 37), np.linspace(*BOUNDS[1], 37)))
    sky = transform()(x, y, with_bounding_box=False)
    flat = np.transpose(wcs.wcs_world2pix(*sky, 1)) - wcs.wcs.crpix
    error = np.hypot(*(wcs.sip.foc2pix(flat, 1) - np.transpose([x + 1, y + 1])).T).max()
    assert error == pytest.approx(keywords["sipiverr"], rel=0.05)
    assert keywords["ap_order"] < 5 and 1e-5 < error < 0.01


def test_the_lowest_degree_that_is_good_enough_is_taken():
    def order(tolerance):
        return fit_sip(transform(), BOUNDS, SipSettings(sip_max_pix_error=tolerance), CRPIX).get("a_order", 1)

    assert [order(t) for t in (10.0, 0.1, 0.01, 1e-6)] == [1, 2, 3, 4]


def test_a_plane_has_no_sip_terms():
    keywords = fit_sip(transform(a={}, b={}), BOUNDS, SipSettings(), CRPIX)
    assert keywords["ctype1"] == "RA---TAN" and not [k for k in keywords if k[:2] in ("a_", "ap", "b_", "bp")]
    assert keywords["sipmxerr"] < 1e-7 and "sipiverr" not in keywords


def test_the_reference_pixel_is_the_centre_by_default():
    keywords = fit_sip(transform(), BOUNDS, SipSettings())
    assert (keywords["crpix1"], keywords["crpix2"]) == (500.5, 400.5)
    there = transform()(np.array([499.5]), np.array([399.5]), with_bounding_box=False)
    assert (keywords["crval1"], keywords["crval2"]) == tuple(v.item() for v in there)


def test_no_inverse_terms_if_none_are_asked_for():
    keywords = fit_sip(transform(), BOUNDS, SipSettings(sip_max_inv_pix_error=0.0), CRPIX)
    assert "a_order" in keywords and "ap_order" not in keywords and "sipiverr" not in keywords


@pytest.mark.parametrize(
    ("settings", "bounds", "message"),
    [
        (SipSettings(sip_npoints=7), BOUNDS, "give 8 or more"),
        (SipSettings(sip_degree=0), BOUNDS, "1 to 9"),
        (SipSettings(sip_inv_degree=10), BOUNDS, "1 to 9"),
        (SipSettings(), ((0.0, 0.5), (0.0, 10.0)), "less than a pixel"),
    ],
)
def test_settings_that_make_no_sense(settings, bounds, message):
    with pytest.raises(ValueError, match=message):
        fit_sip(transform(), bounds, settings)
    with pytest.raises(ValueError, match="degrees"):
        Goal((), 0.1)


def test_too_few_points_for_the_distortion_are_told(caplog):
    """Waves that vanish on the points of the fit."""

    def wavy(x, y, with_bounding_box):
        return 10.0 + 1e-5 * (x + np.sin(np.pi * (x + 0.5) / 1000 * 11)), 1e-5 * y

    with caplog.at_level(logging.WARNING):
        keywords = fit_sip(wavy, BOUNDS, SipSettings(sip_max_pix_error=1e-3), (0.5, 0.5))
    assert "fit more points" in caplog.text and keywords["sipmxerr"] > 0.9


def test_positions_on_the_tangent_plane():
    """Against the ratio of Cartesian components; the far side of the sky has none."""
    lon, lat = np.array([10.0, 12.0, 350.0, 190.0, 100.0]), np.array([20.0, 25.0, -30.0, -20.0, -1.0])
    x, y = tangent_plane(lon, lat, 10.0, 20.0)
    assert np.isnan(x[3:]).all() and np.isnan(y[3:]).all()

    def unit(a, b):
        a, b = np.radians(a), np.radians(b)
        return np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])

    depth = unit(10.0, 20.0) @ unit(lon, lat)
    expected = unit(100.0, 0.0) @ unit(lon, lat) / depth, unit(10.0, 110.0) @ unit(lon, lat) / depth
    np.testing.assert_allclose((x[:3], y[:3]), np.degrees(expected)[:, :3], atol=1e-13)


@pytest.fixture
def model():
    """Return an image with keywords of a linear WCS and rests of an earlier SIP fit."""
    image = datamodels.ImageModel(np.zeros((4, 4), np.float32))
    info = image.meta.wcsinfo
    info.crpix1, info.crpix2 = CRPIX
    info.cdelt1 = info.pc1_1 = 1.0
    info.a_order, info.a_5_0 = 5, 1e-20
    return image


def test_keywords_of_a_model_are_replaced(model):
    assert update_sip(model, transform(), BOUNDS, SipSettings(sip_max_pix_error=1e-4))
    info = model.meta.wcsinfo.instance
    assert not {"cdelt1", "pc1_1", "a_5_0", "lonpole"} & set(info)
    assert info["a_order"] == 4 and info["crpix2"] == CRPIX[1] and info["ctype1"] == "RA---TAN-SIP"


def test_a_failed_fit_leaves_the_keywords(model, caplog):
    def nowhere(x, y, with_bounding_box):
        return np.where(x < 100, np.nan, x / 1e5), y / 1e5

    before = dict(model.meta.wcsinfo.instance)
    with caplog.at_level(logging.WARNING):
        assert not update_sip(model, nowhere, BOUNDS, SipSettings())
    assert "no SIP approximation" in caplog.text and "no position" in caplog.text
    assert model.meta.wcsinfo.instance == before


def test_a_fit_that_is_not_good_enough_is_told(model, caplog):
    with caplog.at_level(logging.WARNING):
        assert update_sip(model, transform(), BOUNDS, SipSettings(sip_max_inv_pix_error=1e-9))
    assert "inverse SIP of degree 5" in caplog.text and "not within 1e-09" in caplog.text


def test_no_library_but_numpy_is_imported():
    code = "import sys, webbcal.wcs.sip; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'numpy'" in loaded
    assert not {name for name in ("astropy", "asdf", "gwcs", "scipy", "numba") if f"'{name}'" in loaded}
