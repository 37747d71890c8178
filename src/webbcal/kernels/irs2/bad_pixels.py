"""Reference pixels of IRS2 that are not to be trusted, and what stands in for them.

Each reference pixel is read twice in a row. A pair of reads that differ, drift or scatter much more than
those of its output's other reference pixels is suspicious; so are those that the REFPIX reference lists. They
are replaced by their nearest neighbours of the same parity, for a row of the frame is what the correction
gets. Rows are meant in the orientation of the science frame, where the fast axis runs along y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.irs2 import SECTIONS, Interleaving

Mask = NDArray[np.bool_]

#: The rows whose mean is put in the place of a row; none: zeros, which are filled later.
Replacement = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class PairStatistics:
    """Statistics of the pairs of reads of one section in one integration; all arrays (pairs,) float32.

    Attributes
    ----------
    rows : ndarray of int
        First row of each pair.
    differences, means, deviations : ndarray
        Mean absolute difference between the reads, mean, and standard deviation.
    """

    rows: NDArray[np.intp]
    differences: NDArray[np.float32]
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]

    def suspicious(self, flagged: Mask, sigma: float) -> NDArray[np.intp]:
        """Return the first rows of pairs that stand out among those that are not flagged already.

        Parameters
        ----------
        flagged : (rows,) bool
            By row of the frame.
        sigma : float
            Standard deviations above the clipped mean.
        """
        from astropy.stats import sigma_clipped_stats

        good = ~(flagged[self.rows] | flagged[self.rows + 1])
        if not good.any():
            return self.rows[good]
        high = np.zeros(int(good.sum()), bool)
        for values in (self.differences[good], self.means[good], self.deviations[good]):
            mean, _, deviation = sigma_clipped_stats(values, sigma=sigma)
            high |= values - mean > sigma * deviation
        return self.rows[good][high]


def block_starts(layout: Interleaving, section: int) -> NDArray[np.intp]:
    """Return the first rows of the blocks of reference pixels in the section from row `section` on."""
    period = layout.normal + layout.reference
    return np.arange(section + layout.normal // 2, section + layout.section, period)


def pair_statistics(block: NDArray[np.float32], start: int) -> PairStatistics:
    """Return the statistics of the pairs in one block of reference pixels.

    Parameters
    ----------
    block : (groups, reference, columns) float32
    start : int
        Its first row.
    """
    firsts = range(0, block.shape[1] - 1, 2)
    pairs = [block[:, k : k + 2] for k in firsts]
    return PairStatistics(
        np.array([start + k for k in firsts], np.intp),
        np.array([np.mean(np.abs(pair[:, 1] - pair[:, 0])) for pair in pairs], np.float32),
        np.array([np.mean(pair) for pair in pairs], np.float32),
        np.array([np.std(pair) for pair in pairs], np.float32),
    )


def joined(parts: Sequence[PairStatistics]) -> PairStatistics:
    """Join the statistics of the blocks of a section."""
    names = ("rows", "differences", "means", "deviations")
    return PairStatistics(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def replacements(layout: Interleaving, bad: Mask) -> list[Replacement]:
    """Return what replaces the rows that are flagged, section by section."""
    interleaved = np.tile(layout.interleaved, SECTIONS)
    return [
        (row, _sources(row, bad, interleaved, row // layout.section * layout.section, layout))
        for row in map(int, np.flatnonzero(bad))
    ]


def listed_replacements(layout: Interleaving, bad: Mask, table: Mapping[str, Any]) -> list[Replacement]:
    """Return what replaces the reference pixels that the REFPIX reference lists and that are not flagged yet.

    Parameters
    ----------
    layout : Interleaving
    bad : (rows,) bool
        Rows that are replaced already.
    table : mapping
        OUTPUT (1 to 4), ODD_EVEN (1: first pair, 2: second) and MASK (bit k: block k of the output).
    """
    bad = bad[layout.fast]  # along the fast axis, as the table counts
    interleaved = np.tile(layout.interleaved, SECTIONS)
    period, found = layout.normal + layout.reference, []
    for output, parity, mask in zip(table["OUTPUT"], table["ODD_EVEN"], table["MASK"], strict=True):
        start = int(output) * layout.section
        pair = 3 - int(parity) if int(output) % 2 == 0 else int(parity)  # read in the other direction
        new = []
        for k in (k for k in range(32) if int(mask) >> k & 1):
            first = start + layout.normal // 2 + k * period + 2 * (pair - 1)
            new += [place for place in (first, first + 1) if not bad[place]]
            bad[first : first + 2] = True
        found += [(place, _sources(place, bad, interleaved, start, layout)) for place in new]
    rows = layout.fast  # turning twice changes nothing: it also leads from places to rows
    return [(int(rows[place]), tuple(int(rows[s]) for s in sources)) for place, sources in found]


def _sources(place: int, bad: Mask, interleaved: Mask, start: int, layout: Interleaving) -> tuple[int, ...]:
    """Return the places whose mean stands in for one: those of the next blocks, else the other pair's."""
    stop, period = start + layout.section, layout.normal + layout.reference
    near = tuple(p for p in (place - period, place + period) if start <= p < stop and not bad[p])
    if near:
        return near
    pair = (p for p in (place - 2, place + 2) if start <= p < stop and interleaved[p] and not bad[p])
    return tuple(pair)[:1]


def replace_rows(data: NDArray[np.float32], replaced: Sequence[Replacement]) -> None:
    """Put replacements in their place; `data` is (…, rows, columns)."""
    for row, sources in replaced:
        data[..., row, :] = mean_of([data[..., s, :] for s in sources])


def mean_of(rows: Sequence[NDArray[np.float32]]) -> Any:
    """Return the mean of one or two rows; zero of none."""
    return (rows[0] + rows[1]) / np.float32(2) if len(rows) == 2 else rows[0] if rows else np.float32(0)
