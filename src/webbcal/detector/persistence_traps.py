"""Traps of an exposure: their state between exposures, and the walk over integrations.

The state is a file of filled traps (`TrapsFilledModel`, suffix ``_trapsfilled``): a plane of the whole
detector for each family, as they are when the exposure ends. Until the next exposure begins they give charge
back; of pixels outside of a subarray they do so during the exposure, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import InputError, ReferenceFileError, unreadable
from webbcal.kernels.persistence.traps import (
    IntegrationTimes,
    TrapFamilies,
    TrapPixels,
    capture,
    release,
)
from webbcal.run.engine.block_plan import Beside
from webbcal.run.engine.blocks import Piece, RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure

log = logging.getLogger(__name__)

#: Rows of pixels outside of a subarray that are worked on at once.
_ROWS = 128


@dataclass(frozen=True)
class TrapOutputs:
    """What comes of a run beside the ramps.

    Attributes
    ----------
    cutoff : float
        Pixels from which that much (DN) is subtracted in a group are flagged.
    filled, subtracted : bool
        Whether the filled traps, and what was subtracted, are saved.
    noise : bool
        Whether the photon noise of what traps of exposures before give back counts in the errors.
    """

    cutoff: float
    filled: bool
    subtracted: bool
    noise: bool


@dataclass(frozen=True)
class TrapState:
    """What a run starts with.

    Attributes
    ----------
    outputs : TrapOutputs
    families : TrapFamilies
    times : IntegrationTimes
        Resets are those between integrations.
    reset_at_start : float
        Seconds of resets before the first integration.
    place : Box
        Where the exposure lies on the detector.
    before : FilledBefore or None
        Traps that the exposure before has filled.
    duration : float
        Seconds from the start of the first integration to the end of the last.
    flagged : ndarray of bool, or None
        Pixels that are known to be flagged, of an earlier run, (rows, columns).
    """

    outputs: TrapOutputs
    families: TrapFamilies
    times: IntegrationTimes
    reset_at_start: float
    place: Box
    before: FilledBefore | None
    duration: float
    flagged: np.ndarray | None = None

    def revised(self, late: LateFlags) -> TrapState | None:
        """Return the state of another run, if pixels were flagged too late for integrations before."""
        if not len(late.rows):
            return None
        flagged = np.zeros(self.place.shape, bool) if self.flagged is None else self.flagged.copy()
        flagged[late.rows, late.columns] = True
        return replace(self, flagged=flagged)

    def filled(self, place: Box) -> np.ndarray:
        """Return the traps of some pixels of the detector as the exposure begins, float64 (families, …)."""
        if self.before is None:
            return np.zeros((len(self.families), *place.shape))
        return self.before.read(place, self.families)

    def unseen_rate(self, filled: np.ndarray) -> np.ndarray:
        """Return the mean rate (DN/s) at which traps give back in the exposure, (rows, columns) float32.

        That is light which is subtracted, and whose photons make noise. What traps catch in this exposure
        is left out: it is a small part of a signal that is in all integrations.
        """
        given = self.families.released(filled, self.duration).sum(axis=0)
        rate: np.ndarray = (np.maximum(given, 0.0) / self.duration).astype(np.float32)
        return rate


@dataclass(frozen=True)
class FilledBefore:
    """Traps that the exposure before has filled, in its file.

    Attributes
    ----------
    model : TrapsFilledModel
    place : Box
        Its pixels on the detector.
    seconds : float
        From the end of that exposure to the start of this one.
    """

    model: Any
    place: Box
    seconds: float

    def read(self, place: Box, families: TrapFamilies) -> np.ndarray:
        """Return what is left of them when this exposure begins; 0 where nothing is known."""
        out = np.zeros((len(families), *place.shape))
        part = place.overlap(self.place)
        if part is not None:
            ys, xs = part.relative_to(self.place).slices
            filled = self.model.source("data").read(slice(None), ys, xs).astype(float)
            filled[~np.isfinite(filled)] = 0.0
            out[(..., *part.relative_to(place).slices)] = filled - families.released(filled, self.seconds)
        return out


@dataclass(frozen=True)
class LateFlags:
    """Pixels that were first flagged when integrations before had passed without: rows and columns."""

    rows: np.ndarray
    columns: np.ndarray

    def merged(self, other: LateFlags) -> LateFlags:
        """Join with those of other pixels."""
        return LateFlags(
            np.concatenate([self.rows, other.rows]), np.concatenate([self.columns, other.columns])
        )


def begin_traps(
    exposure: Exposure,
    trappars: Any,
    path: str | None,
    outputs: TrapOutputs,
    keep: Callable[[Any], Any],
) -> TrapState:
    """Return what a run starts with.

    Parameters
    ----------
    exposure : Exposure
    trappars : Reference
        The table of families.
    path : str or None
        File of the traps that the exposure before has filled.
    outputs : TrapOutputs
    keep : callable
        Gets what is opened for the time of the run, and returns it.

    Raises
    ------
    InputError
        If the traps are those of another detector, do not cover the exposure, or are of its future.
    ReferenceFileError
        If the table of families is empty.
    """
    readout = exposure.readout
    assert readout is not None
    families = _families(trappars)
    resets = [exposure.known(f"exposure.nresets_{when}") for when in ("at_start", "between_ints")]
    at_start, between = (readout.tframe * (1 if number is None else number) for number in resets)
    place = exposure.box if exposure.has_place else exposure.frame
    integration = readout.tgroup * exposure.ngroups
    duration = exposure.nints * integration + (exposure.nints - 1) * between
    before = _before(exposure, families, place, path, keep) if path else None
    times = IntegrationTimes(readout.tgroup, between)
    return TrapState(outputs, families, times, at_start, place, before, duration)


def _families(reference: Any) -> TrapFamilies:
    table = reference.model.trappars_table
    names = ("capture0", "capture1", "capture2", "decay_param")
    if table is None or len(table) == 0:
        raise ReferenceFileError(f"{reference.name} has no families of traps: its TRAPPARS table is empty")
    return TrapFamilies.of_columns(*(np.asarray(table[name], float) for name in names))


def _before(
    exposure: Exposure, families: TrapFamilies, place: Box, path: str, keep: Callable[[Any], Any]
) -> FilledBefore:
    """Open the file of the exposure before, and check that it fits."""
    from webbcal import datamodels

    try:
        model = datamodels.TrapsFilledModel(path)
        shape = tuple(model.source("data").shape)
    except (OSError, InputError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(InputError, f"input_trapsfilled {path} cannot be read: {error}", error) from error
    detector = model.meta.instrument.detector
    if detector is not None and detector.upper() != exposure.detector:
        raise InputError(
            f"input_trapsfilled {path} is of detector {detector}, but {exposure.filename} was taken with "
            f"{exposure.detector}; give the traps that the last exposure of this detector has left"
        )
    if len(shape) != 3 or shape[0] != len(families):
        raise InputError(
            f"input_trapsfilled {path} has shape {shape}, but the TRAPPARS reference has {len(families)} "
            "families of traps (planes, rows, columns); give a file that was made with the same reference"
        )
    covered = _place_of(model, shape[1:], exposure, path)
    if not covered.contains(place):
        raise InputError(
            f"input_trapsfilled {path} covers {_extent(covered)}, which does not contain {_extent(place)} of "
            f"{exposure.filename}; give the traps of the whole detector or of that subarray"
        )
    return FilledBefore(keep(model), covered, _seconds_between(model, exposure, path))


def _place_of(model: Any, shape: tuple[int, ...], exposure: Exposure, path: str) -> Box:
    """Return where the planes lie on the detector. Those of a full frame are one, whatever the keywords say.

    (jwst left in them the subarray of the exposure.)
    """
    if shape == exposure.full_frame.shape:
        return exposure.full_frame
    sub = model.meta.subarray
    if sub.xstart is None or sub.ystart is None:
        raise InputError(
            f"input_trapsfilled {path} is no full frame, and does not say where its {shape[1]} × {shape[0]} "
            "pixels lie: SUBSTRT1 and SUBSTRT2 are not there"
        )
    return Box.of_shape(shape).shift(sub.ystart - 1, sub.xstart - 1)


def _seconds_between(model: Any, exposure: Exposure, path: str) -> float:
    ended, begins = model.meta.exposure.end_time, exposure.known("exposure.start_time")
    if ended is None or begins is None:
        missing = (
            f"input_trapsfilled {path} has no EXPEND" if ended is None else "the exposure has no EXPSTART"
        )
        raise InputError(
            f"{exposure.filename}: {missing}: it is not known for how long traps gave charge back; set "
            f"meta.exposure.{'end_time' if ended is None else 'start_time'}"
        )
    seconds = float((begins - ended) * 86400.0)
    if seconds < -1.0:
        raise InputError(
            f"input_trapsfilled {path} is of an exposure that ended {-seconds:.0f} s after "
            f"{exposure.filename} began; give that of the exposure before"
        )
    return max(seconds, 0.0)


def _extent(box: Box) -> str:
    return f"columns {box.x0 + 1}–{box.x1}, rows {box.y0 + 1}–{box.y1}"


class TrapWalk:
    """The integrations of some pixels, in order."""

    def __init__(self, box: Box, exposure: Exposure, references: BlockReferences, state: TrapState) -> None:
        self._exposure, self._state = exposure, state
        self._filled = state.filled(self._on_detector(box))
        self._unseen = state.unseen_rate(self._filled) if state.outputs.noise else None
        self._pixels = TrapPixels.of_references(
            references.read("trapdensity"),
            references.read("trapdensity", "dq"),
            references.read("persat"),
            references.read("persat", "dq"),
        )
        self._flagged = (
            np.zeros(box.shape, bool) if state.flagged is None else state.flagged[box.slices].copy()
        )

    def _on_detector(self, box: Box) -> Box:
        return box.shift(self._state.place.y0, self._state.place.x0)

    def apply(self, block: RampBlock) -> tuple[RampBlock, LateFlags]:
        """Subtract what traps give back in the next integrations, and let these fill traps."""
        known = self._flagged.copy()
        subtracted = np.empty_like(block.data) if self._state.outputs.subtracted else None
        for k, number in enumerate(block.ints):
            given = self._integration(number, block.data[k], block.groupdq[k])
            self._flagged |= given.max(axis=0) >= self._state.outputs.cutoff
            if subtracted is not None:
                subtracted[k] = given
        block.pixeldq[self._flagged] |= np.uint32(DQ["PERSISTENCE"])
        if self._unseen is not None:
            dark = block.dark_current
            block.dark_current = self._unseen.copy() if dark is None else dark + self._unseen
        block.pieces = list(self._pieces(block, subtracted))
        late = self._flagged & ~known if block.ints.start > 0 else np.zeros_like(known)
        rows, columns = np.nonzero(late[block.inner.slices])
        return block, LateFlags(rows + block.interior.y0, columns + block.interior.x0)

    def _integration(self, number: int, data: np.ndarray, groupdq: np.ndarray) -> np.ndarray:
        """Work on one integration; return what was subtracted."""
        state = self._state
        times = state.times if number else replace(state.times, reset=state.reset_at_start)
        caught = capture(data, groupdq, self._pixels, state.families, times)
        if number:  # before the first, it is counted with the time between exposures
            self._filled -= state.families.released(self._filled, times.reset)
        given = release(data, self._filled, state.families, times.group)
        self._filled += caught
        return given

    def _pieces(self, block: RampBlock, subtracted: np.ndarray | None) -> Iterator[Piece]:
        """Yield the parts of further products that are complete with this block."""
        inside = block.inner.slices
        if subtracted is not None:
            leading = {"data": block.leading["data"]}
            yield Piece("output_pers", block.interior, {"data": subtracted[(..., *inside)]}, leading)
        if not self._state.outputs.filled or block.ints.stop < self._exposure.nints:
            return
        place = self._on_detector(block.interior)
        yield _filled_piece(place, self._filled[(..., *inside)])
        if block.interior.y0 == 0:
            for around in _around(self._state.place, self._exposure.full_frame):
                filled = self._state.filled(around)
                yield _filled_piece(
                    around, filled - self._state.families.released(filled, self._state.duration)
                )


def _filled_piece(place: Box, filled: np.ndarray) -> Piece:
    return Piece("trapsfilled", place, {"data": filled.astype(np.float32)}, {"data": (slice(None),)})


def _around(place: Box, frame: Box) -> Iterator[Box]:
    """Yield boxes that make up a frame without a place in it."""
    sides = (
        Box(frame.y0, place.y0, frame.x0, frame.x1),
        Box(place.y1, frame.y1, frame.x0, frame.x1),
        Box(place.y0, place.y1, frame.x0, place.x0),
        Box(place.y0, place.y1, place.x1, frame.x1),
    )
    for side in sides:
        if 0 not in side.shape:
            yield from side.bands(_ROWS)


def products_beside(kind: str, exposure: Exposure, references: Mapping[str, Any]) -> Beside:
    """Return the arrays of the step's further products."""
    if kind == "output_pers":
        return Beside("RampModel", {"data": (exposure.shape, np.float32)})
    frame = exposure.full_frame
    families = len(references["trappars"].model.trappars_table)
    ny, nx = frame.shape
    meta = {"name": "FULL", "xstart": 1, "ystart": 1, "xsize": nx, "ysize": ny}
    return Beside(
        "TrapsFilledModel",
        {"data": ((families, ny, nx), np.float32)},
        {f"subarray.{name}": value for name, value in meta.items()},
    )
