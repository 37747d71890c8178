"""Pictures inside pages: plots as SVG, images as JPEG or PNG, both as part of the page's text."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from webbcal.core.html import Child, Markup, element

#: Quality of JPEG: noise costs bytes, and shows no artefacts at this.
_QUALITY = 82
#: Inches: from the left edge to the first panel and between two, from the bottom to the last and between two.
_LEFT, _BESIDE, _BOTTOM, _BELOW = 0.68, 0.82, 0.46, 0.76


@dataclass(frozen=True)
class Picture:
    """A picture, in a format that browsers know.

    Attributes
    ----------
    data : bytes
    kind : str
        ``svg+xml``, ``jpeg`` or ``png``.
    width, height : int
        Pixels.
    """

    data: bytes
    kind: str
    width: int
    height: int

    @property
    def url(self) -> str:
        """The picture as a text that stands for its address."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode('ascii')}"


def figure(picture: Picture, caption: Child, alt: str) -> Markup:
    """Return a picture with its caption, which is enlarged by a click."""
    return element("figure", _enlarged(picture, alt), element("figcaption", caption))


def plots(made: Any, caption: Child, alt: str) -> Markup:
    """Return the panels of a matplotlib figure, with a caption: side by side or, on a phone, in a column."""
    drawn = [axes for axes in made.axes if axes.axison]
    pictures = [_enlarged(_alone(axes), f"{alt}, {k}") for k, axes in enumerate(drawn, 1)]
    columns = made.axes[0].get_gridspec().ncols
    beside = element("div", *pictures, class_="panels", style=f"--columns: {columns}")
    return element("figure", beside, element("figcaption", caption), class_="wide")


def _enlarged(picture: Picture, alt: str) -> Markup:
    image = element("img", src=picture.url, alt=alt, width=picture.width, height=picture.height)
    return element("button", image, type="button", class_="enlarge", aria_label=f"enlarge: {alt}")


def panels(rows: int, columns: int, height: float, width: float = 9.6) -> tuple[Any, np.ndarray]:
    """Return a matplotlib figure that belongs to nobody (no window, no state of pyplot), and its panels.

    Panels have fixed margins: to have matplotlib fit them to their labels takes as long as drawing them.

    Parameters
    ----------
    rows, columns : int
    height, width : float
        Inches of the whole; text is 9 points.

    Returns
    -------
    figure
    (rows * columns,) ndarray of axes
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(made)
    across, up = width / columns - _BESIDE, height / rows - _BELOW
    grid = {
        "left": _LEFT / width,
        "right": 1 - (_BESIDE - _LEFT) / width,
        "bottom": _BOTTOM / height,
        "top": 1 - (_BELOW - _BOTTOM) / height,
        "wspace": _BESIDE / across,
        "hspace": _BELOW / up,
    }
    axes = made.subplots(rows, columns, squeeze=False, gridspec_kw=grid)
    return made, axes.ravel()


def tidy(axes: Any, title: str = "", **settings: Any) -> None:
    """Give axes a quiet look, a title, and what else is set on them."""
    axes.set(**settings)
    name = axes.set_title(title, loc="left")
    axes.tick_params(labelsize=8)
    for text in (name, axes.xaxis.label, axes.yaxis.label):
        text.set_parse_math(False)  # a unit in a header may be anything, and is no formula
        text.set_size(9)
    axes.grid(alpha=0.25, lw=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _alone(axes: Any) -> Picture:
    """Return one panel of a figure, with its margins, as SVG."""
    from matplotlib.transforms import Bbox

    made, place = axes.figure, axes.get_subplotspec()
    rows, columns = place.get_gridspec().get_geometry()
    width, height = made.get_size_inches() / (columns, rows)
    cell = Bbox.from_bounds(place.colspan.start * width, (rows - place.rowspan.stop) * height, width, height)
    for each in made.axes:
        each.set_visible(each is axes)
    stream = BytesIO()
    made.savefig(stream, format="svg", bbox_inches=cell, metadata={"Date": None, "Creator": None})
    return Picture(stream.getvalue(), "svg+xml", round(96 * width), round(96 * height))


def from_colours(values: np.ndarray, in_few_colours: bool = False) -> Picture:
    """Return an image, rows upwards.

    Parameters
    ----------
    values : (ny, nx, 3) uint8
        Red, green, blue.
    in_few_colours : bool
        Whether it has flat areas of few colours, as a map has.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(values[::-1]))
    stream = BytesIO()
    if in_few_colours:
        image.quantize(64, dither=Image.Dither.NONE).save(stream, "png", optimize=True)
    else:
        image.save(stream, "jpeg", quality=_QUALITY, optimize=True)
    return Picture(stream.getvalue(), "png" if in_few_colours else "jpeg", image.width, image.height)
