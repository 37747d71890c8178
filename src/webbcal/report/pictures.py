"""Pictures of products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core import dqflags

_BAD = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["SATURATED"] | dqflags.pixel["REFERENCE_PIXEL"]


def stage1_picture(uncal: Path, rate: Path, path: Path, truth: Path | None = None) -> None:
    """Draw an exposure before and after stage 1, and its rates against the truth if that is known.

    Parameters
    ----------
    uncal, rate : Path
        Raw ramps and rate image.
    path : Path
        PNG file to write.
    truth : Path, optional
        Truth file of the simulator.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = 3 if truth else 2
    figure, axes = plt.subplots(1, panels, figsize=(5.4 * panels, 5.2), layout="constrained")
    with datamodels.open(uncal) as raw, datamodels.open(rate) as image:
        source = raw.source("data")
        assert source is not None
        last = source.read(0, source.shape[1] - 1).astype(np.float32)
        _show(axes[0], last, "raw: last group (DN)", figure)
        _show(axes[1], image.data, f"{rate.name} (DN/s)", figure)
        if truth is not None:
            _compare(axes[2], image, truth)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _show(axes: Any, data: np.ndarray, title: str, figure: Any) -> None:
    from matplotlib.colors import AsinhNorm

    low, high = np.nanpercentile(data[4:-4, 4:-4], (1, 99.5))
    middle = float(np.nanmedian(data[4:-4, 4:-4]))
    # Stretched about the sky level, so that faint galaxies and bright stars are both seen.
    shown = axes.imshow(
        data - middle,
        origin="lower",
        cmap="gray",
        norm=AsinhNorm(linear_width=max(high - middle, 1e-6) / 10, vmin=low - middle, vmax=high - middle),
        interpolation="antialiased",
    )
    bar = figure.colorbar(shown, ax=axes, shrink=0.7, label=f"above {middle:.4g}")
    bar.set_ticks([0.0, 0.1 * (high - middle), high - middle])
    bar.ax.yaxis.set_major_formatter("{x:.3g}")
    bar.ax.minorticks_off()
    axes.set(title=title, xlabel="column", ylabel="row")


def _compare(axes: Any, image: Any, truth: Path) -> None:
    from webbcal.simulate.truth import Truth

    good = (image.dq & _BAD) == 0
    true = Truth.load(truth).rate_dn[good]
    pulls = (image.data[good] - true) / image.err[good]
    axes.hist(pulls, bins=np.linspace(-6, 6, 121), density=True, color="0.6", label="pixels")
    x = np.linspace(-6, 6, 241)
    axes.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), "k", lw=1, label="unit normal")
    axes.set(
        title=f"(rate - truth) / error: median {np.median(pulls):+.3f}",
        xlabel="standard deviations",
        ylabel="fraction of pixels",
        yscale="log",
        ylim=(1e-5, 1),
    )
    axes.legend()
