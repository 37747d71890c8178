"""Jumps: ramps with the groups where particles were found, and the line that is fitted between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from webbcal.core.errors import InputError, ParameterError
from webbcal.plots.canvas import BLACK, RED, drawing, panels
from webbcal.plots.inputs import name_of, opened
from webbcal.plots.jump_search import pixels_with_jumps
from webbcal.plots.ramps import draw_samples, finish, legend, pixel_name
from webbcal.plots.samples import Samples, samples_of, slope_of

_SIZE = (6.4, 4.4)
_PANEL = (3.1, 2.4)  # inches, of one of many
_MOST = 36  # panels that can still be read


def plot_jump(
    ramp: Any,
    x: int,
    y: int,
    rate: Any = None,
    *,
    integration: int = 0,
    time: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot a ramp with the groups after jumps marked, and the fitted line in each stretch between them.

    Parameters
    ----------
    ramp : model or path
        A product of ramps with flagged groups: what `jump` has saved, or `_ramp`.
    x, y : int
        Column and row, from 0.
    rate : model or path, optional
        The `_rate` or `_rateints` of the exposure: its slope is drawn, through the mean of each stretch.
        Without it the slope is the median of the good differences.
    integration : int
        From 0, or from the end.
    time : bool
        Whether the axis is in seconds since the first group, not in groups.
    title : str, optional
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If it is no ramp, or has no such pixel or integration, or there is no rate of it.
    """
    samples = samples_of(ramp, x, y, integration)
    step = _step(samples, rate)
    with drawing(ax, _SIZE) as axes:
        draw_samples(axes, samples, time=time)
        draw_line(axes, samples, step, time, _line_name(samples, step, rate is not None))
        finish(axes, samples, time)
        axes.set_title(f"{pixel_name(samples)}  {samples.name}" if title is None else title)
        legend(axes)
    return axes


def plot_jumps(
    ramp: Any,
    pixels: Sequence[tuple[int, int]] | None = None,
    rate: Any = None,
    *,
    integration: int = 0,
    time: bool = False,
    count: int = 9,
    axes: Any = None,
) -> NDArray[Any]:
    """Plot the ramps of several pixels with jumps, each in a panel of its own.

    Parameters
    ----------
    ramp, rate, integration, time
        As in `plot_jump`.
    pixels : sequence of (x, y), optional
        Columns and rows, from 0; by default `count` pixels that show jumps best, none of them neighbours.
    count : int
        How many are chosen.
    axes : sequence of Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    ndarray of Axes
        (rows, columns); those without a pixel are turned off.

    Raises
    ------
    InputError
        If it is no ramp, has no such pixels, or no jumps at all.
    ParameterError
        If there are more than 36 panels.
    """
    with opened(ramp) as model:
        chosen = (
            list(pixels) if pixels is not None else pixels_with_jumps(model, integration, min(count, _MOST))
        )
        if len(chosen) > _MOST:
            raise ParameterError(f"{len(chosen)} panels cannot be read: give {_MOST} pixels at most")
        if not chosen:
            raise InputError(
                f"{name_of(model)}: no group is flagged as a jump (JUMP_DET); run jump on it first"
            )
        with opened(rate) as rates:
            found = [samples_of(model, int(x), int(y), integration) for x, y in chosen]
            steps = [_step(samples, rates) for samples in found]
    columns = ceil(sqrt(len(found)))
    rows = ceil(len(found) / columns)
    with panels(axes, rows, columns, (_PANEL[0] * columns, _PANEL[1] * rows + 0.3)) as drawn:
        for k, (one, samples, step) in enumerate(zip(drawn.ravel(), found, steps, strict=False)):
            draw_samples(one, samples, time=time)
            draw_line(one, samples, step, time, "rate" if rate is not None else "median difference")
            finish(one, samples, time)
            one.set_title(f"({samples.x}, {samples.y})")
            # Each has a scale of its own: only the names of the axes are shared.
            one.set(xlabel=one.get_xlabel() if k + columns >= len(found) else "")
            one.set(ylabel=one.get_ylabel() if k % columns == 0 else "")
            if k == 0:
                legend(one)
        for spare in drawn.ravel()[len(found) :]:
            spare.set_axis_off()
    made: NDArray[Any] = drawn
    return made


def _step(samples: Samples, rate: Any) -> float:
    """Return what the line rises from group to group."""
    if rate is None:
        return samples.typical_step()
    return slope_of(rate, samples.x, samples.y, samples.integration) * samples.seconds


def _line_name(samples: Samples, step: float, fitted: bool) -> str:
    what = "rate" if fitted else "median difference"
    if not np.isfinite(step):
        return what
    if samples.group_time:
        return f"{what}: {step / samples.group_time:.3g} {samples.unit}/s"
    return f"{what}: {step:.3g} {samples.unit} a group"


def draw_line(axes: Axes, samples: Samples, step: float, time: bool, label: str) -> None:
    """Draw the line of a slope through the mean of each stretch of good groups, and where jumps are."""
    at = samples.abscissa(time)
    shown: str | None = label
    for part in samples.stretches():
        if len(part) < 2 or not np.isfinite(step):
            continue
        line = step * (part - part.mean()) + samples.values[part].mean()
        axes.plot(at[part], line, color=BLACK, lw=1.5, ls="--", label=shown, zorder=4)
        shown = None
    for group in np.flatnonzero(samples.jumps & samples.good):
        if group:
            axes.axvline((at[group - 1] + at[group]) / 2, color=RED, lw=0.8, ls=":", zorder=1)
