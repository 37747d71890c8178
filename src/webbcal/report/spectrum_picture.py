"""The picture of a simulated star in a slit: how its light falls, its spectrum, and how right that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.report.spectrum_truth import SpectrumComparison, compare_spectrum

_MEASURED, _TRUTH, _LINE = "#2b6ca3", "#d62828", "0.55"
_REACH = 5.0  # standard deviations that are drawn


def spectrum_picture(
    images: Sequence[tuple[str, Path]], x1d: Path, truth: Path, path: Path
) -> SpectrumComparison:
    """Draw rectified images and the extracted spectrum of a star, and compare it with the truth.

    Parameters
    ----------
    images : sequence of (title, Path)
        Rectified spectra (`_s2d`), wavelength along rows or columns.
    x1d, truth, path : Path
        Extracted spectrum, truth file of an exposure, and the PNG file to write.

    Returns
    -------
    SpectrumComparison
        What the lower panels show.
    """
    from matplotlib.figure import Figure

    from webbcal import plots

    comparison = compare_spectrum(x1d, truth)
    figure: Any = Figure(figsize=(13.0, 9.5), layout="constrained", facecolor="white")
    heights = [1.0] * len(images) + [2.6, 1.5]
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(5.0, 1.0))
    first = figure.add_subplot(grid[len(images), 0])
    for k, (title, image) in enumerate(images):
        axes = figure.add_subplot(grid[k, 0], sharex=first)
        plots.show_spectrum(image, wavelengths=True, colorbar=False, title="", ax=axes)
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlabel("")
        axes.tick_params(labelbottom=False)
    _show_spectrum(first, comparison)
    _show_pulls(figure.add_subplot(grid[-1, 0], sharex=first), comparison)
    _show_histogram(figure.add_subplot(grid[-1, 1]), comparison)
    _say(figure.add_subplot(grid[: len(images) + 1, 1]), comparison)
    path.write_bytes(plots.png(figure, dpi=100))
    return comparison


def _mark_lines(axes: Any, c: SpectrumComparison) -> None:
    for line in c.lines:
        axes.axvline(line.wavelength, color=_LINE, lw=0.6, ls=":", zorder=0)


def _show_spectrum(axes: Any, c: SpectrumComparison) -> None:
    _mark_lines(axes, c)
    axes.errorbar(
        c.wavelength, 1e3 * c.flux, 1e3 * c.error, fmt="o", ms=2.2, lw=0.6, color=_MEASURED, label="extracted"
    )
    axes.plot(c.wavelength, 1e3 * c.truth, color=_TRUTH, lw=0.9, label="truth, as blurred by the optics")
    axes.set(ylabel="flux density (mJy)", ylim=(0.0, 1.15e3 * c.truth.max()))
    axes.tick_params(labelbottom=False)
    axes.legend(frameon=False)


def _show_pulls(axes: Any, c: SpectrumComparison) -> None:
    _mark_lines(axes, c)
    axes.axhline(0.0, color=_TRUTH, lw=0.9)
    axes.plot(c.wavelength, np.clip(c.pulls, -_REACH, _REACH), "o", ms=2.2, color=_MEASURED)
    low, high = c.wavelength[[0, -1]]
    axes.set(
        xlabel="wavelength (µm)", ylabel="(measured − true) / error", ylim=(-_REACH - 0.3, _REACH + 0.3),
        xlim=(low - 0.05, high + 0.05),
    )  # fmt: skip


def _show_histogram(axes: Any, c: SpectrumComparison) -> None:
    pulls = c.pulls
    middle, width = float(np.median(pulls)), float(1.4826 * np.median(np.abs(pulls - np.median(pulls))))
    axes.hist(
        np.clip(pulls, -_REACH, _REACH), bins=np.linspace(-_REACH, _REACH, 31), density=True,
        orientation="horizontal", color=_MEASURED, alpha=0.6,
    )  # fmt: skip
    y = np.linspace(-_REACH, _REACH, 201)
    axes.plot(np.exp(-0.5 * y**2) / np.sqrt(2 * np.pi), y, "k", lw=0.8)
    axes.set_title(f"median {middle:+.2f}, width {width:.2f}", fontsize=10)
    axes.set(xticks=[], ylim=(-_REACH - 0.3, _REACH + 0.3))


def _say(axes: Any, c: SpectrumComparison) -> None:
    """Say in figures how right the spectrum is."""
    axes.axis("off")
    words = ["flux, measured / true − 1"]
    for low, high in ((5, 7), (7, 9), (9, 11), (11, 14)):
        chosen = (c.wavelength >= low) & (c.wavelength < high)
        if chosen.any():
            words.append(f"  {low}–{high} µm   {100 * np.median(c.excess[chosen]):+.2f} %")
    words += ["", "lines, found − true"]
    words += [f"  {line.wavelength:.2f} µm   {line.offset:+.3f} pixel" for line in c.lines]
    axes.text(0.0, 0.98, "\n".join(words), transform=axes.transAxes, va="top", fontsize=10, linespacing=1.5)
