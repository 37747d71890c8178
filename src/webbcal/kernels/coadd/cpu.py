"""Co-adding images, compiled: see `webbcal.kernels.coadd.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.coadd.reference import F32
from webbcal.kernels.compiling import kernel


def take(array: F32, level: float, root: bool, values: F32, plane: int, weight: F32) -> None:
    """Take an array as one plane of values (-1: as none), in place; as `reference.take`."""
    _take(
        readable(array, np.float32, 2),
        np.float32(level),
        bool(root),
        inplace(values, np.float32, 3, "values"),
        plane,
        inplace(weight, np.float32, 2, "weight"),
    )


@kernel
def _take(array, level, root, values, plane, weight):  # type: ignore[no-untyped-def]
    for j in range(array.shape[0]):
        for i in range(array.shape[1]):
            if array[j, i] != array[j, i]:
                weight[j, i] = 0
        if plane < 0:
            continue
        for i in range(array.shape[1]):
            values[j, i, plane] = np.sqrt(array[j, i]) if root else array[j, i] - level


def weigh_by_noise(variance: F32, weight: F32) -> None:
    """Weigh by the inverse of a variance, in place; as `reference.weigh_by_noise`."""
    _weigh_by_noise(readable(variance, np.float32, 2), inplace(weight, np.float32, 2, "weight"))


@kernel
def _weigh_by_noise(variance, weight):  # type: ignore[no-untyped-def]
    for j in range(variance.shape[0]):
        for i in range(variance.shape[1]):
            inverse = np.float32(1) / variance[j, i]
            good = weight[j, i] != 0 and abs(inverse) < np.float32(np.inf)
            weight[j, i] = inverse if good else np.float32(0)


def add(
    drop: F32,
    constant: float,
    corner: tuple[int, int],
    total: F32,
    components: F32,
    context: NDArray[np.int32],
    bit: int,
) -> None:
    """Add an image to those before, in place; as `reference.add`."""
    _add(
        readable(drop, np.float32, 3),
        float(constant),
        *corner,
        inplace(total, np.float32, 3, "total"),
        inplace(components, np.float32, 3, "components"),
        inplace(context, np.int32, 2, "context"),
        np.uint32(1 << bit).view(np.int32),
    )


@kernel
def _add(drop, constant, y0, x0, total, components, context, bit):  # type: ignore[no-untyped-def]
    last, together, count = drop.shape[2] - 1, total.shape[2] - 1, components.shape[2] // 2
    for j in range(drop.shape[0]):
        v = y0 + j
        for i in range(drop.shape[1]):
            weight, u = drop[j, i, last], x0 + i
            if weight == 0:
                continue
            for k in range(together):
                total[v, u, k] += drop[j, i, k]
            total[v, u, together] += weight
            if context.size and weight > 0:
                context[v, u] |= bit
            if not count:
                continue
            own = constant
            if own != own:  # NaN
                mean = drop[j, i, together] / weight
                own = np.float64(np.float32(1) / (mean * mean))
            if not (own > 0 and own < np.inf):
                continue
            for k in range(count):
                mean = drop[j, i, together + k] / weight
                variance = np.float64(mean * mean)
                if variance < np.inf:
                    components[v, u, k] += np.float32(variance * own * own)
                    components[v, u, count + k] += np.float32(own)


def means(total: F32, plane: int, scale: float, fill: float, out: F32) -> None:
    """Set the weighted means of a plane; as `reference.means`."""
    _means(
        readable(total, np.float32, 3),
        plane,
        np.float32(scale),
        np.float32(fill),
        inplace(out, np.float32, 2, "out"),
    )


@kernel
def _means(total, plane, scale, fill, out):  # type: ignore[no-untyped-def]
    last = total.shape[2] - 1
    for v in range(out.shape[0]):
        for u in range(out.shape[1]):
            weight = total[v, u, last]
            out[v, u] = fill if weight == 0 else total[v, u, plane] / weight * scale


def errors(components: F32, scale: float, variances: F32, error: F32) -> None:
    """Set the variances of the weighted means and the error; as `reference.errors`."""
    _errors(
        readable(components, np.float32, 3),
        np.float32(scale),
        inplace(variances, np.float32, 3, "variances"),
        inplace(error, np.float32, 2, "error"),
    )


@kernel
def _errors(components, scale, variances, error):  # type: ignore[no-untyped-def]
    count = variances.shape[0]
    for v in range(error.shape[0]):
        for u in range(error.shape[1]):
            total, known = np.float32(0), False
            for k in range(count):
                weight = components[v, u, count + k]
                variance = components[v, u, k] * scale / weight / weight
                variances[k, v, u] = variance
                if variance == variance:
                    total, known = total + variance, True
            error[v, u] = np.sqrt(total) if known else np.float32(np.nan)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    plane, cube = np.ones((1, 1), np.float32), np.ones((1, 1, 2), np.float32)
    take(plane, 0.0, False, cube, 0, plane)
    weigh_by_noise(plane, plane)
    add(cube, 1.0, (0, 0), cube, cube, np.zeros((1, 1), np.int32), 0)
    means(cube, 0, 1.0, 0.0, plane)
    errors(cube, 1.0, np.ones((1, 1, 1), np.float32), plane)
