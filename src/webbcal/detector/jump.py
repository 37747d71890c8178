"""jump: find cosmic rays by two-point differences (Anderson & Gordon 2011, PASP 123, 1237)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.errors import PlanError
from webbcal.kernels.jump import get
from webbcal.kernels.jump.settings import JumpSettings, Method, after_jump_electrons, choose_method
from webbcal.run.band_step import BandStep, Upstream
from webbcal.run.bands import RampBand
from webbcal.run.chain import BandReferences, SkipStep
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param


@dataclass(frozen=True)
class _State:
    settings: JumpSettings
    unused_groups: np.ndarray
    cleared_groups: np.ndarray | None = None


class JumpStep(BandStep):
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

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Two groups have one difference, which nothing can be compared with."""
        for name in ("expand_large_events", "find_showers"):
            if getattr(p, name):
                raise PlanError(f"jump.{name} is not available in this version of webbcal; set it to False")
        return f"{exposure.ngroups} groups are too few (3 needed)" if exposure.ngroups <= 2 else None

    def halo(self, p: Any) -> int:
        """Neighbours are flagged across rows."""
        return 1 if p.flag_4_neighbors else 0

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Any, upstream: Upstream
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
        unused = unused_groups(exposure, upstream)
        if choose_method(settings, unused) == Method.NONE:
            raise SkipStep("too few usable groups in an integration")
        return _State(settings, unused)

    def apply(self, band: RampBand, references: BandReferences, p: Any, state: _State) -> RampBand:
        """Flag one band."""
        tally = get()(
            band.data,
            band.groupdq,
            band.pixeldq,
            references.read("gain"),
            references.read("readnoise"),
            state.settings,
            state.unused_groups,
            rows=(band.rows.start, band.rows.stop),
            cleared_groups=state.cleared_groups,
        )
        band.counts["jump.primary"] = tally.primary
        for integration, group in zip(*np.nonzero(tally.full_groups), strict=True):
            band.counts[f"jump.full.{integration}.{group}"] = 1
        return band

    def review(self, counts: Mapping[str, float], bands: int, state: _State) -> _State | None:
        """A group in which sigma clipping rejects every pixel of the frame is no shower: keep it."""
        full = np.zeros_like(state.unused_groups)
        for integration, group in np.ndindex(full.shape):
            full[integration, group] = counts.get(f"jump.full.{integration}.{group}", 0) == bands
        if state.cleared_groups is not None or not full.any():
            return None
        return replace(state, cleared_groups=full)

    def finish(self, model: Any, exposure: Exposure, counts: Mapping[str, float], state: _State) -> None:
        """Record the rate of cosmic rays (events per 1000 pixel-seconds)."""
        assert exposure.readout is not None
        groups = state.unused_groups.size - int(state.unused_groups.sum()) - exposure.nints
        if groups >= 1:
            pixels = exposure.shape[-2] * exposure.shape[-1]
            seconds = exposure.readout.tgroup * groups
            model.meta.exposure.primary_cosmic_rays = 1000 * counts["jump.primary"] / (seconds * pixels)
            model.meta.exposure.extended_emission_events = 0.0


def unused_groups(exposure: Exposure, upstream: Upstream) -> np.ndarray:
    """Return which groups are DO_NOT_USE in every pixel of the frame, (nints, ngroups) bool.

    Usually the first rows looked at show that there are none.
    """
    unused = np.ones((exposure.nints, exposure.ngroups), bool)
    flag = dqflags.group["DO_NOT_USE"]
    bands = list(exposure.frame.bands(16))
    middle = len(bands) // 2
    for box in bands[middle:] + bands[:middle]:
        unused &= ((upstream(box).groupdq & flag) != 0).all(axis=(2, 3))
        if not unused.any():
            break
    return unused
