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
    from matplotlib.figure import Figure

    from webbcal import plots

    panels = 3 if truth else 2
    figure = Figure(figsize=(5.4 * panels, 5.2), layout="constrained")
    axes = figure.subplots(1, panels)
    plots.show_image(uncal, ax=axes[0], title="raw: last group", label="DN")
    with datamodels.open(rate) as image:
        plots.show_image(image, ax=axes[1], title=rate.name)
        if truth is not None:
            _compare(axes[2], image, truth)
    path.write_bytes(plots.png(figure))


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
