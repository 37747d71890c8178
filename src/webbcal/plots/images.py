"""Images: one, and two beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, Normalize
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.plots.canvas import RED, drawing, figure_of, panels
from webbcal.plots.inputs import (
    UNUSABLE,
    array_of,
    opened,
    optional_array,
    plane_index,
    read_plane,
    title_of,
    unit_of,
)
from webbcal.plots.inputs import name_of as name_of_model
from webbcal.plots.limits import limits
from webbcal.plots.sky_axes import label_sky, sky_of
from webbcal.plots.stretch import norm_of, ticks

#: Pixels along an axis beyond which they are put together: no screen or page has more.
_MOST = 2400
_MISSING = "#35506b"  # of pixels without a value: no shade of grey
_WIDTH, _SPACE = 6.4, 1.7  # inches: of a figure, and what labels and colour bar take of it


@dataclass(frozen=True)
class Picture:
    """A plane of an array, ready to be drawn.

    Attributes
    ----------
    values : ndarray
        (rows, columns), with pixels put together if there are many.
    step : int
        Side of the squares that are put together.
    shape : tuple of int
        Rows and columns of the array.
    good : ndarray
        Values that say what the limits should be.
    title, unit : str
    sky : WCS or None
    """

    values: NDArray[np.float32]
    step: int
    shape: tuple[int, int]
    good: NDArray[np.float32]
    title: str
    unit: str
    sky: Any = None

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Outer edges in pixels of the array: left, right, bottom, top."""
        rows, columns = self.values.shape
        return -0.5, columns * self.step - 0.5, -0.5, rows * self.step - 0.5


def picture_of(
    source: Any, array: str = "data", integration: int = 0, group: int = -1, sky: bool = False
) -> Picture:
    """Return what is drawn of a model, path or array.

    Raises
    ------
    InputError
        If it has no such array or plane.
    """
    with opened(source) as model:
        if hasattr(model, "slits") and array == "data":
            raise InputError(
                f"{name_of_model(model)}: has {len(model.slits)} slits; give one of them "
                "(model.slits[0]), or draw it with show_spectrum"
            )
        data = array_of(model, array)
        index = plane_index(data.shape, integration, group, name_of_model(model))
        values, step = read_plane(data, index, _MOST)
        good = values[np.isfinite(values) & _usable(model, index, values, step)]
        plane = tuple(i % n for i, n in zip(index, data.shape, strict=False))
        title = _title(model, array, plane)
        unit = unit_of(model) if array in ("data", "err") else ""
        shape = (int(data.shape[-2]), int(data.shape[-1]))
        return Picture(values, step, shape, good, title, unit, sky_of(model) if sky else None)


def _title(model: Any, array: str, plane: tuple[int, ...]) -> str:
    if isinstance(model, np.ndarray):
        return ""
    named = title_of(model) if array == "data" else f"{title_of(model)}  {array}"
    return f"{named} {list(plane)}" if plane else named


def _usable(model: Any, index: tuple[int, ...], values: NDArray[Any], step: int) -> NDArray[np.bool_]:
    """Tell which pixels count when limits are chosen; where many are put together, all do."""
    flags = None if isinstance(model, np.ndarray) else optional_array(model, "dq", "pixeldq")
    if flags is None or step > 1 or flags.shape[-2:] != values.shape:
        return np.ones(values.shape, bool)
    usable: NDArray[np.bool_] = (flags.read(*index[: len(flags.shape) - 2]) & UNUSABLE) == 0
    return usable if usable.any() else ~usable


def show_image(
    image: Any,
    vmin: float | None = None,
    vmax: float | None = None,
    *,
    array: str = "data",
    integration: int = 0,
    group: int = -1,
    stretch: str = "asinh",
    cmap: str = "gray",
    sky: bool | None = None,
    pixels: Iterable[tuple[float, float]] = (),
    title: str | None = None,
    label: str | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Show an image, stretched so that both the sky and the stars are seen.

    Parameters
    ----------
    image : model, path or ndarray
        Of two to four axes: of a cube a plane is shown, of a ramp a group.
    vmin, vmax : float, optional
        What is black and white; by default from three times the noise below the sky to the brightest 0.3 %
        of the good pixels.
    array : str
        Which array of the model: ``data``, ``err``, ``dq``, ….
    integration, group : int
        Which plane, from 0, or from the end; by default the last group of the first integration.
    stretch : str
        ``asinh``, ``linear``, ``log`` or ``sqrt``.
    cmap : str
        Colour map of matplotlib.
    sky : bool, optional
        Whether axes are in RA and Dec; by default if the image has a WCS. Only on axes of our own: the
        user's (`ax`) are taken as they are, in pixels.
    pixels : iterable of (x, y)
        Pixels to mark, from 0.
    title, label : str, optional
        Of the image and the colour bar.
    colorbar : bool
        Whether there is a colour bar.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there is no such array or plane.
    ParameterError
        For an unknown stretch, or limits in the wrong order.
    """
    found = picture_of(image, array, integration, group, ax is None and sky is not False)
    if sky and ax is None and found.sky is None:
        raise InputError(f"{found.title}: has no WCS of the sky; run assign_wcs on it, or leave out sky=True")
    norm = norm_of(found.good, stretch, vmin, vmax)
    with drawing(ax, _size(found.shape), found.sky) as axes:
        shown = draw(axes, found, norm, cmap)
        axes.set_title(found.title if title is None else title)
        _name_axes(axes, found.sky is not None)
        for x, y in pixels:
            mark(axes, x, y)
        if colorbar:
            add_colorbar(axes, shown, found.unit if label is None else label)
    return axes


def side_by_side(
    first: Any,
    second: Any,
    vmin: float | None = None,
    vmax: float | None = None,
    *,
    array: str = "data",
    integration: int = 0,
    group: int = -1,
    stretch: str = "asinh",
    cmap: str = "gray",
    difference: bool = False,
    pixels: Iterable[tuple[float, float]] = (),
    titles: Sequence[str] | None = None,
    axes: Any = None,
) -> NDArray[Any]:
    """Show two images with the same limits, and if wanted, their difference.

    Parameters
    ----------
    first, second : model, path or ndarray
        Limits are those of the first.
    vmin, vmax, array, integration, group, stretch, cmap, pixels
        As in `show_image`.
    difference : bool
        Whether to show the second minus the first too, on a scale of its own.
    titles : sequence of str, optional
        Of the panels.
    axes : sequence of Axes, optional
        Where to draw: two, or three with the difference.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    InputError
        If there is no such array or plane, or a difference is asked for of images of different shapes.
    """
    pair = [picture_of(source, array, integration, group) for source in (first, second)]
    if difference and pair[0].shape != pair[1].shape:
        shapes = " and ".join(str(p.shape) for p in pair)
        raise InputError(f"images of shapes {shapes} have no difference; leave out difference=True")
    norm = norm_of(pair[0].good, stretch, vmin, vmax)
    count = 2 + difference
    width, height = _size(pair[0].shape)
    size = (count * (width - _SPACE) * 0.85 + _SPACE, height * 0.85)
    with panels(axes, 1, count, size) as drawn:
        row = drawn[0]
        for one, found in zip(row, pair, strict=False):
            shown = draw(one, found, norm, cmap)
            one.set_title(found.title.replace("  ", "\n", 1), fontsize="small")
            _name_axes(one, False)
            for x, y in pixels:
                mark(one, x, y)
        add_colorbar(row[1], shown, pair[0].unit)
        if difference:
            _show_difference(row[2], *pair)
        for one, title in zip(row, titles or (), strict=False):
            one.set_title(title)
    found_axes: NDArray[Any] = row
    return found_axes


def _show_difference(axes: Axes, first: Picture, second: Picture) -> None:
    values = second.values - first.values
    low, high = limits(values)
    reach = max(abs(low), abs(high))
    found = Picture(values, first.step, first.shape, values, "", first.unit)
    shown = draw(axes, found, Normalize(-reach, reach), "RdBu_r")
    axes.set_title("second − first")
    _name_axes(axes, False)
    add_colorbar(axes, shown, first.unit)


def draw(axes: Axes, found: Picture, norm: Normalize, cmap: str) -> Any:
    """Draw a picture in pixels of its array; return what a colour bar is made of."""
    colours = mpl.colormaps[cmap].with_extremes(bad=_MISSING)
    shown = axes.imshow(
        found.values, norm=norm, cmap=colours, origin="lower", extent=found.extent, interpolation="nearest"
    )
    rows, columns = found.shape
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
    return shown


def mark(axes: Axes, x: float, y: float) -> None:
    """Draw a ring around a pixel."""
    axes.plot(x, y, "o", ms=9, mfc="none", mec="white", mew=2.6)
    axes.plot(x, y, "o", ms=9, mfc="none", mec=RED, mew=1.4)


def _name_axes(axes: Any, sky: bool) -> None:
    if sky:
        label_sky(axes)
    else:
        axes.set(xlabel="Column (pixel)", ylabel="Row (pixel)")


def add_colorbar(axes: Any, shown: Any, label: str) -> Any:
    """Add a colour bar with round numbers."""
    bar = figure_of(axes).colorbar(shown, ax=axes, label=label, fraction=0.046, pad=0.02, extend="both")
    if isinstance(shown.norm, FuncNorm):
        bar.set_ticks(list(ticks(shown.norm)))
        bar.ax.minorticks_off()
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value + 0.0:g}")  # -0 is 0
    bar.ax.tick_params(direction="out", left=False)
    return bar


def _size(shape: tuple[int, int]) -> tuple[float, float]:
    """Return the size of a figure, inches, for an image of some rows and columns."""
    rows, columns = shape
    inner = _WIDTH - _SPACE
    height = inner * rows / columns
    return _WIDTH, float(np.clip(height, 1.2, 8.0)) + 0.8
