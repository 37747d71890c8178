"""The part of refpix that is for MIRI: drifts measured on the columns at both sides of a full frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.errors import SkipStep
from webbcal.kernels.reference_pixels.miri import OUTPUTS, measure_columns
from webbcal.run.engine.blocks import RampBlock, chunks
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

reference_pixels = kernels.get("reference_pixels")

#: Bytes of samples of the columns that are measured at once.
_COLUMNS_BYTES = 4 << 20
#: Rows that are read together.
_ROWS = 128


@dataclass(frozen=True)
class Drift:
    """What to subtract: (nints, ngroups, parity of row, output), DN."""

    values: NDArray[np.float32]

    def subtracted(self, block: RampBlock) -> RampBlock:
        """Subtract it from a block."""
        ints = slice(block.ints.start, block.ints.stop)
        reference_pixels.subtract_outputs(block.data, self.values[ints], block.box.y0, block.box.x0)
        return block


def measure(exposure: Exposure, survey: Survey, odd_even_rows: bool, siglimit: float) -> Drift:
    """Measure the drifts of all groups.

    Raises
    ------
    SkipStep
        When an output has no good reference pixels.
    """
    some = chunks(survey.ints, _COLUMNS_BYTES // (8 * 4 * exposure.ngroups * exposure.frame.shape[0]))
    alone = len(some) == 1  # the pieces of the only ones side by side, else integrations

    def measured(ints: range) -> NDArray[np.float32] | None:
        nx = exposure.frame.shape[1]
        left, right = (_column(x, ints, survey, alone) for x in (0, nx - OUTPUTS))
        return measure_columns(
            *(left[0], right[0], left[1], right[1]),
            odd_even_rows=odd_even_rows,
            siglimit=siglimit,
            kernels=reference_pixels,
        )

    parts = survey.map(measured, some)
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        raise SkipStep("no valid reference pixels")
    return Drift(np.concatenate(found))


def _column(
    x: int, ints: range, survey: Survey, alone: bool
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return samples and flags of four columns after the steps before this one."""
    boxes = [Box(b.y0, b.y1, x, x + OUTPUTS) for b in survey.frame.bands(_ROWS)]
    blocks = list((survey.map if alone else map)(lambda box: survey.block(box, ints), boxes))
    inner = [(..., *b.inner.slices) for b in blocks]
    data = np.concatenate([b.data[i] for b, i in zip(blocks, inner, strict=True)], axis=-2)
    flags = np.concatenate([b.pixeldq[i] for b, i in zip(blocks, inner, strict=True)], axis=-2)
    return data, flags
