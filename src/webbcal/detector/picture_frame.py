"""picture_frame: the thermal picture-frame pattern of NIRSpec.

Small changes of temperature lift the edges of the detectors against their middle. The pattern is in the
PICTUREFRAME reference; its strength in a group, or in an image of rates, is the difference between the
medians of the middle and of the edges, of the pixels of the background. They are found in a rate image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.errors import PlanError, SkipStep
from webbcal.detector import draft_rate
from webbcal.detector.scene_mask import background_mask, common_mask
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.block_plan import Beside
from webbcal.run.engine.blocks import Piece, RampBlock, RateBlock
from webbcal.run.engine.operation import BlockReferences, Stretch, Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Where the middle and the edges lie, along both axes (half-open).
MIDDLE, LOW, HIGH = (76, 1984), (4, 75), (1985, 2043)


class PictureFrameStep(BlockStep):
    """Scale the picture-frame pattern to each group and subtract it (NIRSpec)."""

    class_alias = "picture_frame"
    reference_file_types = ("pictureframe", *draft_rate.REFERENCES)
    consumes = "any"
    tiling = Tiling.FRAMES
    walks = True
    surveys_all = True

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PictureFrameStep`."""

        mask_science_regions: bool = param(True, "Mask regions with light")
        n_sigma: float = param(2.0, "Clipping threshold", unit="sigma")
        save_mask: bool = param(False, "Save the mask")
        save_correction: bool = param(False, "Save the correction")
        skip: bool = param(True, "Skip this step")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """Full frames of NIRSpec only.

        Raises
        ------
        PlanError
            For what this version cannot do.
        """
        if exposure.instrument != "NIRSPEC" or exposure.subarray.upper() != "FULL":
            return "Picture frame correction is not available: it is for full frames of NIRSpec only"
        if exposure.readout is not None and exposure.ngroups == 1:
            return "an integration has one group only"
        if p.mask_science_regions:
            raise PlanError(
                "picture_frame: where the light of NIRSpec's slits falls follows from their WCS, which this "
                "version of webbcal does not have; set picture_frame.mask_science_regions to False: light is "
                "then found by its brightness alone"
            )
        return None

    def reference_types_of(self, exposure: Exposure, p: Parameters) -> Sequence[str]:
        """Rates are there already where they are given."""
        drafted = () if exposure.readout is None else draft_rate.REFERENCES
        return ("pictureframe", *drafted)

    def extra_products(self) -> Mapping[str, str]:
        """The mask and what was subtracted."""
        wanted: Sequence[tuple[str, bool]] = (("mask", self.save_mask), ("correction", self.save_correction))
        return {kind: self.make_output_path(suffix=f"pctfrm_{kind}") for kind, save in wanted if save}

    def extra_layout(self, kind: str, exposure: Exposure, references: Mapping[str, Any]) -> Beside:
        """They go to their files block by block."""
        if kind == "mask":
            return Beside("ImageModel", {"data": (exposure.frame.shape, np.float32)})
        cls = {2: "ImageModel", 3: "CubeModel", 4: "RampModel"}[len(exposure.shape)]
        return Beside(cls, {"data": (exposure.shape, np.float32)})

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The first group, the pattern, masks, and the pixels of the background."""
        return 24

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> Pattern:
        """Find the background in a draft rate image, and the strength of the reference's pattern there."""

        def background(draft: draft_rate.Draft) -> Mask:
            return background_mask(
                draft, exposure, references, science_regions=False, n_sigma=p.n_sigma, fit_histogram=False
            )

        mask = common_mask(exposure, references, survey, background)
        return Pattern.of(np.asarray(references["pictureframe"].read("data"), np.float32), mask)

    def walk(
        self, stretch: Stretch, exposure: Exposure, references: BlockReferences, p: Parameters, state: Pattern
    ) -> Integration:
        """Begin with an integration."""
        return Integration(state, frozenset(self.extra_products()))


@dataclass(frozen=True)
class Pattern:
    """The reference's pattern and where it is measured.

    Attributes
    ----------
    shape : ndarray
        The pattern less its median at the edges, DN/s, float32 (rows, columns).
    mask, middle, edges : ndarray
        Background, and that of the middle and of the edges, bool (rows, columns).
    strength : float32
        Median of the pattern in the middle less that at the edges.
    """

    shape: Image
    mask: Mask
    middle: Mask
    edges: Mask
    strength: np.float32

    @classmethod
    def of(cls, reference: Image, mask: Mask) -> Pattern:
        """Measure the reference.

        Raises
        ------
        SkipStep
            When there is no background in the middle or at the edges.
        """
        middle, edges = regions(mask)
        if not middle.any() or not edges.any():
            raise SkipStep("no pixel in the middle or at the edges of the frame sees background only")
        edge = np.nanmedian(reference[edges])
        return cls(reference - edge, mask, middle, edges, np.nanmedian(reference[middle]) - edge)

    def in_image(self, image: Image) -> Image:
        """Return the pattern as it is in an image: scaled to the middle, and raised to the edges."""
        edge = np.nanmedian(image[self.edges])
        scale = (np.nanmedian(image[self.middle]) - edge) / self.strength
        return np.asarray(scale * self.shape + edge)


def regions(mask: Mask) -> tuple[Mask, Mask]:
    """Return the background in the middle and at the edges of a full frame."""
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    inside = _within(y, MIDDLE) & _within(x, MIDDLE)
    on_frame = _within(y, (LOW[0], HIGH[1])) & _within(x, (LOW[0], HIGH[1]))
    at_edge = _within(y, LOW) | _within(y, HIGH) | _within(x, LOW) | _within(x, HIGH)
    return mask & inside, mask & at_edge & on_frame


def _within(positions: NDArray[np.intp], limits: tuple[int, int]) -> Mask:
    return (positions >= limits[0]) & (positions < limits[1])


class Integration:
    """The groups of an integration; each is corrected by its difference from the first."""

    def __init__(self, pattern: Pattern, saved: frozenset[str]) -> None:
        self._pattern, self._saved = pattern, saved
        self._first: Image | None = None

    def apply(self, block: RampBlock | RateBlock) -> RampBlock | RateBlock:
        """Correct some groups, or an image of rates."""
        if isinstance(block, RateBlock):
            return self._rates(block)
        before = block.data.copy()
        first = self._first
        for plane in block.data[0]:
            if first is None:
                first = self._first = plane.copy()  # it has no pattern of its own
                continue
            plane -= first
            plane += first - self._pattern.in_image(plane)
        samples = tuple(slice(r.start, r.stop) for r in (block.ints, block.groups))
        is_first = block.ints.start == block.groups.start == 0
        block.pieces = list(self._pieces(block.box, block.data - before, samples, is_first))
        return block

    def _rates(self, block: RateBlock) -> RateBlock:
        """Correct an image."""
        before = block.values["data"]
        image = before.reshape(self._pattern.mask.shape)
        block.values["data"] = (image - self._pattern.in_image(image)).reshape(before.shape)
        ints = () if block.ints is None else (slice(block.ints.start, block.ints.stop),)
        change, is_first = block.values["data"] - before, not ints or ints[0].start == 0
        block.pieces = list(self._pieces(block.interior, change, ints, is_first))
        return block

    def _pieces(
        self, box: Box, change: NDArray[np.float32], leading: tuple[slice, ...], is_first: bool
    ) -> Iterator[Piece]:
        """Yield what is saved beside the result."""
        if "correction" in self._saved:
            yield Piece("correction", box, {"data": change}, {"data": leading})
        if "mask" in self._saved and is_first:
            yield Piece("mask", box, {"data": self._pattern.mask.astype(np.float32)}, {"data": ()})
