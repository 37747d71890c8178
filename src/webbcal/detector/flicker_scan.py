"""Going through an exposure image by image, to clean it of 1/f noise: ramps group by group, or rates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.detector.draft_rate import Draft, HasRates
from webbcal.detector.flicker_frame import Cleaned, FrameCleaner
from webbcal.detector.series_template import SeriesTemplate
from webbcal.run.engine.blocks import Piece, RampBlock, RateBlock

log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
MaskMaker = Callable[[Draft], Mask]

_UNUSABLE = np.uint8(dqflags.group["DO_NOT_USE"] | dqflags.group["JUMP_DET"])


class Masks:
    """The background of each integration: one mask for all, or its own."""

    def __init__(
        self, given: Mask | None, drafts: HasRates | None = None, make: MaskMaker | None = None
    ) -> None:
        self._given, self._drafts, self._make = given, drafts, make
        self.single = given is not None and given.ndim == 2

    def of(self, integration: int) -> Mask:
        """Return the mask of an integration, which is the caller's to change."""
        if self._given is None:
            assert self._drafts is not None and self._make is not None
            return self._make(self._drafts.rate(integration))
        return (self._given if self.single else self._given[integration]).copy()


@dataclass(frozen=True)
class FlickerState:
    """What is known before the first image is cleaned.

    Attributes
    ----------
    cleaner : FrameCleaner
    masks : Masks
    template : SeriesTemplate or None
        Of a series: what all integrations have in common.
    on_rates : bool
        Whether the data are rates, not ramps.
    """

    cleaner: FrameCleaner
    masks: Masks
    template: SeriesTemplate | None = None
    on_rates: bool = False


class RampScan:
    """The cleaning of an integration, group by group: cleaned differences are added to the group before."""

    def __init__(self, integration: int, state: FlickerState, saved: frozenset[str], threads: int) -> None:
        self._integration, self._state, self._saved = integration, state, saved
        self._threads = threads
        self._mask = state.masks.of(integration)
        self._raw: NDArray[np.float32] | None = None
        self._cleaned: NDArray[np.float32] | None = None

    def apply(self, block: RampBlock) -> RampBlock:
        """Clean the frames of some groups."""
        template = self._state.template
        return self._differences(block) if template is None else self._groups(block, template)

    def _groups(self, block: RampBlock, template: SeriesTemplate) -> RampBlock:
        """Clean groups, of which what all integrations have in common is subtracted."""
        groups = block.data[0]
        raw = groups.copy() if "noise" in self._saved else None
        shared = [template.of(self._integration, group) for group in block.groups]

        def clean(j: int) -> Cleaned | None:
            return self._state.cleaner.clean(groups[j] - shared[j], self._mask.copy())

        for j, cleaned in enumerate(run_on_threads(clean, range(len(groups)), self._threads)):
            if cleaned is None:
                self._warn(block.groups[j])
            else:
                groups[j] = shared[j] + cleaned.image
        background = np.array(shared, np.float32) if "background" in self._saved else None
        block.pieces = list(self._pieces(block, raw, background))
        return block

    def _differences(self, block: RampBlock) -> RampBlock:
        """Clean differences of groups, and add them up from the first group on."""
        groups = block.data[0]
        raw = groups.copy() if "noise" in self._saved else None
        before = [self._raw, *groups[:-1]] if self._raw is not None else list(groups[:-1])
        first = len(groups) - len(before)

        def clean(j: int) -> Cleaned | None:
            mask = self._mask & ((block.groupdq[0, j] & _UNUSABLE) == 0)
            return self._state.cleaner.clean(groups[j] - before[j - first], mask)

        differences = run_on_threads(clean, range(first, len(groups)), self._threads)
        self._raw = groups[-1].copy()  # before the groups are changed, which they are from here on
        background = np.zeros_like(groups) if "background" in self._saved else None
        last = groups[0] if self._cleaned is None else self._cleaned
        for j, cleaned in enumerate(differences, first):
            if cleaned is None:
                self._warn(block.groups[j])
            else:
                np.add(last, cleaned.image, out=groups[j], casting="same_kind")
                if background is not None:
                    background[j] = cleaned.background
            last = groups[j]
        self._cleaned = last.copy()
        block.pieces = list(self._pieces(block, raw, background))
        return block

    def _warn(self, group: int) -> None:
        where = self._integration + 1, group + 1
        log.warning(
            "clean_flicker_noise: too little background to measure noise on: integration %d, group %d", *where
        )

    def _pieces(
        self, block: RampBlock, raw: NDArray[np.float32] | None, background: NDArray[np.float32] | None
    ) -> Iterator[Piece]:
        """Yield what is saved beside the ramps."""
        ints = slice(self._integration, self._integration + 1)
        samples = ints, slice(block.groups.start, block.groups.stop)
        if background is not None:
            yield _piece("background", block.box, background[None], *samples)
        if raw is not None:
            yield _piece("noise", block.box, block.data - raw[None], *samples)
        single = self._state.masks.single
        if "mask" in self._saved and block.groups.start == 0 and not (single and self._integration):
            mask = self._mask.astype(np.float32)
            yield _piece("mask", block.box, *((mask,) if single else (mask[None], ints)))


class RateScan:
    """The cleaning of the rate of an exposure, or of one of its integrations."""

    def __init__(self, integration: int, state: FlickerState, saved: frozenset[str]) -> None:
        self._integration, self._state, self._saved = integration, state, saved

    def apply(self, block: RateBlock) -> RateBlock:
        """Clean an image."""
        mask = self._state.masks.of(self._integration)
        ints = () if block.ints is None else (slice(block.ints.start, block.ints.stop),)
        raw, shown = block.values["data"], mask.astype(np.float32)
        template, background = self._state.template, np.zeros_like(raw)
        if template is not None:
            background[...] = template.of(self._integration, 0)
        cleaned = self._state.cleaner.clean((raw - background).reshape(mask.shape), mask)
        if cleaned is None:
            log.warning(
                "clean_flicker_noise: too little background to measure noise on in integration %d",
                self._integration + 1,
            )
        elif template is None:
            block.values["data"] = cleaned.image.astype(np.float32).reshape(raw.shape)
            background[...] = cleaned.background
        else:
            block.values["data"] = (background + cleaned.image.reshape(raw.shape)).astype(np.float32)
        pieces = {"background": background, "noise": block.values["data"] - raw}
        block.pieces = [_piece(k, block.interior, v, *ints) for k, v in pieces.items() if k in self._saved]
        single = self._state.masks.single
        if "mask" in self._saved and not (single and self._integration):
            given = (shown,) if single else (shown[None], *ints)
            block.pieces.append(_piece("mask", block.interior, *given))
        return block


def _piece(kind: str, pixels: Box, values: NDArray[np.float32], *leading: slice) -> Piece:
    return Piece(kind, pixels, {"data": values}, {"data": leading})
