"""Images before and after, and where pixels are flagged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.html import Markup, element
from webbcal.datamodels.lists import items_of
from webbcal.plots.inputs import read_plane
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import section
from webbcal.report.pages.picture import Picture, figure, from_colours
from webbcal.report.pages.reduced import enlarged, limits, shaded
from webbcal.run.exposure import meta_value

#: Products that are drawn, and what is said of them; in place of some there may be others.
_DRAWN = {
    "uncal": "raw",
    "rate": "count rates",
    "cal": "calibrated",
    "crf": "outliers flagged",
    "i2d": "resampled",
    "s2d": "rectified",
    "s3d": "cube",
}
_ELSE = {"rate": "rateints", "cal": "calints", "crf": "crfints"}
_MOST_ITEMS = 4
#: Flags that have a colour, the first that a pixel has; all others together.
_COLOURS = {
    "SATURATED": (214, 40, 40),
    "JUMP_DET": (38, 131, 199),
    "OUTLIER": (148, 62, 170),
    "DO_NOT_USE": (40, 40, 46),
}
_OTHER, _NONE = (226, 168, 62), (240, 242, 245)
_NO_LIGHT = dqflags.pixel["REFERENCE_PIXEL"]


def images(family: Family, most: int) -> Markup | None:
    """Return the section on images; `most` is the longest side of one, in pixels."""
    drawn = [part for suffix in _DRAWN for part in _of_product(family, suffix, most)]
    flagged = _flag_map(family, most)
    if not drawn and flagged is None:
        return None
    return section("Images", element("div", *drawn, flagged, class_="grid"), id_="images")


def thumbnail(family: Family, most: int) -> Picture | None:
    """Return a small image of the last product that is an image."""
    for suffix in reversed(_DRAWN):
        found = family.has(suffix, _ELSE.get(suffix, suffix))
        model = family.open(found) if found else None
        if model is None:
            continue
        with model:
            for item in _items(model):
                image = _plane_of(item, found or "", most)
                if image is not None:
                    return from_colours(shaded(image, enlarge=False))
    return None


def _of_product(family: Family, suffix: str, most: int) -> Iterator[Markup]:
    found = family.has(suffix, _ELSE.get(suffix, suffix))
    model = family.open(found) if found else None
    if model is None or found is None:
        return
    with model:
        items = list(_items(model))
        for number, item in enumerate(items[:_MOST_ITEMS], 1):
            image = _plane_of(item, found, most)
            if image is None:
                continue
            which = f", {number} of {len(items)}" if len(items) > 1 else ""
            unit = str(meta_value(model, "meta.bunit_data") or "")
            black, _, white = limits(image)
            title = f"_{found}: {_said(found, item, suffix)}{which}"
            shown = f"{title}. From {black:.4g} (black) to {white:.4g} (white) {unit}."
            yield figure(from_colours(shaded(image)), shown, title)


def _said(found: str, item: Any, suffix: str) -> str:
    what = _DRAWN[suffix]
    if found == "uncal":
        return f"{what}, last group of the first integration less the first group"
    shape: tuple[int, ...] = item.shape or ()
    if len(shape) != 3:
        return what
    return f"{what}, the middle of {shape[0]} planes" if suffix == "s3d" else f"{what}, first of {shape[0]}"


def _items(model: Any) -> Any:
    items = items_of(model)
    return items if len(items) else [model]


def _plane_of(item: Any, suffix: str, most: int) -> np.ndarray | None:
    """Return what is drawn of a model or a slit, or None if it has no image."""
    source = item.source("data")
    if source is None or len(source.shape) < 2 or not all(source.shape):
        return None
    if len(source.shape) == 4:
        first, last = (read_plane(source, (0, group), most)[0] for group in (0, source.shape[1] - 1))
        return last - first if source.shape[1] > 1 else last
    if len(source.shape) == 3:
        return read_plane(source, (source.shape[0] // 2 if suffix == "s3d" else 0,), most)[0]
    return read_plane(source, (), most)[0] if len(source.shape) == 2 else None


def _flag_map(family: Family, most: int) -> Markup | None:
    """Return a map of the flags of the last image that has any."""
    found = family.has("crf", "cal", "rate", "crfints", "calints", "rateints")
    model = family.open(found) if found else None
    if model is None:
        return None
    with model:
        source = model.source("dq")
        if source is None or len(source.shape) < 2 or not all(source.shape):
            return None
        flags = source.read(*([0] * (len(source.shape) - 2)))
    picture = from_colours(enlarged(_coloured(flags, most)), in_few_colours=True)
    names = [*(name.lower().replace("_", " ") for name in _COLOURS), "other flags"]
    colours = [*_COLOURS.values(), _OTHER]
    legend = [
        element("span", element("i", style=f"background:rgb{colour}"), name, class_="key")
        for name, colour in zip(names, colours, strict=True)
    ]
    return figure(picture, [f"_{found}: flags. ", *legend], f"map of the flags of _{found}")


def _coloured(flags: np.ndarray, most: int) -> np.ndarray:
    """Return the map of flags; where several pixels are one, what is rarest in general shows.

    Returns
    -------
    (ny, nx, 3) uint8
    """
    values = flags.astype(np.uint32)
    kinds: np.ndarray = np.zeros(flags.shape, np.uint8)
    kinds[values & ~np.uint32(_NO_LIGHT) != 0] = 1
    for number, name in enumerate(reversed(_COLOURS), 2):
        kinds[values & np.uint32(dqflags.pixel[name]) != 0] = number
    factor = max(1, -(-max(kinds.shape) // most))
    if factor > 1:
        rows, columns = flags.shape
        ny, nx = -(-rows // factor) * factor, -(-columns // factor) * factor
        padded = np.zeros((ny, nx), np.uint8)
        padded[:rows, :columns] = kinds
        kinds = padded.reshape(ny // factor, factor, nx // factor, factor).max(axis=(1, 3))
    palette = np.array([_NONE, _OTHER, *reversed(_COLOURS.values())], np.uint8)
    return palette[kinds]
