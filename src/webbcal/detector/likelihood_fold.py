"""The likelihood fit of some rows of an exposure, a part of `ramp_fit`.

Integrations are fitted one by one and stand for themselves; the exposure's rate is made of theirs, once all
are there. Until then they are kept: in memory, or in scratch space where they are many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.kernels.likelihood import JumpThresholds, LikelihoodFit, Sampling, combine
from webbcal.kernels.ramp_fit import GroupRange
from webbcal.run.engine.blocks import RampBlock, RateBlock
from webbcal.run.engine.kept_images import KeptImages
from webbcal.run.engine.operation import BlockReferences


@dataclass(frozen=True)
class LikelihoodState:
    """What the fit knows of an exposure: its read-out, the groups to use, and where rates may be kept.

    There are two plans of the read-out: without and with a ZEROFRAME.
    """

    plan: Sampling
    plan_with_zeroframe: Sampling
    groups: GroupRange
    gain_factor: float | None
    scratch: Path
    save_chisq: bool


class LikelihoodFold:
    """Fits blocks as they come; nothing has to be seen before."""

    looks = False

    def __init__(self, box: Box, nints: int, references: BlockReferences, state: LikelihoodState) -> None:
        self._box, self._nints, self._references, self._state = box, nints, references, state
        self._whole: LikelihoodFit | None = None
        self._kept: KeptImages | None = None
        # not at the top of this module: few runs need the kernels, and what is asked for is compiled ahead
        self._kernels = kernels.get("likelihood")

    def look(self, block: RampBlock) -> None:
        """Nothing to see."""

    def apply(self, block: RampBlock) -> RateBlock:
        """Fit some integrations."""
        block = block.cropped(0)
        self._state.groups.apply(block.groupdq)
        references, state = self._references.over(block.box), self._state
        fit = self._kernels.fit_integrations(
            block.data,
            block.groupdq,
            block.pixeldq,
            references.read("gain"),
            references.read("readnoise"),
            block.dark_current,
            block.zeroframe,
            state.plan if block.zeroframe is None else state.plan_with_zeroframe,
            JumpThresholds(),
        )
        if len(block.ints) == self._nints:
            self._whole = combine(fit)
        else:
            if self._kept is None:
                types = [array.dtype for array in fit]
                self._kept = KeptImages(self._box, self._nints, types, self._state.scratch)
            self._kept.put(fit)
        return RateBlock(block.interior, block.ints, _values(fit))

    def finish(self) -> RateBlock:
        """Combine all integrations."""
        fit = self._whole
        if fit is None:
            assert self._kept is not None
            fit = LikelihoodFit.empty(self._box.shape)
            for columns, images in self._kept.pieces():
                for whole, part in zip(fit, combine(LikelihoodFit(*images)), strict=True):
                    whole[:, columns] = part
        return RateBlock(self._box, None, _values(fit), fit.chisq if self._state.save_chisq else None)


def _values(fit: LikelihoodFit) -> dict[str, np.ndarray]:
    names = {"slope": "data"}
    return {names.get(name, name): array for name, array in fit._asdict().items() if name != "chisq"}
