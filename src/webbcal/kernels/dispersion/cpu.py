"""Dispersing pixels, compiled: see `webbcal.kernels.dispersion.reference` for the definition."""

from __future__ import annotations

import numpy as np

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import kernel
from webbcal.kernels.dispersion.reference import F64, node_weights

__all__ = ["node_weights", "spread", "warm_up"]


def spread(nodes: F64, weights: F64, flux: F64, factors: F64, corner: tuple[int, int], out: F64) -> None:
    """Add the spectra of the pixels of a source to an image, in place; as `reference.spread`."""
    _spread(
        readable(nodes, np.float64, 3),
        readable(weights, np.float64, 2),
        readable(flux, np.float64, 1),
        readable(factors, np.float64, 2),
        *corner,
        inplace(out, np.float64, 3, "out"),
    )


@kernel
def _spread(nodes, weights, flux, factors, y0, x0, out):  # type: ignore[no-untyped-def]
    ny, nx, planes = out.shape
    for w in range(nodes.shape[0]):
        for p in range(flux.size):
            x, y = -float(x0), -float(y0)
            for k in range(9):
                x += weights[p, k] * nodes[w, k, 0]
                y += weights[p, k] * nodes[w, k, 1]
            if not (x > -1 and x < nx and y > -1 and y < ny):
                continue
            i, j = int(np.floor(x)), int(np.floor(y))
            right, above = x - i, y - j
            for dy in range(2):
                if j + dy < 0 or j + dy >= ny:
                    continue
                row = above if dy else 1 - above
                for dx in range(2):
                    if i + dx < 0 or i + dx >= nx:
                        continue
                    share = row * (right if dx else 1 - right) * flux[p]
                    for k in range(planes):
                        out[j + dy, i + dx, k] += share * factors[w, k]


def warm_up() -> None:
    """Compile what is not compiled yet."""
    nodes, weights = np.zeros((1, 9, 2)), np.zeros((1, 9))
    spread(nodes, weights, np.ones(1), np.ones((1, 1)), (0, 0), np.zeros((1, 1, 1)))
