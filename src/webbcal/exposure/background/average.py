"""The average of background exposures: sigma-clipped, on the pixels of the exposure they belong to.

Integrations of one background are clipped and averaged first, then the backgrounds. The error is the root of
the summed squares of the errors that remain, over their number; flags are collected with OR. Pixels that no
background covers have a background of zero.

Backgrounds are read by bands of rows, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.exposure.images import by_bands
from webbcal.references.cutout import placement_of, says_where

clipping = kernels.get("clipping")

F64 = NDArray[np.float64]


@dataclass
class Background:
    """An averaged background: value, error (ny, nx) float32, and flags."""

    data: NDArray[np.float32]
    err: NDArray[np.float32]
    dq: NDArray[np.uint32]


@dataclass(frozen=True)
class Backdrop:
    """One background exposure and where its pixels are in the coordinates of the science array."""

    model: Any
    box: Box
    frame: Box

    @classmethod
    def of(cls, model: Any, science: Any) -> Backdrop:
        """Place a background on a science exposure.

        Raises
        ------
        InputError
            If either does not say which part of the detector it is, or says it wrongly.
        """
        boxes = []
        unplaced = not (says_where(model) or says_where(science))
        upon = unplaced and model.shape is not None and model.shape[-2:] == science.shape[-2:]
        for m in (model, science):
            name = str(m.meta.filename or "input model")
            if not m.has("data"):
                raise InputError(f"{name} has no science array (SCI extension)")
            sub, (ny, nx) = m.meta.subarray, m.shape[-2:]
            if (sub.ysize or ny, sub.xsize or nx) != (ny, nx):
                raise InputError(
                    f"{name}: the header says SUBSIZE1 = {sub.xsize} and SUBSIZE2 = "
                    f"{sub.ysize}, but the SCI array has {nx} columns and {ny} rows"
                )
            box = Box.of_shape(m.shape) if upon else placement_of(m, m.shape, name).box
            assert box is not None
            boxes.append(box)
        return cls(model, boxes[0].relative_to(boxes[1]), Box.of_shape(science.shape))

    @property
    def overlaps(self) -> bool:
        """Tell whether it has pixels in common with the science array."""
        common = _intersection(self.box, self.frame)
        return common is not None

    def read(self, name: str, band: Box, fill: float) -> NDArray[Any]:
        """Return an array over a band of the science array, (nints, rows, nx); `fill` outside."""
        source = self.model.source(name)
        nints = self.model.shape[0] if len(self.model.shape) == 3 else 1
        kind = np.uint32 if name == "dq" else np.float64
        out = np.full((nints, *band.shape), fill, kind)
        common = _intersection(self.box, band)
        if common is not None and source is not None:
            rows, columns = common.relative_to(self.box).slices
            leading = (slice(None),) * (len(source.shape) - 2)
            out[(slice(None), *common.relative_to(band).slices)] = source.read(*leading, rows, columns)
        return out


def _intersection(a: Box, b: Box) -> Box | None:
    y0, y1, x0, x1 = max(a.y0, b.y0), min(a.y1, b.y1), max(a.x0, b.x0), min(a.x1, b.x1)
    return Box(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def average(
    backdrops: Sequence[Backdrop],
    shape: tuple[int, ...],
    sigma: float,
    maxiters: int | None,
    threads: int,
) -> Background:
    """Average backgrounds.

    Parameters
    ----------
    backdrops : sequence of Backdrop
        At least one.
    shape : (ny, nx)
        Of the science array.
    sigma : float
        Clipping limit in standard deviations of what remains, from the median.
    maxiters : int or None
        Rounds of clipping; None or 0: until nothing changes.
    threads : int
    """
    result = Background(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.uint32))

    def work(band: Box) -> None:
        singles = [_one(backdrop, band, sigma, maxiters or None) for backdrop in backdrops]
        data, variance = (np.stack([single[k] for single in singles]) for k in (0, 1))
        kept = _clip(data, sigma, maxiters or None)
        number = np.count_nonzero(kept, axis=0)
        used = np.maximum(number, 1)
        result.data[band.slices] = np.where(kept, data, 0.0).sum(axis=0) / used
        result.err[band.slices] = np.sqrt(np.where(kept, variance, 0.0).sum(axis=0)) / used
        for _, _, dq in singles:
            result.dq[band.slices] |= dq

    by_bands((len(backdrops) * 4, *shape), work, threads)
    return result


def _one(backdrop: Backdrop, band: Box, sigma: float, maxiters: int | None) -> tuple[F64, F64, Any]:
    """Return value, squared error and flags of one background over a band, integrations averaged."""
    data, err = backdrop.read("data", band, np.nan), backdrop.read("err", band, np.nan)
    variance = np.square(err, out=err)
    dq = np.bitwise_or.reduce(backdrop.read("dq", band, 0), axis=0)
    if len(data) == 1:
        return data[0], variance[0], dq
    return _clipped_mean(data, sigma, maxiters), _clipped_mean(variance, sigma, maxiters), dq


def _clipped_mean(stack: F64, sigma: float, maxiters: int | None) -> F64:
    """Return the mean of what remains of a stack, NaN where nothing does."""
    kept = _clip(stack, sigma, maxiters)
    with np.errstate(invalid="ignore"):
        mean: F64 = np.where(kept, stack, 0.0).sum(axis=0) / np.count_nonzero(kept, axis=0)
    return mean


def _clip(stack: F64, sigma: float, maxiters: int | None) -> NDArray[np.bool_]:

    return np.isfinite(stack) if len(stack) < 2 else clipping.clip(stack, sigma, maxiters)
