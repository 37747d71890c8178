"""Where images overlap: their outlines on the sky, the intersections, and the pixels in them.

Outlines are polygons of great circles through the outer edges of the pixels. An intersection is brought back
to the pixels of an image and filled by scan lines between vertices at whole pixels, with the conventions of
the field's code about pixels on the edges: levels are compared in exactly those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
#: Two coordinates of the vertices of a polygon, the first one repeated.
Loop = tuple[F64, F64]


def sky_outline(wcs: Any, shape: tuple[int, int], stepsize: int | None) -> F64:
    """Return the outline of an image as unit vectors, shape (n, 3), the first one repeated.

    Parameters
    ----------
    wcs : gwcs.WCS
    shape : tuple of int
        Rows and columns.
    stepsize : int, optional
        Largest distance of neighbouring vertices in pixels; by default, only corners are vertices.
    """
    ra, dec = np.radians(wcs(*outline(shape, stepsize), with_bounding_box=False))
    vertices = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]).T
    vertices[-1] = vertices[0]  # closed to the last bit
    return vertices


def outline(shape: tuple[int, int], stepsize: int | None) -> tuple[F64, F64]:
    """Return columns and rows of vertices along the outer edges of an image, the first one repeated."""
    u, v = (
        np.linspace(-0.5, n - 0.5, 2 if stepsize is None else max(2, math.ceil((n + 1) / stepsize)))
        for n in reversed(shape)
    )
    between = v[1:-1]
    right, left = np.full(between.size, u[-1]), np.full(between.size, u[0])
    x = np.concatenate([u, right, u[::-1], left, u[:1]])
    y = np.concatenate([np.full(u.size, v[0]), between, np.full(u.size, v[-1]), between[::-1], v[:1]])
    return x, y


def all_overlaps(outlines: Sequence[F64]) -> list[dict[int, list[Loop]]]:
    """Return for each outline: number of another one -> loops (RA, Dec, closed) of their intersection.

    The sides of outlines are great circles, which are straight lines in a tangent plane.
    """
    circles = [_bounding_circle(outline) for outline in outlines]
    overlaps: list[dict[int, list[Loop]]] = [{} for _ in outlines]
    for i, (centre, radius) in enumerate(circles):
        for j, (other, reach) in enumerate(circles):
            if i != j and np.linalg.norm(centre - other) <= radius + reach:
                loops = _intersection(outlines[i], outlines[j], centre)
                if loops:
                    overlaps[i][j] = loops
    return overlaps


def _bounding_circle(outline: F64) -> tuple[F64, float]:
    """Return the direction amid an outline, and the distance (chord) of its farthest vertex."""
    centre = outline[:-1].mean(axis=0)
    centre /= np.linalg.norm(centre)
    return centre, float(np.linalg.norm(outline - centre, axis=1).max())


def _intersection(first: F64, second: F64, centre: F64) -> list[Loop]:
    """Return the intersection of two outlines as loops on the sky, made in the tangent plane at `centre`."""
    import shapely

    axes = _tangent_axes(centre)
    flat = [
        shapely.make_valid(shapely.Polygon((v @ axes.T) / (v @ centre)[:, None])) for v in (first, second)
    ]
    common = shapely.intersection(*flat)
    parts = [g for g in getattr(common, "geoms", [common]) if g.geom_type == "Polygon" and g.area > 0]
    loops = []
    for part in parts:
        v = np.array(part.exterior.coords) @ axes + centre
        ra, dec = np.arctan2(v[:, 1], v[:, 0]), np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1]))
        loops.append((np.degrees(ra) % 360.0, np.degrees(dec)))
    return loops


def _tangent_axes(centre: F64) -> F64:
    """Return two unit vectors, shape (2, 3), that span the plane normal to `centre`."""
    least = np.eye(3)[np.argmin(np.abs(centre))]
    u = np.cross(centre, least)
    u /= np.linalg.norm(u)
    return np.array([u, np.cross(centre, u)])


def pixel_loops(wcs: Any, overlaps: dict[int, list[Loop]]) -> dict[int, list[Loop]]:
    """Return the loops of an image's overlaps in its pixels (one inversion of the WCS for all)."""
    flat = [loop for loops in overlaps.values() for loop in loops]
    if not flat:
        return {}
    ends = np.cumsum([len(ra) for ra, _ in flat])[:-1]
    x, y = wcs.invert(*(np.concatenate(part) for part in zip(*flat, strict=True)), with_bounding_box=False)
    pieces = iter(zip(np.split(np.asarray(x), ends), np.split(np.asarray(y), ends), strict=True))
    return {other: [next(pieces) for _ in loops] for other, loops in overlaps.items()}


def fill(mask: Bool, x: F64, y: F64) -> None:
    """Set the pixels inside a closed polygon.

    Vertices are taken at whole pixels. On each row pixels are set from one crossing to the next, crossings
    being rounded up and both included; the last row is that of the edges that end there.

    Parameters
    ----------
    mask : (ny, nx) bool
        Changed in place.
    x, y : (n,) float64
        Vertices, the first one repeated; they may lie outside the image.
    """
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return
    corner = min(0.0, float(x.min())), min(0.0, float(y.min()))
    columns, rows = np.rint(x - corner[0]).astype(int), np.rint(y - corner[1]).astype(int)
    if columns.min() == columns.max() or rows.min() == rows.max():
        return
    row, column = _crossings(columns, rows)
    row, column = row + round(corner[1]), column + round(corner[0])
    ny, nx = mask.shape
    starts = np.flatnonzero(np.diff(row, prepend=row[:1] - 1))
    for a, b in zip(starts, [*starts[1:], len(row)], strict=True):
        if 0 <= row[a] < ny:
            for k in range(a, b - 1, 2):
                mask[row[a], max(0, column[k]) : max(0, min(column[k + 1], nx - 1) + 1)] = True


def _crossings(x: I64, y: I64) -> tuple[I64, I64]:
    """Return rows, ascending, and columns, ascending in each row, where the sides of a polygon cross."""
    last = y.max()
    rows, columns = [], []
    for x0, y0, x1, y1 in zip(x[:-1], y[:-1], x[1:], y[1:], strict=True):
        low, high = min(y0, y1), max(y0, y1)
        # A side counts up to the row before its end, but for the last row of all.
        row = np.arange(low, high + (high == last))
        if y0 != y1:
            rows.append(row)
            columns.append(np.ceil((row - y0) / (y1 - y0) * (x1 - x0) + x0).astype(int))
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    return row[order], column[order]
