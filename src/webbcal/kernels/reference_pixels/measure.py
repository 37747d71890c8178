"""Measure the bias drift on the border of an exposure, and subtract it from any band.

Two schemes. With four amplifiers (full frame, stripes of four amplifiers): the clipped mean of the
bottom and top rows of each amplifier, odd and even columns apart, then the running median of the side
columns. With one amplifier (most subarrays): the clipped mean of all reference pixels, odd and even
columns apart, no sides.

The official pipeline keeps one work array for all groups. When side pixels are used, it is float32 for
the very first group of an exposure and float64 from then on; without them it stays float32. The
correction object says so for each group (`single`), because rounding decides whether results agree bit
for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels import Kernels
from webbcal.kernels.reference_pixels.geometry import (
    BORDER,
    Border,
    Geometry,
    axis_positions,
    embed,
    to_detector,
)
from webbcal.kernels.reference_pixels.sirs import SirsKernels, sirs_templates

_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])
_REFERENCE = np.uint32(dqflags.pixel["REFERENCE_PIXEL"])
AMPLIFIERS = 4


@dataclass(frozen=True, slots=True)
class Options:
    """How reference pixels are used (the parameters of the refpix step).

    Attributes
    ----------
    odd_even_columns, use_side_ref_pixels : bool
        Treat odd and even columns apart; use the side columns.
    side_smoothing_length : int
        Rows in the running median of the side columns.
    side_gain : float
        Factor on the side correction.
    siglimit : float
        Clipping limit of the means, in standard deviations.
    sirs : SirsKernels or None
        Convolution kernels that replace the running median (full frame only).
    sigreject : float
        Clipping limit of the side pixels for `sirs`.
    """

    odd_even_columns: bool = True
    use_side_ref_pixels: bool = True
    side_smoothing_length: int = 11
    side_gain: float = 1.0
    siglimit: float = 3.0
    sirs: SirsKernels | None = None
    sigreject: float = 4.0


@dataclass(frozen=True, slots=True)
class Correction:
    """What to subtract from an exposure.

    Attributes
    ----------
    geometry : Geometry
    offsets : (nints, ngroups, amplifiers, 2) float64
        By amplifier and parity of the detector column (0 for the first column).
    side : (nints, ngroups, channels, size) float64
        By detector row; one channel, or one for each amplifier.
    single : (nints, ngroups) bool
        Groups in which the official pipeline rounds between the two.
    reason : str or None
        Why there is nothing to subtract.
    """

    geometry: Geometry
    offsets: NDArray[np.float64]
    side: NDArray[np.float64]
    single: NDArray[np.bool_]
    reason: str | None = None

    def integrations(self, start: int, stop: int) -> Correction:
        """Return the correction of integrations [start, stop) (0-based)."""
        part = slice(start, stop)
        return replace(self, offsets=self.offsets[part], side=self.side[part], single=self.single[part])


def measure(
    border: Border,
    border_dq: Border,
    geometry: Geometry,
    options: Options,
    kernels: Kernels,
    *,
    continued: bool = False,
) -> Correction:
    """Measure the reference-pixel correction of an exposure.

    Parameters
    ----------
    border : Border of (nints, ngroups, h, w) float32
        Border strips after superbias subtraction, cut as `geometry.border_boxes` says. For the zero
        frame: one group.
    border_dq : Border of (h, w) uint32
        The same strips of PIXELDQ.
    geometry : Geometry
    options : Options
    kernels : Kernels
        Those of reference pixels, on any backend.
    continued : bool
        The first group is not the first of the exposure (later integrations of a long exposure, and
        always for the zero frame).

    Returns
    -------
    Correction
        With `reason` set if there are no usable reference pixels, or the subarray is off the detector.

    Notes
    -----
    Algorithm: NIRCam/NIRISS/FGS reference-pixel correction, JWST pipeline documentation (CCWG 2013).
    With one amplifier, reference pixels are those flagged so within the border.
    """
    nints, ngroups = border.bottom.shape[:2]
    sections = AMPLIFIERS if geometry.by_amplifier else 1
    offsets = np.zeros((nints, ngroups, sections, 2))
    channels = AMPLIFIERS if options.sirs is not None and geometry.by_amplifier else 1
    sides = (nints, ngroups, channels, geometry.size)
    uses_sides = geometry.by_amplifier and options.use_side_ref_pixels
    side = np.zeros(sides) if uses_sides else np.broadcast_to(np.zeros(1), sides)
    single = np.ones((nints, ngroups), bool)
    if uses_sides:
        single[:] = False
        single[:1, :1] = not continued
    if geometry.misfit is not None:
        return Correction(geometry, offsets, side, single, geometry.misfit)
    dq = to_detector(embed(border_dq, geometry, _DO_NOT_USE), geometry)
    if not any((s & _DO_NOT_USE == 0).any() for s in dq):
        return Correction(geometry, offsets, side, single, "no valid reference pixels")
    found = True
    for i in range(nints):
        strips = Border(*(s[i] for s in border))
        detector = to_detector(embed(strips, geometry, np.float32(0)), geometry)
        if geometry.by_amplifier:
            _four_amplifiers(detector, dq, options, kernels, single[i], offsets[i], side[i])
        else:
            found = _one_amplifier(detector, dq, options, kernels, single[i], offsets[i])
    return Correction(geometry, offsets, side, single, None if found else "no valid reference pixels")


def joined(parts: Sequence[Correction]) -> Correction:
    """Join the corrections of consecutive integrations."""
    first = parts[0]
    if len(parts) == 1:
        return first
    reason = next((part.reason for part in parts if part.reason), None)
    sides = [part.side for part in parts]
    shape = (sum(len(s) for s in sides), *first.side.shape[1:])
    # Without sides, each part is a single zero seen as an array.
    side = np.concatenate(sides) if first.side.base is None else np.broadcast_to(np.zeros(1), shape)
    return Correction(
        first.geometry,
        np.concatenate([part.offsets for part in parts]),
        side,
        np.concatenate([part.single for part in parts]),
        reason,
    )


def apply(data: NDArray[np.float32], correction: Correction, band: Box, kernels: Kernels) -> None:
    """Subtract a correction from a band, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
        The band, for the integrations of `correction`.
    correction : Correction
    band : Box
        Where the band lies in the exposure's own array.
    kernels : Kernels
        Those of reference pixels, on any backend.
    """
    if correction.reason is not None:
        return
    geometry = correction.geometry
    fast, slow = axis_positions(geometry, band)
    width = geometry.size // correction.offsets.shape[2]
    columns = correction.offsets[:, :, fast // width, fast % 2]
    channel = fast // (geometry.size // correction.side.shape[2])
    kernels.subtract(
        data, columns, correction.side[..., slow], channel, correction.single, geometry.fast_is_x
    )


def apply_zeroframe(
    zeroframe: NDArray[np.float32], correction: Correction, band: Box, kernels: Kernels
) -> None:
    """Subtract the zero frame's own correction from a band of it; zeros mean "no value" and stay."""
    empty = zeroframe == 0
    apply(zeroframe[:, None], correction, band, kernels)
    zeroframe[empty] = 0


def _four_amplifiers(
    strips: Border,
    dq: Border,
    options: Options,
    kernels: Kernels,
    single: NDArray[np.bool_],
    offsets: NDArray[np.float64],
    side: NDArray[np.float64],
) -> None:
    """Fill `offsets` (ngroups, 4, 2) and `side` (ngroups, channels, size) of one integration."""
    good = Border(*(s & _DO_NOT_USE == 0 for s in dq))
    width = strips.bottom.shape[-1] // AMPLIFIERS
    for amplifier in range(AMPLIFIERS):
        start, stop = amplifier * width, (amplifier + 1) * width
        parities = (slice(start, stop, 2), slice(start + 1, stop, 2))
        columns = parities if options.odd_even_columns else (slice(start, stop),)
        found = (_edge_mean(strips, good, c, options, kernels, single) for c in columns)
        means = [m for m in found if m is not None]
        if len(means) == len(columns):  # one parity alone corrects nothing
            offsets[:, amplifier, :] = np.stack(means, axis=-1)
    if not options.use_side_ref_pixels:
        return
    edge_offsets = offsets[:, 0, [0, 1, 0, 1]], offsets[:, -1, [0, 1, 0, 1]]
    if options.sirs is not None:
        corrected = []
        for strip, offset in zip((strips.left, strips.right), edge_offsets, strict=True):
            values = strip - offset[:, None, :]
            values[single] = values[single].astype(np.float32)
            corrected.append(values)
        side[:] = sirs_templates(corrected[0], corrected[1], options.sirs, options.sigreject)
        return
    sides = zip((strips.left, strips.right), (good.left, good.right), edge_offsets, strict=True)
    left, right = (
        kernels.running_medians(strip, mask, offset, single, options.side_smoothing_length)
        for strip, mask, offset in sides
    )
    both = 0.5 * (left + right)
    both = np.where(np.isnan(left), right, np.where(np.isnan(right), left, both))
    side[:, 0] = options.side_gain * np.where(np.isnan(both), 0.0, both)


def _edge_mean(
    strips: Border,
    good: Border,
    columns: slice,
    options: Options,
    kernels: Kernels,
    single: NDArray[np.bool_],
) -> NDArray[np.float64] | None:
    """Clipped mean of the given columns (ngroups,): the average of the bottom and the top edge.

    If only one edge has usable pixels, it counts alone; None if neither has.
    """
    means = []
    for strip, mask in ((strips.top, good.top), (strips.bottom, good.bottom)):
        usable = mask[:, columns]
        if usable.any():
            values = strip[..., columns][:, usable]
            means.append(kernels.clipped_means(values, single, options.siglimit))
    if len(means) < 2:
        return means[0] if means else None
    total = means[0] + means[1]
    total[single] = total[single].astype(np.float32)
    return np.asarray(0.5 * total)


def _one_amplifier(
    strips: Border,
    dq: Border,
    options: Options,
    kernels: Kernels,
    single: NDArray[np.bool_],
    offsets: NDArray[np.float64],
) -> bool:
    """Fill `offsets` (ngroups, 1, 2) of one integration; False if there are no reference pixels."""
    flags = _in_reading_order(dq)
    usable = (flags & _REFERENCE != 0) & (flags & _DO_NOT_USE == 0)
    parity = _in_reading_order(_column_numbers(dq)) % 2
    values = _in_reading_order(strips)
    for p in (0, 1):
        chosen = usable & (parity == p) if options.odd_even_columns else usable
        if chosen.any():
            offsets[:, 0, p] = kernels.clipped_means(values[:, chosen], single, options.siglimit)
    return bool(usable.any())


def _column_numbers(dq: Border) -> Border:
    """Return the detector column of every pixel of the strips."""
    column = np.arange(dq.bottom.shape[-1])
    columns = (column, column, column[:BORDER], column[-BORDER:])
    return Border(*(np.broadcast_to(c, strip.shape) for c, strip in zip(columns, dq, strict=True)))


def _in_reading_order(strips: Border) -> NDArray[Any]:
    """Return each border pixel once, row by row from the bottom of the detector (last axis)."""
    lead = strips.bottom.shape[:-2]
    inner = slice(BORDER, -BORDER)
    middle = np.concatenate([strips.left[..., inner, :], strips.right[..., inner, :]], axis=-1)
    parts = (strips.bottom, middle, strips.top)
    return np.concatenate([p.reshape(*lead, -1) for p in parts], axis=-1)
