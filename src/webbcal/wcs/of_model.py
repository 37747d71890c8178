"""The WCS of a model.

``model.meta.wcs`` is a `gwcs.WCS` for whoever asks for it. Files hold its tree; until somebody asks, the
model holds that too, and the steps evaluate it (`TreeWCS`). Once it has been asked for (it may have been
changed then), or if it has a transform of another kind, the steps use the `gwcs.WCS` itself.

Transforms with tags of `stdatamodels` (jwst's own) are objects of that package where it is installed. Where
it is not, those of the grisms and of SOSS are models of our own (`wcs.objects`). A WCS with others (NIRSpec's
slits …) passes through unread, and whoever asks for the object is told what to install.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from webbcal.core.errors import InputError
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.io.missing_library import MissingLibrary
from webbcal.wcs.bounds import Bounds, CompoundBounds
from webbcal.wcs.kinds.kind import Unknown
from webbcal.wcs.tree_wcs import TreeWCS


def wcs_of(model: Any) -> Any:
    """Return the WCS of a model: a `TreeWCS`, a `gwcs.WCS`, or None if it has none.

    Raises
    ------
    InputError
        If it has a transform that no installed library knows.
    """
    try:
        wcs = usable(stored_wcs(model))
    except MissingLibrary as missing:
        raise InputError(f"{model.meta.filename}: its WCS cannot be used: {missing}") from None
    return wcs if wcs is None or isinstance(wcs, TreeWCS) else model.meta.wcs


def stored_wcs(model: Any) -> Any:
    """Return the WCS of a model as the model holds it, a tree or an object, to be given to another model."""
    meta = model.meta
    return meta.instance["wcs"] if meta.hasattr("wcs") else None


def tree_of(model: Any) -> Tagged | None:
    """Return the WCS of a model as a tree, even if somebody has asked for the object; None if it has none."""
    wcs = stored_wcs(model)
    return wcs if wcs is None or isinstance(wcs, Tagged) else tagged(wcs)


def usable(wcs: Any) -> Any:
    """Return something to be called for a WCS as a model holds it: itself, if it is no tree."""
    if not isinstance(wcs, Tagged):
        return wcs
    try:
        made = TreeWCS(wcs)
    except Unknown:
        return wcs.resolve()
    # gwcs looks for pixels by itself, but not for what some WCS have beside: the slit, the order.
    return made if made.has_inverse or made.inputs > 2 else wcs.resolve()


def bounds_of(wcs: Any) -> Bounds | None:
    """Return the bounding box of either kind of WCS, ((x0, x1), (y0, y1)) for an image, or None.

    Raises
    ------
    InputError
        If there are several, chosen by an input.
    """
    bounds = wcs.bounding_box
    if bounds is None:
        return None
    if isinstance(bounds, CompoundBounds) or hasattr(bounds, "selector_args"):
        raise InputError(
            "the WCS has a bounding box for each value of an input; fix the input first (fix_inputs)"
        )
    if isinstance(wcs, TreeWCS):
        plain: Bounds = bounds
        return plain
    pairs = bounds.bounding_box(order="F")
    return pairs if len(bounds) > 1 else (pairs,)


def bounded(wcs: Any, shape: tuple[int, ...]) -> Any:
    """Return a WCS that has a bounding box: itself, or a copy whose box is the whole image of this shape.

    The box goes missing when somebody inserts a transform before it, or sets it to None.
    """
    if bounds_of(wcs) is not None:
        return wcs
    made = wcs.tree.resolve() if isinstance(wcs, TreeWCS) else deepcopy(wcs)
    made.bounding_box = (-0.5, shape[-1] - 0.5), (-0.5, shape[-2] - 0.5)
    return made
