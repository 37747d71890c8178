"""Guide-star exposures: which they are, and how their data quality starts.

Ramps of guide stars have one DQ array, two-dimensional, where other ramps have flags of pixels and samples.
They are small (8 × 8 pixels in fine guidance) or few, so that steps on them work on whole models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.kernels.frames.arithmetic import init_dq
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters
from webbcal.run.run import Run


def is_guide_star(model: Any) -> bool:
    """Tell whether a model is an exposure of a guide star."""
    return hasattr(model, "meta") and mode_of(model.meta.exposure.type).optics == "guider"


def as_ramp(model: Any) -> Any:
    """Return a guide-star model as what its steps work on: raw if its data are ramps, else calibrated.

    Raises
    ------
    InputError
        If the data are neither.
    """
    from webbcal import datamodels

    classes = {4: datamodels.GuiderRawModel, 3: datamodels.GuiderCalModel}
    shape = tuple(model.shape or ())
    cls = classes.get(len(shape))
    if cls is None:
        raise InputError(
            f"{model.meta.filename}: guide-star data have four axes (integrations, groups, rows, columns), "
            f"or three once they are calibrated, but these are of shape {shape}"
        )
    return model if type(model) is cls else cls(model)


class GuideStarDQStep(ModelStep):
    """`dq_init` of guide-star exposures: OR the MASK reference into the DQ array."""

    class_alias = "dq_init"
    reference_file_types = ("mask",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `GuideStarDQStep`, those of `dq_init`."""

        user_supplied_dq: str | None = None

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Start the flags."""
        model = as_ramp(model)
        shape = tuple(model.shape)[-2:]
        dq = np.array(model.dq, np.uint32) if model.has("dq") else np.zeros(shape, np.uint32)
        user = None if p.user_supplied_dq is None else user_flags(p.user_supplied_dq, shape)
        init_dq(dq, references["mask"].read("dq"), None, user)
        model.dq = dq
        return model


def user_flags(path: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the flags in a user's FITS file.

    Raises
    ------
    InputError
        If they are of another shape.
    """
    from astropy.io import fits

    flags = np.asarray(fits.getdata(path))
    if flags.shape != shape:
        raise InputError(f"user_supplied_dq {path} has shape {flags.shape}, but the exposure is {shape}")
    return flags
