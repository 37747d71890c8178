"""The FITS approximation of an imaging WCS: a tangent plane with SIP polynomials.

Fitted by `gwcs` (Shupe et al. 2005, ADASS XIV, "The SIP Convention for Representing Distortion in FITS Image
Headers"). What the fit is off by, on a grid that is finer than the fitted one, is kept beside the keywords.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class SipSettings:
    """How well to approximate; names as in the parameters of `assign_wcs`, without their ``sip_``.

    Attributes
    ----------
    max_pix_error, max_inv_pix_error : float
        Largest error allowed, in pixels, from pixels to the sky and back.
    degree, inv_degree : int, optional
        Degrees of the polynomials; by default the lowest that is good enough.
    npoints : int
        Points of the fitted grid along each axis.
    """

    max_pix_error: float = 0.01
    degree: int | None = None
    max_inv_pix_error: float = 0.01
    inv_degree: int | None = None
    npoints: int = 12


def fit_sip(wcs: Any, settings: SipSettings, crpix: tuple[float, float] | None) -> dict[str, Any]:
    """Return the keywords (lower case) of the approximation of a `gwcs.WCS`.

    Parameters
    ----------
    wcs : gwcs.WCS
        With a bounding box.
    settings : SipSettings
    crpix : tuple of float, optional
        Reference pixel, 1-based; by default near the centre.

    Raises
    ------
    ValueError, RuntimeError
        If the fit cannot be made as well as asked for.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The fit may be poorly conditioned")
        warnings.filterwarnings("ignore", message="Failed to achieve requested SIP")  # said by update_sip
        header = wcs.to_fits_sip(
            max_pix_error=settings.max_pix_error,
            degree=_DEGREES if settings.degree is None else settings.degree,
            max_inv_pix_error=settings.max_inv_pix_error,
            inv_degree=_DEGREES if settings.inv_degree is None else settings.inv_degree,
            npoints=settings.npoints,
            crpix=crpix,
            projection="TAN",
        )
    return {key.lower(): header[key] for key in header if key and not key.startswith("NAXIS")}


def update_sip(model: Any, settings: SipSettings) -> bool:
    """Replace the FITS WCS keywords of a model by the approximation of its WCS.

    Returns
    -------
    bool
        False, after a warning, if no approximation is good enough; the keywords are then left as they were.
    """
    info = model.meta.wcsinfo
    crpix = info.crpix1, info.crpix2
    try:
        keywords = fit_sip(model.meta.wcs, settings, None if None in crpix else crpix)
    except (ValueError, RuntimeError) as error:
        log.warning("%s: no SIP approximation in the header: %s", model.meta.filename, error)
        return False
    known = info._schema.get("properties", {})
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
        ("SIP", "a", ERRORS[0], settings.max_pix_error, settings.degree),
        ("inverse SIP", "ap", ERRORS[1], settings.max_inv_pix_error, settings.inv_degree),
    ):
        if error not in keywords:
            continue
        worse = keywords[error] > allowed and degree is None
        log.log(
            logging.WARNING if worse else logging.INFO,
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
