"""Make the numbers and the picture of stages 2 and 3 in docs/truth.md, from dithered full frames.

Usage: python benchmarks/truth_imaging.py [FOLDER]

Takes some twenty minutes and 5 GB in FOLDER (default .bench/truth_imaging); rewrites
docs/images/truth_imaging.png.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "truth"))

from imaging import Combined, Field, StarField, align, calibrate, combine, flag, match_sky, ramps, rates  # noqa: E402
from measures import (  # noqa: E402
    Cores,
    Hits,
    Matched,
    Noise,
    cores,
    expected_width,
    match,
    noise,
    outlier_hits,
    ramp_hits,
    sky_errors,
    wcs_errors,
)

from webbcal import simulate  # noqa: E402

LONG = simulate.ExposureConfig(sky=StarField(bright=20.5, faint=26.0))
BANDS = {"F090W": "NRCB1", "F150W": "NRCB1", "F277W": "NRCALONG", "F444W": "NRCALONG"}
SCALES = ("1.2 0.7", "1.5 0.9", "2.0 1.4", "3.0 2.0", "4.0 3.0")
MAGNITUDES = np.arange(20.5, 26.1, 0.5)


@dataclass(frozen=True)
class Result:
    """What was measured of one field."""

    wcs: np.ndarray
    stars: Matched
    hits: Hits | None
    cores: Cores
    sky: np.ndarray
    noise: Noise


def study(name: str, field: Field, hits: Any = None) -> Result:
    """Take a field through stages 2 and 3; print and return what is measured."""
    calibrate(field)
    combined = combine(field)
    result = Result(
        wcs_errors(field, combined.exposures),
        match(field, combined),
        hits(field, combined.exposures) if hits else None,
        cores(field, combined.exposures),
        sky_errors(combined.exposures),
        noise(field, combined),
    )
    report(name, result, combined)
    shutil.rmtree(field.folder)
    return result


def report(name: str, r: Result, combined: Combined) -> None:
    """Print the numbers of one field."""
    print(
        f"{name}\n  WCS of the exposures (mas): largest error {np.hypot(*r.wcs.swapaxes(0, 1)).max():.2f}, ",
        end="",
    )
    print("means", *(f"{e:+.2f},{n:+.2f}" for e, n in r.wcs.mean(axis=2)))
    print("   mag  stars    east   north     rms |   flux  sampling  scatter |   pull  width   noise  width")
    for low in MAGNITUDES[:-1]:
        s = r.stars.whole & (r.stars.abmag >= low) & (r.stars.abmag < low + 0.5)
        if s.sum() > 10:
            print(f"  {low:.1f} {s.sum():5}", row(r.stars, s))
    print(f"  all   {r.stars.whole.sum():5}", row(r.stars, r.stars.whole))
    if r.hits is not None:
        parts = [f"above {n} sigma {r.hits.completeness(n):.2%}" for n in (5.0, 10.0, 20.0)]
        print(f"  {(r.hits.size > 10).sum()} hits above 10 sigma; found", ", ".join(parts), end="; ")
        steep = (r.hits.size > 10) & (r.hits.steepness > 10)
        flat = r.hits.completeness(10.0, flat=True)
        print(f"on flat ground {flat:.2%}, on steep {r.hits.found[steep].mean():.1%}")
    print(f"  {r.cores.pixels.sum()} pixels of star cores, flagged {r.cores.share():.4%}")
    error = np.mean([np.nanmedian(m.err) for m in combined.exposures])
    print("  sky levels off by", *(f"{e:+.5f}" for e in r.sky), f"MJy/sr; error of a pixel {error:.4f}")
    print("  noise in blocks of", *r.noise.blocks, ":", *(f"{w:.3f}" for w in r.noise.width), end=" ")
    print(
        "expected",
        *(f"{w:.3f}" for w in expected_width(r.noise.blocks)),
        f"offset {r.noise.offset:+.3f}",
        flush=True,
    )


def row(m: Matched, s: np.ndarray) -> str:
    """Return the line of a table on some stars."""
    east, north = m.offset[:, s].mean(axis=1)
    rms = np.sqrt((m.offset[:, s] ** 2).mean())
    flux, sampled = (m.flux / m.truth)[s] - 1, (m.sampled / m.truth)[s] - 1
    pull, alone = ((m.flux - m.truth) / m.error)[s], ((m.flux - m.sampled) / m.error)[s]
    return (
        f"{east:+7.2f} {north:+7.2f} {rms:7.2f} "
        f"| {flux.mean():+7.2%} {sampled.mean():+7.2%} {sampled.std():7.2%} "
        f"| {pull.mean():+6.2f} {pull.std():6.2f} {alone.mean():+6.2f} {alone.std():6.2f}"
    )


def undersampling(folder: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Return for each band and `scale` the share of star cores flagged, and of cosmic rays found."""
    table: dict[str, dict[str, tuple[float, float]]] = {}
    for band, detector in BANDS.items():
        sky = StarField(bright=20.5, faint=26.0, spacing=0.8 if detector == "NRCB1" else 2.0)
        config = simulate.ExposureConfig(detector=detector, filter=band, sky=sky, subarray="SUB640")
        field = rates(folder / band, config, rays=0.1)
        calibrate(field)
        with mock.patch.dict(os.environ, field.environment):
            aligned, table[band] = match_sky(align(field)), {}
            for scale in SCALES:
                exposures = flag(aligned, scale=scale)
                table[band][scale] = (
                    cores(field, exposures).share(),
                    outlier_hits(field, exposures).completeness(),
                )
        width = config.band.fwhm(config.aperture.x_scale)
        values = (f"{100 * a:.3f}/{100 * b:.1f}" for a, b in table[band].values())
        print(f"{band} (FWHM {width:.2f} pixels): cores flagged/rays found (%)", *values, flush=True)
        shutil.rmtree(folder / band)
    return table


def draw(fields: dict[str, Result], bands: dict[str, dict[str, tuple[float, float]]]) -> None:
    """Draw the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    for k, (name, r) in enumerate(fields.items()):
        style = {"color": f"C{k}", "label": name}
        draw_stars(axes[0], r.stars, k, style)
        if r.hits is not None:
            edges = np.geomspace(1, 300, 26)
            which = np.digitize(r.hits.size, edges)
            share = [
                r.hits.found[which == b].mean() if (which == b).sum() > 20 else np.nan for b in range(1, 26)
            ]
            axes[1, 0].plot(np.sqrt(edges[1:] * edges[:-1]), share, "-", **style)
        axes[1, 2].plot(r.noise.blocks, r.noise.width, "os^"[k], ms=5, **style)
    axes[1, 0].axvline(10, color="0.6", lw=0.8)
    axes[1, 0].axhline(0.98, color="0.6", lw=0.8)
    axes[1, 0].set(xscale="log", xlabel="size of the hit (sigma)", ylabel="share found", title="cosmic rays")
    for band, shares in bands.items():
        percent = [max(100 * shares[scale][0], 3e-3) for scale in SCALES]
        axes[1, 1].plot(SCALES, percent, "o-", ms=4, label=band)
    axes[1, 1].axhline(0.1, color="0.6", lw=0.8)
    axes[1, 1].set(yscale="log", xlabel="outlier_detection.scale", ylabel="pixels flagged as outliers (%)")
    axes[1, 1].set(title="cores of unsaturated stars")
    n = np.geomspace(1, 16, 50)
    axes[1, 2].plot(n, expected_width(n), "k-", lw=0.8, label="expected: 1 − 1/(3n)")
    axes[1, 2].set(
        xscale="log", xlabel="side of the blocks n (pixels)", title="scatter of block means / error plane"
    )
    for axis in (axes[0, 0], axes[1, 0], axes[1, 1], axes[1, 2]):
        axis.legend(fontsize=8)
    figure.savefig(ROOT / "docs" / "images" / "truth_imaging.png", dpi=90)


def draw_stars(axes: Any, m: Matched, k: int, style: dict[str, Any]) -> None:
    """Draw positions, fluxes and pulls of the stars of one field."""
    s = m.whole
    middle, rms, mean, error = [], [], [], []
    for low in MAGNITUDES[:-1]:
        b = s & (m.abmag >= low) & (m.abmag < low + 0.5)
        middle.append(low + 0.25 + 0.05 * k)
        rms.append(np.sqrt((m.offset[:, b] ** 2).mean()))
        mean.append(m.offset[:, b].mean(axis=1))
        error.append(m.offset[:, b].std(axis=1) / np.sqrt(b.sum()))
    axes[0].plot(middle, rms, "o-", ms=4, **style)
    for axis, marker in ((0, ">"), (1, "^")):
        values = [v[axis] for v in mean]
        axes[0].errorbar(
            middle, values, [v[axis] for v in error], fmt=marker, ms=3, lw=0.8, color=style["color"]
        )
    axes[0].axhspan(-5, 5, color="0.95", zorder=-2)
    axes[0].axhline(0, color="0.6", lw=0.8)
    axes[0].set(xlabel="AB magnitude", ylabel="mas", title="positions: rms (lines), mean east and north")
    axes[1].plot(m.abmag[s], 100 * ((m.flux / m.truth)[s] - 1), ".", ms=2, color=style["color"], alpha=0.5)
    axes[1].axhline(0, color="0.3", lw=0.8)
    axes[1].set(ylim=(-6, 6), xlabel="AB magnitude", ylabel="flux less truth (%)", title="fluxes")
    edges = np.linspace(-5, 5, 41)
    faint = s & (m.abmag > 24)
    words = {"bins": edges, "density": True, "histtype": "step", "color": style["color"]}
    axes[2].hist(((m.flux - m.sampled) / m.error)[s], **words)
    axes[2].hist(((m.flux - m.truth) / m.error)[faint], ls=":", **words)
    axes[2].plot(edges, np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi), "k-", lw=0.6)
    axes[2].set(xlabel="pull", title="flux pulls (dotted: with sampling, faint)")


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    fields = {
        "rates": study("rates without particles", rates(folder / "rates", LONG)),
        "rates, particles": study(
            "rates with 30% of all particles",
            rates(folder / "rays", replace(LONG, seed=11), 0.3),
            outlier_hits,
        ),
        "ramps": study(
            "ramps: all three stages", ramps(folder / "ramps", replace(LONG, seed=21, ngroups=6)), ramp_hits
        ),
    }
    bands = undersampling(folder / "bands")
    draw(fields, bands)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".bench" / "truth_imaging")
