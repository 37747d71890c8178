"""The IRS2 correction of NIRSpec: how it is measured on an exposure and applied to blocks of whole frames.

Suspicious reference pixels are looked for in all integrations and replaced; if wanted, levels are subtracted
as in the traditional correction. Then each group is corrected by itself, less the mean of its integration's
groups, which `look` finds; and the reference pixels between the science pixels are stripped, unless they are
wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.core.irs2 import SECTIONS, Interleaving
from webbcal.kernels.irs2 import bad_pixels
from webbcal.kernels.irs2.clocks import Clocks
from webbcal.kernels.irs2.correction import Weights, corrected
from webbcal.kernels.irs2.levels import BORDER, levels
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

irs2 = kernels.get("irs2")
reference_pixels = kernels.get("reference_pixels")

_BAD_REFERENCE = np.uint32(dqflags.pixel["BAD_REF_PIXEL"])
_BAD = np.uint32(_BAD_REFERENCE | dqflags.pixel["DO_NOT_USE"])
#: Bytes of samples of a band of rows whose mean is taken at once.
_BAND_BYTES = 4 << 20


class Options(Protocol):
    """The parameters of refpix that count here."""

    @property
    def ovr_corr_mitigation_ftr(self) -> float: ...  # noqa: D102
    @property
    def irs2_mean_subtraction(self) -> bool: ...  # noqa: D102
    @property
    def preserve_irs2_refpix(self) -> bool: ...  # noqa: D102
    @property
    def odd_even_columns(self) -> bool: ...  # noqa: D102
    @property
    def siglimit(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Irs2State:
    """What is known of an exposure before its first block.

    Attributes
    ----------
    clocks : Clocks
    weights : Weights
    bad : (rows,) bool
        Rows that hold suspicious reference pixels.
    replaced : list
        What stands in for them, and for those that the reference lists.
    levels : (nints, ngroups, rows) float32 or None
        What is subtracted first.
    preserve : bool
        Keep the reference pixels.
    mean : (rows, columns) float64 or None
        Mean of the groups of the integration that is worked on.
    """

    clocks: Clocks
    weights: Weights
    bad: NDArray[np.bool_]
    replaced: list[bad_pixels.Replacement]
    levels: NDArray[np.float32] | None
    preserve: bool
    mean: NDArray[np.float64] | None = None


def check_frame(exposure: Exposure) -> None:
    """Make sure that the frame is what the read pattern says.

    Raises
    ------
    InputError
        If one of them is IRS2 and the other is not.
    """
    pattern = str(exposure.known("exposure.readpatt") or "").upper()
    interleaved = "IRS2" in pattern or pattern.startswith("NRSN")
    if pattern and interleaved != (exposure.irs2 is not None):
        rows = Interleaving(turned=False).rows
        raise InputError(
            f"{exposure.filename}: READPATT = {pattern!r}, but the SCI array has {exposure.shape[-2]} rows; "
            f"raw frames of IRS2 have {rows}, with reference pixels between the science pixels, others have "
            "no more than 2048. Give the raw exposure (_uncal), or correct READPATT"
        )


def measure(
    exposure: Exposure, references: Mapping[str, Any], p: Options, survey: Survey, layout: Interleaving
) -> Irs2State:
    """Find bad reference pixels, and levels; read the weights."""
    clocks = Clocks(layout)
    weights, listed = _reference(references["refpix"], clocks)
    nothing = survey.block(survey.frame, range(survey.ints.start, survey.ints.start))
    flagged = np.any(nothing.pixeldq & _BAD_REFERENCE, axis=1)
    found = [
        _suspicious(ints, layout, flagged, p.ovr_corr_mitigation_ftr, survey) for ints in _single(survey.ints)
    ]
    bad = np.logical_or.reduce([flagged, *found])
    replaced = bad_pixels.replacements(layout, bad)
    if listed is not None:
        replaced += bad_pixels.listed_replacements(layout, bad, listed)
    offsets = _levels(layout, bad, p, survey) if p.irs2_mean_subtraction else None
    return Irs2State(clocks, weights, bad, replaced, offsets, p.preserve_irs2_refpix)


def look(ints: range, state: Irs2State, survey: Survey) -> Irs2State:
    """Return the state with the mean of an integration's groups."""
    frame = survey.frame
    mean = np.empty(frame.shape)
    sample = 4 * frame.shape[1] * len(survey.groups)

    def add(box: Box) -> None:
        data = _levelled(survey.block(box, ints), state).data[0]
        mean[box.slices] = data.sum(axis=0, dtype=np.float64) / len(data)

    survey.map(add, list(frame.bands(max(1, _BAND_BYTES // sample))))
    for row, sources in state.replaced:
        boxes = (Box(s, s + 1, frame.x0, frame.x1) for s in sources)
        rows = [_levelled(survey.block(box, ints), state).data[0, :, 0] for box in boxes]
        standing = bad_pixels.mean_of(rows)
        mean[row] = np.sum(standing, axis=0, dtype=np.float64) / len(survey.groups) if rows else 0.0
    return replace(state, mean=mean)


def apply(block: RampBlock, state: Irs2State) -> RampBlock:
    """Correct the groups of one integration."""
    assert state.mean is not None
    block = _levelled(block, state)
    bad_pixels.replace_rows(block.data, state.replaced)
    block.pixeldq[state.bad] |= _BAD
    arguments = state.mean, state.clocks, state.weights, irs2, state.preserve
    groups = [corrected(frame, *arguments) for frame in block.data[0]]
    data = groups[0][None, None] if len(groups) == 1 else np.stack(groups)[None]
    if state.preserve:
        return replace(block, data=data)
    rows = np.flatnonzero(state.clocks.layout.science)
    frame = Box.of_shape(data.shape)
    return replace(
        block,
        box=frame,
        interior=frame,
        data=data,
        groupdq=np.take(block.groupdq, rows, axis=-2),
        pixeldq=block.pixeldq[rows],
        zeroframe=None if block.zeroframe is None else np.take(block.zeroframe, rows, axis=-2),
    )


def _single(ints: range) -> list[range]:
    return [range(i, i + 1) for i in ints]


def _reference(reference: Any, clocks: Clocks) -> tuple[Weights, Any]:
    """Return the weights and the list of bad reference pixels (None: there is none) of a REFPIX reference."""
    table = getattr(reference.model, "irs2_table", None)
    expected = 2 * clocks.samples
    if table is None or len(table) != expected:
        found = "no table IRS2" if table is None else f"{len(table)} rows in its table IRS2"
        raise ReferenceFileError(
            f"{reference.name} has {found}, but the readout of the exposure needs {expected}; give another "
            "with override_refpix"
        )
    listed = getattr(reference.model, "dq_table", None)
    weights = Weights.of_table(table, clocks.transform)
    reference.forget()  # the table takes twice as much as the weights
    return weights, listed if listed is not None and len(listed) else None


def _suspicious(
    ints: range, layout: Interleaving, flagged: NDArray[np.bool_], sigma: float, survey: Survey
) -> NDArray[np.bool_]:
    """Return the rows of suspicious reference pixels in one integration."""
    columns = survey.frame

    def statistics(start: int) -> bad_pixels.PairStatistics:
        box = Box(start, start + layout.reference, columns.x0, columns.x1)
        return bad_pixels.pair_statistics(survey.block(box, ints).data[0], start)

    bad = np.zeros(layout.rows, bool)
    for section in range(SECTIONS):
        starts = bad_pixels.block_starts(layout, section * layout.section)
        pairs = bad_pixels.joined(survey.map(statistics, [int(s) for s in starts]))
        first = pairs.suspicious(flagged, sigma)
        bad[first] = bad[first + 1] = True
    return bad


def _levels(layout: Interleaving, bad: NDArray[np.bool_], p: Options, survey: Survey) -> NDArray[np.float32]:
    """Return the levels of all rows of all groups."""
    frame = survey.frame
    sides = Box(0, frame.y1, 0, BORDER), Box(0, frame.y1, frame.x1 - BORDER, frame.x1)

    def of_integration(ints: range) -> NDArray[np.float32]:
        left, right = (survey.block(side, ints) for side in sides)
        for block in (left, right):
            block.pixeldq[bad] |= _BAD
        return levels(
            (left.data[0], right.data[0]),
            (left.pixeldq, right.pixeldq),
            layout,
            reference_pixels,
            p.siglimit,
            p.odd_even_columns,
        )

    return np.stack(survey.map(of_integration, _single(survey.ints)))


def _levelled(block: RampBlock, state: Irs2State) -> RampBlock:
    """Subtract the levels from a block, in place."""
    if state.levels is not None:
        ints, groups = slice(block.ints.start, block.ints.stop), slice(block.groups.start, block.groups.stop)
        block.data -= state.levels[ints, groups, block.box.y0 : block.box.y1, None]
    return block
