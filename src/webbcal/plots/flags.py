"""Maps of data-quality flags, one a flag, with counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError, ParameterError
from webbcal.plots.canvas import panels
from webbcal.plots.inputs import array_of, name_of, opened, optional_array, title_of

_PANEL = 2.6  # inches
_COLUMNS = 4
_SIDE = 420  # pixels of a panel: more are put together
_COLOURS = ListedColormap(["#F2F2F2", "#0B3C6F"])
_ARRAYS = ("dq", "pixeldq", "groupdq")


@dataclass(frozen=True)
class FlagMap:
    """Where a flag is set.

    Attributes
    ----------
    name : str
    pixels : ndarray
        (rows, columns), bool.
    """

    name: str
    pixels: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """In how many pixels."""
        return int(self.pixels.sum())


def flag_maps(model: Any, array: str | None = None, integration: int | None = None) -> list[FlagMap]:
    """Return a map for each flag that is set anywhere, in the order of their bits.

    Parameters
    ----------
    model : model
    array : str, optional
        ``dq``, ``pixeldq`` or ``groupdq``; by default the first of these that the model has.
    integration : int, optional
        One integration of an array that has several; by default what is set in any. Groups always count
        together.

    Raises
    ------
    InputError
        If there is no such array or integration.
    """
    united = _united(model, array, integration)
    names = {bit: name for name, bit in dqflags.pixel.items() if bit}
    present = int(np.bitwise_or.reduce(united, axis=None)) if united.size else 0
    return [FlagMap(name, (united & bit) != 0) for bit, name in names.items() if present & bit]


def _united(model: Any, array: str | None, integration: int | None) -> NDArray[np.uint32]:
    """Return the flags of all planes of an array together, plane by plane."""
    source = _flags_of(model, array)
    if not 2 <= len(source.shape) <= 4 or np.dtype(source.dtype).kind not in "ui":
        raise InputError(f"{name_of(model)}: its array '{array}' holds no flags; give {', '.join(_ARRAYS)}")
    ranges = [range(n) for n in source.shape[:-2]]
    if integration is not None and ranges:
        if not -len(ranges[0]) <= integration < len(ranges[0]):
            raise InputError(f"{name_of(model)}: has no integration {integration}: it has {len(ranges[0])}")
        ranges[0] = range(integration % len(ranges[0]), integration % len(ranges[0]) + 1)
    united = np.zeros(source.shape[-2:], np.uint32)
    for index in product(*ranges):
        united |= source.read(*index).astype(np.uint32)
    return united


def show_dq(
    image: Any,
    flags: str | Sequence[str] | None = None,
    *,
    array: str | None = None,
    integration: int | None = None,
    title: str | None = None,
    axes: Any = None,
) -> NDArray[Any]:
    """Show where data-quality flags are set, a panel a flag, with how many pixels have it.

    Parameters
    ----------
    image : model or path
        A product with flags; of a ramp those of pixels, or of groups (``array="groupdq"``).
    flags : str or sequence of str, optional
        Which; by default all that are set anywhere.
    array : str, optional
        ``dq``, ``pixeldq`` or ``groupdq``; by default the first of these that the product has.
    integration : int, optional
        One integration, where there are several; by default what is set in any.
    title : str, optional
        Of the figure; by default the product.
    axes : sequence of Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    ndarray of Axes
        (rows, columns); those without a flag are turned off.

    Raises
    ------
    InputError
        If there is no such array or integration.
    ParameterError
        For an unknown flag.
    """
    wanted = [flags] if isinstance(flags, str) else flags
    for name in wanted or ():
        if name.upper() not in dqflags.pixel or name.upper() == "GOOD":
            raise ParameterError(f"unknown DQ flag {name!r}; known: {', '.join(list(dqflags.pixel)[1:])}")
    with opened(image) as model:
        maps = {found.name: found for found in flag_maps(model, array, integration)}
        shape = _united_shape(model, array)
        heading = title_of(model) if title is None else title
    empty = np.zeros(shape, bool)
    shown = (
        [maps.get(n.upper(), FlagMap(n.upper(), empty)) for n in wanted] if wanted else list(maps.values())
    )
    shown = shown or [FlagMap("no flag is set", empty)]
    columns = min(_COLUMNS, len(shown))
    rows = ceil(len(shown) / columns)
    height = float(np.clip(_PANEL * shape[0] / shape[1], 0.5, 2 * _PANEL)) + 0.5
    with panels(axes, rows, columns, (_PANEL * columns, height * rows + 0.4)) as drawn:
        for one, found in zip(drawn.ravel(), shown, strict=False):
            draw_flag(one, found)
        for spare in drawn.ravel()[len(shown) :]:
            spare.set_axis_off()
        if axes is None:
            drawn[0, 0].figure.suptitle(heading, fontsize="medium", x=0.01, ha="left")
    made: NDArray[Any] = drawn
    return made


def _united_shape(model: Any, array: str | None) -> tuple[int, int]:
    ny, nx = _flags_of(model, array).shape[-2:]
    return int(ny), int(nx)


def _flags_of(model: Any, array: str | None) -> Any:
    """Return the source of a model's flags; an error says so if it has none, or its slits have them."""
    if hasattr(model, "slits"):
        raise InputError(
            f"{name_of(model)}: has {len(model.slits)} slits, each with flags; give one of them "
            "(model.slits[0])"
        )
    source = optional_array(model, *_ARRAYS) if array is None else array_of(model, array)
    if source is None:
        raise InputError(f"{name_of(model)}: has no flags (no array {', '.join(_ARRAYS)})")
    return source


def draw_flag(axes: Any, found: FlagMap) -> None:
    """Draw a map; a dot stands for pixels that are put together, if any of them has the flag."""
    ny, nx = found.pixels.shape
    step = max(1, -(-max(ny, nx) // _SIDE))
    rows, columns = -(-ny // step), -(-nx // step)
    padded = np.zeros((rows * step, columns * step), bool)
    padded[:ny, :nx] = found.pixels
    dots = padded.reshape(rows, step, columns, step).any(axis=(1, 3))
    extent = (-0.5, columns * step - 0.5, -0.5, rows * step - 0.5)
    axes.imshow(dots, cmap=_COLOURS, vmin=0, vmax=1, origin="lower", extent=extent, interpolation="nearest")
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    share = 100 * found.count / found.pixels.size
    axes.set_title(f"{found.name}\n{found.count:,} pixels ({share:.2g} %)", fontsize="small")
    axes.label_outer()
