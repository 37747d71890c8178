"""From values to shades: how the values of an image are stretched between black and white."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import FuncNorm, Normalize
from numpy.typing import NDArray

from webbcal.core.errors import ParameterError
from webbcal.plots.limits import limits, sky_and_noise

F64 = NDArray[np.float64]

STRETCHES = ("asinh", "linear", "log", "sqrt")
_LINEAR = 3.0  # of the sky's noise: up to where the stretch is about linear
_LOG = 1000.0  # the stretch is log(1 + 1000 x), as in astropy and ds9
_TICKS = 6


def norm_of(
    values: NDArray[Any], stretch: str = "asinh", vmin: float | None = None, vmax: float | None = None
) -> Normalize:
    """Return the norm that shows an image well.

    Parameters
    ----------
    values : ndarray
        Of pixels that are good; they say where the sky is and how noisy.
    stretch : str
        One of `STRETCHES`. ``asinh`` is about linear near the sky, and logarithmic above.
    vmin, vmax : float, optional
        What is black and white, in place of what `limits` finds.

    Raises
    ------
    ParameterError
        For an unknown stretch, or limits in the wrong order.
    """
    if stretch not in STRETCHES:
        raise ParameterError(f"stretch = {stretch!r}: expected one of {', '.join(STRETCHES)}")
    low, high = limits(values)
    low, high = low if vmin is None else float(vmin), high if vmax is None else float(vmax)
    if not low < high:
        raise ParameterError(f"vmin = {low:g} is not below vmax = {high:g}: give limits in order")
    if stretch == "linear":
        return Normalize(low, high)
    if stretch == "asinh":
        sky, noise = sky_and_noise(values)
        middle = sky if low <= sky <= high else low
        width = _LINEAR * noise if noise > 0 else (high - low) / 10
        return FuncNorm(
            (lambda v: np.arcsinh((v - middle) / width), lambda s: middle + width * np.sinh(s)), low, high
        )
    span = high - low
    if stretch == "sqrt":
        return FuncNorm((lambda v: np.sqrt(_above(v, low, span)), lambda s: low + span * s**2), low, high)
    return FuncNorm(
        (lambda v: np.log1p(_LOG * _above(v, low, span)), lambda s: low + span * np.expm1(s) / _LOG),
        low,
        high,
    )


def _above(values: Any, low: float, span: float) -> Any:
    """Return how far values are between the limits; what is below them is black, not missing."""
    return np.maximum((np.asarray(values, float) - low) / span, 0.0)


def ticks(norm: Normalize) -> F64:
    """Return round values that are about evenly spread over a colour bar."""
    assert norm.vmin is not None and norm.vmax is not None
    exact = np.asarray(norm.inverse(np.linspace(0.0, 1.0, _TICKS + 1)), float)
    chosen: list[float] = []
    for k, value in enumerate(exact):
        gap = min(abs(value - exact[j]) for j in (k - 1, k + 1) if 0 <= j <= _TICKS)
        unit = 10.0 ** np.floor(np.log10(max(gap, 1e-30)))
        step = unit * (5 if gap >= 5 * unit else 2 if gap >= 2 * unit else 1)
        rounded = float(np.round(np.round(value / step) * step, 12)) + 0.0  # not -0
        if norm.vmin <= rounded <= norm.vmax and rounded not in chosen:
            chosen.append(rounded)
    return np.array(chosen)
