"""Where the light of sources falls in a spectral order, interpolated between places of the field.

The WCS is evaluated on a grid of places and wavelengths, and not for each pixel of each source. Positions are
interpolated by parabolas across the field, for which the trace polynomials (of second order in the place) are
exact, and linearly between wavelengths a quarter of a pixel apart. Against the WCS itself positions are good
to 0.01 pixel; tests hold it to that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from webbcal import kernels
from webbcal.exposure.contamination.source_pixels import F64
from webbcal.wcs.tree_wcs import TreeWCS

dispersion = kernels.get("dispersion")

#: Largest distance of nodes of the grid (pixels), and positions that are evaluated at once.
_SPACING, _BLOCK = 256.0, 1 << 17


class Trace(NamedTuple):
    """The traces at some wavelengths.

    Attributes
    ----------
    wavelengths : (n,) float64
        µm, evenly spaced.
    positions : (n, rows, columns, 2) float64
        Columns and rows of the light on the detector, of sources at the nodes of the grid.
    """

    wavelengths: F64
    positions: F64


class Laid(NamedTuple):
    """Where the pixels of a source fall on the detector.

    Attributes
    ----------
    nodes : (wavelengths, 9, 2) float64
    weights : (n, 9) float64
        What `kernels.dispersion.spread` takes.
    low, high : (2,) float64
        Column and row of the ends of what the corners of the source reach.
    """

    nodes: F64
    weights: F64
    low: F64
    high: F64


class Traces:
    """The traces of one spectral order across the field.

    Parameters
    ----------
    wcs : TreeWCS
        Of the grism exposure.
    order : int
    limits : (low, high)
        Wavelengths, µm.
    x, y : (low, high)
        Where there are sources.
    """

    def __init__(
        self,
        wcs: TreeWCS,
        order: int,
        limits: tuple[float, float],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        self._wcs, self._order, self.limits = wcs, order, limits
        self._x, self._y = _nodes(*x), _nodes(*y)
        length = self.steps_for((sum(x) / 2, sum(y) / 2), 4)
        self._fine = Trace(
            np.linspace(*limits, length + 1), np.empty((length + 1, len(self._y), len(self._x), 2))
        )
        self._evaluate()

    def steps_for(self, place: tuple[float, float], oversample: int) -> int:
        """Return how many wavelengths sample the trace of a source, a number for each pixel; 3 at least."""
        x, y = (np.full(2, v) for v in place)
        ends = self._positions(x, y, np.array(self.limits))
        dx, dy = ends[:, 1] - ends[:, 0]
        # As jwst has it, the length is that of the difference of both; traces are close to the axes.
        return max(int(np.ceil(abs(dy - dx) * oversample)), 3)

    def at(self, wavelengths: F64) -> Trace:
        """Return the traces at wavelengths, µm."""
        fine = self._fine
        step = fine.wavelengths[1] - fine.wavelengths[0]
        place = np.clip((wavelengths - fine.wavelengths[0]) / step, 0, len(fine.wavelengths) - 1)
        first = np.minimum(place.astype(np.int64), len(fine.wavelengths) - 2)
        beyond = (place - first)[:, None, None, None]
        positions = fine.positions[first] * (1 - beyond) + fine.positions[first + 1] * beyond
        return Trace(wavelengths, positions)

    def laid(self, trace: Trace, x: F64, y: F64) -> Laid:
        """Return where the pixels of a source fall, given their places."""
        (i, u), (j, v) = _patch(self._x, x), _patch(self._y, y)
        nodes = trace.positions[:, j : j + 3, i : i + 3].reshape(len(trace.wavelengths), 9, 2)
        ends = dispersion.node_weights(
            np.array([u.min(), u.max(), u.min(), u.max()]), np.array([v.min(), v.min(), v.max(), v.max()])
        )
        reached = (ends @ nodes).reshape(-1, 2)
        return Laid(nodes, dispersion.node_weights(u, v), reached.min(axis=0), reached.max(axis=0))

    def _evaluate(self) -> None:
        y, x = np.meshgrid(self._y, self._x, indexing="ij")
        waves, positions = self._fine
        rows = max(1, _BLOCK // x.size)
        for start in range(0, len(waves), rows):
            places = np.broadcast_arrays(x, y, waves[start : start + rows, None, None])
            positions[start : start + rows] = np.moveaxis(self._positions(*places), 0, -1)

    def _positions(self, x: F64, y: F64, wavelengths: F64) -> F64:
        """Return columns and rows on the detector, by the WCS."""
        order = np.full(np.shape(x), float(self._order))
        return np.stack(self._wcs.between("detector", "grism_detector", x, y, wavelengths, order)[:2])


def _nodes(low: float, high: float) -> F64:
    """Return places for parabolas from low to high: an odd number, two more a parabola."""
    patches = max(1, int(np.ceil((high - low) / (2 * _SPACING))))
    return np.linspace(low - 1, high + 1, 2 * patches + 1)


def _patch(nodes: F64, places: F64) -> tuple[int, F64]:
    """Return the first of the three nodes around a source, and its places where they are at -1, 0 and 1."""
    step = nodes[1] - nodes[0]
    middle = (places.min() + places.max()) / 2
    first = 2 * int(np.clip((middle - nodes[0]) // (2 * step), 0, (len(nodes) - 3) // 2))
    return first, (places - nodes[first + 1]) / step
