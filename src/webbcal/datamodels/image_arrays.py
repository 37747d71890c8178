"""The arrays of an image model, loaded together to be changed in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.core.image_arrays import ImageArrays
from webbcal.core.threads import run_on_threads

_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")


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
