"""What a spectral WCS says of its slit: the size of a pixel along it, and where its reference position is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs.of_model import bounds_of, tree_of


def slit_scale(wcs: Any, dispersion: int, at: tuple[float, float] | None = None) -> float:
    """Return the size of a pixel along the slit, degrees.

    Parameters
    ----------
    wcs : TreeWCS or gwcs.WCS
    dispersion : int
        Pixel coordinate along the dispersion: 0 for x, 1 for y.
    at : tuple of float, optional
        Where (0-based pixels); in the middle of the bounding box by default.

    Returns
    -------
    float
        NaN if there is no position there.
    """
    if at is None:
        bounds = bounds_of(wcs)
        assert bounds is not None
        at = float(np.mean(bounds[0])), float(np.mean(bounds[1]))
    start = np.array(wcs.invert(*wcs(*at), with_bounding_box=False), float)
    step = np.eye(2)[dispersion ^ 1]
    lon, lat = (np.radians(v) for v in wcs(*np.array([start, start + step]).T, with_bounding_box=False)[:2])
    # Haversine: exact for small separations.
    half = np.sin((lat[1] - lat[0]) / 2) ** 2
    half += np.cos(lat[0]) * np.cos(lat[1]) * np.sin((lon[1] - lon[0]) / 2) ** 2
    return float(np.degrees(2 * np.arcsin(np.sqrt(half))))


def reference_pixel(model: Any) -> tuple[float, float]:
    """Return the pixel (0-based) of the reference position of the slit of LRS.

    Its WCS begins with a shift to there, which it takes back at once: so it is told.

    Raises
    ------
    InputError
        If the WCS has no such shifts.
    """
    tree = tree_of(model)
    offsets = list(_shifts(tree.value["steps"][0].value["transform"])) if tree is not None else []
    if len(offsets) < 2:
        raise InputError(
            f"{model.meta.filename}: its WCS does not tell the reference position of the slit; run "
            "assign_wcs on it"
        )
    return -offsets[0], -offsets[1]


def _shifts(node: Any) -> Iterator[float]:
    """Yield the offsets of all shifts in a transform, in its order."""
    if isinstance(node, Tagged) and isinstance(node.value, dict):
        if node.kind == "shift":
            yield float(node.value["offset"])
        for part in node.value.get("forward", ()):
            yield from _shifts(part)
