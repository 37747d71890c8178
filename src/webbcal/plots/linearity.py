"""Linearity: whether late groups rise as fast as early ones, over how full the pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError, ParameterError
from webbcal.plots.canvas import BLUE, RED, drawing, figure_of
from webbcal.plots.inputs import UNUSABLE, array_of, name_of, opened, optional_array, title_of, unit_of
from webbcal.plots.samples import BAD, JUMP, check_ramp

F64 = NDArray[np.float64]

_SIZE = (6.4, 4.4)
_BINS = (160, 100)  # of the density: signal, ratio
_COARSE, _LEAST = 24, 40  # of the mean: bins, and pixels in one that are enough
_CHUNK = 1 << 22
_GROUP_FLAGS = BAD | JUMP
_PIXEL_FLAGS = UNUSABLE | dqflags.pixel["NO_LIN_CORR"]


def plot_linearity(
    ramp: Any,
    *,
    last: tuple[int, int] = (-2, -1),
    first: tuple[int, int] = (0, 1),
    ratios: tuple[float, float] = (0.5, 1.5),
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the ratio of the last and the first difference of groups against the signal in the last group.

    A linear detector gives 1 at every signal. Single pixels are noisy, so all pixels of all integrations are
    drawn as a density, with the ratio of the mean differences in bins of signal.

    Parameters
    ----------
    ramp : model or path
        A product of ramps, with the bias subtracted; before or after `linearity`.
    last, first : (int, int)
        The groups whose differences are compared, from 0, or from the end.
    ratios : (float, float)
        What the axis of ratios shows.
    title : str, optional
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If it is no ramp, has no such groups, or no pixel that can be compared.
    ParameterError
        If the ratios are not in order.
    """
    if not ratios[0] < ratios[1]:
        raise ParameterError(f"ratios = {ratios}: the first must be below the second")
    with opened(ramp) as model:
        signal, late, early = _differences(model, last, first)
        name, unit = title_of(model), unit_of(model)
    if not signal.size:
        raise InputError(f"{name}: no pixel has these groups without a flag; choose other groups")
    reach = float(np.percentile(signal, 99.9))
    low = min(0.0, float(np.percentile(signal, 0.1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = late / early
    with drawing(ax, _SIZE) as axes:
        *_, shown = axes.hist2d(
            signal, ratio, bins=_BINS, range=((low, reach), ratios), cmap="Greys", norm=LogNorm(1)
        )
        shown.set_rasterized(True)
        figure_of(axes).colorbar(shown, ax=axes, label="Pixels", fraction=0.046, pad=0.02)
        axes.axhline(1.0, color=RED, lw=1.0, ls="--", label="linear")
        at, mean = _means(signal, late, early, reach)
        axes.plot(at, mean, "o-", color=BLUE, ms=4, lw=1.3, label="mean of pixels")
        of = "first" if first == (0, 1) else str(first)
        axes.set(xlabel=f"Signal in the last group ({unit})", ylabel=f"Last difference / {of}", ylim=ratios)
        axes.set_title(name if title is None else title)
        axes.legend(loc="lower left")
    return axes


def _differences(model: Any, last: tuple[int, int], first: tuple[int, int]) -> tuple[F64, F64, F64]:
    """Return signal in the last group, and both differences, of all pixels whose groups are good."""
    shape = check_ramp(model)
    groups = [_group(model, g, shape[1]) for g in (*last, *first)]
    if groups[0] == groups[1] or groups[2] == groups[3]:
        raise InputError(f"{name_of(model)}: a difference needs two groups, not group {groups[0]} twice")
    data, flags = array_of(model, "data"), optional_array(model, "groupdq")
    pixels = optional_array(model, "pixeldq")
    found: list[F64] = []
    rows = max(1, _CHUNK // (4 * shape[3]))
    for integration in range(shape[0]):
        for y in range(0, shape[2], rows):
            band = slice(y, min(y + rows, shape[2]))
            planes = [data.read(integration, g, band).astype(float) for g in groups]
            good = np.isfinite(sum(planes))
            if flags is not None:
                for g in set(groups):
                    good &= (flags.read(integration, g, band) & _GROUP_FLAGS) == 0
            if pixels is not None:
                good &= (pixels.read(band) & _PIXEL_FLAGS) == 0
            a, b, c, d = (plane[good] for plane in planes)
            found.append(np.array([b, b - a, d - c]))
    signal, late, early = np.concatenate(found, axis=1)
    return signal, late, early


def _group(model: Any, number: int, count: int) -> int:
    if not -count <= number < count:
        raise InputError(f"{name_of(model)}: has no group {number}: it has {count}, counted from 0")
    return number % count


def _means(signal: F64, late: F64, early: F64, reach: float) -> tuple[F64, F64]:
    """Return middles of bins of signal, and the ratio of the mean differences in them."""
    which = np.clip(np.floor(signal / reach * _COARSE).astype(int), -1, _COARSE)
    at, mean = [], []
    for k in range(_COARSE):
        chosen = which == k
        if chosen.sum() >= _LEAST and (below := early[chosen].mean()) > 0:
            at.append(signal[chosen].mean())
            mean.append(late[chosen].mean() / below)
    return np.array(at), np.array(mean)
