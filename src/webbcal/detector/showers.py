"""Showers: faint, wide glows that heavy hits leave in the detectors of MIRI, bright at first, then fading.

The method is that of the `jwst` package (its documentation; Regan 2023, JWST-STScI-008545). How far the
differences of a group stand off the median of their pixels, in units of the noise, is averaged over a ring
around each pixel. Where that exceeds a threshold in many connected pixels, there is a shower: the ellipse of
their moments, enlarged, is flagged for some time. Pixels that lose all their samples by it, or whose mean
rate changes by more than a shower can change it, keep the flags that they had: that was a source.

The ring reaches from `extend_inner_radius` to the sum of that and `extend_outer_radius`, as in `jwst`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.detector.jump_parameters import JumpParameters
from webbcal.detector.large_events import (
    Flagged,
    ellipses_of,
    enlarged,
    is_unused,
    large_regions,
    record_rate,
)
from webbcal.kernels.rings.reference import ring
from webbcal.run.block_step import BlockPart
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences, Survey
from webbcal.run.engine.tiling import TILE_BYTES
from webbcal.run.exposure import Exposure

regions = kernels.get("regions")
rings = kernels.get("rings")
stack = kernels.get("stack")

log = logging.getLogger(__name__)

DNU, SATURATED, JUMP = (dqflags.group[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))
REFERENCE = dqflags.pixel["REFERENCE_PIXEL"]
#: Differences of groups that it takes to look for showers.
_FEWEST = 10
#: Clipping of integrations, sigma.
_CLIP = 5.0

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ShowersFound:
    """The showers of an exposure.

    Attributes
    ----------
    flagged : Flagged
        Their ellipses.
    number : int
    unused : int
        Groups of integrations that are DO_NOT_USE in every pixel.
    largest : float
        By how much (electrons in a group) a shower may change the rate of a pixel.
    """

    flagged: Flagged
    number: int
    unused: int
    largest: float


class Showers(BlockPart):
    """The part of the jump step that flags showers."""

    surveys_all = True

    def frame_bytes(self, p: JumpParameters) -> int:
        """Two groups, their difference, its ratio to the noise, padded; medians and noise."""
        return 60

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: JumpParameters, survey: Survey
    ) -> ShowersFound:
        """Find the showers of all integrations."""
        assert exposure.readout is not None
        unused = survey.map(lambda i: [is_unused(survey.flags(i, g)) for g in survey.groups], survey.ints)
        number = sum(map(sum, unused))
        largest = p.max_shower_amplitude * exposure.readout.tgroup
        if len(survey.ints) * (len(survey.groups) - 1) - number < _FEWEST:
            log.warning("jump: too few differences of groups to look for showers (%d needed)", _FEWEST)
            return ShowersFound(Flagged.joined([]), 0, number, largest)
        search = _Search(exposure, references, p, survey)
        clips = len(survey.ints) >= p.minimum_sigclip_groups
        found = search.by_integrations() if clips else search.by_medians()
        return ShowersFound(Flagged.joined(found), sum(len(f.ellipses) for f in found), number, largest)

    def apply(
        self, block: RampBlock, references: BlockReferences, p: JumpParameters, state: ShowersFound
    ) -> RampBlock:
        """Flag the samples of showers in one block of all groups."""
        before = block.groupdq.copy()
        state.flagged.paint(block, JUMP, stop=SATURATED)
        integration, y, x = np.nonzero((block.groupdq != before).any(axis=1))
        if len(y) == 0:
            return block
        electrons = block.data[integration, :, y, x] * references.read("gain")[y, x, None]
        old, new = before[integration, :, y, x], block.groupdq[integration, :, y, x]
        change = np.abs(_mean_difference(electrons, old) - _mean_difference(electrons, new))
        back = ~np.isfinite(change) | (change > state.largest) | (block.pixeldq[y, x] == REFERENCE)
        block.groupdq[integration[back], :, y[back], x[back]] = old[back]
        return block

    def finish(self, model: Any, exposure: Exposure, result: Any, state: ShowersFound) -> None:
        """Record how often there are showers."""
        record_rate(model, exposure, state.number, state.unused)


def _mean_difference(electrons: F32, flags: U8) -> F32:
    """Return the mean difference of the usable groups of ramps, (pixels, groups); NaN without any."""
    usable = np.where((flags & (DNU | SATURATED | JUMP)) != 0, np.float32(np.nan), electrons)
    steps = np.diff(usable, axis=1)
    total, number = np.zeros(len(steps), np.float32), np.zeros(len(steps), np.int64)
    for step in steps.T:
        good = ~np.isnan(step)
        total += np.where(good, step, np.float32(0))
        number += good
    with np.errstate(invalid="ignore"):
        mean: F32 = (total / number).astype(np.float32)
    return mean


class _Search:
    """The search for showers in an exposure."""

    def __init__(
        self, exposure: Exposure, references: Mapping[str, Any], p: JumpParameters, survey: Survey
    ) -> None:
        assert exposure.readout is not None
        self._p, self._survey, self._nframes = p, survey, exposure.readout.nframes
        self._shape, self._tgroup = survey.frame.shape, exposure.readout.tgroup
        self._gain = references["gain"].read("data", survey.frame)
        self._noise = references["readnoise"].read("data", survey.frame) * self._gain
        one = (
            range(survey.ints.start, survey.ints.start + 1),
            range(survey.groups.start, survey.groups.start + 1),
        )
        self._pixeldq = survey.some(survey.frame, *one).pixeldq
        self._ring = ring(p.extend_inner_radius, p.extend_inner_radius + p.extend_outer_radius)

    def by_medians(self) -> list[Flagged]:
        """Compare each difference with the median of all those of its pixel."""
        groups = self._survey.groups
        median = np.concatenate(self._survey.map(self._median, self._bands(len(groups))))
        sigma = np.sqrt(np.abs(median) + self._noise**2 / self._nframes)

        def find(integration: int) -> list[Flagged]:
            found = []
            before, start = self._electrons(integration, groups.start), self._first_good(integration)
            for group in groups[1:]:
                after = self._electrons(integration, group)
                if group > start:
                    found += self._look(after - before, median, sigma, integration, group)
                before = after
            return found

        return [f for found in self._survey.map(find, self._survey.ints) for f in found]

    def by_integrations(self) -> list[Flagged]:
        """Compare each difference with the clipped ones between the same groups of all integrations."""
        ints, run = self._survey.ints, self._survey.map
        start = dict(zip(ints, run(self._first_good, ints), strict=True))
        found: list[Flagged] = []
        for group in self._survey.groups[1:]:
            with warnings.catch_warnings():  # NaN are what is not to be used
                warnings.simplefilter("ignore")
                clipped = run(partial(self._clipped, group), self._bands(2))
            median, sigma = (np.concatenate(part) for part in zip(*clipped, strict=True))
            look = partial(self._look_between, group, median, sigma)
            found += [f for one in run(look, [i for i in ints if group > start[i]]) for f in one]
        return found

    def _look_between(self, group: int, median: Floats, sigma: Floats, integration: int) -> list[Flagged]:
        step = self._electrons(integration, group) - self._electrons(integration, group - 1)
        return self._look(step, median, sigma, integration, group)

    def _bands(self, groups: int) -> list[Box]:
        """Return rows of which all integrations of some groups fit into little memory."""
        row = 4 * len(self._survey.ints) * groups * self._shape[1]
        return list(self._survey.frame.bands(max(1, TILE_BYTES // row)))

    def _median(self, band: Box) -> F32:
        """Return the median difference of the pixels of some rows."""
        steps = self._steps(self._survey.block(band))
        median: F32 = stack.nanmedian(np.ascontiguousarray(steps.reshape(-1, *band.shape)))
        return median

    def _clipped(self, group: int, band: Box) -> tuple[Floats, Floats]:
        """Return median and standard deviation over integrations of a difference, without outliers."""
        from astropy.stats import sigma_clipped_stats

        two = range(group - 1, group + 1)
        steps = self._steps(self._survey.some(band, self._survey.ints, two))[:, 0]
        _, median, sigma = sigma_clipped_stats(steps, sigma=_CLIP, axis=0)
        return median, sigma

    def _steps(self, block: RampBlock) -> F32:
        """Return the differences of groups in electrons."""
        gain = self._gain[block.box.relative_to(self._survey.frame).slices]
        return np.diff(usable_electrons(block.data, block.groupdq, gain), axis=1)

    def _electrons(self, integration: int, group: int) -> F32:
        one = range(integration, integration + 1), range(group, group + 1)
        block = self._survey.some(self._survey.frame, *one)
        return usable_electrons(block.data, block.groupdq, self._gain)[0, 0]

    def _first_good(self, integration: int) -> int:
        """Return the first group that some pixel, not a reference pixel, uses."""
        for group in self._survey.groups:
            if not (self._flags(integration, group) & DNU).all():
                return group
        return self._survey.groups.start

    def _flags(self, integration: int, group: int) -> U8:
        """Return the flags of a group; reference pixels are not to be used."""
        flags = self._survey.flags(integration, group)
        flags[self._pixeldq == REFERENCE] = DNU
        return flags

    def _look(self, step: F32, median: Floats, sigma: Floats, integration: int, group: int) -> list[Flagged]:
        """Return the showers of one group, as ellipses to flag."""
        p = self._p
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.abs(step - median) / sigma
        bad = (self._flags(integration, group) | self._pixeldq) & (JUMP | SATURATED | DNU)
        image = np.where(bad != 0, np.nan, ratio)
        glow = rings.exceeds(image, self._ring, p.extend_snr_threshold)
        showers = ellipses_of(large_regions(regions.find_regions(glow, 1), p.extend_min_area))
        if len(showers) == 0:
            return []
        ellipses = enlarged(showers, p.extend_ellipse_expand_ratio, p.max_extended_radius, self._shape)
        after = group + int(p.time_masked_after_shower // self._tgroup)
        return [Flagged.at(ellipses, integration, group, min(after + 1, self._survey.groups.stop))]


def usable_electrons(data: F32, flags: U8, gain: F32) -> F32:
    """Return samples in electrons; NaN where they are not to be used, saturated, or a jump and no more."""
    electrons: F32 = data * gain
    electrons[((flags & (DNU | SATURATED)) != 0) | (flags == JUMP)] = np.nan
    return electrons
