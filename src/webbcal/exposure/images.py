"""What stage-2 steps on images share: the arrays of a model, worked on by bands of rows on threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import InputError, PlanError
from webbcal.core.threads import run_on_threads
from webbcal.kernels.images.arithmetic import ImageArrays

#: Models of one image or of integrations.
IMAGE_MODELS = ("ImageModel", "CubeModel", "IFUImageModel")
_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")
_BAND_PIXELS = 1 << 17  # so that the arrays of a band stay in a core's cache


def why_no_image(model: Any) -> str | None:
    """Return why steps on images do not work on a model, or None if they do."""
    kind = type(model).__name__
    if kind in IMAGE_MODELS:
        return None
    return f"works on images and integrations ({', '.join(IMAGE_MODELS)}), but the input is a {kind}"


def unavailable(model: Any, what: str, step: str) -> PlanError:
    """Return the error for a mode that webbcal does not have yet."""
    return PlanError(
        f"{model.meta.filename}: {what} of {model.meta.exposure.type} exposures is not available in this "
        f"version of webbcal; run with {step}.skip=true to go on without"
    )


def arrays_of(model: Any, threads: int, create: tuple[str, ...] = ()) -> ImageArrays:
    """Return the arrays of a model, loaded, so that they can be changed in place.

    Parameters
    ----------
    model : ImageModel, CubeModel or IFUImageModel
    threads : int
        Threads that read.
    create : tuple of str
        Variances to make if the model lacks them.

    Raises
    ------
    InputError
        If there is no science array, or the arrays differ in shape.
    """
    name = model.meta.filename or "input model"
    if not model.has("data"):
        raise InputError(f"{name} has no science array (SCI extension); is it a JWST exposure?")
    shape = tuple(model.shape)
    for array in create:
        if not model.has(array):
            setattr(model, array, np.empty(shape, np.float32))
    for array, dtype in (("err", np.float32), ("dq", np.uint32)):
        if not model.has(array):
            setattr(model, array, np.zeros(shape, dtype))
    names = [array for array in _ARRAYS if model.has(array)]
    # Arrays that are still in the file are read together: fresh memory is slow to fill on one thread.
    run_on_threads(lambda array: getattr(model, array), names, threads)
    found = {array: getattr(model, array) for array in names}
    for array, values in found.items():
        if values.shape != shape:
            raise InputError(
                f"{name}: its {array} array has shape {values.shape}, but data has {shape}; they must agree"
            )
    return ImageArrays(**found)


def by_bands(shape: tuple[int, ...], work: Callable[[Box], None], threads: int) -> None:
    """Call `work` on bands of rows that tile an array of this shape, on threads."""
    frame = Box.of_shape(shape)
    planes = int(np.prod(shape[:-2]))
    rows = max(1, _BAND_PIXELS // max(1, planes * shape[-1]))
    run_on_threads(work, frame.bands(rows), threads)
