"""jump: find cosmic rays by two-point differences (Anderson & Gordon 2011, PASP 123, 1237)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.core.errors import PlanError, SkipStep
from webbcal.detector.jump_parameters import JumpParameters
from webbcal.detector.showers import Showers
from webbcal.detector.snowballs import Snowballs
from webbcal.kernels.jump.settings import (
    FEWEST_INTS,
    JumpSettings,
    Method,
    after_jump_electrons,
    choose_method,
)
from webbcal.run.block_step import BlockPart, BlockStep
from webbcal.run.engine.blocks import RampBlock, chunks
from webbcal.run.engine.operation import BlockReferences, Survey
from webbcal.run.exposure import Exposure

jump = kernels.get("jump")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _State:
    settings: JumpSettings
    unused_groups: np.ndarray
    cleared_groups: np.ndarray | None = None


@dataclass(frozen=True)
class JumpsFound:
    """What a block tells of its interior.

    Attributes
    ----------
    primary : int
        Samples that are jumps themselves, not neighbours.
    full_groups : array of bool, shape (nints, ngroups)
        Groups in which every pixel is JUMP_DET or DO_NOT_USE (sigma clipping only).
    unused_groups : array of bool, shape (nints, ngroups)
        Groups, of those that seemed to be so, that are DO_NOT_USE in every pixel.
    """

    primary: int
    full_groups: np.ndarray
    unused_groups: np.ndarray

    def merged(self, other: JumpsFound) -> JumpsFound:
        """Join with what another block tells."""
        return JumpsFound(
            self.primary + other.primary,
            self.full_groups & other.full_groups,
            self.unused_groups & other.unused_groups,
        )


class JumpStep(BlockStep):
    """Flag jumps in GROUPDQ; the data are not changed."""

    class_alias = "jump"
    when_repeated = "the flags that it sets are added to those that are there"
    reference_file_types = ("gain", "readnoise")

    Parameters = JumpParameters

    def reason_to_skip(self, exposure: Exposure, p: JumpParameters) -> str | None:
        """Two groups have one difference, which nothing can be compared with."""
        if 0 < p.running_median_ints < FEWEST_INTS:
            raise PlanError(
                f"jump.running_median_ints is {p.running_median_ints}: a median in time takes at least "
                f"{FEWEST_INTS} integrations (or 0, to do as jwst does)"
            )
        return f"{exposure.ngroups} groups are too few (3 needed)" if exposure.ngroups <= 2 else None

    def parts(self, p: JumpParameters) -> Sequence[BlockPart]:
        """Large events are looked for in what jump detection has flagged."""
        snowballs = [Snowballs()] if p.expand_large_events else []
        showers = [Showers()] if p.find_showers else []
        return [self, *snowballs, *showers]

    def halo(self, exposure: Exposure, p: JumpParameters) -> int:
        """Neighbours are flagged across rows."""
        return 1 if p.flag_4_neighbors else 0

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: JumpParameters, survey: Survey
    ) -> _State:
        """Turn parameters to the kernel's units, and find groups that no pixel uses."""
        assert exposure.readout is not None
        if p.use_ellipses:
            log.warning("jump.use_ellipses does nothing any more (nor in jwst 3.0): ellipses are always used")
        electrons = [0.0, 0.0]
        groups = [
            int(t // exposure.readout.tgroup) for t in (p.after_jump_flag_time1, p.after_jump_flag_time2)
        ]
        if any(groups):
            gain = references["gain"].read("data", exposure.frame)
            electrons = [
                after_jump_electrons(t, gain) for t in (p.after_jump_flag_dn1, p.after_jump_flag_dn2)
            ]
        settings = JumpSettings(
            rejection_threshold=p.rejection_threshold,
            three_group_rejection_threshold=p.three_group_rejection_threshold,
            four_group_rejection_threshold=p.four_group_rejection_threshold,
            flag_4_neighbors=p.flag_4_neighbors,
            max_jump_to_flag_neighbors=p.max_jump_to_flag_neighbors,
            min_jump_to_flag_neighbors=p.min_jump_to_flag_neighbors,
            after_jump_electrons1=electrons[0],
            after_jump_groups1=groups[0],
            after_jump_electrons2=electrons[1],
            after_jump_groups2=groups[1],
            min_diffs_single_pass=p.min_diffs_single_pass,
            minimum_groups=p.minimum_groups,
            minimum_sigclip_groups=p.minimum_sigclip_groups,
            only_use_ints=p.only_use_ints,
            nframes=exposure.readout.nframes,
            running_ints=p.running_median_ints,
        )
        unused = likely_unused_groups(survey)
        if choose_method(settings, unused) == Method.NONE:
            unused = unused_groups(survey.map(lambda box: survey.block(box), survey.frame.bands(16)))
            if choose_method(settings, unused) == Method.NONE:
                raise SkipStep("too few usable groups in an integration")
        return _State(settings, unused)

    def all_integrations(self, exposure: Exposure, p: JumpParameters) -> bool:
        """A difference is compared with those of all integrations."""
        return exposure.nints > 1

    def apply(
        self, block: RampBlock, references: BlockReferences, p: JumpParameters, state: _State
    ) -> tuple[RampBlock, JumpsFound]:
        """Flag one block."""
        unused = unused_groups([block]) if state.unused_groups.any() else state.unused_groups
        tally = jump.detect_jumps(
            block.data,
            block.groupdq,
            block.pixeldq,
            references.read("gain"),
            references.read("readnoise"),
            state.settings,
            state.unused_groups,
            inner=block.inner,
            cleared_groups=state.cleared_groups,
        )
        return block, JumpsFound(tally.primary, tally.full_groups, unused & state.unused_groups)

    def revised(self, result: JumpsFound, state: _State) -> _State | None:
        """Correct what a look at a few pixels had told of unused groups, and keep groups that all reject.

        Unused groups decide on the method only. A group in which sigma clipping rejects every pixel of the
        frame is no shower; but where no pixel uses it, there is nothing to keep.
        """
        unused = result.unused_groups
        if choose_method(state.settings, unused) != choose_method(state.settings, state.unused_groups):
            return replace(state, unused_groups=unused, cleared_groups=None)
        rejected = result.full_groups & ~unused
        if state.cleared_groups is None and rejected.any():
            return replace(state, unused_groups=unused, cleared_groups=rejected)
        return None

    def finish(self, model: Any, exposure: Exposure, result: JumpsFound, state: _State) -> None:
        """Record the rate of cosmic rays (events per 1000 pixel-seconds)."""
        assert exposure.readout is not None
        groups = result.unused_groups.size - int(result.unused_groups.sum()) - exposure.nints
        if groups >= 1:
            pixels = exposure.shape[-2] * exposure.shape[-1]
            seconds = exposure.readout.tgroup * groups
            model.meta.exposure.primary_cosmic_rays = 1000 * result.primary / (seconds * pixels)
            model.meta.exposure.extended_emission_events = 0.0


def likely_unused_groups(survey: Survey) -> np.ndarray:
    """Return which groups are DO_NOT_USE in a few pixels here and there, (nints, ngroups) bool.

    Usually the first pixels show that there are none. Where there seem to be some, all blocks of the run tell
    whether it is so (`JumpStep.revised`).
    """

    def look(ints: range) -> np.ndarray:
        unused = unused_groups([survey.block(boxes[0], ints)])
        return unused & unused_groups([survey.block(b, ints) for b in boxes[1:]]) if unused.any() else unused

    boxes = _sample(survey.frame)
    return np.concatenate(survey.map(look, chunks(survey.ints, 64)))


def unused_groups(blocks: Sequence[RampBlock]) -> np.ndarray:
    """Return which groups are DO_NOT_USE in every pixel of the blocks, (integrations, groups) bool."""
    flag = dqflags.group["DO_NOT_USE"]
    flags_of_all = [np.bitwise_and.reduce(b.groupdq[(..., *b.inner.slices)], axis=(2, 3)) for b in blocks]
    return (np.bitwise_and.reduce(flags_of_all) & flag) != 0


def _sample(frame: Box) -> list[Box]:
    """Return boxes of a few pixels, one in the middle and others spread over the frame."""
    ny, nx = frame.shape
    places = [(0.5, 0.5), (0.25, 0.3), (0.75, 0.7), (0.25, 0.8), (0.75, 0.2), (0.4, 0.6)]
    corners = [(int(y * max(0, ny - 4)), int(x * max(0, nx - 64))) for y, x in places]
    return [Box(y, min(y + 4, ny), x, min(x + 64, nx)) for y, x in corners]
