"""How a MULTIACCUM ramp is sampled in time.

An integration is a series of frames read without reset, one every `tframe` seconds. `nframes`
consecutive frames are averaged on board into a group, then `groupgap` frames are dropped; `drop_frames1`
frames may be dropped before the first group. See the JWST documentation, "Understanding Exposure Times".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Frames averaged and frames dropped per group, by read pattern (JDox, detector readout patterns).
PATTERNS: dict[str, tuple[int, int]] = {
    # NIRCam
    "RAPID": (1, 0),
    "BRIGHT1": (1, 1),
    "BRIGHT2": (2, 0),
    "SHALLOW2": (2, 3),
    "SHALLOW4": (4, 1),
    "MEDIUM2": (2, 8),
    "MEDIUM8": (8, 2),
    "DEEP2": (2, 18),
    "DEEP8": (8, 12),
    "DHS3": (1, 0),
    # NIRISS
    "NIS": (4, 0),
    "NISRAPID": (1, 0),
    # NIRSpec
    "NRS": (4, 0),
    "NRSRAPID": (1, 0),
    "NRSRAPIDD1": (1, 1),
    "NRSRAPIDD2": (1, 2),
    "NRSRAPIDD6": (1, 6),
    "NRSSLOW": (8, 0),
    "NRSIRS2": (5, 0),
    "NRSIRS2RAPID": (1, 0),
    # FGS
    "FGS": (1, 0),
    "FGSRAPID": (1, 0),
    # MIRI
    "FAST": (1, 0),
    "FASTR1": (1, 0),
    "FASTR100": (1, 0),
    "FASTGRPAVG": (4, 0),
    "FASTGRPAVG8": (8, 0),
    "FASTGRPAVG16": (16, 0),
    "FASTGRPAVG32": (32, 0),
    "FASTGRPAVG64": (64, 0),
    "SLOW": (4, 0),
    "SLOWR1": (1, 0),
}


@dataclass(frozen=True, slots=True)
class Readout:
    """Sampling of one integration.

    Attributes
    ----------
    ngroups, nframes, groupgap : int
        Groups of an integration, frames averaged into a group, frames dropped after a group.
    tframe, tgroup : float
        Seconds between frames and between groups.
    """

    ngroups: int
    nframes: int
    groupgap: int
    tframe: float
    tgroup: float
    drop_frames1: int = 0

    @property
    def total_frames(self) -> int:
        """Frames from the first to the last that contributes to a group."""
        return self.ngroups * self.nframes + (self.ngroups - 1) * self.groupgap

    def frames_of_group(self, group: int) -> range:
        """0-based indices of the frames averaged into `group`."""
        first = self.drop_frames1 + group * (self.nframes + self.groupgap)
        return range(first, first + self.nframes)

    @property
    def mean_times(self) -> np.ndarray:
        """Mean time of each group's frames since reset, in seconds, shape (ngroups,)."""
        return np.array([(np.mean(self.frames_of_group(g)) + 1) * self.tframe for g in range(self.ngroups)])
