"""The FITS approximation of an imaging WCS: a tangent plane with SIP polynomials.

Shupe et al. 2005, ADASS XIV, "The SIP Convention for Representing Distortion in FITS Image Headers"; the fit
itself is in `sip_fit`. What it is off by, on a grid that is finer than the fitted one, is kept beside the
keywords.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from webbcal.datamodels.node import schema_at
from webbcal.wcs.bounds import Bounds
from webbcal.wcs.sip_fit import Goal, PixelToSky, Polynomials, TangentSip, fit_tangent_sip
from webbcal.wcs.sip_settings import SipSettings

log = logging.getLogger(__name__)

#: Degrees that are tried, lowest first, when none is asked for.
_DEGREES = range(1, 6)
_LINEAR = (
    "naxis",
    "cdelt1",
    "cdelt2",
    "pc1_1",
    "pc1_2",
    "pc2_1",
    "pc2_2",
    "cd1_1",
    "cd1_2",
    "cd2_1",
    "cd2_2",
)
_POLYNOMIALS = ("a", "b", "ap", "bp")
#: Keywords of the measured errors (pixels) of the forward and inverse polynomials.
ERRORS = ("sipmxerr", "sipiverr")


def fit_sip(
    wcs: PixelToSky, bounds: Bounds, settings: SipSettings, crpix: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Return the FITS keywords (lower case) of the approximation of a WCS.

    Parameters
    ----------
    wcs : callable
        From 0-based pixels to RA and Dec in degrees: a `gwcs.WCS`, or anything that can be called like it.
    bounds : tuple
        Outer edges of its pixels, ((x0, x1), (y0, y1)), 0-based.
    settings : SipSettings
    crpix : tuple of float, optional
        Reference pixel, 1-based; by default near the centre.

    Returns
    -------
    dict
        Without inverse terms if `sip_max_inv_pix_error` is 0, and without any if the approximation is linear.

    Raises
    ------
    ValueError
        If the fit cannot be made with these settings, or if pixels have no position on the sky.
    """
    if crpix is None:
        x, y = (round((low + high) / 2, 1) for low, high in bounds)
    else:
        x, y = crpix[0] - 1, crpix[1] - 1
    forward = Goal(_degrees(settings.sip_degree), settings.sip_max_pix_error)
    inverse = Goal(_degrees(settings.sip_inv_degree), settings.sip_max_inv_pix_error)
    fit = fit_tangent_sip(
        wcs,
        bounds,
        (x, y),
        settings.sip_npoints,
        forward,
        inverse if settings.sip_max_inv_pix_error else None,
    )
    keywords: dict[str, Any] = {
        "wcsaxes": 2,
        "crpix1": x + 1,
        "crpix2": y + 1,
        **{f"cd{i}_{j}": float(fit.cd[i - 1, j - 1]) for i in (1, 2) for j in (1, 2)},
        "cunit1": "deg",
        "cunit2": "deg",
        "ctype1": "RA---TAN",
        "ctype2": "DEC--TAN",
        "crval1": fit.crval[0],
        "crval2": fit.crval[1],
        "lonpole": 180.0,
    }
    if fit.forward.degree > 1:
        keywords |= {"ctype1": "RA---TAN-SIP", "ctype2": "DEC--TAN-SIP"}
        keywords |= _terms(fit.forward, "a", "b", above=1)
    keywords[ERRORS[0]] = fit.forward.error
    if fit.inverse is not None:
        keywords |= _terms(fit.inverse, "ap", "bp", above=0)
        keywords[ERRORS[1]] = fit.inverse.error
    _warn_if_coarse(fit)
    return keywords


def _degrees(asked: int | None) -> Sequence[int]:
    return _DEGREES if asked is None else (asked,)


def _terms(fit: Polynomials, first: str, second: str, *, above: int) -> dict[str, Any]:
    """Return the keywords of a pair of polynomials: their degree, and terms above a degree."""
    found: dict[str, Any] = {f"{first}_order": fit.degree, f"{second}_order": fit.degree}
    for (i, j), (a, b) in fit.terms:
        if i + j > above:
            found |= {f"{first}_{i}_{j}": float(a), f"{second}_{i}_{j}": float(b)}
    return found


def _warn_if_coarse(fit: TangentSip) -> None:
    """Warn if the fit cannot be trusted between the points that it was made from."""
    for polynomials in (fit.forward, fit.inverse):
        if polynomials is not None and polynomials.coarsely_sampled:
            log.warning(
                "the SIP approximation is within %.2g pixel of the fitted points, but off by %.2g pixel "
                "between them; fit more points (sip_npoints)",
                polynomials.fitted_error,
                polynomials.error,
            )


def update_sip(model: Any, wcs: PixelToSky, bounds: Bounds, settings: SipSettings) -> bool:
    """Replace the FITS WCS keywords of a model by the approximation of its WCS.

    Parameters
    ----------
    model : DataModel
        The reference pixel of its keywords is kept, if they have one.
    wcs, bounds, settings
        As for `fit_sip`.

    Returns
    -------
    bool
        False, after a warning, if no approximation can be made; the keywords are then left as they were.
    """
    info = model.meta.wcsinfo
    crpix = info.crpix1, info.crpix2
    try:
        keywords = fit_sip(wcs, bounds, settings, None if None in crpix else crpix)
    except ValueError as error:
        log.warning("%s: no SIP approximation in the header: %s", model.meta.filename, error)
        return False
    known = schema_at(info).get("properties", {})
    for key in _stale():
        with contextlib.suppress(AttributeError):
            delattr(info, key)
    for key, value in keywords.items():
        if key in known:
            setattr(info, key, value)
    _report(model.meta.filename, keywords, settings)
    return True


def _report(name: str | None, keywords: dict[str, Any], settings: SipSettings) -> None:
    """Tell how good the approximation is, and warn if it is worse than asked for."""
    for what, prefix, error, allowed, degree in (
        ("SIP", "a", ERRORS[0], settings.sip_max_pix_error, settings.sip_degree),
        ("inverse SIP", "ap", ERRORS[1], settings.sip_max_inv_pix_error, settings.sip_inv_degree),
    ):
        if error not in keywords:
            continue
        worse = keywords[error] > allowed and degree is None
        # Some detectors always miss the defaults by a little: the header has that (SIPIVERR), it is no news.
        log.log(
            logging.WARNING if worse and keywords[error] > 2 * allowed else logging.INFO,
            "%s: %s of degree %s is within %.2g pixel of the WCS%s",
            name,
            what,
            keywords.get(f"{prefix}_order"),
            keywords[error],
            f", not within {allowed:g} as asked for" if worse else "",
        )


def _stale() -> list[str]:
    """Return the keywords of an earlier linear or SIP description."""
    orders = [f"{p}_order" for p in _POLYNOMIALS]
    terms = [f"{p}_{i}_{j}" for p in _POLYNOMIALS for i in range(10) for j in range(10)]
    return [*_LINEAR, *orders, *terms, *ERRORS]
