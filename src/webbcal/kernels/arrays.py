"""What every compiled kernel demands of its arrays.

A numba function is compiled once for each combination of element type, layout and writability. All
wrappers bring their arguments to one such combination here, so each kernel is compiled exactly once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def inplace(array: NDArray[Any], dtype: DTypeLike, ndim: int, name: str) -> NDArray[Any]:
    """Return `array` after checking that a kernel can work on it in place.

    Raises
    ------
    TypeError
        When it has another type, dimension or layout: a silent copy would lose the result.
    """
    flags = array.flags
    if array.dtype != np.dtype(dtype) or array.ndim != ndim or not (flags.c_contiguous and flags.writeable):
        raise TypeError(
            f"{name} must be a writable C-contiguous {ndim}-d array of {np.dtype(dtype)}, "
            f"not {array.ndim}-d {array.dtype} (C-contiguous: {flags.c_contiguous}, "
            f"writable: {flags.writeable})"
        )
    return array


def readable(array: NDArray[Any] | None, dtype: DTypeLike, ndim: int) -> NDArray[Any]:
    """Return an input as a native C-contiguous array of `dtype`, copied only if needed; None as empty."""
    if array is None:
        return np.zeros((0,) * ndim, dtype)
    if array.ndim != ndim:
        raise TypeError(f"expected a {ndim}-d array, not {array.ndim}-d")
    return np.require(array, np.dtype(dtype), ["C", "W"])


def optional_inplace(array: NDArray[Any] | None, dtype: DTypeLike, ndim: int, name: str) -> NDArray[Any]:
    """Return `array` checked as `inplace` does, or an empty array for None."""
    return np.zeros((0,) * ndim, dtype) if array is None else inplace(array, dtype, ndim, name)
