"""Make the numbers and pictures of docs/truth.md: full-frame exposures of a lamp, calibrated and compared.

Usage: python benchmarks/truth.py [FOLDER]

Takes some ten minutes and 2 GB in FOLDER (default .bench/truth), and rewrites docs/images/truth_*.png. With
WEBBCAL_PEER_PYTHON set, the official pipeline counts false jumps on the same data.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "truth"))

from ideal import Ideal, ideal_ramps  # noqa: E402
from stage1 import (  # noqa: E402
    JUMP,
    Hits,
    Pulls,
    Run,
    brightest,
    calibrate,
    cds_noise,
    common_offset,
    hits,
    jump_share,
    lamp,
    pulls,
    unflagged,
)

from webbcal import simulate  # noqa: E402

PATTERNS = {"RAPID": 10, "BRIGHT2": 10, "SHALLOW4": 10, "MEDIUM8": 8, "DEEP8": 6}
FAINT, BINS, BLOCK = 0.2, 14, 8


@dataclass(frozen=True)
class Result:
    """What is shown of one read pattern."""

    pulls: Pulls
    ideal: list[Ideal]
    jumps: np.ndarray
    hits: Hits


def exposure(
    readpatt: str, cosmic_rays: bool, seed: int = 1, ngroups: int | None = None
) -> simulate.ExposureConfig:
    return simulate.ExposureConfig(
        readpatt=readpatt, ngroups=ngroups or PATTERNS[readpatt], cosmic_rays=cosmic_rays, seed=seed
    )


def study(folder: Path, readpatt: str) -> Result:
    """Calibrate one pattern without and with cosmic rays."""
    config = exposure(readpatt, cosmic_rays=False)
    run = shine(folder, config, 0.9)
    measured = pulls(run, BINS, offset=common_offset(run))
    raw = pulls(run, BINS)
    ideal = [ideal_ramps(config.readout, r, cds_noise(config), dark=0.03, n=200_000) for r in measured.rate]
    edges = np.concatenate([[0.0], np.sqrt(measured.rate[1:] * measured.rate[:-1]), [np.inf]])
    jumps = np.array([jump_share(run, a, b) for a, b in pairwise(edges)])
    report(readpatt, measured, raw, ideal, jumps, run)
    if readpatt == "SHALLOW4":
        peer_jumps(folder, run)
    found = hits(shine(folder, exposure(readpatt, cosmic_rays=True), 0.9))
    print(f"  hits above 10 sigma: {(found.size > 10).sum()}, found {found.completeness(10.0):.4%};", end=" ")
    print(f"above 5 sigma: {found.completeness(5.0):.2%}")
    return Result(measured, ideal, jumps, found)


def shine(folder: Path, config: simulate.ExposureConfig, share: float) -> Run:
    """Calibrate a lamp up to a share of the full well, in place of the exposure before."""
    shutil.rmtree(folder, ignore_errors=True)
    # A folder of its own: rules of a CRDS context are read once in a process.
    folder = folder / f"{config.readpatt}_{config.ngroups}_{config.seed}_{config.cosmic_rays}"
    return calibrate(folder, config, lamp(config, FAINT, brightest(config, share), BLOCK))


def report(
    readpatt: str, measured: Pulls, raw: Pulls, ideal: list[Ideal], jumps: np.ndarray, run: Run
) -> None:
    """Print a table of one pattern."""
    faint = unflagged(run) & (run.truth.rate > 0) & (run.truth.rate < measured.rate[1])
    offset = common_offset(run)
    print(
        f"{readpatt}: common offset {offset:+.5f} DN/s, {offset / np.median(run.rate.err[faint]):+.4f} sigma"
    )
    print("   e-/s   raw     mean    ideal   stated   ideal   width  ideal  stated  ideal  jumps  ideal")
    for k, i in enumerate(ideal):
        means = (raw.mean[k], measured.mean[k], i.typical_mean, measured.stated_mean[k], i.mean)
        widths = (measured.width[k], i.typical_width, measured.stated_width[k], i.width)
        print(
            f"{measured.rate[k]:8.2f}",
            *(f"{m:+7.4f}" for m in means),
            *(f"{w:6.4f}" for w in widths),
            end=" ",
        )
        print(f"{jumps[k]:7.4%} {i.false_jumps:7.4%}")
    print(
        f"  largest mean pull {np.abs(measured.mean).max():.4f} (raw {np.abs(raw.mean).max():.4f}),", end=" "
    )
    print(f"jump flags on {jump_share(run):.4%} of the pixels without cosmic rays", flush=True)


def peer_jumps(folder: Path, run: Run) -> None:
    """Count the jump flags of the official pipeline on the same file."""
    peer = os.environ.get("WEBBCAL_PEER_PYTHON")
    if not peer:
        return
    from astropy.io import fits

    uncal = next(folder.glob("*/*_uncal.fits"))
    out = uncal.parent / "peer"
    out.mkdir()
    job = {"class": "Detector1Pipeline", "input": str(uncal), "output_dir": str(out)}
    script = ROOT / "tests" / "parity" / "peer_scripts" / "detector1_peer.py"
    environment = os.environ | simulate.CrdsCache(uncal.parent / "crds").environment
    jobs = json.dumps([job | {"parameters": {"save_results": True}}])
    subprocess.run([peer, script], input=jobs, text=True, check=True, capture_output=True, env=environment)
    theirs = fits.getdata(next(out.glob("*_rate.fits")), "DQ")
    ours = np.asarray(run.rate.dq)
    shares = [((dq & JUMP) != 0).mean() for dq in (ours, theirs)]
    print(f"  jump flags on all pixels: webbcal {shares[0]:.4%}, jwst {shares[1]:.4%};", end=" ")
    print(f"{np.count_nonzero(ours != theirs)} pixels with other flags")


def offsets(folder: Path) -> None:
    """Show how the offset that all pixels share scatters between exposures, and what is left on average."""
    means = []
    for seed in range(11, 17):
        run = shine(folder, exposure("SHALLOW4", False, seed, 6), 0.9)
        means.append(pulls(run, 8).mean)
    means = np.array(means)
    print("mean pull of six exposures (SHALLOW4, 6 groups), nothing subtracted, by brightness:")
    print("  in the faintest bin of each:", np.round(means[:, 0], 4))
    print("  mean of all:", np.round(means.mean(0), 4))


def draw(results: dict[str, Result]) -> None:
    """Draw the pictures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for k, (name, r) in enumerate(results.items()):
        style = {"color": f"C{k}", "label": name}
        left.plot(r.pulls.rate, r.pulls.mean, "o", ms=3.5, **style)
        left.plot(r.pulls.rate, r.pulls.stated_mean, "x", ms=3.5, color=f"C{k}")
        left.plot(r.pulls.rate, [i.mean for i in r.ideal], "-", lw=0.8, color=f"C{k}")
        right.plot(r.pulls.rate, r.pulls.stated_width, "o", ms=3.5, **style)
        right.plot(r.pulls.rate, [i.width for i in r.ideal], "-", lw=0.8, color=f"C{k}")
    left.axhspan(-0.02, 0.02, color="0.92")
    left.set(ylabel="mean pull", title="dots: typical error; crosses and lines: stated error")
    right.axhline(1.0, color="0.6", lw=0.8)
    right.set(ylabel="standard deviation of the pulls", title="dots: measured; lines: ideal ramps")
    for axes in (left, right):
        axes.set(xscale="log", xlabel="true rate (e$^-$/s)")
    right.legend(fontsize=8)
    figure.savefig(images / "truth_pulls.png", dpi=100)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    edges = np.geomspace(1, 300, 26)
    for k, (name, r) in enumerate(results.items()):
        which = np.digitize(r.hits.size, edges)
        share = [r.hits.found[which == b].mean() if (which == b).sum() > 20 else np.nan for b in range(1, 26)]
        left.plot(np.sqrt(edges[1:] * edges[:-1]), share, "-", lw=1, color=f"C{k}", label=name)
        right.plot(r.pulls.rate, 100 * r.jumps, "o", ms=3.5, color=f"C{k}", label=name)
        right.plot(r.pulls.rate, [100 * i.false_jumps for i in r.ideal], "-", lw=0.8, color=f"C{k}")
    left.axvline(10, color="0.6", lw=0.8)
    left.axhline(0.99, color="0.6", lw=0.8)
    left.set(xscale="log", xlabel="size of the hit (sigma)", ylabel="share found", title="cosmic rays")
    right.set(xscale="log", xlabel="true rate (e$^-$/s)", ylabel="pixels with a jump flag (%)")
    right.set(title="no cosmic rays. dots: measured; lines: ideal ramps")
    left.legend(fontsize=8)
    figure.savefig(images / "truth_jumps.png", dpi=100)


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    results = {name: study(folder, name) for name in PATTERNS}
    draw(results)
    offsets(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".bench" / "truth")
