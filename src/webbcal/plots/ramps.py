"""Ramps: samples of pixels, group by group, with their flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from webbcal.core import dqflags
from webbcal.core.errors import ParameterError
from webbcal.plots.canvas import CYCLE, GREY, ORANGE, PURPLE, RED, drawing
from webbcal.plots.samples import Samples, samples_of

_SIZE = (6.4, 4.4)
#: Of several ramps: all but that of the mark of jumps.
_COLOURS = tuple(colour for colour in CYCLE if colour != RED)


@dataclass(frozen=True)
class _Mark:
    """How flagged groups are marked, and what the legend says."""

    flag: int
    label: str
    style: dict[str, Any]


#: By flag, the most telling first; a group is marked once.
_MARKS = tuple(
    _Mark(dqflags.group[name], label, {"ls": "none", **style})
    for name, label, style in (
        ("JUMP_DET", "jump", {"marker": "D", "mfc": RED, "mec": "white", "ms": 8, "mew": 0.8}),
        ("SATURATED", "saturated", {"marker": "s", "mfc": "white", "mec": PURPLE, "ms": 7, "mew": 1.6}),
        ("CHARGELOSS", "charge loss", {"marker": "^", "mfc": "white", "mec": ORANGE, "ms": 7, "mew": 1.6}),
        ("DO_NOT_USE", "not used", {"marker": "x", "mec": GREY, "ms": 7, "mew": 1.6}),
    )
)


def plot_ramp(
    ramp: Any,
    x: int,
    y: int,
    *,
    integration: int = 0,
    time: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the samples of a pixel, with flagged groups marked.

    Parameters
    ----------
    ramp : model or path
        A product of ramps: `_uncal`, `_ramp`, or what a step of stage 1 has saved.
    x, y : int
        Column and row, from 0.
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
        If it is no ramp, or has no such pixel or integration.
    """
    samples = samples_of(ramp, x, y, integration)
    with drawing(ax, _SIZE) as axes:
        draw_samples(axes, samples, time=time)
        finish(axes, samples, time)
        axes.set_title(f"{pixel_name(samples)}  {samples.name}" if title is None else title)
        legend(axes)
    return axes


def plot_ramps(
    ramps: Any,
    pixels: tuple[int, int] | Sequence[tuple[int, int]],
    *,
    integration: int = 0,
    time: bool = False,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot several ramps together: of several pixels, or of a pixel in several products.

    Parameters
    ----------
    ramps : model or path, or sequence of them
        Products of ramps; each pixel is drawn from each.
    pixels : (x, y) or sequence of them
        Columns and rows, from 0.
    integration, time, title, ax
        As in `plot_ramp`.
    labels : sequence of str, optional
        For the legend, one a ramp that is drawn; by default what differs: pixel or product.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If one is no ramp, or has no such pixel or integration.
    ParameterError
        If there are not as many labels as ramps that are drawn.
    """
    products = list(ramps) if isinstance(ramps, (list, tuple)) else [ramps]
    places: list[Any] = [pixels] if np.ndim(pixels[0]) == 0 else list(pixels)
    drawn = [samples_of(product, int(x), int(y), integration) for product in products for x, y in places]
    if labels is not None and len(labels) != len(drawn):
        raise ParameterError(f"labels: there are {len(labels)} for {len(drawn)} ramps; give one each")
    names = labels or [_label(samples, len(places) > 1, len(products) > 1) for samples in drawn]
    with drawing(ax, _SIZE) as axes:
        for k, (samples, name) in enumerate(zip(drawn, names, strict=True)):
            draw_samples(axes, samples, name, _COLOURS[k % len(_COLOURS)], time)
        finish(axes, drawn[0], time)
        default = drawn[0].name if len(products) == 1 else pixel_name(drawn[0]) if len(places) == 1 else ""
        axes.set_title(default if title is None else title)
        legend(axes)
    return axes


def _label(samples: Samples, by_pixel: bool, by_product: bool) -> str:
    words = [pixel_name(samples) if by_pixel else "", samples.name if by_product else ""]
    return "  ".join(word for word in words if word) or pixel_name(samples)


def pixel_name(samples: Samples) -> str:
    """Return what a pixel is called in titles."""
    return f"Pixel ({samples.x}, {samples.y}), integration {samples.integration}"


def draw_samples(
    axes: Axes, samples: Samples, label: str | None = None, colour: str = CYCLE[0], time: bool = False
) -> None:
    """Draw the samples of a pixel, and mark flagged groups; each kind of mark is named once."""
    at = samples.abscissa(time)
    axes.plot(at, samples.values, "o-", color=colour, ms=4.5, lw=0.9, label=label, zorder=2)
    _, named = axes.get_legend_handles_labels()
    left = samples.flags != 0
    for mark in _MARKS:
        chosen = left & ((samples.flags & mark.flag) != 0)
        left &= ~chosen
        if chosen.any():
            name = None if mark.label in named else mark.label
            axes.plot(at[chosen], samples.values[chosen], label=name, zorder=3, **mark.style)


def finish(axes: Axes, samples: Samples, time: bool) -> None:
    """Name the axes."""
    unit = f" ({samples.unit})" if samples.unit else ""
    axes.set(xlabel="Time since the first group (s)" if time else "Group (from 0)", ylabel=f"Signal{unit}")
    if not time:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def legend(axes: Axes) -> None:
    """Add a legend if there is something to tell."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper left")
