"""The picture of a simulated slitless field: how its light falls, some spectra, and how right they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal import datamodels
from webbcal.report.wfss_truth import SourceComparison, compare_wfss

if TYPE_CHECKING:
    from webbcal.simulate import ExposureConfig

_MEASURED, _TRUTH, _LINE = "#2b6ca3", "#d62828", "0.55"
_REACH, _SHOWN = 5.0, 3  # standard deviations, and sources, that are drawn
_HALF = 14  # pixels across a trace


def wfss_picture(config: ExposureConfig, cal: Path, c1d: Path, path: Path) -> list[SourceComparison]:
    """Draw cut-outs and combined spectra of some sources, and compare all with the truth.

    Parameters
    ----------
    config : ExposureConfig
        The exposure of `cal`.
    cal, c1d, path : Path
        Calibrated cut-outs of one exposure, combined spectra of all, and the PNG file to write.

    Returns
    -------
    list of SourceComparison
        Of all sources with a spectrum.
    """
    from matplotlib.figure import Figure

    from webbcal import plots

    found = compare_wfss(config, c1d)
    shown = sorted(found, key=_interest)[-_SHOWN:][::-1]
    figure: Any = Figure(figsize=(14.0, 10.5), layout="constrained", facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=(4.2, 1.3))
    with datamodels.open(cal) as model:
        for part, comparison in zip(np.atleast_1d(left.subfigures(len(shown), 1)), shown, strict=True):
            _show_source(part, model, comparison)
    above, below = right.subplots(2, 1)
    _show_histogram(above, found)
    _say(below, config, found)
    path.write_bytes(plots.png(figure, dpi=100))
    return found


def _show_source(part: Any, model: Any, c: SourceComparison) -> None:
    """Draw one source: its cut-out, its spectrum, and the pulls."""
    cutout, spectrum, pulls = part.subplots(3, 1, sharex=True, height_ratios=(1.0, 2.4, 1.1))
    _show_cutout(cutout, model, c)
    _show_spectrum(spectrum, c)
    _show_pulls(pulls, c)


def _interest(comparison: SourceComparison) -> tuple[int, float]:
    """Return what decides which sources are drawn: stars with lines whose spectrum is whole come last."""
    certain = float(np.median(comparison.truth / comparison.error)) ** 0.1
    rank = 2 * (not comparison.galaxy) + bool(comparison.lines)
    return rank, float(np.ptp(comparison.wavelength)) * certain


def _show_cutout(axes: Any, model: Any, c: SourceComparison) -> None:
    from webbcal import plots

    plots.show_spectrum(model, source=c.label, order=1, wavelengths=True, colorbar=False, title="", ax=axes)
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, min(_HALF, (high - low) / 2)
    axes.set(
        xlabel="", ylabel="pixels", ylim=(middle - half, middle + half),
        xlim=(c.wavelength[0] - 0.02, c.wavelength[-1] + 0.02),
    )  # fmt: skip
    kind = "galaxy" if c.galaxy else "star"
    axes.set_title(f"source {c.label} ({kind}): one exposure; spectra combined", fontsize=10, loc="left")


def _mark_lines(axes: Any, c: SourceComparison) -> None:
    for line in c.lines:
        axes.axvline(line, color=_LINE, lw=0.6, ls=":", zorder=0)


def _show_spectrum(axes: Any, c: SourceComparison) -> None:
    _mark_lines(axes, c)
    axes.errorbar(
        c.wavelength, 1e6 * c.flux, 1e6 * c.error, fmt="o", ms=1.6, lw=0.4, color=_MEASURED, label="extracted"
    )
    axes.plot(c.wavelength, 1e6 * c.truth, color=_TRUTH, lw=0.9, label="truth, as blurred by the optics")
    top = 1.15e6 * float(c.truth.max())
    axes.set(ylabel="µJy", ylim=(min(0.0, -0.05 * top), top))
    # Above the continuum or below it, as it runs where the legend is.
    level = 1e6 * float(np.median(c.truth[: max(len(c.truth) // 4, 1)]))
    axes.legend(frameon=False, fontsize=8, loc="upper left" if level < 0.6 * top else "lower left")


def _show_pulls(axes: Any, c: SourceComparison) -> None:
    _mark_lines(axes, c)
    axes.axhline(0.0, color=_TRUTH, lw=0.9)
    axes.plot(c.wavelength, np.clip(c.pulls, -_REACH, _REACH), "o", ms=1.4, color=_MEASURED)
    axes.set(ylabel="pull", xlabel="wavelength (µm)", ylim=(-_REACH - 0.3, _REACH + 0.3))


def _show_histogram(axes: Any, found: list[SourceComparison]) -> None:
    stars = [c.pulls for c in found if not c.galaxy]
    pulls = np.concatenate(stars) if stars else np.zeros(0)
    middle = float(np.median(pulls)) if len(pulls) else 0.0
    width = float(1.4826 * np.median(np.abs(pulls - middle))) if len(pulls) else 0.0
    axes.hist(
        np.clip(pulls, -_REACH, _REACH), bins=np.linspace(-_REACH, _REACH, 41), density=True,
        color=_MEASURED, alpha=0.6,
    )  # fmt: skip
    x = np.linspace(-_REACH, _REACH, 201)
    axes.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), "k", lw=0.8)
    axes.set(yticks=[], xlabel="(measured − true) / error")
    axes.set_title(f"pulls of stars: median {middle:+.2f}, width {width:.2f}", fontsize=10)


def _say(axes: Any, config: ExposureConfig, found: list[SourceComparison]) -> None:
    """Say in figures how right the spectra are."""
    axes.axis("off")
    assert config.grism is not None
    words = [f"{config.instrument} {config.filter} {config.grism.name}", "", "flux, measured / true − 1"]
    for c in found:
        kind = "galaxy" if c.galaxy else "star"
        words.append(f"  {c.label:3d}  {kind:7s} {100 * (c.ratio - 1):+.2f} %")
    if any(c.galaxy for c in found):
        words += ["", "of galaxies, the light beyond", "the aperture is missing"]
    axes.text(
        0.0, 0.98, "\n".join(words), transform=axes.transAxes, va="top", fontsize=9, linespacing=1.4,
        family="monospace",
    )  # fmt: skip
