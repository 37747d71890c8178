"""Extracted spectra, with their errors and flags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from webbcal.core.errors import InputError, ParameterError
from webbcal.plots.canvas import CYCLE, GREY, drawing
from webbcal.plots.inputs import name_of, opened, title_of
from webbcal.plots.spectrum_tables import COLUMNS, Spectrum, spectra_of

_SIZE = (7.4, 4.2)
#: Parts of a jansky, the largest that is not above the spectrum is taken.
_JANSKYS = ((1.0, "Jy"), (1e-3, "mJy"), (1e-6, "µJy"), (1e-9, "nJy"))
_LABELS = {"FLUX": "Flux density", "SURF_BRIGHT": "Surface brightness", "BACKGROUND": "Background"}
_MOST = 12  # spectra that can be told apart


def plot_spectrum(
    spectra: Any,
    number: int | None = None,
    *,
    source: int | None = None,
    column: str = "FLUX",
    labels: Sequence[str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot extracted spectra with their errors (a band of one standard deviation); flagged values as crosses.

    Parameters
    ----------
    spectra : model or path, or sequence of them
        `_x1d`, `_c1d` or `_x1dints` products; of several all are drawn together.
    number : int, optional
        Which spectrum of each, from 0; by default all, if they are 12 at most, else the first.
    source : int, optional
        Only those of this source (SOURCEID).
    column : str
        ``FLUX``, ``SURF_BRIGHT`` or ``BACKGROUND``.
    labels : sequence of str, optional
        For the legend, one a spectrum.
    title : str, optional
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there are no such spectra.
    ParameterError
        If the column is unknown, or there are not as many labels as spectra.
    """
    column = column.upper()
    if column not in COLUMNS:
        raise ParameterError(f"column = {column!r}: expected one of {', '.join(COLUMNS)}")
    products = list(spectra) if isinstance(spectra, (list, tuple)) else [spectra]
    found: list[Spectrum] = []
    titles: list[str] = []
    for product in products:
        with opened(product) as model:
            some = _chosen(model, number, source, column)
            found += some
            titles += [name_of(model) if len(products) > 1 else one.name for one in some]
            heading = title_of(model)
    if labels is not None and len(labels) != len(found):
        raise ParameterError(f"labels: there are {len(labels)} for {len(found)} spectra; give one each")
    factor, unit = _unit(found)
    with drawing(ax, _SIZE) as axes:
        for k, (one, label) in enumerate(zip(found, labels or titles, strict=True)):
            draw_spectrum(axes, one, factor, CYCLE[k % len(CYCLE)], label)
        named = f"{_LABELS[column]} ({unit})" if unit else _LABELS[column]
        axes.set(xlabel="Wavelength (µm)", ylabel=named)
        _set_range(axes, found, factor)
        heading = heading if len(products) == 1 else ""
        axes.set_title(heading if title is None else title)
        if len(found) > 1 or labels or any(one.bad.any() for one in found):
            axes.legend(loc="best")
    return axes


def _chosen(model: Any, number: int | None, source: int | None, column: str) -> list[Spectrum]:
    """Return the spectra of a product that are asked for.

    Raises
    ------
    InputError
        If there are none.
    """
    wanted = islice(spectra_of(model, column, source), None if number is None else number + 1)
    some = [one for one in wanted if one.wavelength.size or number is not None]
    if number is not None:
        some = some[number : number + 1]
    if not some:
        which = "" if number is None else f" number {number}"
        of = "" if source is None else f" of source {source}"
        raise InputError(f"{name_of(model)}: has no spectrum{which}{of}; numbers count from 0")
    return some if len(some) <= _MOST else some[:1]


def _unit(found: Sequence[Spectrum]) -> tuple[float, str]:
    """Return a factor and the unit that makes numbers easy to read."""
    unit = found[0].unit
    values = np.concatenate([one.values[~one.bad] for one in found])
    values = np.abs(values[np.isfinite(values)])
    if unit != "Jy" or not values.size or not values.max() > 0:
        return 1.0, unit
    typical = float(np.percentile(values, 90))
    size, name = next((part for part in _JANSKYS if typical >= part[0]), _JANSKYS[-1])
    return 1.0 / size, name


def draw_spectrum(axes: Axes, one: Spectrum, factor: float, colour: str, label: str) -> None:
    """Draw a spectrum: steps, a band of errors, and crosses where values are flagged."""
    order = np.argsort(one.wavelength)
    wave, values, errors, bad = one.wavelength[order], one.values[order], one.errors[order], one.bad[order]
    good = np.where(bad, np.nan, values * factor)
    axes.fill_between(
        wave, good - errors * factor, good + errors * factor, step="mid", color=colour, alpha=0.25, lw=0
    )
    axes.step(wave, good, where="mid", color=colour, lw=1.0, label=label)
    crossed = bad & np.isfinite(values)
    if crossed.any():
        _, named = axes.get_legend_handles_labels()
        name = None if "not to be used" in named else "not to be used"
        axes.plot(wave[crossed], values[crossed] * factor, "x", color=GREY, ms=4, mew=0.8, label=name)


def _set_range(axes: Axes, found: Sequence[Spectrum], factor: float) -> None:
    """Show what is good; a few wild values at the ends of a band must not squeeze the rest."""
    values = np.concatenate([one.values[~one.bad & np.isfinite(one.values)] for one in found]) * factor
    if not values.size:
        return
    low, high = np.percentile(values, (0.5, 99.5))
    inner = high - low or abs(high) or 1.0
    low, high = max(values.min(), low - inner), min(values.max(), high + inner)
    axes.set_ylim(low - 0.06 * inner, high + 0.08 * inner)
