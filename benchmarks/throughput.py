"""How many pixels a second one core searches for jumps and fits: the kernels alone, on blocks of the engine.

    python benchmarks/throughput.py [--groups 10 6] [--rows 1024]

Ramps of 2048 columns with photon and read noise, particles in 2% of the ramps, and some that saturate. Prints
a table in Markdown: millions of pixels a second, the best of some repetitions of each block. Published rates
are for ramps of 10 resultants with jump rejection, and of 6 without, on one core (docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from webbcal import kernels
from webbcal.kernels.jump.settings import JumpSettings
from webbcal.kernels.ramp_fit.settings import RampFitSettings
from webbcal.run.engine.tiling import cut_rows

GAIN, NOISE, GROUP_TIME = 1.8, 10.0, 53.7
REPETITIONS = 5


def block(rng: np.random.Generator, groups: int, rows: int) -> tuple[np.ndarray, ...]:
    """Return ramps (DN), flags of samples and of pixels, gain and read noise of some rows."""
    shape = (1, groups, rows, 2048)
    rate = rng.exponential(60.0, shape[2:])
    steps = rng.poisson(np.broadcast_to(rate, shape)).astype(np.float32)
    steps += (rng.random(shape) < 0.02 / groups) * rng.exponential(1500.0, shape)
    data = np.cumsum(steps, axis=1) / GAIN + rng.normal(0, NOISE / np.sqrt(2), shape)
    start = rng.integers(0, 200 * groups, (1, 1, *shape[2:]))
    groupdq = np.where(np.arange(groups)[:, None, None] >= start, 2, 0).astype(np.uint8)
    gain, noise = (np.full(shape[2:], v, np.float32) for v in (GAIN, NOISE))
    return data.astype(np.float32), groupdq, np.zeros(shape[2:], np.uint32), gain, noise


def best(work: Callable[[np.ndarray, np.ndarray], object], flags: np.ndarray, pixels: np.ndarray) -> float:
    """Return the shortest time of some repetitions; each gets flags of its own."""
    times = []
    for _ in range(REPETITIONS):
        own = flags.copy(), pixels.copy()
        start = time.perf_counter()
        work(*own)
        times.append(time.perf_counter() - start)
    return min(times)


def rates(groups: int, rows: int) -> dict[str, float]:
    """Return millions of pixels a second: jumps and fit, the fit alone, and jumps alone."""
    jump, fit = kernels.get("jump"), kernels.get("ramp_fit")
    size = cut_rows((1, groups, 2048, 2048), 1, 1).rows
    unused = np.zeros((1, groups), bool)
    settings = RampFitSettings(group_time=GROUP_TIME, frame_time=GROUP_TIME)

    def jumps(flags: np.ndarray, pixels: np.ndarray) -> None:
        jump.detect_jumps(data, flags, pixels, gain, noise, JumpSettings(), unused)

    def slopes(flags: np.ndarray, pixels: np.ndarray) -> None:
        fit.fit_ramps(data, flags, pixels, gain, noise, None, None, settings)

    def both(flags: np.ndarray, pixels: np.ndarray) -> None:
        jumps(flags, pixels)
        slopes(flags, pixels)

    seconds = dict.fromkeys(("jumps and fit", "fit", "jumps"), 0.0)
    rng = np.random.default_rng(groups)
    for _ in range(-(-rows // size)):
        data, groupdq, pixeldq, gain, noise = block(rng, groups, size)
        for name, work in zip(seconds, (both, slopes, jumps), strict=True):
            seconds[name] += best(work, groupdq, pixeldq)
    pixels = -(-rows // size) * size * 2048
    return {name: pixels / s / 1e6 for name, s in seconds.items()}


def main() -> None:
    """Measure the chosen lengths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--groups", type=int, nargs="+", default=[10, 6])
    parser.add_argument("--rows", type=int, default=512)
    options = parser.parse_args()
    print("| groups | jumps and fit, Mpixel/s | fit alone | jumps alone |")
    print("|---|---|---|---|")
    for groups in options.groups:
        found = rates(groups, options.rows)
        print(f"| {groups} | " + " | ".join(f"{v:.2f}" for v in found.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
