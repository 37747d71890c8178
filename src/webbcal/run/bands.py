"""Bands: runs of rows that flow through the steps while they are hot in cache.

A `RampBand` holds all integrations and groups of a box of pixels; `RateBand` holds the fitted rates of such
a box. A `Source` makes bands from a model (file-backed or in memory); a `Sink` collects the interiors of
finished bands into a product (in memory, or streamed to its file).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from webbcal.core.box import Box

Array = np.ndarray


@dataclass(slots=True)
class RampBand:
    """All samples of a box of pixels.

    Attributes
    ----------
    box : Box
        Pixels of this band, halo included, in the coordinates of the science array.
    interior : Box
        Pixels whose results are wanted; the rest is halo.
    data : ndarray
        float32, (nints, ngroups, rows, columns), DN.
    groupdq, pixeldq : ndarray
        uint8 like data, and uint32 (rows, columns).
    zeroframe : ndarray or None
        float32, (nints, rows, columns), DN.
    dark_current : ndarray or None
        Average dark current, e-/s, float32 (rows, columns).
    counts : dict
        What the steps counted in the interior (summed over bands at the end).
    """

    box: Box
    interior: Box
    data: Array
    groupdq: Array
    pixeldq: Array
    zeroframe: Array | None = None
    dark_current: Array | None = None
    counts: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> slice:
        """Interior rows in this band's own arrays."""
        return self.interior.relative_to(self.box).slices[0]

    def cropped(self, halo: int) -> RampBand:
        """Return this band with no more than `halo` rows around its interior (copied, contiguous)."""
        box = self.interior.grow(halo, within=self.box)
        rows, columns = box.relative_to(self.box).slices

        def cut(array: Array) -> Array:
            return np.ascontiguousarray(array[..., rows, columns])

        return RampBand(
            box=box,
            interior=self.interior,
            data=cut(self.data),
            groupdq=cut(self.groupdq),
            pixeldq=cut(self.pixeldq),
            zeroframe=None if self.zeroframe is None else cut(self.zeroframe),
            dark_current=None if self.dark_current is None else cut(self.dark_current),
            counts=self.counts,
        )

    def arrays(self) -> dict[str, Array]:
        """Interior views of the arrays of the product that this band is part of, by attribute name."""
        ys, xs = self.interior.relative_to(self.box).slices
        held = {
            "data": self.data,
            "groupdq": self.groupdq,
            "pixeldq": self.pixeldq,
            "zeroframe": self.zeroframe,
            "average_dark_current": self.dark_current,
        }
        return {name: a[..., ys, xs] for name, a in held.items() if a is not None}


#: Arrays of rates, in the order of their HDUs: scripts of the field count them.
RATE_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise")


@dataclass(slots=True)
class RateBand:
    """Fitted rates of a box of pixels (no halo: interior only).

    Attributes
    ----------
    image : dict
        data, dq, err, var_poisson, var_rnoise of the exposure, (rows, columns); None when only integrations
        are being processed.
    ints : dict or None
        The same for each integration, (nints, rows, columns).
    optional : object or None
        Segment-by-segment results, kept until the whole exposure is fitted.
    """

    interior: Box
    image: dict[str, Array] | None
    ints: dict[str, Array] | None
    optional: Any = None
    counts: dict[str, float] = field(default_factory=dict)


Band = RampBand | RateBand


class Source(Protocol):
    """Where bands come from."""

    frame: Box

    def read(self, interior: Box, halo: int) -> Band:
        """Return the band whose interior is `interior`, grown by `halo` pixels."""


class RampSource:
    """Bands of a `Level1bModel` or `RampModel`, read straight from its file when it is not yet in memory."""

    def __init__(self, model: Any) -> None:
        self._data = model.source("data")
        self._optional = {
            name: model.source(name) if model.has(name) else None
            for name in ("groupdq", "pixeldq", "zeroframe", "average_dark_current")
        }
        self.frame = Box.of_shape(self._data.shape)

    def read(self, interior: Box, halo: int) -> RampBand:
        """Read one band."""
        box = interior.grow(halo, within=self.frame)
        ys, xs = box.slices
        full = slice(None)
        data = np.empty((*self._data.shape[:2], *box.shape), np.float32)
        self._data.read_into(data, full, full, ys, xs)
        groupdq = self._read("groupdq", full, full, ys, xs)
        pixeldq = self._read("pixeldq", ys, xs)
        zeroframe = self._read("zeroframe", full, ys, xs)
        return RampBand(
            box=box,
            interior=interior,
            data=data,
            groupdq=np.zeros(data.shape, np.uint8) if groupdq is None else groupdq,
            pixeldq=np.zeros(box.shape, np.uint32) if pixeldq is None else pixeldq,
            zeroframe=None if zeroframe is None else zeroframe.astype(np.float32, copy=False),
            dark_current=self._read("average_dark_current", ys, xs),
        )

    def _read(self, name: str, *index: slice) -> Array | None:
        source = self._optional.get(name)
        return None if source is None else source.read(*index)


class RateSource:
    """Bands of an `ImageModel` or `CubeModel` of rates."""

    def __init__(self, model: Any) -> None:
        self._sources = {name: model.source(name) for name in RATE_ARRAYS if model.has(name)}
        shape = self._sources["data"].shape
        self._is_image = len(shape) == 2
        self.frame = Box.of_shape(shape)

    def read(self, interior: Box, halo: int) -> RateBand:
        """Read one band (rates need no halo)."""
        index = interior.slices if self._is_image else (slice(None), *interior.slices)
        arrays = {name: source.read(*index) for name, source in self._sources.items()}
        return RateBand(interior, arrays, None) if self._is_image else RateBand(interior, None, arrays)


class Sink(Protocol):
    """Where finished bands go."""

    def put(self, interior: Box, arrays: dict[str, Array]) -> None:
        """Take the interior of one band (thread-safe)."""

    def finish(self, model: Any) -> Any:
        """Complete the product with this metadata carrier; return the finished model."""

    def abort(self) -> None:
        """Drop everything, leaving nothing behind."""


class MemorySink:
    """Collects bands into arrays of a model."""

    def __init__(self, frame: Box) -> None:
        self._frame = frame
        self.arrays: dict[str, Array] = {}
        self._lock = threading.Lock()

    def put(self, interior: Box, arrays: dict[str, Array]) -> None:
        """Copy one band's interior to its place."""
        ys, xs = interior.slices
        for name, array in arrays.items():
            self._target(name, array)[..., ys, xs] = array

    def _target(self, name: str, like: Array) -> Array:
        with self._lock:
            if name not in self.arrays:
                self.arrays[name] = np.empty((*like.shape[:-2], *self._frame.shape), like.dtype)
            return self.arrays[name]

    def finish(self, model: Any) -> Any:
        """Give the arrays to the model."""
        for name, array in self.arrays.items():
            setattr(model, name, array)
        return model

    def abort(self) -> None:
        """Forget the arrays."""
        self.arrays.clear()


class FileSink:
    """Streams bands to the product's file, so that memory does not grow with the exposure."""

    def __init__(self, path: str, model: Any, arrays: dict[str, tuple[tuple[int, ...], Any]]) -> None:
        from webbcal.datamodels.product_writer import ProductWriter

        self._path = path
        self._names = set(arrays)
        self._writer = ProductWriter(path, model, arrays=arrays)

    def put(self, interior: Box, arrays: dict[str, Array]) -> None:
        """Write one band's interior to its place."""
        for name, array in arrays.items():
            if name in self._names:
                leading = (slice(None),) * (array.ndim - 2)
                self._writer.write(name, array, *leading, *interior.slices)

    def finish(self, model: Any) -> Any:
        """Write headers, tables and the ASDF extension; rename; return the product, opened lazily."""
        self._writer.commit(model)
        return type(model)(self._path)

    def lend(self, model: Any) -> Any:
        """Return the product, reading its arrays from the file, which is finished when it is saved there."""
        self._writer.lend(model)
        return model

    def abort(self) -> None:
        """Remove the temporary file."""
        self._writer.abort()
