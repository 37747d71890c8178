"""Slits of the SIAF: places on the sky and on a detector that have no pixels of their own."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from webbcal.core.box import Box
from webbcal.simulate.geometry import DETECTORS, Aperture, siaf


@lru_cache
def find_slit(detector: str = "MIRIMAGE", siaf_name: str = "MIRIM_SLIT") -> Aperture:
    """Return a slit as an aperture: the full frame, with the slit's middle as its reference position."""
    d = DETECTORS[detector]
    apertures = siaf(d.instrument)
    slit, full = apertures[siaf_name], apertures[d.full_aperture]
    x, y = (float(v) for v in full.tel_to_sci(slit.V2Ref, slit.V3Ref))
    here = np.array(full.sci_to_tel(x, y))
    scales = [float(np.hypot(*(np.array(full.sci_to_tel(*to)) - here))) for to in ((x + 1, y), (x, y + 1))]
    return Aperture(
        d, "FULL", siaf_name, Box.of_shape(d.frame), float(slit.V2Ref), float(slit.V3Ref),
        float(slit.V3IdlYAngle), int(slit.VIdlParity), x, y, *scales,
    )  # fmt: skip


def slit_corners(aperture: Aperture) -> tuple[np.ndarray, np.ndarray]:
    """Return V2 and V3 (arcsec) of the corners of a slit, going round it."""
    slit = siaf(aperture.detector.instrument)[aperture.siaf_name]
    v2, v3 = slit.corners("tel", rederive=False)
    return np.asarray(v2, float), np.asarray(v3, float)
