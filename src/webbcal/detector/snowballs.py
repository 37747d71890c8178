"""Snowballs: discs of charge in near-infrared detectors, with a saturated core and a faint halo.

What is known of them, and of the rules by which they are found: the documentation of the jump step of the
`jwst` package; Regan 2023, JWST-STScI-008545. Flags alone decide. Regions of jumps that are large enough, and
within whose ellipse some pixels have just saturated (or do in the next group), are snowballs: the ellipse is
flagged, enlarged. Cores that have just saturated grow by some pixels for the rest of the integration, since
charge spills over, and are flagged in the integration after: they glow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.detector.jump_parameters import JumpParameters
from webbcal.detector.large_events import (
    Flagged,
    Found,
    ellipses,
    ellipses_of,
    enlarged,
    is_unused,
    large_regions,
    record_rate,
)
from webbcal.kernels.ellipses import Placed, ellipse_of
from webbcal.kernels.regions import Regions
from webbcal.run.block_step import BlockPart
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences, Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure

regions = kernels.get("regions")

SATURATED, JUMP = dqflags.group["SATURATED"], dqflags.group["JUMP_DET"]
U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SnowballsFound:
    """What flags of an exposure tell of its snowballs.

    Attributes
    ----------
    cores : Flagged
        Saturated cores, grown, to the end of the integration.
    halos : Flagged
        What else is flagged as a jump.
    afterglows : Flagged
        Cores in the integration after.
    number : int
    unused : int
        Groups of integrations that are DO_NOT_USE in every pixel.
    """

    cores: Flagged
    halos: Flagged
    afterglows: Flagged
    number: int
    unused: int

    @classmethod
    def joined(cls, parts: list[SnowballsFound]) -> SnowballsFound:
        """Return those of several integrations as one."""
        return cls(
            Flagged.joined([p.cores for p in parts]),
            Flagged.joined([p.halos for p in parts]),
            Flagged.joined([p.afterglows for p in parts]),
            sum(p.number for p in parts),
            sum(p.unused for p in parts),
        )


class Snowballs(BlockPart):
    """The part of the jump step that flags snowballs."""

    tiling = Tiling.EITHER
    surveys_all = True

    def frame_bytes(self, p: JumpParameters) -> int:
        """Flags of three groups, and what is new in two of them."""
        return 8

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: JumpParameters, survey: Survey
    ) -> SnowballsFound:
        """Find the snowballs of all integrations."""
        assert exposure.readout is not None
        groups = len(survey.groups)
        glow = int(p.snowball_time_masked_next_int // exposure.readout.tgroup)
        glow = min(glow, groups) if p.mask_snowball_core_next_int else 0

        def find(integration: int) -> SnowballsFound:
            search = _Search(integration, p, survey.frame.shape)
            search.run(lambda group: survey.flags(integration, group), groups)
            after = integration + 1
            glows = after in survey.ints and glow > 1
            return SnowballsFound(
                Flagged.joined(search.cores),
                Flagged.joined(search.halos),
                Flagged.joined([Flagged.at(c, after, 1, glow) for c in search.bare_cores if glows]),
                search.number,
                search.unused,
            )

        return SnowballsFound.joined(survey.map(find, survey.ints))

    def apply(
        self, block: RampBlock, references: BlockReferences, p: JumpParameters, state: SnowballsFound
    ) -> RampBlock:
        """Flag the samples of snowballs in one block."""
        state.cores.paint(block, SATURATED, keep=0)
        state.halos.paint(block, JUMP, stop=SATURATED)
        state.afterglows.paint(block, JUMP)
        return block

    def finish(self, model: Any, exposure: Exposure, result: Any, state: SnowballsFound) -> None:
        """Record how often there are snowballs."""
        record_rate(model, exposure, state.number, state.unused)


class _Search:
    """The search through the groups of an integration."""

    def __init__(self, integration: int, p: JumpParameters, shape: tuple[int, int]) -> None:
        self._integration, self._p, self._shape = integration, p, shape
        self.cores: list[Flagged] = []
        self.bare_cores: list[Placed] = []
        self.halos: list[Flagged] = []
        self.number = self.unused = 0

    def run(self, flags_of: Callable[[int], U8], groups: int) -> None:
        """Go through the groups; `flags_of` returns a copy of the flags of one."""
        flags = [flags_of(0), flags_of(1)]
        self.unused += is_unused(flags[0])
        for group in range(1, groups):
            if group + 1 < groups:
                flags.append(self._grown(flags_of(group + 1), group + 1))
            self._look(group, groups, *flags)
            self.unused += is_unused(flags[1])
            del flags[0]

    def _grown(self, flags: U8, group: int) -> U8:
        """Let the cores of groups before saturate, too."""
        for core in self.cores:
            corner = (self._integration, group, 0, 0)
            ellipses.paint(flags[None, None], corner, core.ellipses, core.when, SATURATED, keep=0)
        return flags

    def _look(self, group: int, groups: int, before: U8, flags: U8, after: U8 | None = None) -> None:
        """Look for snowballs in one group; flags of the group after are not there in the last."""
        jumps = large_regions(regions.find_regions(flags, JUMP), self._p.min_jump_area)
        if self._p.sat_required_snowball:
            fresh = self._saturated(flags, before)
            coming = None if after is None else self._saturated(after, flags)
            found = self._with_core(jumps, [fresh] if coming is None else [fresh, coming])
            self._extend(fresh, group, groups, flags, after)
        else:
            found = ellipses_of(jumps)
        self.number += len(found)
        halo = enlarged(found, self._p.expand_factor, self._p.max_extended_radius, self._shape)
        self.halos.append(Flagged.at(halo, self._integration, group, group + 1))

    def _saturated(self, flags: U8, before: U8) -> Regions:
        """Return the regions that have become saturated."""
        return large_regions(regions.find_regions(flags & ~before, SATURATED), self._p.min_sat_area)

    def _with_core(self, jumps: Regions, cores: list[Regions]) -> Found:
        """Return the ellipses of jumps with a core inside; near the edge of the frame it may be outside."""
        y, x = jumps.centroid
        edge = self._p.edge_size
        snowball = (y < edge) | (x < edge)
        for place, size in ((y, self._shape[0]), (x, self._shape[1])):
            snowball |= place > max(0, size - edge)
        for k, points in self._near(jumps, cores, ~snowball):
            snowball[k] = bool(_inside(points, (y[k], x[k]), *ellipse_of(jumps.mask(k))).any())
        return ellipses_of(jumps.selected(snowball))

    def _near(self, jumps: Regions, cores: list[Regions], which: Bools) -> Iterator[tuple[int, F64]]:
        """Yield some of the jumps with the cores' centres that may lie within their ellipses."""
        from scipy.spatial import KDTree

        points = np.concatenate([np.transpose(core.centroid) for core in cores])
        asked = np.flatnonzero(which)
        if len(points) == 0 or len(asked) == 0:
            return
        y0, y1, x0, x1 = jumps.bounds
        reach = np.hypot(y1 - y0, x1 - x0)  # no half axis of these moments is longer
        centres = np.transpose(jumps.centroid)
        found = KDTree(points).query_ball_point(centres[asked], reach[asked])
        for k, near in zip(asked, found, strict=True):
            if near:
                yield int(k), points[near]

    def _extend(self, fresh: Regions, group: int, groups: int, flags: U8, after: U8 | None) -> None:
        """Let large cores grow from this group on."""
        p = self._p
        y0, y1, x0, x1 = fresh.bounds
        side = np.minimum(y1 - y0, x1 - x0)
        wide = 2 * side - 3 > p.min_sat_radius_extend  # the minor axis is not larger than that
        cores = ellipses_of(fresh.selected(wide))
        cores = cores.selected(cores.minor > p.min_sat_radius_extend)
        if len(cores) == 0:
            return
        more, most = 2 * p.sat_expand, 2 * p.max_extended_radius
        grown = cores.placed(
            np.minimum(cores.minor + more, most), np.minimum(cores.major + more, most), self._shape
        )
        core = Flagged.at(grown, self._integration, group, groups)
        self.cores.append(core)
        self.bare_cores.append(cores.placed(cores.minor, cores.major, self._shape))
        for number, plane in ((group, flags), (group + 1, after)):
            if plane is not None:
                corner = (self._integration, number, 0, 0)
                ellipses.paint(plane[None, None], corner, core.ellipses, core.when, SATURATED, keep=0)


def _inside(points: F64, centre: tuple[float, float], minor: float, major: float, degrees: float) -> Bools:
    """Tell which points, (n, 2) rows and columns, lie inside an ellipse."""
    angle = np.radians(180 - degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    dy, dx = points[:, 0] - centre[0], points[:, 1] - centre[1]
    along, across = dx * cosine - dy * sine, dx * sine + dy * cosine
    with np.errstate(divide="ignore", invalid="ignore"):
        inside: Bools = along**2 / (0.5 * major) ** 2 + across**2 / (0.5 * minor) ** 2 <= 1
    return inside
