"""Backgrounds that are references: which modes have them, and how they are scaled and subtracted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import FailedStep, InputError, ParameterError, SkipStep
from webbcal.core.image_arrays import ImageArrays
from webbcal.core.modes import mode_of
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.background.wfss_background import (
    Mask,
    Rejection,
    enough,
    expected_error,
    outside,
    scale_of,
)
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.geometry.grism_boxes import grism_sources
from webbcal.exposure.geometry.sky_sources import read_sources, select
from webbcal.exposure.geometry.spectral_orders import crossing_filter, default_orders, ranges_of
from webbcal.kernels.images.soss_background import subtract_template

log = logging.getLogger(__name__)

#: Part of all pixels that must be background for a scale to be trusted.
_LEAST = 0.05


class TemplateParameters(Protocol):
    """What is needed of the step's parameters."""

    soss_source_percentile: float
    soss_bkg_percentile: list[float] | None
    wfss_mmag_extract: float | None
    wfss_mask: str | None
    wfss_maxiter: int
    wfss_rms_stop: float
    wfss_outlier_percent: float
    wfss_even_weights: bool


def has_template(model: Any) -> bool:
    """Tell whether the background of an exposure is a reference."""
    mode = mode_of(model.meta.exposure.type)
    return mode.has("template") and not mode.has("internal")


def reference_types(model: Any) -> Sequence[str]:
    """Return the references that such an exposure needs."""
    return ("bkg",) if mode_of(model.meta.exposure.type).optics == "soss" else ("bkg", "wavelengthrange")


def subtract_soss(
    model: Any, references: Mapping[str, Any], p: TemplateParameters, field: FieldFiles, threads: int
) -> None:
    """Subtract the best template of SOSS from an exposure, in place.

    Raises
    ------
    SkipStep
        If there is none, or none fits.
    """
    reference = _reference(references)
    between = [25.0, 50.0] if p.soss_bkg_percentile is None else p.soss_bkg_percentile
    if len(between) != 2 or not 0 <= between[0] < between[1] <= 100:
        raise ParameterError(f"soss_bkg_percentile = {between}: two percentiles are wanted, the lower first")
    image = arrays_of(model, threads)
    stack = (image.data, image.dq) if image.data.ndim == 3 else (image.data[None], image.dq[None])
    subtract_template(*stack, reference.model.data, p.soss_source_percentile, (between[0], between[1]))


def subtract_wfss(
    model: Any, references: Mapping[str, Any], p: TemplateParameters, field: FieldFiles, threads: int
) -> None:
    """Subtract the scaled background of a grism exposure, in place; keep the mask of the background.

    Raises
    ------
    SkipStep
        If there is no reference.
    FailedStep
        If too little background is left, or it cannot be scaled.
    """
    reference = _reference(references)
    image = arrays_of(model, threads)
    background = reference.read("data")
    free = _free(model, references, p, field)
    trusted = np.ones_like(free) if p.wfss_mask else background != 0
    model.mask = free.astype(np.uint32)
    model.meta.background.scaling_factor = 0.0
    least = 0.0 if p.wfss_mask else _LEAST
    if not enough(image.dq, free & trusted, least):
        raise FailedStep(f"no more than {least:.0%} of the pixels are background")
    axis = model.meta.wcsinfo.dispersion_direction or 0
    rejection = Rejection(p.wfss_outlier_percent, p.wfss_maxiter, p.wfss_rms_stop / 100, axis)
    if rejection.improvement > 0 and axis not in (1, 2):
        raise InputError(f"{model.meta.filename}: wfss_rms_stop needs the dispersion axis (DISPAXIS)")
    error = _even_error(model, image, background, free) if p.wfss_even_weights else image.err
    scale = scale_of(image.data, error, background, free, rejection)
    if not np.isfinite(scale):
        raise FailedStep("no finite scale of the background can be found")
    image.data -= np.float64(scale) * background
    image.dq |= reference.read("dq")
    model.meta.background.scaling_factor = scale
    log.info("%s: background scaled by %.5g", model.meta.filename, scale)


def _even_error(model: Any, image: ImageArrays, background: NDArray[np.float32], free: Mask) -> Any:
    """Return errors for weights that do not follow each pixel's own photons.

    Raises
    ------
    InputError
        If the exposure does not tell photon noise from read noise.
    """
    if image.var_poisson is None or image.var_rnoise is None:
        raise InputError(
            f"{model.meta.filename}: wfss_even_weights needs VAR_POISSON and VAR_RNOISE, and it lacks one; "
            "leave the parameter out, or take the rate as calwebb_detector1 writes it"
        )
    return expected_error(image.var_poisson, image.var_rnoise, background, free)


def _reference(references: Mapping[str, Any]) -> Any:
    if references.get("bkg") is None:
        raise SkipStep("No BKG reference file found (N/A)")
    return references["bkg"]


def _free(model: Any, references: Mapping[str, Any], p: TemplateParameters, field: FieldFiles) -> Mask:
    """Return where the exposure shows background: by the user's mask, or outside the catalogue's spectra."""
    if p.wfss_mask:
        return _given_mask(p.wfss_mask, tuple(model.shape))
    if field.catalog is None:
        log.warning("%s: it names no source catalogue; all pixels count as background", model.meta.filename)
        return np.ones(model.shape, bool)
    reference = references["wavelengthrange"]
    if reference is None:
        raise SkipStep("No WAVELENGTHRANGE reference file found (N/A)")
    filter_name = crossing_filter(model)
    ranges = ranges_of(reference, filter_name, default_orders(reference, filter_name))
    sources, _ = select(read_sources(field.needed("catalog", str(model.meta.filename))), p.wfss_mmag_extract)
    found = grism_sources(model, sources, ranges, half_height=None)
    return outside([box for source in found for box in source.boxes.values()], model.shape)


def _given_mask(path: str, shape: tuple[int, ...]) -> Mask:
    """Return the mask of a file.

    Raises
    ------
    ParameterError
        If the file has none, or one of another shape.
    """
    from webbcal import datamodels

    with datamodels.ImageModel(path) as model:
        if not model.has("mask"):
            raise ParameterError(f"wfss_mask = {path}: the file has no array `mask` (MASK extension)")
        mask: Mask = model.mask != 0
    if mask.shape != shape:
        raise ParameterError(f"wfss_mask = {path}: its mask has shape {mask.shape}, the exposure {shape}")
    return mask
