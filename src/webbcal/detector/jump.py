"""jump: find cosmic rays by two-point differences (Anderson & Gordon 2011, PASP 123, 1237)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.core.errors import PlanError, SkipStep
from webbcal.kernels.jump.settings import JumpSettings, Method, after_jump_electrons, choose_method
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock, chunks
from webbcal.run.engine.operation import BlockReferences, Survey
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

jump = kernels.get("jump")


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
    reference_file_types = ("gain", "readnoise")

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `JumpStep`."""

        rejection_threshold: float = param(4.0, "Jumps are differences above this", ge=0, unit="sigma")
        three_group_rejection_threshold: float = param(
            6.0, "The same with two differences", ge=0, unit="sigma"
        )
        four_group_rejection_threshold: float = param(
            5.0, "The same with three differences", ge=0, unit="sigma"
        )
        maximum_cores: str = param("1", "Cores to use: a number, 'half', 'quarter' or 'all'")
        flag_4_neighbors: bool = param(True, "Flag the four neighbours of each jump")
        max_jump_to_flag_neighbors: float = param(1000.0, "Largest jump that flags neighbours", unit="sigma")
        min_jump_to_flag_neighbors: float = param(10.0, "Smallest jump that flags neighbours", unit="sigma")
        after_jump_flag_dn1: float = param(0.0, "Jumps above this flag later groups, too", unit="DN")
        after_jump_flag_time1: float = param(0.0, "for this time", unit="s")
        after_jump_flag_dn2: float = param(0.0, "A second such threshold", unit="DN")
        after_jump_flag_time2: float = param(0.0, "and its time", unit="s")
        expand_large_events: bool = param(False, "Find snowballs")
        min_sat_area: float = param(1.0, "Smallest saturated core of a snowball", unit="pix")
        min_jump_area: float = param(5.0, "Smallest area of a large event", unit="pix")
        expand_factor: float = param(2.0, "Expansion of the circle around a large event")
        use_ellipses: bool = param(False, "Not used any more")
        sat_required_snowball: bool = param(True, "A snowball must have a saturated core")
        min_sat_radius_extend: float = param(2.5, "Smallest core radius that is extended", unit="pix")
        sat_expand: int = param(2, "Pixels added to the radius of a core", unit="pix")
        edge_size: int = param(25, "Distance from the edge without need of a core", unit="pix")
        mask_snowball_core_next_int: bool = param(True, "Flag cores in the next integration")
        snowball_time_masked_next_int: int = param(4000, "and for this time", unit="s")
        find_showers: bool = param(False, "Find showers (MIRI)")
        max_shower_amplitude: float = param(4.0, "Largest amplitude of a shower", unit="DN/s")
        extend_snr_threshold: float = param(1.2, "Signal to noise of a shower")
        extend_min_area: int = param(90, "Smallest area of a shower", unit="pix")
        extend_inner_radius: float = param(1.0, "Inner radius of the ring kernel", unit="pix")
        extend_outer_radius: float = param(2.6, "Outer radius of the ring kernel", unit="pix")
        extend_ellipse_expand_ratio: float = param(1.1, "Expansion of a shower's ellipse")
        time_masked_after_shower: float = param(15.0, "Time flagged after a shower", unit="s")
        min_diffs_single_pass: int = param(10, "Differences with which all jumps are flagged at once")
        max_extended_radius: int = param(200, "Largest radius of a large event", unit="pix")
        minimum_groups: int = param(3, "Fewest groups for jump detection")
        minimum_sigclip_groups: int = param(100, "Samples with which sigma clipping is used")
        only_use_ints: bool = param(True, "Clip each group across integrations, not all together")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """Two groups have one difference, which nothing can be compared with."""
        for name in ("expand_large_events", "find_showers"):
            if getattr(p, name):
                raise PlanError(f"jump.{name} is not available in this version of webbcal; set it to False")
        return f"{exposure.ngroups} groups are too few (3 needed)" if exposure.ngroups <= 2 else None

    def halo(self, p: Parameters) -> int:
        """Neighbours are flagged across rows."""
        return 1 if p.flag_4_neighbors else 0

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> _State:
        """Turn parameters to the kernel's units, and find groups that no pixel uses."""
        assert exposure.readout is not None
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
        )
        unused = likely_unused_groups(survey)
        if choose_method(settings, unused) == Method.NONE:
            unused = unused_groups(survey.map(lambda box: survey.block(box), survey.frame.bands(16)))
            if choose_method(settings, unused) == Method.NONE:
                raise SkipStep("too few usable groups in an integration")
        return _State(settings, unused)

    def all_integrations(self, exposure: Exposure, p: Parameters) -> bool:
        """A difference is compared with those of all integrations."""
        return exposure.nints > 1

    def apply(
        self, block: RampBlock, references: BlockReferences, p: Parameters, state: _State
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

        A group in which sigma clipping rejects every pixel of the frame is no shower.
        """
        if (result.unused_groups != state.unused_groups).any():
            return replace(state, unused_groups=result.unused_groups, cleared_groups=None)
        if state.cleared_groups is None and result.full_groups.any():
            return replace(state, cleared_groups=result.full_groups)
        return None

    def finish(self, model: Any, exposure: Exposure, result: JumpsFound, state: _State) -> None:
        """Record the rate of cosmic rays (events per 1000 pixel-seconds)."""
        assert exposure.readout is not None
        groups = state.unused_groups.size - int(state.unused_groups.sum()) - exposure.nints
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
    seen = [((b.groupdq[(..., *b.inner.slices)] & flag) != 0).all(axis=(2, 3)) for b in blocks]
    return np.logical_and.reduce(seen)


def _sample(frame: Box) -> list[Box]:
    """Return boxes of a few pixels, one in the middle and others spread over the frame."""
    ny, nx = frame.shape
    places = [(0.5, 0.5), (0.25, 0.3), (0.75, 0.7), (0.25, 0.8), (0.75, 0.2), (0.4, 0.6)]
    corners = [(int(y * max(0, ny - 4)), int(x * max(0, nx - 64))) for y, x in places]
    return [Box(y, min(y + 4, ny), x, min(x + 64, nx)) for y, x in corners]
