"""Writing a product: arrays streamed by region to their final place, headers last, whole or not at all.

The file is written beside its target under a temporary name. Streamed arrays come right after the primary
header, so their places are known from the start; the headers in front of them get room to grow. Everything
else (tables, arrays in memory, the ASDF extension) follows at `ProductWriter.commit`, and only then does
the file get its name. Reserved room that is not used is filled with blank cards.

Between the last piece and `commit` a model can read the streamed arrays back (`ProductWriter.lend`): so what
follows from them can still go into the headers, and they need not be in memory.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal.core.errors import OutputError
from webbcal.core.resources import available_threads
from webbcal.core.threads import run_on_threads
from webbcal.datamodels.table import Schema, is_array
from webbcal.io import arrays as io_arrays
from webbcal.io import asdf_extension, headers
from webbcal.io.arrays import ArraySource, FileHandle, FitsArray, MemoryArray, pieces_of, region_of, runs_of
from webbcal.io.atomic import AtomicFile
from webbcal.io.cards import BLOCK
from webbcal.io.headers import PlannedHdu
from webbcal.io.table_writer import table_hdu
from webbcal.io.tables import FitsTable

if TYPE_CHECKING:
    from webbcal.datamodels.model import DataModel

#: Blocks by which the primary header and other headers may grow before streamed data must move.
_ROOM = {"PRIMARY": 3}
#: Arrays in memory are converted and written in pieces of this size, which stay in cache.
_PIECE_BYTES = 1 << 19


class _Place:
    """Where a streamed array lies in the file."""

    def __init__(self, hdu: PlannedHdu, header_offset: int, room: int) -> None:
        assert hdu.dtype is not None
        self.shape = hdu.shape
        self.dtype = headers.stored_dtype(hdu.dtype)
        self.header_offset = header_offset
        self.room = room
        self.missing = math.prod(self.shape)

    @property
    def offset(self) -> int:
        return self.header_offset + self.room

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        return self.offset + self.nbytes + -self.nbytes % BLOCK


class ProductWriter:
    """Write a product whose large arrays are produced piece by piece.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    model : DataModel
        The product, for the keywords known so far. Arrays it holds are written at `commit`.
    arrays : dict
        The arrays that will be written by region: name to (shape, type).

    Raises
    ------
    OutputError
        If the folder is missing or not writable.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: DataModel,
        arrays: dict[str, tuple[tuple[int, ...], Any]] | None = None,
    ) -> None:
        self.arrays = dict(arrays or {})
        self._model: DataModel | None = model
        self._schema, self._history = model.schema, model._history_entries()
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._handle: FileHandle | None = None
        self._lent: dict[str, FitsArray] = {}
        planned = headers.plan_hdus(model, self.arrays)
        self._file = AtomicFile(path)
        try:
            self._reserve(planned)
        except BaseException:
            self._file.abort()
            raise

    def _reserve(self, planned: list[PlannedHdu]) -> None:
        by_name = {hdu.name: hdu for hdu in planned if hdu.version == 1}
        room = 0 if not self.arrays else self._room(by_name["PRIMARY"])
        self._primary_room, offset = room, room
        for name in self.arrays:
            hdu = by_name[self._schema["properties"][name]["fits_hdu"]]
            place = self._places[name] = _Place(hdu, offset, self._room(hdu))
            offset = place.end
        self._file.truncate(offset)

    def _room(self, hdu: PlannedHdu) -> int:
        return len(headers.image_header(hdu, self._history)) + BLOCK * _ROOM.get(hdu.name, 1)

    def write(self, name: str, array: np.ndarray, *index: slice | int) -> None:
        """Write a region of a streamed array; safe to call from several threads.

        Parameters
        ----------
        name : str
            The array.
        array : ndarray
            The values, of the shape of the region (or one that broadcasts to it).
        *index : slice or int
            The region; trailing indices left out mean all.

        Raises
        ------
        OutputError
            If the disk is full or the write fails.
        """
        place = self._places[name]
        bounds, selected = region_of(place.shape, index)
        whole = [stop - start for start, stop in bounds]
        values = np.broadcast_to(array, selected).reshape(whole)
        for part in pieces_of(bounds, place.dtype.itemsize):
            where = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(part, bounds, strict=True))
            piece = headers.to_stored(values[where].astype(place.dtype, order="C", copy=False)).reshape(-1)
            offsets, length = runs_of(place.shape, part)
            for number, offset in enumerate(offsets):
                run = piece[number * length : (number + 1) * length]
                self._file.write_at(run.view(np.uint8).data, place.offset + offset * place.dtype.itemsize)
        with self._lock:
            place.missing -= math.prod(selected)

    def lend(self, model: DataModel) -> None:
        """Let the product read the arrays, which are complete, from the unfinished file.

        Saving the product under the name that the file was made for finishes the file (`io.saving`). If
        nobody does, it goes with the product.
        """
        self._model = None  # or product and writer would hold each other
        self._handle = FileHandle(self._file.temporary)
        for name, place in self._places.items():
            bitpix, bzero = headers.stored_code(place.dtype)
            self._lent[name] = FitsArray(self._handle, place.offset, place.shape, bitpix, 1, bzero)
        model._tree.update(self._lent)
        model._contents.files.append(self._handle)
        model._contents.unfinished = self

    def suits(self, model: DataModel, path: Path) -> bool:
        """Tell whether saving a model that arrays were lent to can be done by finishing the file."""
        values = {name: model._tree.get(name) for name in self._lent}
        return (
            self._file._open
            and path.absolute() == self._file.path.absolute()
            and all(v is not None and v.shape == self._lent[name].shape for name, v in values.items())
        )

    def commit(self, model: DataModel | None = None) -> None:
        """Write headers, other arrays, tables and the ASDF extension, and give the file its name.

        Parameters
        ----------
        model : DataModel, optional
            The product with its final keywords; by default the one given first.

        Raises
        ------
        OutputError
            If the writing fails or a part of a streamed array was never written; the temporary file is
            removed.
        """
        model = self._model if model is None else model
        assert model is not None
        try:
            unwritten = [name for name, place in self._places.items() if place.missing > 0]
            if unwritten:
                raise OutputError(f"{self._file.path}: parts of {', '.join(unwritten)} were never written")
            for name, source in self._lent.items():
                if model._tree[name] is not source:  # it was read, and may have been changed
                    self.write(name, model._tree[name])
            model._load_asdf()
            model.on_save(self._file.path)
            self._write_all(model)
            self._file.commit()
            self._finish_lending()
        except BaseException:
            self._file.abort()
            raise

    def _finish_lending(self) -> None:
        """What was lent is in the finished file now; headers that grew may have moved it."""
        for name, source in self._lent.items():
            source.offset = self._places[name].offset
        if self._handle is not None:
            self._handle.moved(self._file.path)

    def _write_all(self, model: DataModel) -> None:
        planned = headers.plan_hdus(model, self.arrays)
        streamed = {model.schema["properties"][name]["fits_hdu"]: name for name in self.arrays}
        history = model._history_entries()
        names = {id(hdu): streamed[hdu.name] for hdu in planned if hdu.name in streamed and hdu.version == 1}
        first = {
            id(hdu): headers.image_header(hdu, model._history_entries())
            for hdu in planned
            if id(hdu) in names
        }
        primary = headers.image_header(planned[0], history)
        self._make_room(primary, {names[key]: header for key, header in first.items()})
        self._file.write_at(_filled(primary, self._primary_room or len(primary)), 0)
        for hdu in planned:
            if id(hdu) in names:
                place = self._places[names[id(hdu)]]
                self._file.write_at(_filled(first[id(hdu)], place.room), place.header_offset)
        end = max([len(primary), self._primary_room, *(place.end for place in self._places.values())])
        for hdu in planned[1:]:
            if id(hdu) not in names:
                end = self._append(hdu, model, end)
        if model._with_asdf:
            end = self._append_asdf(model, planned, end)
        self._file.truncate(end)

    def _make_room(self, primary: bytes, first: dict[str, bytes]) -> None:
        """Move streamed data back if a header outgrew its room (rare: the room is several blocks)."""
        if not self._places:
            return
        offset = self._primary_room = max(self._primary_room, len(primary))
        moves: list[tuple[int, int, int]] = []
        for name, place in self._places.items():
            old = place.offset
            place.header_offset, place.room = offset, max(place.room, len(first[name]))
            offset = place.end
            moves.append((old, place.offset, place.nbytes))
        for old, new, nbytes in reversed(moves):
            if new == old:
                continue
            chunk = io_arrays.CHUNK_BYTES
            for start in reversed(range(0, nbytes, chunk)):  # from the end: the new place is further back
                self._file.write_at(self._file.read_at(min(chunk, nbytes - start), old + start), new + start)
        for place in self._places.values():
            self._file.write_at(bytes(-place.nbytes % BLOCK), place.offset + place.nbytes)

    def _append(self, hdu: PlannedHdu, model: DataModel, offset: int) -> int:
        """Write an HDU at the end of the file; return the new end."""
        if hdu.is_table:
            header, data = table_hdu(hdu)
            self._file.write_at(header, offset)
            self._file.write_at(data, offset + len(header))
            return offset + len(header) + len(data)
        header = headers.image_header(hdu, model._history_entries())
        self._file.write_at(header, offset)
        offset += len(header)
        if hdu.dtype is None:
            return offset
        dtype = headers.stored_dtype(hdu.dtype)

        def write(piece: tuple[int, Callable[[], np.ndarray]]) -> None:
            start, values = piece
            stored = headers.to_stored(values().astype(dtype, copy=False))
            self._file.write_at(stored.reshape(-1).view(np.uint8).data, offset + start * dtype.itemsize)

        run_on_threads(write, _pieces(hdu.data, dtype), available_threads())
        end = offset + hdu.nbytes
        self._file.write_at(bytes(-end % BLOCK), end)
        return end + -end % BLOCK

    def _append_asdf(self, model: DataModel, planned: list[PlannedHdu], offset: int) -> int:
        tree = asdf_tree(model, {(hdu.name, hdu.version): hdu for hdu in planned})
        content = np.frombuffer(asdf_extension.write_tree(tree, model._history_entries()), np.uint8)
        cell = np.zeros(1, dtype=[("ASDF_METADATA", np.uint8, content.shape)])
        cell["ASDF_METADATA"][0] = content
        return self._append(PlannedHdu("ASDF", 1, cell, cell.dtype, (1,)), model, offset)

    def abort(self) -> None:
        """Give up: remove the temporary file."""
        self._file.abort()

    def __enter__(self) -> ProductWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._file._open:
            self.abort()


def _filled(header: bytes, room: int) -> bytes:
    """Fill a header with blank cards up to the room reserved for it."""
    if len(header) >= room:
        return header
    text = header.rstrip(b" ")  # ends with the END card
    return text[: -len(b"END")].ljust(room - 80) + b"END".ljust(80)


def _pieces(data: Any, dtype: np.dtype[Any]) -> Iterable[tuple[int, Callable[[], np.ndarray]]]:
    """Yield pieces of bounded size that make up an array, in order: the first element, and how to read it."""
    if isinstance(data, np.ndarray) and data.flags.c_contiguous:
        flat, step = data.reshape(-1), max(1, _PIECE_BYTES // max(dtype.itemsize, data.itemsize))
        for start in range(0, flat.size, step):
            yield start, partial(flat.__getitem__, slice(start, start + step))
        return
    source, start = MemoryArray(data) if isinstance(data, np.ndarray) else data, 0
    for part in pieces_of([(0, length) for length in source.shape], dtype.itemsize):
        yield start, partial(source.read, *(slice(a, b) for a, b in part))
        start += math.prod(b - a for a, b in part)


def asdf_tree(model: DataModel, hdus: dict[tuple[str, int], PlannedHdu]) -> dict[str, Any]:
    """Return the tree of a model with references in place of the arrays that live in HDUs."""
    own = {name: value for name, value in model._tree.items() if name != "extra_fits"}
    tree: dict[str, Any] = _with_references(own, model.schema, hdus, None)
    for hdu in hdus.values():  # streamed arrays are not in the tree
        for name, schema in model.schema["properties"].items():
            if (
                is_array(schema)
                and schema.get("fits_hdu") == hdu.name
                and hdu.dtype is not None
                and hdu.version == 1
            ):
                tree.setdefault(name, _reference(hdu))
    extra = {name: _extra(name, parts, hdus) for name, parts in model._tree.get("extra_fits", {}).items()}
    return tree | ({"extra_fits": extra} if extra else {})


def _reference(hdu: PlannedHdu) -> asdf_extension.HduReference:
    dtype = hdu.data.dtype if isinstance(hdu.data, FitsTable) else hdu.dtype
    assert dtype is not None
    return asdf_extension.HduReference(hdu.name, hdu.version, hdu.shape, dtype)


def _with_references(value: Any, schema: Schema, hdus: Any, number: int | None) -> Any:
    if isinstance(value, dict):
        members = schema.get("properties", {})
        return {
            name: _with_references(member, members.get(name, {}), hdus, number)
            for name, member in value.items()
            if member is not None and not (isinstance(member, dict) and not member)
        }
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_with_references(item, items, hdus, position) for position, item in enumerate(value)]
    hdu = hdus.get((schema.get("fits_hdu"), (number or 0) + 1)) if is_array(schema) else None
    if hdu is not None and hdu.dtype is not None:
        return _reference(hdu)
    if isinstance(value, ArraySource) and not isinstance(value, np.ndarray):
        return value.read()
    return value


def _extra(name: str, parts: dict[str, Any], hdus: dict[tuple[str, int], PlannedHdu]) -> dict[str, Any]:
    base, _, version = name.rpartition(",")
    hdu = hdus.get((base, int(version)) if base and version.isdigit() else (name, 1))
    if "data" in parts and hdu is not None:
        return parts | {"data": _reference(hdu)}
    return parts
