"""How values and errors are distributed, and whether the errors are as large as the scatter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.html import Markup
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import section
from webbcal.report.pages.picture import panels, plots, tidy
from webbcal.run.exposure import meta_value

_BAD = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["REFERENCE_PIXEL"]
_COMPONENTS = {"var_poisson": "photons", "var_rnoise": "read noise", "var_flat": "flat field"}
_COLOURS = ("#2b6ca3", "#e08a1e", "#6a9f3a")
_REACH = 5.0
#: Rows that are looked at, at most: of large images those in the middle say enough.
_MOST_PIXELS = 1 << 22


@dataclass(frozen=True)
class _Values:
    """Pixels of an image: NaN where they cannot be used."""

    name: str
    unit: str
    data: np.ndarray
    err: np.ndarray | None
    components: dict[str, np.ndarray]


def histograms(family: Family) -> Markup | None:
    """Return the section on distributions, a picture for each of _rate, _cal and _i2d that is there."""
    drawn = []
    for suffixes in (("rate", "rateints"), ("cal", "calints"), ("i2d",)):
        found = family.has(*suffixes)
        values = _read(family, found) if found else None
        if values is not None and np.isfinite(values.data).any():
            drawn.append(_picture(values))
    return section("Values and noise", *drawn, id_="histograms") if drawn else None


def _read(family: Family, suffix: str) -> _Values | None:
    with family.open(suffix) as model:
        source = model.source("data")
        if source is None or len(source.shape) not in (2, 3) or not all(source.shape):
            return None
        rows, leading = _middle(source.shape[-2:]), [0] * (len(source.shape) - 2)
        read = lambda name: _plane(model, name, source.shape, leading, rows)  # noqa: E731
        data = source.read(*leading, rows).astype(np.float64)
        flags = read("dq")
        if flags is not None:
            data[flags.astype(np.uint32) & _BAD != 0] = np.nan
        parts = {label: part for name, label in _COMPONENTS.items() if (part := read(name)) is not None}
        unit = str(meta_value(model, "meta.bunit_data") or "")
        return _Values(f"_{suffix}", unit, data, read("err"), parts)


def _middle(shape: tuple[int, ...]) -> slice:
    ny, nx = shape
    rows = min(ny, max(1, _MOST_PIXELS // nx))
    return slice((ny - rows) // 2, (ny - rows) // 2 + rows)


def _plane(
    model: Any, name: str, shape: tuple[int, ...], leading: list[int], rows: slice
) -> np.ndarray | None:
    source = model.source(name)
    if source is None or tuple(source.shape) != tuple(shape):
        return None
    array: np.ndarray = source.read(*leading, rows)
    return array


def _picture(values: _Values) -> Markup:
    made, (left, middle, right) = panels(1, 3, 2.9)
    _draw_values(left, values)
    _draw_errors(middle, values)
    width = _draw_neighbours(right, values)
    said = [
        f"{values.name}: usable pixels, their errors, and differences of neighbours in units of their errors."
    ]
    if width is not None:
        said.append(
            f" These have a width of {width:.2f}; it is 1 where errors are right and the sky is smooth "
            "(structure of the scene widens it, resampling narrows it)."
        )
    return plots(made, said, f"distributions of {values.name}")


def _draw_values(axes: Any, values: _Values) -> None:
    good = values.data[np.isfinite(values.data)]
    low, high = np.percentile(good, (0.2, 99.7))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    bins = np.linspace(low, high, 91)
    axes.hist(good, bins=bins, color=_COLOURS[0], histtype="stepfilled")
    axes.axvline(np.median(good), color="k", lw=0.8)
    tidy(axes, f"values: median {np.median(good):.4g}", xlabel=values.unit, ylabel="pixels", yscale="log")


def _draw_errors(axes: Any, values: _Values) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    use = np.isfinite(values.data)
    lines = dict(_errors(values, use))
    if not lines:
        axes.axis("off")
        return
    everything = np.concatenate(list(lines.values()))
    low, high = np.percentile(everything, (0.2, 99.8))
    bins = np.geomspace(low / 1.05, high * 1.05, 81)
    for (label, part), colour in zip(lines.items(), ("k", *_COLOURS), strict=False):
        axes.hist(part, bins=bins, histtype="step", color=colour, label=label)
    axes.legend(fontsize=7, frameon=False)
    tidy(axes, "errors", xlabel=values.unit, ylabel="pixels", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=7))
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _errors(values: _Values, use: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what errors are made of: label and those above zero."""
    if values.err is not None:
        found = values.err[use & np.isfinite(values.err)]
        if (found > 0).any():
            yield "all", found[found > 0]
    for label, variance in values.components.items():
        found = variance[use & np.isfinite(variance)]
        if (found > 0).any():
            yield label, np.sqrt(found[found > 0])


def _draw_neighbours(axes: Any, values: _Values) -> float | None:
    """Draw differences of neighbours in a row, in units of their errors; return the width of the core."""
    pulls = pulls_of_neighbours(values.data, values.err)
    if pulls is None:
        axes.axis("off")
        return None
    width = 1.4826 * float(np.median(np.abs(pulls - np.median(pulls))))
    bins = np.linspace(-_REACH, _REACH, 81)
    axes.hist(pulls, bins=bins, density=True, color=_COLOURS[0], histtype="stepfilled")
    x = np.linspace(-_REACH, _REACH, 201)
    axes.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), "k", lw=0.9)
    tidy(axes, f"neighbours: width {width:.2f}", xlabel="standard deviations", ylabel="share")
    return width


def pulls_of_neighbours(data: np.ndarray, err: np.ndarray | None) -> np.ndarray | None:
    """Return differences of neighbours in a row over the error of a difference; None if there are few."""
    if err is None or data.shape[1] < 2:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.hypot(err[:, 1:].astype(np.float64), err[:, :-1])
        pulls = np.diff(data, axis=1) / np.where(error > 0, error, np.nan)
    pulls = pulls[np.isfinite(pulls)]
    return pulls if pulls.size > 20 else None
