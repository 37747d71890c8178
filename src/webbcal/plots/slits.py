"""The slits of an exposure: chosen, and where they are on its detector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from webbcal.core.errors import InputError
from webbcal.plots.canvas import CYCLE, drawing
from webbcal.plots.images import add_colorbar, draw, picture_of
from webbcal.plots.inputs import array_of, name_of, opened, title_of
from webbcal.plots.stretch import norm_of
from webbcal.run.exposure import meta_value

_LABELLED = 60  # slits, beyond which only outlines are drawn


def slits_of(model: Any) -> list[Any]:
    """Return the slits of a product; a product of one is that itself."""
    slits = getattr(model, "slits", None)
    return [model] if slits is None else list(slits)


def choose_slit(model: Any, number: int | None, source: int | None, order: int | None) -> Any:
    """Return a slit by its number, or by source and order.

    Raises
    ------
    InputError
        If there is none.
    """
    slits = slits_of(model)
    if number is not None:
        if not -len(slits) <= number < len(slits):
            raise InputError(f"{name_of(model)}: has no slit {number}: it has {len(slits)}, counted from 0")
        return slits[number]
    for slit in slits:
        if source in (None, getattr(slit, "source_id", None)) and order in (None, order_of(slit)):
            return slit
    wanted = [f"source {source}"] * (source is not None) + [f"order {order}"] * (order is not None)
    raise InputError(f"{name_of(model)}: has no slit of {', '.join(wanted) or 'any kind'}")


def order_of(slit: Any) -> int | None:
    """Return the spectral order of a slit, if it says."""
    found = meta_value(slit, "meta.wcsinfo.spectral_order")
    return None if found is None else int(found)


def show_slits(
    slits: Any,
    image: Any = None,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    stretch: str = "asinh",
    cmap: str = "gray",
    labels: bool | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show where the slits of an exposure are on its detector, with source and order.

    Parameters
    ----------
    slits : model or path
        A product of slits, of `extract_2d` or a `_cal`.
    image : model or path, optional
        The exposure that they were cut from (`_rate`), drawn below.
    vmin, vmax, stretch, cmap, title, ax
        As in `show_image`.
    labels : bool, optional
        Whether slits are labelled; by default if there are 60 at most.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there are no slits, or they do not say where they are.
    """
    with opened(slits) as model:
        boxes = list(_boxes(model))
        heading = title_of(model)
    under = None if image is None else picture_of(image)
    columns = under.shape[1] if under else max(b[0] + b[2] for b in boxes)
    rows = under.shape[0] if under else max(b[1] + b[3] for b in boxes)
    height = float(np.clip(6.0 * rows / columns, 1.5, 7.0)) + 0.8
    norm = None if under is None else norm_of(under.good, stretch, vmin, vmax)
    with drawing(ax, (7.2, height)) as axes:
        if under is not None and norm is not None:
            add_colorbar(axes, draw(axes, under, norm, cmap), under.unit)
        else:
            axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), aspect="equal")
        _draw_boxes(axes, boxes, len(boxes) <= _LABELLED if labels is None else labels)
        axes.set(xlabel="Column (pixel)", ylabel="Row (pixel)")
        axes.set_title(heading if title is None else title)
    return axes


def _boxes(model: Any) -> Iterator[tuple[int, int, int, int, int | None, int | None]]:
    """Yield first column and row (from 0), columns, rows, source and order of slits.

    Raises
    ------
    InputError
        If there are none, or one does not say where it is.
    """
    slits = slits_of(model)
    if not slits:
        raise InputError(f"{name_of(model)}: has no slits")
    for slit in slits:
        corner = getattr(slit, "corner", None)
        if corner is None:
            raise InputError(
                f"{name_of(model)}: does not say where its slits are on the detector (SLTSTRT1, SLTSTRT2); "
                "give what extract_2d has made, or a _cal of it"
            )
        rows, columns = array_of(slit, "data").shape[-2:]
        yield corner[1], corner[0], columns, rows, getattr(slit, "source_id", None), order_of(slit)


def _draw_boxes(axes: Axes, boxes: list[Any], labelled: bool) -> None:
    orders = sorted({order for *_, order in boxes if order is not None})
    for x, y, columns, rows, source, order in boxes:
        k = orders.index(order) if order in orders else 0
        colour = CYCLE[(k + 1) % len(CYCLE)]
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), columns, rows, fill=False, ec=colour, lw=1.0))
        if labelled and source:
            axes.annotate(
                str(source), (x, y + rows), color=colour, fontsize=7, ha="left", va="bottom", clip_on=True
            )
    for k, order in enumerate(orders):
        axes.plot([], [], color=CYCLE[(k + 1) % len(CYCLE)], lw=1.5, label=f"order {order}")
    if orders:
        axes.legend(loc="upper right", frameon=True, framealpha=0.9)
