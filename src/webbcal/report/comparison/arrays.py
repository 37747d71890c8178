"""What differs between two arrays; they are read piece by piece."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from webbcal.core import dqflags

_PIECE_BYTES = 1 << 26
_FLAGS = ("DQ", "PIXELDQ", "GROUPDQ")


@dataclass(frozen=True)
class Tolerance:
    """How far values may be apart and still count as the same: ``|a - b| <= absolute + relative · |b|``."""

    relative: float = 0.0
    absolute: float = 0.0

    def exceeded(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return where values are further apart than allowed; NaN equals NaN."""
        if not (self.relative or self.absolute) or a.dtype.kind not in "fiuc" or b.dtype.kind not in "fiuc":
            different = a != b
        else:
            different = ~np.isclose(a, b, rtol=self.relative, atol=self.absolute)
        if a.dtype.kind in "fc" and b.dtype.kind in "fc":
            different &= ~(np.isnan(a) & np.isnan(b))
        return np.asarray(different)


@dataclass
class ArrayDifference:
    """What differs between two arrays of one name.

    Attributes
    ----------
    name : str
    why : str
        Why they cannot be compared value by value; "" if they can.
    size, different : int
        Number of values, and of those that differ.
    largest, largest_relative : float
        Largest absolute and relative difference of two finite values that differ.
    examples : list of (index, value, value)
        The first of them; indices are 0-based, slowest axis first.
    flags : dict
        Of DQ arrays: flag -> (set in the first alone, set in the second alone).
    """

    name: str
    why: str = ""
    size: int = 0
    different: int = 0
    largest: float = 0.0
    largest_relative: float = 0.0
    examples: list[tuple[tuple[int, ...], Any, Any]] = field(default_factory=list)
    flags: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.why or self.different)


def compare_arrays(
    name: str, a: Any, b: Any, tolerance: Tolerance, examples: int, without: Collection[str] = ()
) -> ArrayDifference:
    """Return what differs between two arrays or tables.

    Parameters
    ----------
    name : str
        Name of the HDU; of a table, its columns are named after it.
    a, b : ndarray, ArraySource or None
    tolerance : Tolerance
    examples : int
        How many differing values to list.
    without : collection of str
        Columns of a table that are not compared.
    """
    if a is None or b is None:
        has_it = "second" if a is None else "first"
        return ArrayDifference(name, "" if a is b else f"only the {has_it} has it")
    if a.shape != b.shape:
        return ArrayDifference(name, f"shape {_by(a.shape)} in the first, {_by(b.shape)} in the second")
    if a.dtype.names != b.dtype.names:
        return ArrayDifference(name, f"columns {_columns(a)} in the first, {_columns(b)} in the second")
    found = ArrayDifference(name)
    for corner, one, other in _pieces(a, b):
        for column in [c for c in one.dtype.names or ("",) if c not in without]:
            pair = (one[column], other[column]) if column else (one, other)
            _add(found, corner, *pair, tolerance, examples)
    return found


def _pieces(a: Any, b: Any) -> Iterator[tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
    """Yield (index of the first value, piece, piece): whole, or some planes or rows at a time."""
    if not a.shape or a.dtype.names:
        yield (0,) * len(a.shape), _read(a, ...), _read(b, ...)
        return
    for corner, index in _regions(a.shape, max(a.dtype.itemsize, b.dtype.itemsize)):
        yield corner, _read(a, index), _read(b, index)


def _regions(shape: Sequence[int], itemsize: int) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Cut an array along its first axis, and where that is not enough along the next, too."""
    inner = int(np.prod(shape[1:], dtype=np.int64)) * itemsize
    rest = (0,) * (len(shape) - 1)
    if inner > _PIECE_BYTES and len(shape) > 1:
        for first in range(shape[0]):
            for corner, index in _regions(shape[1:], itemsize):
                yield (first, *corner), (slice(first, first + 1), *index)
        return
    step = max(1, _PIECE_BYTES // max(inner, 1))
    for first in range(0, shape[0], step):
        yield (first, *rest), (slice(first, min(first + step, shape[0])),)


def _read(source: Any, index: Any) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return np.asarray(source[index])
    return np.asarray(source.read() if index is ... else source.read(*index))


def _add(
    found: ArrayDifference,
    corner: tuple[int, ...],
    a: np.ndarray,
    b: np.ndarray,
    tolerance: Tolerance,
    examples: int,
) -> None:
    """Add what differs in a piece."""
    if a.shape != b.shape:  # cells of a column
        found.why = f"cells of {_by(a.shape[1:])} in the first, of {_by(b.shape[1:])} in the second"
        return
    found.size += a.size
    different = tolerance.exceeded(a, b)
    count = int(np.count_nonzero(different))
    if not count:
        return
    found.different += count
    where = np.argwhere(different)[: max(0, examples - len(found.examples))]
    for place in where:
        index = tuple(int(i) for i in place)
        shifted = tuple(i + c for i, c in zip(index, corner, strict=False)) or index
        found.examples.append((shifted, a[index], b[index]))
    if a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
        _measure(found, a[different].astype(np.float64), b[different].astype(np.float64))
    if found.name.split(",")[0] in _FLAGS and a.dtype.kind in "iu" and b.dtype.kind in "iu":
        _count_flags(found, a[different], b[different])


def _measure(found: ArrayDifference, a: np.ndarray, b: np.ndarray) -> None:
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return
    apart = np.abs(a[both] - b[both])
    found.largest = max(found.largest, float(apart.max()))
    scale = np.maximum(np.abs(a[both]), np.abs(b[both]))
    relative = apart / np.where(scale > 0, scale, 1.0)
    found.largest_relative = max(found.largest_relative, float(relative.max()))


def _count_flags(found: ArrayDifference, a: np.ndarray, b: np.ndarray) -> None:
    for flag, bit in dqflags.pixel.items():
        if not bit:
            continue
        one, other = a.astype(np.int64) & bit != 0, b.astype(np.int64) & bit != 0
        first, second = int((one & ~other).sum()), int((other & ~one).sum())
        before = found.flags.get(flag, (0, 0))
        if first or second:
            found.flags[flag] = (before[0] + first, before[1] + second)


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "a scalar"


def _columns(table: Any) -> str:
    return ", ".join(table.dtype.names or ()) or "none"
