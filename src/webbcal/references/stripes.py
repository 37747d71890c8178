"""Stripes: exposures whose lines are read here and there on the detector (NIRCam DHS, "multistripe").

Each frame reads some lines of reference pixels, skips some, and reads a stripe; then it either skips on to
the next stripe, or starts again, for the same stripe or (interleaved) the next one. The exposure's array has
these lines one after another. See the JWST documentation, "NIRCam DHS time-series subarrays".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from webbcal.core.errors import InputError

#: Lines of a full frame along the slow axis.
LINES = 2048


@dataclass(frozen=True, slots=True)
class Stripe:
    """Lines that were read one after another; in science orientation, 0-based.

    Attributes
    ----------
    start, stop : int
        Where they lie in the exposure's array, along the slow axis.
    on_detector : int
        Where the first of them lies on the detector.
    leads : bool
        Whether these are the lines at the start (of reference pixels), that are read before a stripe.
    """

    start: int
    stop: int
    on_detector: int
    leads: bool = False

    def __len__(self) -> int:
        """Its lines."""
        return self.stop - self.start

    def within(self, start: int, stop: int) -> Stripe | None:
        """Return the part that lies in lines [start, stop) of the exposure's array."""
        first, last = max(self.start, start), min(self.stop, stop)
        return (
            Stripe(first, last, self.on_detector + first - self.start, self.leads) if first < last else None
        )


def stripes_of(sub: Any, size: int, name: str) -> tuple[Stripe, ...]:
    """Return the stripes of an exposure; none if it was read in one piece.

    Parameters
    ----------
    sub : node
        Its ``meta.subarray``.
    size : int
        Lines of its array along the slow axis.
    name : str
        Its name for messages.

    Raises
    ------
    InputError
        If the stripes do not make up the array, or each integration reads others (superstripes).
    """
    if (getattr(sub, "num_superstripe", None) or 0) > 0:
        raise InputError(
            f"{name}: each of its integrations reads other stripes (SSTR_NST = {sub.num_superstripe}); steps "
            "up to refpix, calwebb_detector1 and calwebb_dark take superstripes, and put them together"
        )
    if getattr(sub, "multistripe_reads1", None) is None:
        return ()
    backwards = (sub.slowaxis or 0) < 0
    found: list[Stripe] = []
    for line, count, leads in _reads(sub, _first_line(sub, backwards), name):
        start = found[-1].stop if found else 0
        found.append(Stripe(start, start + count, line, leads))
        if found[-1].stop >= size:
            break
    if found[-1].stop != size or any(s.on_detector + len(s) > LINES for s in found):
        raise InputError(
            f"{name}: its stripes (MSTR_RD1 … MSTR_RPT) end at line {found[-1].stop}, but its array has "
            f"{size} lines; correct the header"
        )
    if backwards:
        found = [
            Stripe(size - s.stop, size - s.start, LINES - s.on_detector - len(s), s.leads)
            for s in found[::-1]
        ]
    return tuple(found)


def _first_line(sub: Any, backwards: bool) -> int:
    """Return the line that is read first, counted in the direction of the read-out."""
    start = sub.ystart if abs(sub.slowaxis or 2) == 2 else sub.xstart
    if "DHS" in str(sub.name).upper() or (backwards and start == 1):
        return 0  # headers of early exposures say otherwise
    return int(LINES - start if backwards else start - 1)


def _reads(sub: Any, first: int, name: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the first line, the number of lines, and whether they are those at the start; without end."""
    reads1, skips1 = sub.multistripe_reads1, sub.multistripe_skips1 or 0
    reads2, skips2 = sub.multistripe_reads2 or 0, sub.multistripe_skips2 or 0
    if reads2 < 1:
        raise InputError(
            f"{name}: MSTR_RD2 = {reads2}, but a stripe has at least one line; correct the header"
        )
    again = bool(sub.repeat_stripe)
    step = reads2 + skips2 if sub.interleave_reads1 or not again else 0
    number = 0
    while True:
        if reads1 > 0 and (again or number == 0):
            yield first, reads1, True
        yield first + reads1 + skips1 + number * step, reads2, False
        number += 1
