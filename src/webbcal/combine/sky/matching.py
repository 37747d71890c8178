"""Sky levels of images: measured in overlaps and as a whole, then balanced.

Each image is read once: its level as a whole, and in its overlap with every other group of images. That is
all that any of the methods needs, so memory does not grow with the number of images. The differences in the
overlaps are balanced by weighted least squares (M. Cara's algorithm in AstroDrizzle's ``skymatch``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.sky.overlaps import fill
from webbcal.combine.sky.statistics import SkyStatistic

distribution = kernels.get("distribution")
log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Method = Literal["local", "global", "match", "global+match"]
#: A level and the number of pixels it is of.
Level = tuple[float, int]

#: Singular values below this, relative to the largest, count as zero.
_RANK = 1e-12


@dataclass
class SkyImage:
    """An image whose sky is measured.

    Attributes
    ----------
    group : int
        Images of one group get one and the same change of level.
    read : callable
        Returns the pixels and which of them may be used.
    overlaps : dict
        Group -> loops of vertices (pixels) within which this image overlaps with images of that group.
    whole : tuple, optional
        Level of the whole image, and number of pixels.
    within : dict
        Group -> the same of the overlap with it.
    """

    group: int
    read: Callable[[], tuple[F32, Bool]]
    overlaps: dict[int, list[tuple[F64, F64]]] = field(default_factory=dict)
    whole: Level | None = None
    within: dict[int, Level] = field(default_factory=dict)


def measure(images: Sequence[SkyImage], statistic: SkyStatistic, whole: bool, threads: int) -> None:
    """Measure all images, a few at a time: in overlaps and, if asked for, as a whole."""

    def one(image: SkyImage) -> None:
        data, good = image.read()
        values = distribution.ImageValues(data, good)
        if whole:
            image.whole = statistic(values.whole())
        for group, loops in image.overlaps.items():
            inside = np.zeros(data.shape, bool)
            for x, y in loops:
                fill(inside, x, y)
            level = statistic(values.within(inside))
            if level is not None:
                image.within[group] = level

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, images))


def sky_levels(
    images: Sequence[SkyImage], method: Method, match_down: bool
) -> tuple[list[float | None], str | None]:
    """Return the level of each group (None where it cannot be told), and a remark on the solution.

    Parameters
    ----------
    images : sequence of SkyImage
        Measured.
    method : str
        ``local``: of each group; ``global``: the lowest of all; ``match``: differences to the lowest (or
        highest); ``global+match``: the lowest of all once they are matched, plus the differences.
    match_down : bool
        Match to the lowest level (else the highest).
    """
    ngroups = 1 + max(image.group for image in images)
    deltas: list[float | None] = [0.0] * ngroups
    remark = None
    if "match" in method:
        deltas, remark = _matched(images, ngroups, match_down)
    if method == "match":
        return deltas, remark
    lowest = [_lowest(images, group, deltas[group] or 0.0) for group in range(ngroups)]
    if method == "local":
        return lowest, remark
    known = [level for level in lowest if level is not None]
    if not known:
        return deltas if "match" in method else lowest, remark
    return [(delta or 0.0) + min(known) for delta in deltas], remark


def _lowest(images: Sequence[SkyImage], group: int, delta: float) -> float | None:
    """Return the lowest level among the images of a group, relative to `delta`."""
    levels = [i.whole[0] - delta for i in images if i.group == group and i.whole is not None]
    return min(levels) if levels else None


def _matched(
    images: Sequence[SkyImage], ngroups: int, match_down: bool
) -> tuple[list[float | None], str | None]:
    """Return the differences between groups that make overlaps equal; the lowest (or highest) is zero."""
    level, weight = np.zeros((ngroups, ngroups)), np.zeros((ngroups, ngroups))
    for image in images:
        for other, (value, npix) in image.within.items():
            level[image.group, other] += value * npix
            weight[image.group, other] += npix
    level = np.divide(level, weight, out=level, where=weight > 0)
    pairs = [
        (i, j) for i in range(ngroups) for j in range(i + 1, ngroups) if min(weight[i, j], weight[j, i]) > 0
    ]
    if not pairs:
        return [None] * ngroups, None
    equations, differences = np.zeros((len(pairs), ngroups)), np.zeros(len(pairs))
    for row, (i, j) in enumerate(pairs):
        mean = 0.5 * (weight[i, j] + weight[j, i])
        equations[row, i], equations[row, j] = mean, -mean
        differences[row] = mean * (level[i, j] - level[j, i])
    solution = np.linalg.pinv(equations, rcond=_RANK) @ differences
    known = np.zeros(ngroups, bool)
    known[np.unique(pairs)] = True
    solution -= solution[known].min() if match_down else solution[known].max()
    remark = None
    if known.all() and np.linalg.matrix_rank(equations, _RANK) < ngroups - 1:
        remark = (
            "the exposures form several sets that do not overlap with each other; each is matched by itself"
        )
    return [float(s) if k else None for s, k in zip(solution, known, strict=True)], remark
