"""Parameters of the jump step, which its parts share."""

from __future__ import annotations

from dataclasses import dataclass

from webbcal.run.parameters import StepParameters, param


@dataclass(frozen=True)
class JumpParameters(StepParameters):
    """Parameters of `webbcal.detector.jump.JumpStep`."""

    rejection_threshold: float = param(4.0, "Jumps are differences above this", ge=0, unit="sigma")
    three_group_rejection_threshold: float = param(6.0, "The same with two differences", ge=0, unit="sigma")
    four_group_rejection_threshold: float = param(5.0, "The same with three differences", ge=0, unit="sigma")
    maximum_cores: str = param("1", "Most cores: a number, 'none', 'quarter', 'half', 'all'; if set")
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
    extend_inner_radius: float = param(1.0, "Inner radius of the ring kernel", ge=0, le=1000, unit="pix")
    extend_outer_radius: float = param(2.6, "Outer radius of the ring kernel", ge=0, le=1000, unit="pix")
    extend_ellipse_expand_ratio: float = param(1.1, "Expansion of a shower's ellipse")
    time_masked_after_shower: float = param(15.0, "Time flagged after a shower", unit="s")
    min_diffs_single_pass: int = param(10, "Differences with which all jumps are flagged at once")
    max_extended_radius: int = param(200, "Largest radius of a large event", unit="pix")
    minimum_groups: int = param(3, "Fewest groups for jump detection")
    minimum_sigclip_groups: int = param(100, "Samples with which sigma clipping is used")
    running_median_ints: int = param(
        0,
        "Compare differences with medians of so many integrations around them (0: as jwst does)",
        ge=0,
    )
    only_use_ints: bool = param(True, "Clip each group across integrations, not all together")
