"""Where to look for jumps: the pixels of an integration that show them best, apart from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError
from webbcal.plots.inputs import UNUSABLE, array_of, name_of, optional_array
from webbcal.plots.samples import BAD, JUMP, check_ramp

_APART = 6  # pixels: a particle's trace is shorter
_TIE = 1e-3  # weight of the size beside that
_CHUNK = 1 << 22  # samples that are looked at at once


def pixels_with_jumps(model: Any, integration: int, count: int) -> list[tuple[int, int]]:
    """Return columns and rows of pixels that show jumps best, at most `count`, read in bands of rows.

    A large jump makes a flat line of the rest of its ramp: what counts is the jump, but no more of it than
    the ramp rises without it; among equals the larger one comes first. Pixels that are not to be used, or
    saturate, are left out, and those near one that was chosen already.

    Raises
    ------
    InputError
        If it is no ramp, or groups are not flagged.
    """
    shape = check_ramp(model)
    if optional_array(model, "groupdq") is None:
        raise InputError(f"{name_of(model)}: its groups have no flags; give what jump has saved, or a _ramp")
    candidates: list[tuple[float, int, int]] = []
    rows = max(1, _CHUNK // (shape[1] * shape[3]))
    for y in range(0, shape[2], rows):
        flat = _scores(model, integration, slice(y, min(y + rows, shape[2]))).ravel()
        # Neighbours are left out later: keep enough of the best.
        best = np.argsort(flat)[::-1][: count * (2 * _APART) ** 2 // 4 + count]
        best = best[flat[best] > 0]
        candidates += [(float(flat[k]), int(k % shape[3]), y + int(k // shape[3])) for k in best]
    chosen: list[tuple[int, int]] = []
    for _, x, y in sorted(candidates, reverse=True):
        if len(chosen) == count:
            break
        if all(max(abs(x - u), abs(y - v)) >= _APART for u, v in chosen):
            chosen.append((x, y))
    return chosen


def _scores(model: Any, integration: int, rows: slice) -> NDArray[np.float32]:
    """Return how well each pixel of some rows shows its largest jump; 0 where there is none that counts."""
    flags = array_of(model, "groupdq").read(integration, slice(None), rows)
    jumped = (flags[1:] & JUMP) != 0
    if not jumped.any():
        return np.zeros(flags.shape[1:], np.float32)
    data = array_of(model, "data").read(integration, slice(None), rows).astype(np.float32)
    steps = np.diff(data, axis=0)
    typical = np.median(steps, axis=0)
    sizes = np.where(jumped, steps - typical, 0).max(axis=0)
    found: NDArray[np.float32] = np.minimum(sizes, np.abs(typical) * len(steps)) + _TIE * sizes
    found[((flags & BAD) != 0).any(axis=0) | ~np.isfinite(found)] = 0
    pixels = optional_array(model, "pixeldq")
    if pixels is not None:
        found[(pixels.read(rows) & (UNUSABLE | dqflags.pixel["DEAD"])) != 0] = 0
    return found
