"""How well to approximate a WCS in FITS keywords: settings that are parameters of the steps that do so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _setting(default: Any, help: str, **described: Any) -> Any:
    return field(default=default, metadata={"help": help, **described})


@dataclass(frozen=True)
class SipSettings:
    """How well to approximate a WCS by SIP polynomials; the parameters of a step derive from it.

    Attributes
    ----------
    sip_max_pix_error, sip_max_inv_pix_error : float
        Largest error allowed, in pixels, from pixels to the sky and back. Without the latter (0) there are no
        inverse polynomials.
    sip_degree, sip_inv_degree : int, optional
        Degrees of the polynomials; by default the lowest that is good enough.
    sip_npoints : int
        Points of the fitted grid along each axis, 8 or more.
    """

    sip_max_pix_error: float = _setting(0.01, "Largest error of the SIP fit, pixels to sky", unit="pixel")
    sip_degree: int | None = _setting(None, "Degree of the SIP fit; None for the lowest that is good", le=6)
    sip_max_inv_pix_error: float = _setting(0.01, "Largest error of the inverse SIP fit", unit="pixel")
    sip_inv_degree: int | None = _setting(None, "Degree of the inverse SIP fit; None as above", le=6)
    sip_npoints: int = _setting(12, "Points of the fitted grid along each axis")
