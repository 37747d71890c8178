"""An image to be drizzled: its arrays by region, its weights, and where its pixels lie in the output."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.members.output_wcs import OutputGrid
from webbcal.combine.members.sky_area import pixel_bounds
from webbcal.core.box import Box
from webbcal.core.dqflags import interpret_bit_flags
from webbcal.core.errors import InputError, ParameterError
from webbcal.wcs.grid import PixelMap
from webbcal.wcs.of_model import wcs_of

coadd = kernels.get("coadd")
log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

VARIANCES = ("var_rnoise", "var_flat", "var_poisson")
#: Arrays in which NaN marks a pixel as unusable.
_FLOATS = ("data", "err", *VARIANCES)
#: Spacing of the coarse map from which the part of an image that reaches a tile is found.
_CELL = 16


@dataclass(frozen=True, slots=True)
class Weighting:
    """How pixels are weighted.

    Attributes
    ----------
    kind : str or None
        ``ivm``: inverse of the read noise variance; ``exptime``: exposure time; None: all the same.
    bad_bits : int
        Pixels with one of these DQ bits have no weight.
    """

    kind: str | None
    bad_bits: int

    @classmethod
    def of(cls, kind: str | None, good_bits: str | int | None) -> Weighting:
        """Make it of a step's parameters (`good_bits`: flags that do not matter).

        Raises
        ------
        ParameterError
            For an unknown flag.
        """
        try:
            good = interpret_bit_flags(good_bits)
        except ValueError as error:
            raise ParameterError(f"good_bits = {good_bits!r}: {error}") from None
        return cls(kind, 0 if good is None else ~good & 0xFFFFFFFF)


class Scratch(threading.local):
    """Arrays that a thread uses again and again: touching fresh memory takes longer than most arithmetic."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """Return an array with any content, in the memory of the last one of this name."""
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        held = self._held.get(name)
        if held is None or len(held) < nbytes:
            held = self._held[name] = np.empty(nbytes, np.uint8)
        return held[:nbytes].view(dtype).reshape(shape)

    def zeros(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """Return an array of zeros, in the memory of the last one of this name."""
        array = self.array(name, shape, dtype)
        array.fill(0)
        return array


@dataclass(frozen=True, slots=True)
class Region:
    """A region of an image, ready to be combined.

    Attributes
    ----------
    values : (ny, nx, 1 + k) float32
        The data, with their background subtracted if it was measured but left in; and standard deviations of
        the error components asked for.
    dq : (ny, nx) uint32
    weight : (ny, nx) float32
        0 for bad pixels.
    """

    values: F32
    dq: NDArray[np.uint32]
    weight: F32

    @property
    def data(self) -> F32:
        """The data, (ny, nx) float32."""
        return self.values[..., 0]


class Positions(Protocol):
    """Where the pixels of an image lie in the output."""

    def __call__(self, box: Box, out: F64 | None = None) -> tuple[F64, F64]:
        """Return x and y of the centres of a box of pixels; NaN where there is none."""


class WeightedImage:
    """An image whose regions come with their weights.

    Parameters
    ----------
    model : DataModel
        A calibrated image. Arrays that are not loaded are read by region, and not kept.
    weighting : Weighting

    Raises
    ------
    InputError
        If it is no image.
    """

    def __init__(self, model: Any, weighting: Weighting) -> None:
        self.name = str(model.meta.filename)
        shape = model.shape
        if shape is None or len(shape) != 2:
            raise InputError(
                f"{self.name}: shape {shape} is no image; resampling takes images (_cal), not integrations"
            )
        self.shape: tuple[int, int] = tuple(shape)
        self.weighting = weighting
        self._sources = {name: model.source(name) for name in (*_FLOATS, "dq")}
        self.has = {name: _fits(self._sources[name], self.shape, self.name, name) for name in self._sources}
        if weighting.kind == "ivm" and not self.has["var_rnoise"]:
            log.warning("%s has no VAR_RNOISE to weight by; all its pixels weigh the same", self.name)
        self.time = measurement_time(model)[0]
        background = model.meta.background
        self._level = 0.0 if background.subtracted else background.level or 0.0

    @property
    def constant_weight(self) -> float:
        """The weight of all its good pixels; NaN if they weigh by their read noise."""
        if self.weighting.kind == "ivm" and self.has["var_rnoise"]:
            return math.nan
        return self.time if self.weighting.kind == "exptime" else 1.0

    def region(self, box: Box, variances: Sequence[str] = (), scratch: Scratch | None = None) -> Region:
        """Read a region.

        Parameters
        ----------
        box : Box
            The region.
        variances : sequence of str
            Arrays whose square roots are wanted (``err``: itself; NaN where there is none).
        scratch : Scratch, optional
            Where the arrays are put, so that they last until the next region.
        """

        scratch = scratch or Scratch()
        values = scratch.array("values", (*box.shape, 1 + len(variances)))
        dq = scratch.zeros("dq", box.shape, np.uint32)
        if self.has["dq"]:
            self._sources["dq"].read_into(dq, *box.slices)
        weight = scratch.array("weight", box.shape)
        by_noise = math.isnan(self.constant_weight)
        np.multiply((dq & np.uint32(self.weighting.bad_bits)) == 0, np.float32(1), out=weight)
        planes = {"data": 0} | {name: plane for plane, name in enumerate(variances, 1)}
        for name in _FLOATS:
            plane = planes.get(name, -1)
            if self.has[name]:
                array = scratch.array("array", box.shape)
                self._sources[name].read_into(array, *box.slices)
                level = self._level if name == "data" else 0.0
                coadd.take(array, level, name in VARIANCES, values, plane, weight)
                if name == "var_rnoise" and by_noise:
                    coadd.weigh_by_noise(array, weight)
            elif plane >= 0:
                values[..., plane] = np.nan
        if not by_noise:
            weight *= np.float32(self.constant_weight)
        return Region(values, dq, weight)


class InputImage(WeightedImage):
    """An image of a mosaic: also where its pixels lie in the output.

    Parameters
    ----------
    model : DataModel
        A calibrated image with a WCS.
    grid : OutputGrid
    weighting : Weighting

    Raises
    ------
    InputError
        If it is no image, or has no WCS.
    """

    def __init__(self, model: Any, grid: OutputGrid, weighting: Weighting) -> None:
        super().__init__(model, weighting)
        wcs = wcs_of(model)
        if wcs is None:
            raise InputError(f"{self.name} has no WCS (meta.wcs); run assign_wcs on it first")
        (x0, x1), (y0, y1) = pixel_bounds(wcs, self.shape)
        self.box = Box(y0, y1 + 1, x0, x1 + 1)
        self.map, self._edges, self._cells = self.placed(wcs, grid.wcs)
        self._footprint = self.footprint(grid)

    def placed(self, wcs: Any, to: Any) -> tuple[Positions, tuple[Any, Any], tuple[F32, F32]]:
        """Return where its pixels lie in the output, and the cells by which those of a tile are found.

        Cells are told by their edges along y and x, and by the boxes around them in the output: (lowest,
        highest), each of shape (2, rows, columns): x and y.
        """
        pixel_map = PixelMap(wcs, to, self.shape)
        edges = cell_edges(self.box)
        return pixel_map, edges, _cells(pixel_map, edges)

    @property
    def tilt(self) -> float:
        """Rows of the output that a row of the image crosses."""
        lowest = self._cells[0][1]
        return float(np.nanmax(np.abs(lowest[:, -1] - lowest[:, 0]), initial=0.0))

    def footprint(self, grid: OutputGrid) -> Box:
        """Return the pixels of the output that the image may reach."""
        lowest = np.fmin.reduce(self._cells[0].reshape(2, -1), axis=1)
        highest = np.fmax.reduce(self._cells[1].reshape(2, -1), axis=1)
        (x0, y0), (x1, y1) = np.floor(lowest).astype(int) - 2, np.ceil(highest).astype(int) + 3
        ny, nx = grid.shape
        y0, x0 = min(max(0, y0), ny), min(max(0, x0), nx)
        return Box(int(y0), int(min(max(y0, y1), ny)), int(x0), int(min(max(x0, x1), nx)))

    def reach(self, margin: float) -> Box:
        """Return a box of the output beyond which the image drops nothing."""
        box, m = self._footprint, math.ceil(margin)
        return Box(box.y0 - m, box.y1 + m, box.x0 - m, box.x1 + m)

    def reaching(self, tile: Box, margin: float) -> Box | None:
        """Return the box of pixels that may reach a tile of the output, or None."""
        (x_low, y_low), (x_high, y_high) = self._cells
        near = (x_high > tile.x0 - margin) & (x_low < tile.x1 + margin)
        near &= (y_high > tile.y0 - margin) & (y_low < tile.y1 + margin)
        rows, columns = np.nonzero(near.any(axis=1))[0], np.nonzero(near.any(axis=0))[0]
        if not len(rows):
            return None
        y, x = self._edges
        return Box(int(y[rows[0]]), int(y[rows[-1] + 1]), int(x[columns[0]]), int(x[columns[-1] + 1]))

    def positions(self, box: Box, tile: Box, scratch: Scratch) -> tuple[F64, F64]:
        """Return where the pixels of a box, and one more on each side, lie in a tile: x and y."""
        grown = Box(box.y0 - 1, box.y1 + 1, box.x0 - 1, box.x1 + 1)
        x, y = self.map(grown, scratch.array("positions", (2, *grown.shape), np.float64))
        x -= tile.x0
        y -= tile.y0
        return x, y


def measurement_time(model: Any) -> tuple[float, bool]:
    """Return the measurement time of an image, or its exposure time; and whether it is the first."""
    exposure = model.meta.exposure
    if exposure.measurement_time is not None:
        return float(exposure.measurement_time), True
    return float(exposure.exposure_time or 0.0), False


def _fits(source: Any, shape: tuple[int, int], name: str, array: str) -> bool:
    """Tell whether an array is there and has the shape of the image."""
    if source is None:
        return False
    if tuple(source.shape) != shape:
        log.warning("%s: its %s array has shape %s, not %s; it is left out", name, array, source.shape, shape)
        return False
    return True


def cell_edges(box: Box) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the edges of cells of pixels along y and x that tile a box."""
    sides = ((box.y0, box.y1), (box.x0, box.x1))
    y, x = (np.append(np.arange(a, b, _CELL), b) for a, b in sides)
    return y, x


def _cells(pixel_map: PixelMap, edges: tuple[Any, Any]) -> tuple[F32, F32]:
    """Return the boxes around cells in the output."""
    y, x = edges
    yy, xx = np.meshgrid(y - 0.5, x - 0.5, indexing="ij")
    mapped = np.array(pixel_map.at(xx.ravel(), yy.ravel())).reshape(2, *xx.shape)
    corners = np.array([mapped[:, j : j + len(y) - 1, i : i + len(x) - 1] for j in (0, 1) for i in (0, 1)])
    lowest, highest = corners.min(axis=0), corners.max(axis=0)
    return lowest.astype(np.float32), highest.astype(np.float32)  # hundreds of images are kept
