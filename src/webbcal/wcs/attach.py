"""Attaching a WCS to an exposure: built for its mode, with what the header says of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from webbcal.core.errors import ReferenceFileError
from webbcal.core.modes import mode_of
from webbcal.io.asdf_text import Tagged
from webbcal.wcs.bounds import Bounds
from webbcal.wcs.footprint import s_region, update_s_region
from webbcal.wcs.grisms import time_series_wcs, wide_field_wcs
from webbcal.wcs.imaging import imaging_wcs
from webbcal.wcs.lrs import lrs_wcs, slit_corners, store_dithered_position
from webbcal.wcs.modes import WcsKind, wcs_kind
from webbcal.wcs.of_model import bounds_of, usable, wcs_of
from webbcal.wcs.pixels import wavelengths
from webbcal.wcs.sip import update_sip
from webbcal.wcs.sip_settings import SipSettings
from webbcal.wcs.soss import soss_wcs
from webbcal.wcs.spectral_keywords import set_spectral_keywords

log = logging.getLogger(__name__)

References = Mapping[str, Any]

#: The inverse polynomials of MIRI's wide field need not be better than this (pixels), as in `jwst`.
_MIRI_INVERSE = 0.02


def attach_wcs(model: Any, references: References, sip: SipSettings | None) -> None:
    """Attach the WCS of an exposure, and update its header: S_REGION, SPECSYS, DISPAXIS, the FITS WCS.

    Parameters
    ----------
    model : DataModel
        Rates: an image, or an image for each integration.
    references : mapping
        Reference type -> `Reference` or None.
    sip : SipSettings, optional
        How well to approximate the WCS of an image, or that of the direct image of a wide-field grism, in
        the header; None to leave the keywords as they are.

    Raises
    ------
    InputError
        If keywords are missing.
    ReferenceFileError
        If a reference is missing or cannot be used.
    """
    kind = wcs_kind(model.meta.exposure.type)
    if kind != "image":
        set_spectral_keywords(model)
    image = _image_wcs(model, references) if kind in ("image", "wide field") else None
    model.meta.wcs = image if kind == "image" else _spectral_wcs(model, references, kind, image)
    if kind == "lrs":
        _finish_lrs(model, references["specwcs"])
    elif kind == "image":
        update_s_region(model)
    if sip is not None and image is not None:
        _describe(model, image, kind, sip)


def _image_wcs(model: Any, references: References) -> Tagged:
    return imaging_wcs(model, _needed(model, references, "distortion"), references["filteroffset"])


def _spectral_wcs(model: Any, references: References, kind: WcsKind, image: Tagged | None) -> Tagged:
    specwcs = _needed(model, references, "specwcs")
    if kind == "soss":
        return soss_wcs(model, specwcs)
    if image is not None:
        return wide_field_wcs(model, image, specwcs)
    distortion = _needed(model, references, "distortion")
    if kind == "lrs":
        return lrs_wcs(model, distortion, specwcs, slitless=_is_slitless(model))
    return time_series_wcs(model, distortion, references["filteroffset"], specwcs)


def _describe(model: Any, image: Tagged, kind: WcsKind, sip: SipSettings) -> None:
    """Describe an image, or the direct image of a grism exposure, in the header."""
    ny, nx = model.shape[-2:]
    bounds: Bounds = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    if kind == "image":
        wcs = wcs_of(model)
        found = bounds_of(wcs)
        assert found is not None
        update_sip(model, wcs, found, sip)
        return
    if model.meta.instrument.name == "MIRI" and sip.sip_max_inv_pix_error < _MIRI_INVERSE:
        sip = replace(sip, sip_max_inv_pix_error=_MIRI_INVERSE)
    update_sip(model, usable(image), bounds, sip)


def _needed(model: Any, references: References, kind: str) -> Any:
    if references[kind] is None:
        raise ReferenceFileError(
            f"{model.meta.filename}: CRDS has no {kind.upper()} reference for this exposure (N/A), and the "
            f"WCS cannot be made without; give one with override_{kind}"
        )
    return references[kind]


def _is_slitless(model: Any) -> bool:
    return mode_of(model.meta.exposure.type).optics == "slitless"


def _finish_lrs(model: Any, specwcs: Any) -> None:
    """Attach wavelengths; the footprint is that of the slit.

    Without a slit it stays that of the pointing: the corners of the bounding box are beyond the trace, which
    ends before, and have no position.
    """
    wcs = wcs_of(model)
    if not _is_slitless(model):
        store_dithered_position(model, wcs)
        corners = slit_corners(specwcs)
        if corners is None:
            log.warning("%s: S_REGION not updated: %s has no corners", model.meta.filename, specwcs.name)
        else:
            ra, dec, _ = wcs.between("v2v3", "world", *corners, np.full(4, 7.0))
            model.meta.wcsinfo.s_region = s_region(np.array([ra, dec]).T)
    model.wavelength = wavelengths(wcs, model.shape[-2:]).astype(np.float32)
