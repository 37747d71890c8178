"""The response of a pixel to charge, from the polynomial that undoes it.

The linearity reference is a polynomial that turns a measured signal (DN above the bias) into what a linear
pixel would have shown. The forward model needs the opposite, and inverts that same polynomial numerically, so
that the correction is exact and whatever a calibration gets wrong is its own.
"""

from __future__ import annotations

import numpy as np


def linearise(measured: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Evaluate the polynomial: measured DN to linear DN; `coefficients` has shape (order + 1, ...)."""
    value = np.broadcast_to(coefficients[-1], measured.shape).astype(np.float64)
    for c in coefficients[-2::-1]:
        value = value * measured + c
    return value


def respond(
    linear: np.ndarray, coefficients: np.ndarray, start: np.ndarray, tolerance: float = 1e-2
) -> np.ndarray:
    """Solve ``linearise(measured) == linear`` for the measured signal, by Newton's method.

    Parameters
    ----------
    linear : ndarray
        Linear DN above the bias.
    coefficients : ndarray
        Polynomial of each pixel, shape (order + 1, ...). It must increase over the range of `linear`.
    start : ndarray
        A first guess, such as the solution of the frame before.
    tolerance : float
        Stop once no step exceeds this (DN). The method converges quadratically: the error that is left is of
        the order of 1e-6 times the square of the last step, far below the resolution of a float32.

    Returns
    -------
    ndarray
        Measured DN, float64.

    Raises
    ------
    ArithmeticError
        If a pixel's polynomial cannot be inverted there.
    """
    x = start.astype(np.float64)
    order = len(coefficients) - 1
    for _ in range(30):
        value = np.broadcast_to(coefficients[order], x.shape).astype(np.float64)
        slope = np.zeros_like(x)
        for c in coefficients[order - 1 :: -1]:
            slope *= x
            slope += value
            value *= x
            value += c
        value -= linear
        value /= slope
        x -= value
        if np.abs(value).max(initial=0.0) < tolerance:
            return x
    raise ArithmeticError("a linearity polynomial does not increase up to the full well")
