"""A spectrum to be drizzled: where its pixels lie on the grid of places and wavelengths.

Wavelengths are interpolated in tables, so the map from pixels to the grid has a kink at every pixel. It is
evaluated once, at the centres of the pixels that have a position; beyond the edges of the image it goes on as
it does at the edge, as in the drizzle library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.mosaic.inputs import InputImage, Region, Scratch, Weighting, cell_edges
from webbcal.combine.rectified.grid import SpectralGrid
from webbcal.combine.rectified.sampling import spectral_wcs
from webbcal.core.box import Box

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class SpectralPositions:
    """Where the pixels of a spectrum lie on the grid.

    Parameters
    ----------
    wcs, to : TreeWCS or gwcs.WCS
        Of the spectrum, and of the grid.
    box : Box
        The pixels in the bounding box of the former.
    shape : tuple of int
        Rows and columns of the spectrum.
    """

    def __init__(self, wcs: Any, to: Any, box: Box, shape: tuple[int, int]) -> None:
        y, x = np.meshgrid(np.arange(box.y0, box.y1), np.arange(box.x0, box.x1), indexing="ij")
        # Beyond the box there is no position, except at the edges of the array.
        places = to.invert(*wcs(x.astype(float), y.astype(float)), with_bounding_box=False)
        held = np.full((2, box.y1 - box.y0 + 2, box.x1 - box.x0 + 2), np.nan)
        held[:, 1:-1, 1:-1] = places
        self._held = held
        self._box = Box(box.y0 - 1, box.y1 + 1, box.x0 - 1, box.x1 + 1)
        for axis, (low, high, size) in ((1, (box.y0, box.y1, shape[0])), (2, (box.x0, box.x1, shape[1]))):
            line = np.moveaxis(held, axis, 1)
            if low == 0 and line.shape[1] > 3:
                line[:, 0] = 2 * line[:, 1] - line[:, 2]
            if high == size and line.shape[1] > 3:
                line[:, -1] = 2 * line[:, -2] - line[:, -3]

    def __call__(self, box: Box, out: F64 | None = None) -> tuple[F64, F64]:
        """Return x and y of the centres of a box of pixels; NaN where there is none."""
        to = np.empty((2, *box.shape)) if out is None else out
        to.fill(np.nan)
        shared = box.overlap(self._box)
        if shared is not None:
            here, there = shared.relative_to(box), shared.relative_to(self._box)
            to[(slice(None), *here.slices)] = self._held[(slice(None), *there.slices)]
        return to[0], to[1]

    def cells(self, edges: tuple[Any, Any]) -> tuple[F32, F32]:
        """Return the boxes around cells of pixels on the grid: lowest and highest, (2, rows, columns)."""
        found = []
        for least, empty in ((np.fmin, np.nan), (np.fmax, np.nan)):
            values = self._held[:, 1:-1, 1:-1]
            for axis, starts in ((1, edges[0]), (2, edges[1])):
                values = least.reduceat(values, starts[:-1] - starts[0], axis=axis)
            found.append(np.where(np.isnan(values), empty, values).astype(np.float32))
        return found[0], found[1]


class SpectralImage(InputImage):
    """A spectrum on the grid.

    Parameters
    ----------
    model : DataModel
        A calibrated spectrum with a WCS.
    grid : SpectralGrid
    weighting : Weighting

    Raises
    ------
    InputError
        If it is not two-dimensional, or has no spectral WCS.
    """

    def __init__(self, model: Any, grid: SpectralGrid, weighting: Weighting) -> None:
        self._wcs = spectral_wcs(model)
        super().__init__(model, grid, weighting)
        # A flux density is that of a pixel: smaller pixels have less of it.
        self._scale = 1.0 / grid.ratio if _is_flux_density(model.meta.bunit_data) else 1.0

    def placed(self, wcs: Any, to: Any) -> tuple[SpectralPositions, tuple[Any, Any], tuple[F32, F32]]:
        """Return where its pixels lie on the grid, and cells of them."""
        positions = SpectralPositions(self._wcs, to, self.box, self.shape)
        edges = cell_edges(self.box)
        return positions, edges, positions.cells(edges)

    def region(self, box: Box, variances: Sequence[str] = (), scratch: Scratch | None = None) -> Region:
        """Read a region, in the units of the grid; see `WeightedImage.region`."""
        region = super().region(box, variances, scratch)
        if self._scale != 1.0:
            region.values[...] *= np.float32(self._scale)
        return region


def _is_flux_density(unit: Any) -> bool:
    """Tell whether a unit is one of flux density (and not of surface brightness)."""
    from astropy import units

    try:
        return bool(units.Unit(str(unit)).is_equivalent(units.Jy))
    except ValueError:
        return False
