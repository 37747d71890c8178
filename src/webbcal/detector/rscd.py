"""rscd: the groups after a reset, in which MIRI's detectors have not settled (reset switch charge decay)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.detector.estimated_flux import flag_estimated, newly
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters

log = logging.getLogger(__name__)

_DO_NOT_USE, _SATURATED = (np.uint8(dqflags.group[name]) for name in ("DO_NOT_USE", "SATURATED"))

#: Fewest groups; with no more than _SHORT, one group is rejected whatever the reference says.
_FEWEST, _SHORT = 3, 5


@dataclass(frozen=True)
class _State:
    """Groups to reject in the exposure's first integration and in all others; whether the file has these."""

    skip: tuple[int, int]
    has: tuple[bool, bool]


@dataclass(frozen=True)
class PixelsKept:
    """Pixels that keep more groups than others since they saturate: in the first integration, in others.

    Attributes
    ----------
    lowered : tuple of int
        Pixels that keep some of the groups.
    all_kept : tuple of int
        Those that lose no group.
    """

    lowered: tuple[int, int]
    all_kept: tuple[int, int]

    def merged(self, other: PixelsKept) -> PixelsKept:
        """Add what another block tells."""
        lowered = (self.lowered[0] + other.lowered[0], self.lowered[1] + other.lowered[1])
        kept = (self.all_kept[0] + other.all_kept[0], self.all_kept[1] + other.all_kept[1])
        return PixelsKept(lowered, kept)


class RscdStep(BlockStep):
    """Reject the first groups of integrations, fewer in pixels that saturate too soon to do without them."""

    class_alias = "rscd"
    reference_file_types = ("rscd",)

    def reason_to_skip(self, exposure: Exposure, p: StepParameters) -> str | None:
        """Some groups must be left."""
        if not exposure.is_miri:
            return "it is only for MIRI data"
        few = exposure.ngroups < _FEWEST
        return f"{exposure.ngroups} groups are too few ({_FEWEST} needed)" if few else None

    def reason_by_references(
        self, exposure: Exposure, references: Mapping[str, Any], p: StepParameters
    ) -> str | None:
        """The reference has a row for each subarray and read pattern."""
        if _row(exposure, references["rscd"]) is None:
            subarray, readpatt = _key(exposure)
            name = references["rscd"].name
            return f"READPATT, SUBARRAY combination not found: {name} has no row for {readpatt}, {subarray}"
        return None

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: StepParameters, survey: Any
    ) -> _State:
        """Return how many groups to reject."""
        row = _row(exposure, references["rscd"])
        assert row is not None, "a reason to skip"
        first, others = row
        if first < 0:
            log.warning("%s: no groups of the first integration; using 1", references["rscd"].name)
            first = 1
        ngroups = exposure.ngroups
        if ngroups <= _SHORT:
            first = others = 1
        skip = (min(first, max(0, ngroups - 3)), min(others, max(0, ngroups - 3)))
        begins = (exposure.known("exposure.integration_start") or 1) == 1
        several = (exposure.known("exposure.nints") or exposure.nints) > 1
        return _State(skip, (begins, several))

    def apply(
        self, block: RampBlock, references: BlockReferences, p: StepParameters, state: _State
    ) -> tuple[RampBlock, PixelsKept]:
        """Flag one block."""
        inside = block.inner.slices
        lowered, kept = [0, 0], [0, 0]
        for which, ints in enumerate(_parts(block.ints, state)):
            if len(ints) == 0:
                continue
            part = slice(ints.start - block.ints.start, ints.stop - block.ints.start)
            # no more groups than that are looked at or flagged
            flags = block.groupdq[part, : state.skip[which] + 2]
            skip = groups_to_reject((flags & _SATURATED) != 0, state.skip[which])
            for group in range(state.skip[which]):
                flags[:, group] |= (group < skip) * _DO_NOT_USE
            fewer = np.asarray((skip < state.skip[which]).any(axis=0))
            flag_estimated(block, fewer, references)
            lowered[which] = int(newly(fewer, references, f"lowered {which}")[inside].sum())
            all_kept = np.asarray(((skip == 0) & (state.skip[which] > 0)).any(axis=0))
            kept[which] = int(newly(all_kept, references, f"kept {which}")[inside].sum())
        return block, PixelsKept((lowered[0], lowered[1]), (kept[0], kept[1]))

    def finish(self, model: Any, exposure: Exposure, result: PixelsKept, state: _State) -> None:
        """Record what was rejected, and in how many pixels less."""
        for which, name in enumerate(("int1", "int2p")):
            if not state.has[which]:
                continue
            setattr(model.meta.rscd, f"ngroups_skip_{name}", state.skip[which])
            setattr(model.meta.rscd, f"keep_groups_saturation_{name}", result.lowered[which])
            setattr(model.meta.rscd, f"keep_bright_firstgroup_{name}", result.all_kept[which])


def groups_to_reject(saturated: NDArray[np.bool_], skip: int) -> NDArray[np.intp]:
    """Return how many groups of each ramp to reject, shape (integrations, rows, columns).

    A ramp that saturates before it has two groups after the rejected ones gives back as many as it lacks; one
    that is saturated from the first group on cannot be saved.

    Parameters
    ----------
    saturated : (integrations, groups, rows, columns) bool
    skip : int
        Groups to reject in ramps that do not saturate so soon; two groups more must exist.
    """
    lacking = saturated[:, 1 : skip + 2].sum(axis=1)
    lacking[saturated[:, 0]] = 0
    return np.maximum(skip - lacking, 0)


def _parts(ints: range, state: _State) -> tuple[range, range]:
    """Return which of some integrations of the file is the exposure's first, and the others."""
    first = range(0, 1) if state.has[0] else range(0)
    cut = min(max(first.stop, ints.start), ints.stop)
    others = range(cut, ints.stop) if state.has[1] else range(cut, cut)
    return range(ints.start, cut), others


def _key(exposure: Exposure) -> tuple[str, str]:
    """Return the subarray (by its present name) and the read pattern."""
    subarray = {"SUBPRISM": "SLITLESSPRISM"}.get(exposure.subarray.upper(), exposure.subarray)
    return subarray, str(exposure.known("exposure.readpatt"))


def _row(exposure: Exposure, reference: Any) -> tuple[int, int] | None:
    """Return the groups of the first integration and of others from the reference's table."""
    for row in reference.model.rscd_group_skip_table:
        if (_text(row["subarray"]), _text(row["readpatt"])) == _key(exposure):
            return int(row["group_skip1"]), int(row["group_skip"])
    return None


def _text(value: Any) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
