"""Windows of persistence of an exposure: their state between exposures, and the walk over integrations.

The file is that of `jwst` 3.0.0: an ASDF tree with an entry for each detector, of the pixels that are in a
window and the Unix times at which these end. Ours says also where on the detector the pixels lie, so that
windows of another subarray are refused; what others wrote is taken as it is, if it fits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.io.asdf_file import read_asdf, write_asdf
from webbcal.kernels.persistence.windows import WindowSettings, flag_windows, unix_time
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.exposure import Exposure

log = logging.getLogger(__name__)

_WHAT = "persistence_array_file"


@dataclass(frozen=True)
class WindowState:
    """What a run starts with.

    Attributes
    ----------
    settings : WindowSettings
    starts : sequence of float
        Unix times at which the integrations start.
    ends : ndarray
        Ends of windows that earlier exposures have left, (rows, columns).
    """

    settings: WindowSettings
    starts: Sequence[float]
    ends: np.ndarray


@dataclass(frozen=True)
class Windows:
    """Windows of some pixels at the end of the exposure: rows, columns and ends."""

    rows: np.ndarray
    columns: np.ndarray
    ends: np.ndarray

    def merged(self, other: Windows) -> Windows:
        """Join with those of other pixels."""
        pairs = ((getattr(self, n), getattr(other, n)) for n in ("rows", "columns", "ends"))
        return Windows(*(np.concatenate(pair) for pair in pairs))


class WindowWalk:
    """The integrations of some pixels, in order."""

    def __init__(self, box: Box, state: WindowState) -> None:
        self._state = state
        self._ends = state.ends[box.slices].copy()

    def apply(self, block: RampBlock) -> RampBlock | tuple[RampBlock, Windows]:
        """Flag the next integrations; tell the windows after the last."""
        for number, data, groupdq in zip(block.ints, block.data, block.groupdq, strict=True):
            flag_windows(data, groupdq, self._ends, self._state.starts[number], self._state.settings)
        if block.ints.stop < len(self._state.starts):
            return block
        inside = self._ends[block.inner.slices]
        rows, columns = np.nonzero(inside)
        at = block.interior
        return block, Windows(rows + at.y0, columns + at.x0, inside[rows, columns])


def begin_windows(exposure: Exposure, settings: WindowSettings, path: str | None) -> WindowState:
    """Return what a run starts with.

    Parameters
    ----------
    exposure : Exposure
    settings : WindowSettings
    path : str or None
        File of the windows that earlier exposures have left.

    Raises
    ------
    InputError
        If that file does not fit the exposure, or times are missing.
    """
    return WindowState(settings, _starts(exposure), _read_windows(exposure, settings.seconds, path))


def _starts(exposure: Exposure) -> list[float]:
    """Return the Unix times at which integrations start: of the table, else one after another."""
    table = exposure.int_times
    if table is not None:
        return [unix_time(mjd) for mjd in table["int_start_MJD_UTC"].tolist()]
    begin, length = exposure.known("exposure.start_time"), exposure.known("exposure.integration_time")
    if begin is None or (length is None and exposure.nints > 1):
        raise InputError(
            f"{exposure.filename}: persistence needs to know when integrations were taken: there is neither "
            "an INT_TIMES table nor EXPSTART and EFFINTTM (meta.exposure.start_time, integration_time)"
        )
    return [unix_time(begin) + number * (length or 0.0) for number in range(exposure.nints)]


def _read_windows(exposure: Exposure, length: int, path: str | None) -> np.ndarray:
    """Return the ends of windows that earlier exposures have left, (rows, columns)."""
    ends = np.zeros(exposure.frame.shape)
    if path is None:
        return ends
    if not Path(path).exists():
        log.warning("%s %s does not exist: no windows of earlier exposures", _WHAT, path)
        return ends
    entry = read_asdf(path, _WHAT).get(exposure.detector)
    if not isinstance(entry, dict):
        log.warning("%s %s has nothing of detector %s: no windows of earlier exposures", _WHAT, path,
                    exposure.detector)  # fmt: skip
        return ends
    seconds = entry.get("pers_time")
    if seconds != length:
        log.warning(
            "%s %s: its time of %s s does not equal persistence_time = %s: no windows of earlier exposures",
            _WHAT, path, seconds, length,
        )  # fmt: skip
        return ends
    rows, columns, values = _checked(entry, exposure, path)
    ends[rows, columns] = values
    return ends


def _checked(entry: dict[str, Any], exposure: Exposure, path: str) -> tuple[np.ndarray, ...]:
    """Return rows, columns and ends of a file's entry that fits the exposure."""
    name = f"{_WHAT} {path}, detector {exposure.detector}"
    try:
        rows, columns = (
            np.asarray(entry[key]).astype(np.intp, casting="same_kind") for key in ("rows", "cols")
        )
        values = np.asarray(entry["vals"], float)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: rows, cols and vals must be arrays of numbers ({error!r})") from None
    ny, nx = exposure.frame.shape
    place = entry.get("subarray")
    if place is not None and list(place) != _place(exposure):
        raise InputError(
            f"{name}: its windows are of the pixels {list(place)} (first column and row, columns, rows), but "
            f"{exposure.filename} is {_place(exposure)}; give that of the same subarray"
        )
    if not (rows.shape == columns.shape == values.shape) or rows.ndim != 1:
        raise InputError(
            f"{name}: rows, cols and vals differ in shape: {rows.shape}, {columns.shape}, {values.shape}"
        )
    if len(rows) and (min(rows.min(), columns.min()) < 0 or rows.max() >= ny or columns.max() >= nx):
        raise InputError(
            f"{name}: it has windows of pixels up to column {columns.max()} and row {rows.max()}, but "
            f"{exposure.filename} has {nx} × {ny} pixels; give the file of the same subarray"
        )
    return rows, columns, values


def _place(exposure: Exposure) -> list[int]:
    box = exposure.box if exposure.has_place else exposure.frame
    return [box.x0 + 1, box.y0 + 1, box.shape[1], box.shape[0]]


def save_windows(path: str, exposure: Exposure, windows: Windows | None, state: WindowState) -> str:
    """Write the windows of an exposure into a file, beside those of other detectors; return its name.

    Raises
    ------
    InputError, OutputError
        If there is a file of that name that is no ASDF file, or it cannot be written.
    """
    target = Path(path).with_suffix(".asdf")
    tree = read_asdf(target, "save_persistence") if target.exists() else {}
    empty = np.zeros(0, np.intp)
    windows = windows or Windows(empty, empty, np.zeros(0))
    order = np.lexsort((windows.columns, windows.rows))
    tree[exposure.detector] = {
        "filename": exposure.filename,
        "rows": windows.rows[order],
        "cols": windows.columns[order],
        "vals": windows.ends[order],
        "pers_time": state.settings.seconds,
        "subarray": _place(exposure),
    }
    write_asdf(target, tree)
    return str(target)
