"""Transforms as they stand in ASDF files, evaluated with numpy alone.

A WCS is a tree of transforms of a few dozen kinds. `gwcs` and `astropy.modeling` evaluate any; they define
what is right, and tests hold this to them. But loading them takes longer than calibrating an image, so the
steps evaluate the kinds that are known here (`kinds`). Whatever is not known raises `Unknown`, and the
libraries do it.

Numbers are plain float64, in the units that the frames have; a parameter with a unit of its own is not known.
Bounding boxes do not count here: they are of a whole WCS (`tree_wcs`).

Sources: the schemas of asdf-transform-schemas and gwcs.
"""

from __future__ import annotations

from webbcal.wcs.kinds import (
    combinations,
    directions,
    dispersion,
    functions,
    linear,
    optics,
    polynomials,
    projections,
    regions,
    tables,
)
from webbcal.wcs.kinds.kind import Function, Kind, Transform

_FAMILIES = (
    combinations,
    linear,
    polynomials,
    directions,
    projections,
    functions,
    tables,
    regions,
    optics,
    dispersion,
)
#: All kinds that are known, by their tags without the version.
KINDS: dict[str, Kind] = {kind.tag: kind for family in _FAMILIES for kind in family.KINDS}


def transform(node: object) -> Transform:
    """Return a transform of a tree, with its numbers of inputs and outputs, functions and bounds.

    Raises
    ------
    Unknown
        If it is of a kind that is not known here. Its parts are looked at when its functions are made.
    """
    return Transform(node, KINDS)


def forward(node: object) -> Function:
    """Return the function of a transform: from its inputs to a tuple of its outputs, arrays of float64.

    Raises
    ------
    Unknown
        If it is of a kind, or has a parameter, that is not known here.
    """
    return transform(node).forward()


def backward(node: object) -> Function:
    """Return the function of the inverse of a transform: its own if it comes with one.

    Raises
    ------
    Unknown
        If it has no inverse that is known here.
    """
    return transform(node).backward()
