"""Connected regions of a frame, compiled: see `webbcal.kernels.regions.reference` for the definition.

Flagged pixels are few. A row is searched eight pixels at a time; stretches of flagged pixels (runs) are
joined with those of the row above that touch them (union-find on runs, the earliest is the root), so that no
image of labels is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.regions.table import Regions

_WORD = 8


def find_regions(flags: NDArray[np.uint8], bit: int) -> Regions:
    """Return the regions of pixels that have a bit set; as `reference.find_regions`."""
    ny, nx = flags.shape
    plane = np.zeros((ny, -(-nx // _WORD) * _WORD), np.uint8) if nx % _WORD else np.ascontiguousarray(flags)
    if nx % _WORD:
        plane[:, :nx] = flags
    words = plane.view(np.uint64)
    mask = np.uint64(int(bit) * 0x0101010101010101)
    room = 1024
    while True:
        runs, parent = np.empty((room, 3), np.int32), np.empty(room, np.int32)
        n = _find_runs(plane, words, mask, np.uint8(bit), runs, parent)
        if n <= room:
            break
        room = n
    runs, parent = runs[:n], parent[:n]
    owner = np.empty(n, np.int32)
    regions = _number(parent, owner)
    order, first = np.empty(n, np.int64), np.zeros(regions + 1, np.int64)
    _gather(owner, order, first)
    return Regions(runs[order], first)


@kernel
def _find_runs(plane, words, mask, bit, runs, parent):  # type: ignore[no-untyped-def]
    """Find the runs of all rows and join those that touch; return their number, also beyond the room."""
    ny, nx = plane.shape
    room = len(parent)
    n, above = 0, 0  # `above`: first run of the row before
    for y in range(ny):
        here, open_run, start = n, False, 0
        for w in range(words.shape[1]):
            word = words[y, w] & mask
            if word == 0 and not open_run:
                continue
            for x in range(8 * w, 8 * w + 8):
                if (plane[y, x] & bit) != 0:
                    if not open_run:
                        open_run, start = True, x
                elif open_run:
                    open_run = False
                    if n < room:
                        _add(runs, parent, n, y, start, x)
                    n += 1
        if open_run:
            if n < room:
                _add(runs, parent, n, y, start, nx)
            n += 1
        if n <= room:
            _join(runs, parent, above, here, n)
        above = here
    return n


@helper
def _add(runs, parent, n, y, start, stop):  # type: ignore[no-untyped-def]
    runs[n, 0], runs[n, 1], runs[n, 2] = y, start, stop
    parent[n] = n


@helper
def _join(runs, parent, above, here, end):  # type: ignore[no-untyped-def]
    """Join the runs of a row, `here` to `end`, with those of the row above that touch them."""
    a = above
    for b in range(here, end):
        while a < here and runs[a, 2] < runs[b, 1]:  # ends before, with no corner in common
            a += 1
        k = a
        while k < here and runs[k, 1] <= runs[b, 2]:
            one, other = _root(parent, k), _root(parent, b)
            if one < other:
                parent[other] = one
            else:
                parent[one] = other
            k += 1


@helper
def _root(parent, k):  # type: ignore[no-untyped-def]
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@kernel
def _number(parent, owner):  # type: ignore[no-untyped-def]
    """Give regions their numbers in the order of their first runs; return how many there are."""
    regions = 0
    for k in range(len(parent)):
        root = _root(parent, k)
        if root == k:
            owner[k] = regions
            regions += 1
        else:
            owner[k] = owner[root]
    return regions


@kernel
def _gather(owner, order, first):  # type: ignore[no-untyped-def]
    """Sort runs by region, keeping their order (by counting)."""
    for k in range(len(owner)):
        first[owner[k] + 1] += 1
    for r in range(len(first) - 1):
        first[r + 1] += first[r]
    at = first.copy()
    for k in range(len(owner)):
        order[at[owner[k]]] = k
        at[owner[k]] += 1


def warm_up() -> None:
    """Compile what is not compiled yet."""
    find_regions(np.ones((2, 3), np.uint8), 1)
