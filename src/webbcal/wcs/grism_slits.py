"""The WCS of a spectrum that is cut from a grism exposure.

It is that of the exposure with one step of its own in front (or, of a time series, in its first step): from
the pixels of the cut to those of the exposure, with the place of the source in the direct image and the
order. All other steps are the same Python objects for all spectra, and are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees
from webbcal.wcs.kinds.kind import F64
from webbcal.wcs.of_model import tree_of
from webbcal.wcs.tree_wcs import TreeWCS

_SLIT, _GRISM = "grism_slit", "grism_detector"


def grism_wcs(model: Any) -> TreeWCS:
    """Return the WCS of a grism exposure, or of a spectrum cut from one.

    Raises
    ------
    InputError
        If it has none.
    """
    tree = tree_of(model)
    wcs = None if tree is None else TreeWCS(tree)
    if wcs is None or _GRISM not in wcs.frames:
        raise InputError(f"{model.meta.filename}: it has no WCS of a grism; run assign_wcs first")
    return wcs


def slit_tree(
    exposure: Tagged, corner: tuple[int, int], shape: Sequence[int], centre: tuple[float, float], order: int
) -> Tagged:
    """Return the WCS of a spectrum of a field of sources.

    Parameters
    ----------
    exposure : Tagged
        The WCS of the exposure.
    corner : (row, column)
        First pixel of the cut.
    shape : (rows, columns)
        Of the cut.
    centre : (x, y)
        Where the source is in the direct image.
    order : int
    """
    rows, columns = shape[-2:]
    place = trees.beside(trees.shift(corner[1]), trees.shift(corner[0]), *map(_fixed, (*centre, order)))
    step = trees.chain(trees.remap((0, 1, 0, 0, 0), 2), place)
    bounds = (-0.5, columns - 0.5), (-0.5, rows - 0.5)
    first, *_ = steps = exposure.value["steps"]
    frame = first.value["frame"]
    named = Tagged(frame.tag, frame.value | {"name": _SLIT})
    own = Tagged(first.tag, first.value | {"frame": named, "transform": trees.bounded(step, bounds)})
    return Tagged(exposure.tag, exposure.value | {"steps": [own, *steps]})


def series_tree(exposure: Tagged, corner: tuple[float, float], shape: Sequence[int], order: int) -> Tagged:
    """Return the WCS of the spectrum of a time series: its source is where the aperture's reference point is.

    Parameters are those of `slit_tree`; the pixels of the cut are those of the frame ``grism_detector``.
    """
    rows, columns = shape[-2:]
    place = trees.beside(trees.shift(corner[1]), trees.shift(corner[0]), _fixed(order))
    first, *others = exposure.value["steps"]
    step = trees.chain(trees.remap((0, 1, 0), 2), place, first.value["transform"])
    bounds = (-0.5, columns - 0.5), (-0.5, rows - 0.5)
    own = Tagged(first.tag, first.value | {"transform": trees.bounded(step, bounds)})
    return Tagged(exposure.tag, exposure.value | {"steps": [own, *others]})


def orders_of(tree: Tagged) -> list[int]:
    """Return the spectral orders that the dispersion of a grism's WCS knows; none if it lists none."""
    steps = {step.value["frame"].value["name"]: step.value["transform"] for step in tree.value["steps"]}
    return _listed_orders(steps[_GRISM])


def _listed_orders(node: object) -> list[int]:
    if isinstance(node, Tagged):
        node = node.value
    if isinstance(node, dict):
        if "orders" in node:
            return [int(n) for n in node["orders"]]
        node = list(node.values())
    found = map(_listed_orders, node) if isinstance(node, list) else ()
    return next((orders for orders in found if orders), [])


def wavelengths(tree: Tagged, shape: Sequence[int]) -> F64:
    """Return the wavelengths (µm) of the pixels of a spectrum, (rows, columns).

    The place of the source is the same for all pixels: what follows the dispersion is evaluated once for it.
    """
    wcs = TreeWCS(tree)
    y, x = np.indices(shape[-2:], float)
    split = wcs.frames[1 + wcs.frames.index(_GRISM)]
    x0, y0, wavelength, order = wcs.between(wcs.frames[0], split, x, y)[:4]
    found = wcs.between(split, wcs.frames[-1], x0.flat[0], y0.flat[0], wavelength, order.flat[0])[2]
    return np.broadcast_to(found, wavelength.shape)


def _fixed(number: float) -> Tagged:
    """Return a constant that is its own inverse: back from the exposure, the source stays in its place."""
    return trees.with_inverse(trees.constant(number), trees.constant(number))
