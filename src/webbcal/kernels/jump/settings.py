"""Parameters of jump detection, and the choice between its methods."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from webbcal.core import dqflags

#: Integrations, and of those the usable ones, that it takes to compare them in time.
FEWEST_INTS = 3
#: Standard deviation of a normal distribution, in units of its median absolute deviation.
MAD_TO_SIGMA = 1.4826


class Method(IntEnum):
    """How jumps are looked for; the exposure decides (see `choose_method`)."""

    NONE = 0
    ITERATIVE = 1
    SINGLE_PASS = 2
    SIGMA_CLIP = 3
    RUNNING = 4


@dataclass(frozen=True, slots=True)
class JumpSettings:
    """Settings of `detect_jumps`.

    Attributes
    ----------
    rejection_threshold, four_group_rejection_threshold, three_group_rejection_threshold : float
        Jumps are differences this many sigma from the median, for ramps with four or more, three, and two
        usable differences. Single pass and sigma clipping know the first only.
    flag_4_neighbors : bool
        Also flag the pixels above, below, left and right of a jump.
    min_jump_to_flag_neighbors, max_jump_to_flag_neighbors : float
        Only jumps between these numbers of sigma flag their neighbours.
    after_jump_electrons1, after_jump_electrons2 : float
        Jumps of at least this size flag groups after them, too (see `after_jump_electrons`).
    after_jump_groups1, after_jump_groups2 : int
        How many groups; 0 for none.
    min_diffs_single_pass : int
        With this many usable differences in an integration, all outliers are flagged in one pass.
    minimum_groups : int
        With fewer usable groups in an integration nothing is done (unless sigma clipping applies).
    minimum_sigclip_groups : int
        Sigma clipping is used with this many integrations (`only_use_ints`) or usable groups (otherwise).
    only_use_ints : bool
        Sigma clipping compares the same difference across integrations; otherwise all differences.
    nframes : int
        Frames averaged into a group: reduces the read noise.
    running_ints : int
        Compare each difference with the median of the same difference in as many integrations around its own
        (a source may change slowly); 0 to choose between the other methods.
    """

    rejection_threshold: float = 4.0
    three_group_rejection_threshold: float = 6.0
    four_group_rejection_threshold: float = 5.0
    flag_4_neighbors: bool = True
    max_jump_to_flag_neighbors: float = 1000.0
    min_jump_to_flag_neighbors: float = 10.0
    after_jump_electrons1: float = 0.0
    after_jump_groups1: int = 0
    after_jump_electrons2: float = 0.0
    after_jump_groups2: int = 0
    min_diffs_single_pass: int = 10
    minimum_groups: int = 3
    minimum_sigclip_groups: int = 100
    only_use_ints: bool = True
    nframes: int = 1
    running_ints: int = 0

    @property
    def spreads(self) -> bool:
        """Whether a jump can flag samples other than its own."""
        return self.flag_4_neighbors or self.after_jump_groups1 > 0 or self.after_jump_groups2 > 0


@dataclass(frozen=True, slots=True)
class JumpTally:
    """What one band tells about the exposure.

    Attributes
    ----------
    method : Method
        The method that was used; ``NONE`` if there were too few groups (nothing was looked for).
    primary : int
        Samples with JUMP_DET in the counted pixels before neighbours and after-jump groups are added.
    full_groups : array of bool, shape (nints, ngroups)
        Sigma clipping only (False otherwise): groups in which every counted pixel is JUMP_DET or
        DO_NOT_USE. A group that is full in *all* bands is not a shower of cosmic rays: run again with those
        groups as `cleared_groups`.
    """

    method: Method
    primary: int
    full_groups: np.ndarray


def choose_method(settings: JumpSettings, all_dnu_groups: np.ndarray) -> Method:
    """Choose how to look for jumps.

    Parameters
    ----------
    settings : JumpSettings
    all_dnu_groups : array of bool, shape (nints, ngroups)
        Groups in which every pixel of the frame is DO_NOT_USE.
    """
    nints, ngroups = all_dnu_groups.shape
    if settings.running_ints and nints >= FEWEST_INTS:
        return Method.RUNNING
    samples = nints if settings.only_use_ints else int(nints * ngroups - all_dnu_groups.sum())
    if samples >= settings.minimum_sigclip_groups:
        return Method.SIGMA_CLIP
    usable_groups = ngroups - int(all_dnu_groups.sum(axis=1).max())
    if usable_groups < settings.minimum_groups:
        return Method.NONE
    if usable_groups - 1 >= settings.min_diffs_single_pass:
        return Method.SINGLE_PASS
    return Method.ITERATIVE


def after_jump_electrons(threshold_dn: float, gain: np.ndarray) -> float:
    """Convert an after-jump threshold from DN to electrons with the median gain of the whole frame.

    The product is rounded to float32, as the official pipeline does, so that samples exactly at the threshold
    are decided alike.
    """
    return float(np.float32(threshold_dn * np.nanmedian(np.asarray(gain, dtype=np.float32))))


def flag_missing_gain(pixeldq: np.ndarray, gain: np.ndarray) -> None:
    """Flag pixels whose gain is NaN, zero or negative as NO_GAIN_VALUE and DO_NOT_USE, in place."""
    pixeldq[~(gain > 0)] |= np.uint32(dqflags.pixel["NO_GAIN_VALUE"] | dqflags.pixel["DO_NOT_USE"])


def check_band(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    all_dnu_groups: np.ndarray,
) -> None:
    """Raise ValueError unless the arrays of a band have the types and shapes that the kernels expect."""
    image = data.shape[2:]
    expected: list[tuple[str, np.ndarray, type, tuple[int, ...]]] = [
        ("data", data, np.float32, (*data.shape[:2], *image)),
        ("groupdq", groupdq, np.uint8, data.shape),
        ("pixeldq", pixeldq, np.uint32, image),
        ("gain", gain, np.float32, image),
        ("readnoise", readnoise, np.float32, image),
        ("all_dnu_groups", all_dnu_groups, np.bool_, data.shape[:2]),
    ]
    for name, array, dtype, shape in expected:
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(
                f"{name} must be a C-contiguous {np.dtype(dtype)} array of shape {shape}, "
                f"not {array.dtype} {array.shape}"
            )
