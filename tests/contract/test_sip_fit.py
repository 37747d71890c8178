"""The SIP fit against that of `gwcs`: the same grids, degrees, keywords and errors, for each imager."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from wcs_cases import OFFSETS, Case, image

from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate import CrdsCache, write_image_references
from webbcal.wcs.sip import fit_sip
from webbcal.wcs.sip_settings import SipSettings

CASES = (
    Case("NRCALONG"),
    Case("NRCALONG", "SUB160"),
    Case("NRCA1", filter="F150W", ra=359.999, dec=71.0, roll=200.0),
    Case("NIS", filter="F200W", ra=0.001, dec=-0.002, roll=10.0),
    Case("GUIDER1", filter="N/A", dec=89.0),
    Case("MIRIMAGE", filter="F770W"),
)
SETTINGS = {
    "defaults": SipSettings(),
    "linear": SipSettings(sip_degree=1),
    "low": SipSettings(sip_degree=2, sip_inv_degree=3),
    "high": SipSettings(sip_degree=4, sip_inv_degree=6),
    "loose": SipSettings(sip_max_pix_error=5.0, sip_max_inv_pix_error=5.0),
    "medium": SipSettings(sip_max_pix_error=0.5, sip_max_inv_pix_error=0.2),
    "tight": SipSettings(sip_max_pix_error=1e-5, sip_max_inv_pix_error=1e-4),
    "no inverse": SipSettings(sip_max_inv_pix_error=0.0),
    "few points": SipSettings(sip_npoints=8),
}
#: What only the header of gwcs has: names, and defaults of the standard.
UNWRITTEN = {"naxis", "naxis1", "naxis2", "wcsname", "latpole", "mjdref", "radesys"}
PIXEL = 1e-6


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    cache = CrdsCache(tmp_path_factory.mktemp("sip") / "crds")
    write_image_references(cache, {c.detector for c in CASES}, OFFSETS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        return {case.name: AssignWcsStep.call(image(case), sip_approx=False) for case in CASES}


def by_gwcs(wcs, settings, crpix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wcs.to_fits_sip(
            max_pix_error=settings.sip_max_pix_error,
            degree=settings.sip_degree or range(1, 6),
            max_inv_pix_error=settings.sip_max_inv_pix_error,
            inv_degree=settings.sip_inv_degree or range(1, 6),
            npoints=settings.sip_npoints,
            crpix=crpix,
        )


def bounds_of(wcs):
    return wcs.bounding_box.bounding_box(order="F")


def read(keywords):
    """Return the `astropy.wcs.WCS` of keywords."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(fits.Header({key.upper(): value for key, value in dict(keywords).items()}))


def assert_same(ours, theirs, bounds, label):
    expected = {key.lower(): value for key, value in theirs.items() if key.lower() not in UNWRITTEN}
    assert set(ours) == set(expected), label
    for key, value in expected.items():
        if isinstance(value, int | str):
            assert ours[key] == value, (label, key)
        elif key.startswith("sip"):
            assert ours[key] == pytest.approx(value, rel=0.01, abs=1e-7), (label, key)
        elif not key.startswith(("a_", "ap_", "b_", "bp_")):
            assert ours[key] == pytest.approx(value, rel=1e-11), (label, key)
    a, b = read(ours), read(expected)
    x, y = (v.ravel() for v in np.meshgrid(*(np.linspace(*limits, 31) for limits in bounds)))
    back = b.wcs_world2pix(np.transpose(a.all_pix2world(x, y, 0)), 0).T
    np.testing.assert_allclose(
        back, b.wcs_world2pix(b.all_pix2world(np.transpose([x, y]), 0), 0).T, atol=PIXEL
    )
    if "ap_order" in ours:
        points = np.transpose([x, y])
        there = [wcs.sip.foc2pix(points - wcs.wcs.crpix + 1, 0) for wcs in (a, b)]
        np.testing.assert_allclose(*there, rtol=0, atol=PIXEL, err_msg=label)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_approximation_is_that_of_gwcs(images, name):
    settings = SETTINGS[name]
    for case, model in images.items():
        wcs, info = model.meta.wcs, model.meta.wcsinfo
        for crpix in (None, (info.crpix1, info.crpix2)):
            ours = fit_sip(wcs, bounds_of(wcs), settings, crpix)
            assert_same(ours, by_gwcs(wcs, settings, crpix), bounds_of(wcs), f"{case} {crpix}")


def test_an_impossible_tolerance_gives_the_best_degree(images):
    """On full frames, where degrees differ by more than rounding errors."""
    settings = SipSettings(sip_max_pix_error=1e-15, sip_max_inv_pix_error=1e-15)
    for case, model in images.items():
        if "sub" not in case:
            wcs = model.meta.wcs
            ours = fit_sip(wcs, bounds_of(wcs), settings)
            assert ours["a_order"] == ours["ap_order"] == 5
            assert_same(ours, by_gwcs(wcs, settings, None), bounds_of(wcs), case)


def test_a_degree_that_is_worse_than_the_one_below_does_not_end_the_search(images):
    """MIRI, from a reference pixel off the centre: gwcs ends at degree 2, whose maximum is larger."""
    model = images["mirimage_full_f770w"]
    wcs, settings = model.meta.wcs, SipSettings(sip_npoints=32)
    crpix = model.meta.wcsinfo.crpix1, model.meta.wcsinfo.crpix2
    ours, theirs = fit_sip(wcs, bounds_of(wcs), settings, crpix), by_gwcs(wcs, settings, crpix)
    assert theirs["SIPMXERR"] > 1 and theirs["A_ORDER"] == 2
    assert ours["sipmxerr"] < 0.01 and ours["a_order"] == 4
