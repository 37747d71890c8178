"""How MIRI's detectors are clocked: when each pixel is sampled, in units of 10 µs.

Four outputs are read side by side, so four neighbouring columns are sampled at once. A pixel takes `nsamples`
clocks (1 in FAST modes, 9 in SLOW ones); a row takes `row` clocks. In a subarray, the rows that are not read
are skipped, seven clocks each. Between integrations the array is reset once more, which takes the time of a
frame.

Numbers: clocks of the EMICORR reference files and of JDox, "MIRI Detector Readout Overview".
"""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds of a clock.
CLOCK = 10e-6
#: Rows and columns of a full frame.
FRAME = (1024, 1032)
#: Pixels that are read side by side.
OUTPUTS = 4
#: Clocks to skip a row.
_SKIPPED = 7

#: Subarray (with the speed for the full frame) -> clocks of a row, and of a frame.
CLOCKS: dict[str, tuple[int, int]] = {
    "FULL_FAST": (271, 277504),
    "FULL_SLOW": (2333, 2388992),
    "BRIGHTSKY": (162, 86528),
    "SUB256": (96, 29952),
    "SUB128": (44, 11904),
    "SUB64": (28, 8512),
    "SLITLESSPRISM": (28, 15904),
    "MASKLYOT": (90, 32400),
    "MASK1065": (82, 23968),
    "MASK1140": (82, 23968),
    "MASK1550": (82, 23968),
}


def speed(readpatt: str) -> str | None:
    """Return FAST or SLOW, or None for a read pattern that is neither."""
    return next((word for word in ("SLOW", "FAST") if word in readpatt.upper()), None)


def case_name(subarray: str, readpatt: str) -> str:
    """Return the name of a subarray in tables of clocks: that of a full frame has the speed."""
    return f"{subarray}_{speed(readpatt)}" if "FULL" in subarray else subarray


@dataclass(frozen=True, slots=True)
class Clocks:
    """Times of the samples of an exposure, in clocks from the first sample of the first integration.

    Attributes
    ----------
    rows : int
        Rows that are read.
    groups : int
        Groups of an integration.
    row : int
        Clocks of a row.
    reset : int
        Clocks between the last frame of an integration and the first of the next.
    nsamples : int
        Clocks of a pixel.
    """

    rows: int
    groups: int
    row: int
    reset: int
    nsamples: int = 1

    @property
    def frame(self) -> int:
        """Clocks from a frame to the next."""
        return self.rows * self.row + (FRAME[0] - self.rows) * _SKIPPED

    @property
    def integration(self) -> int:
        """Clocks from an integration to the next."""
        return self.groups * self.frame + self.reset
