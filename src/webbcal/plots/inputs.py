"""What is drawn: models that were given or opened, planes of their arrays, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import datamodels
from webbcal.core import dqflags
from webbcal.core.errors import InputError
from webbcal.io.arrays import ArraySource, MemoryArray
from webbcal.run.exposure import meta_value

#: Pixels that say nothing about the light: they do not count when limits are chosen.
UNUSABLE = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["NON_SCIENCE"] | dqflags.pixel["REFERENCE_PIXEL"]
#: What a title tells of the instrument, and what says nothing.
_NAMES = ("detector", "filter", "pupil", "grating")
_NO_NAMES = ("N/A", "CLEAR", "CLEARP", "NULL", "MULTIPLE")
#: Values that are read at once.
_CHUNK = 1 << 22


@contextmanager
def opened(source: Any) -> Iterator[Any]:
    """Give the model of a path, which is closed afterwards; or the model or array that was given.

    Raises
    ------
    InputError
        If the file cannot be read, or holds several exposures.
    """
    if not isinstance(source, (str, os.PathLike)):
        yield source
        return
    model = datamodels.open(source)
    if not hasattr(model, "meta"):
        raise InputError(f"{source}: is an association; give one of its members")
    with model:
        yield model


def name_of(model: Any) -> str:
    """Return what a model is called in titles and messages."""
    name = meta_value(model, "meta.filename")
    return PurePath(name).name if name else type(model).__name__


def title_of(model: Any) -> str:
    """Return a line about a product: detector and filters, and its file."""
    words = [meta_value(model, f"meta.instrument.{key}") for key in _NAMES]
    kept = [str(w) for w in words if w and str(w) not in _NO_NAMES]
    return "  ".join([" ".join(kept), name_of(model).removesuffix(".fits")]).strip()


def unit_of(model: Any) -> str:
    """Return the unit of a model's data (DN for ramps that do not say), or an empty string."""
    unit = meta_value(model, "meta.bunit_data")
    if not unit and len(getattr(model, "shape", None) or ()) == 4:
        return "DN"
    return str(unit or "")


def array_of(model: Any, name: str, needed: str = "") -> ArraySource:
    """Return an array of a model, to be read by region.

    Raises
    ------
    InputError
        If it has none of this name.
    """
    if isinstance(model, np.ndarray):
        return MemoryArray(model)
    if hasattr(type(model), "source"):
        source = model.source(name)
    else:  # a model of another library
        value = getattr(model, name, None)
        source = None if value is None else MemoryArray(np.asarray(value))
    if source is None or not source.shape:
        what = f" ({needed})" if needed else ""
        raise InputError(f"{name_of(model)}: has no array '{name}'; give a product that has it{what}")
    found: ArraySource = source
    return found


def optional_array(model: Any, *names: str) -> ArraySource | None:
    """Return the first array of these names that a model has, or None."""
    for name in names:
        try:
            return array_of(model, name)
        except InputError:
            continue
    return None


def plane_index(shape: tuple[int, ...], integration: int, group: int, name: str) -> tuple[int, ...]:
    """Return the index of a plane of an array.

    Raises
    ------
    InputError
        If it has no such plane, or is no array of images.
    """
    if not 2 <= len(shape) <= 4:
        raise InputError(f"{name}: an array of shape {shape} is no image; give one of two to four axes")
    index = (integration, group)[: len(shape) - 2]
    for what, number, length in zip(("integration", "group"), index, shape, strict=False):
        if not -length <= number < length:
            raise InputError(f"{name}: has no {what} {number}: it has {length}, counted from 0")
    return index


def read_plane(source: ArraySource, index: tuple[int, ...], most: int) -> tuple[NDArray[np.float32], int]:
    """Return a plane of an array, with pixels put together if there are many; read in bands.

    Parameters
    ----------
    source : ArraySource
    index : tuple of int
        Which plane.
    most : int
        The most rows and columns that are returned.

    Returns
    -------
    plane : ndarray
        Means over squares of pixels, float32; NaN where no pixel is finite.
    step : int
        Side of these squares.
    """
    ny, nx = source.shape[-2:]
    step = max(1, -(-max(ny, nx) // most))
    if step == 1:
        return source.read(*index).astype(np.float32), 1
    out = np.full((-(-ny // step), -(-nx // step)), np.nan, np.float32)
    rows = max(1, _CHUNK // (nx * step)) * step
    for y in range(0, ny, rows):
        band = source.read(*index, slice(y, min(y + rows, ny))).astype(np.float32)
        out[y // step : -(-min(y + rows, ny) // step)] = means(band, step)
    return out, step


def means(band: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return means of finite values over squares of `step` by `step` pixels (fewer at the end)."""
    if step == 1:
        return band
    ny, nx = band.shape
    padded = np.full((-(-ny // step) * step, -(-nx // step) * step), np.nan, np.float32)
    padded[:ny, :nx] = band
    squares = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    finite = np.isfinite(squares)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, squares, 0).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def each_opened(sources: Any) -> Iterator[Any]:
    """Yield the models of an association, or of several paths and models, one after the other.

    What is opened here is closed before the next.

    Raises
    ------
    InputError
        If a file cannot be read, or something is no model.
    """
    named = isinstance(sources, (str, os.PathLike, Mapping))
    several = datamodels.open(sources) if named else sources
    if hasattr(several, "meta") or not isinstance(several, Iterable):
        several = [several]
    for source in several:
        given = isinstance(source, (str, os.PathLike))
        model = datamodels.open(source) if given else source
        if not hasattr(model, "meta"):
            raise InputError(f"{type(model).__name__} is no model; give paths, models or an association")
        try:
            yield model
        finally:
            if given or named:
                model.close()
