"""What plots are drawn on: figures of one style, and figures as the bytes of a picture.

The style holds while a plot is drawn and only on axes that are ours: whoever brings axes of their own has
chosen how they look.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from webbcal.core.errors import ParameterError

#: Colours that people who see colours differently tell apart (Okabe & Ito 2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
CYCLE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)

_STYLE: Any = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.use_mathtext": True,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.3,
    "lines.markersize": 5.0,
    "image.origin": "lower",
    "image.interpolation": "nearest",
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
}


@contextmanager
def drawing(ax: Axes | None, size: tuple[float, float], projection: Any = None) -> Iterator[Any]:
    """Give the axes to draw on: the user's, or those of a new figure, in our style.

    Parameters
    ----------
    ax : Axes or None
        The user's.
    size : tuple of float
        Of a new figure, inches.
    projection : WCS, optional
        World coordinates of new axes.
    """
    if ax is not None:
        yield ax
        return
    with _styled_figure(size) as figure:
        yield figure.add_subplot(projection=projection)


@contextmanager
def panels(axes: Any, rows: int, columns: int, size: tuple[float, float], **shared: Any) -> Iterator[Any]:
    """Give an array of axes, (rows, columns): the user's, or those of a new figure.

    Raises
    ------
    ParameterError
        If the user's are not as many as are needed.
    """
    if axes is not None:
        given = np.asarray(axes, object).ravel()
        if len(given) < rows * columns:
            raise ParameterError(f"{rows * columns} axes are needed for this, but {len(given)} were given")
        yield given[: rows * columns].reshape(rows, columns)
        return
    with _styled_figure(size) as figure:
        yield figure.subplots(rows, columns, squeeze=False, **shared)


@contextmanager
def _styled_figure(size: tuple[float, float]) -> Iterator[Figure]:
    """Give a new figure, as pyplot makes it; if drawing fails, it does not stay there."""
    from matplotlib import pyplot

    with mpl.rc_context(_STYLE):
        figure = pyplot.figure(figsize=size, layout="constrained")
        try:
            yield figure
        except BaseException:
            pyplot.close(figure)
            raise


def figure_of(drawn: Any) -> Figure:
    """Return the figure that a figure, axes or an array of axes is or belongs to."""
    first = np.ravel(np.asarray(drawn, object))[0]
    figure: Figure = first.get_figure(root=True) if hasattr(first, "get_figure") else first
    return figure


def png(drawn: Any, dpi: float = 110.0, colours: int | None = 256) -> bytes:
    """Return a figure as the bytes of a PNG picture.

    Parameters
    ----------
    drawn : Figure, Axes or array of Axes
        What was drawn.
    dpi : float
        Dots an inch.
    colours : int or None
        Size of the palette: noise costs a lot of bytes in full colour (None).
    """
    from PIL import Image

    buffer = io.BytesIO()
    figure_of(drawn).savefig(buffer, dpi=dpi, format="png")
    if colours is None:
        return buffer.getvalue()
    full = Image.open(buffer).convert("RGB")
    small = full.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    small.save(packed, format="png", optimize=True)
    return packed.getvalue()
