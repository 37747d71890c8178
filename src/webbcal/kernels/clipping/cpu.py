"""Sigma clipping of a stack, compiled: see `webbcal.kernels.clipping.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel

F64 = NDArray[np.float64]


def clip(stack: F64, sigma: float, maxiters: int | None) -> NDArray[np.bool_]:
    """Return which values of a stack (n, …) remain; as `reference.clip`."""
    flat = readable(stack.reshape(len(stack), -1), np.float64, 2)
    kept = np.zeros(flat.shape, np.bool_)
    buffer = np.empty(len(stack), np.float64)
    _clip(flat, float(sigma), -1 if maxiters is None else int(maxiters), buffer, kept)
    return kept.reshape(stack.shape)


@kernel
def _clip(stack, sigma, maxiters, buffer, kept):  # type: ignore[no-untyped-def]
    n = stack.shape[0]
    for p in range(stack.shape[1]):
        count = 0
        for k in range(n):
            if np.isfinite(stack[k, p]):
                buffer[count] = stack[k, p]
                count += 1
        lower, upper = _limits(buffer, count, sigma, maxiters)
        for k in range(n):
            kept[k, p] = np.isfinite(stack[k, p]) and lower <= stack[k, p] <= upper


@helper
def _limits(buffer, count, sigma, maxiters):  # type: ignore[no-untyped-def]
    _sort(buffer, count)
    first, last = 0, count  # what is left is always a stretch of the sorted values
    lower, upper = -np.inf, np.inf
    rounds = 0
    while last > first and (maxiters < 0 or rounds < maxiters):
        middle = (first + last) // 2
        centre = buffer[middle] if (last - first) % 2 else 0.5 * (buffer[middle - 1] + buffer[middle])
        spread = _spread(buffer, first, last)
        lower, upper = centre - sigma * spread, centre + sigma * spread
        before = last - first
        while first < last and buffer[first] < lower:
            first += 1
        while last > first and buffer[last - 1] > upper:
            last -= 1
        if last - first == before:
            break
        rounds += 1
    return lower, upper


@helper
def _spread(buffer, first, last):  # type: ignore[no-untyped-def]
    mean = 0.0
    for k in range(first, last):
        mean += buffer[k]
    mean /= last - first
    squares = 0.0
    for k in range(first, last):
        squares += (buffer[k] - mean) ** 2
    return np.sqrt(squares / (last - first))


@helper
def _sort(buffer, count):  # type: ignore[no-untyped-def]
    for k in range(1, count):  # insertion: stacks are short
        value = buffer[k]
        j = k - 1
        while j >= 0 and buffer[j] > value:
            buffer[j + 1] = buffer[j]
            j -= 1
        buffer[j + 1] = value


def warm_up() -> None:
    """Compile what is not compiled yet."""
    clip(np.zeros((1, 1)), 3.0, None)
