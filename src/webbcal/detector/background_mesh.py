"""A smooth background of an image: clipped medians of boxes, joined by cubic splines.

The mesh is photutils' `Background2D`; medians and the way back to an image are done here, since they take
most of its time: medians are looked for box by box without Python's overhead, and splines on a regular mesh
are linear in its values along each axis, so that the image is a product of three matrices, two of which are
the same for all images.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels

flicker = kernels.get("flicker")

F32 = NDArray[np.float32]

#: Clipping threshold in boxes, in standard deviations, and how often it is applied.
_SIGMA, _ROUNDS = 3.0, 5
#: Boxes on each side over which medians smooth the mesh.
_AROUND = 2


def smooth_background(image: F32, mask: NDArray[np.bool_], box: Sequence[int]) -> F32:
    """Return the smooth background of an image, float32.

    Parameters
    ----------
    image : ndarray
        float32, (rows, columns).
    mask : ndarray
        bool; True for background.
    box : sequence of int
        Rows and columns of the boxes of the mesh.

    Raises
    ------
    ValueError
        If no box has enough background.
    """
    from astropy.stats import SigmaClip
    from photutils.background import Background2D

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mesh = Background2D(
            image, box_size=tuple(box), filter_size=1, mask=~mask,
            sigma_clip=SigmaClip(sigma=_SIGMA, maxiters=_ROUNDS), bkg_estimator=_medians,
            bkg_rms_estimator=_not_wanted,
        ).background_mesh  # fmt: skip
    mesh = _smoothed(mesh)
    axes = zip(mesh.shape, box, image.shape, strict=True)
    down, across = (_splines(n, step)[:size] for n, step, size in axes)
    smooth = (down @ mesh.astype(np.float64) @ across.T).astype(np.float32)
    return np.clip(smooth, np.min(mesh), np.max(mesh), out=smooth)


def _smoothed(mesh: F32) -> F32:
    """Return the medians of neighbouring boxes; beyond the margin there are none."""
    size = 2 * _AROUND + 1
    wide = np.pad(mesh.astype(np.float32), _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (size, size))
    medians: F32 = _medians(windows.reshape(*mesh.shape, -1), -1)
    return medians


@lru_cache(maxsize=4)
def _splines(n: int, step: int) -> NDArray[np.float64]:
    """Return the matrix (n step, n) from values on a regular mesh to the cubic spline through them."""
    from scipy.ndimage import zoom

    return np.stack([zoom(unit, step, order=3, mode="reflect", grid_mode=True) for unit in np.eye(n)], axis=1)


def _medians(values: F32, axis: Any = None, masked: bool = False) -> Any:
    """Return medians along the last axis, or of all; NaN do not count."""
    if axis is None:
        return flicker.medians(np.asarray(values, np.float32).reshape(1, -1))[0]
    lines = np.ascontiguousarray(values, np.float32).reshape(-1, values.shape[-1])
    return flicker.medians(lines).reshape(values.shape[:-1])


def _not_wanted(values: F32, axis: Any = None, masked: bool = False) -> Any:
    """Return zeros instead of the scatter in boxes."""
    return np.float32(0.0) if axis is None else np.zeros(values.shape[:-1], np.float32)
