"""Two-dimensional spectra with their wavelengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.plots.canvas import drawing
from webbcal.plots.images import Picture, add_colorbar, draw
from webbcal.plots.inputs import array_of, name_of, opened, optional_array, read_plane, title_of, unit_of
from webbcal.plots.slits import choose_slit, order_of
from webbcal.plots.stretch import norm_of

F64 = NDArray[np.float64]

_WIDTH = 8.0  # inches
_MOST = 4000


def show_spectrum(
    spectrum: Any,
    slit: int | None = None,
    *,
    source: int | None = None,
    order: int | None = None,
    integration: int = 0,
    wavelengths: bool = False,
    vmin: float | None = None,
    vmax: float | None = None,
    stretch: str = "asinh",
    cmap: str = "gray",
    title: str | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Show a two-dimensional spectrum with its wavelengths, dispersed along the horizontal axis.

    Parameters
    ----------
    spectrum : model or path
        A product of slits or of one (`_cal`, `_s2d`), or a slit of one.
    slit : int, optional
        Which, from 0; by default the first that fits.
    source, order : int, optional
        Source (SOURCEID) and spectral order that it must have.
    integration : int
        Of a time series, from 0.
    wavelengths : bool
        Whether the horizontal axis is in µm, to be shared with a plotted spectrum; by default it is in
        pixels, with wavelengths above.
    vmin, vmax, stretch, cmap, title, colorbar, ax
        As in `show_image`.

    Returns
    -------
    Axes
        The user's, or those of the new figure.

    Raises
    ------
    InputError
        If there is no such slit, or it has no wavelengths.
    """
    with opened(spectrum) as model:
        item = choose_slit(model, slit, source, order)
        found, wave = _turned(item, model, integration)
        heading = _heading(item, model)
    norm = norm_of(found.good, stretch, vmin, vmax)
    height = float(np.clip(_WIDTH * found.shape[0] / found.shape[1], 0.9, 5.0)) + 1.5
    with drawing(ax, (_WIDTH, height)) as axes:
        if wavelengths:
            shown = _draw_along(axes, found, wave, norm, cmap)
        else:
            shown = draw(axes, found, norm, cmap)
            axes.set_xlabel("Along the dispersion (pixel)")
            _wavelength_axis(axes, wave)
        axes.set_aspect("auto")  # slits are long and narrow
        axes.set_ylabel("Across (pixel)")
        axes.set_title(heading if title is None else title)
        if colorbar:
            add_colorbar(axes, shown, found.unit)
    return axes


def _turned(item: Any, model: Any, integration: int) -> tuple[Picture, F64]:
    """Return a slit as a picture with the dispersion along its columns, and the wavelength of each column.

    Raises
    ------
    InputError
        If it has no wavelengths.
    """
    data = array_of(item, "data")
    index = (integration,) if len(data.shape) == 3 else ()
    values, _ = read_plane(data, index, _MOST)
    source = optional_array(item, "wavelength")
    wave = _wavelengths(item, model, values.shape) if source is None else source.read()
    if wave.ndim == 3:
        wave = wave[min(integration, len(wave) - 1)]
    if wave.shape != values.shape or not np.isfinite(wave).any():
        raise InputError(f"{name_of(model)}: its spectrum has no wavelengths; run assign_wcs and extract_2d")
    if _varies(wave, axis=0) > _varies(wave, axis=1):
        values, wave = values.T, wave.T
    usable = values[np.isfinite(values)]
    along = np.array([_median(column) for column in wave.T])
    unit = unit_of(item) or unit_of(model)
    return Picture(values, 1, (values.shape[0], values.shape[1]), usable, "", unit), along


def _wavelengths(item: Any, model: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the wavelengths that the WCS gives.

    Raises
    ------
    InputError
        If it has none, or it does not give any.
    """
    from webbcal.wcs.of_model import wcs_of
    from webbcal.wcs.pixels import world_map

    wcs = wcs_of(item)
    world = () if wcs is None else world_map(wcs, shape)
    if len(world) < 3:
        raise InputError(f"{name_of(model)}: has no wavelengths; run assign_wcs on it")
    return world[2]


def _median(column: F64) -> float:
    known = column[np.isfinite(column) & (column > 0)]
    return float(np.median(known)) if known.size else np.nan


def _varies(wave: NDArray[Any], axis: int) -> float:
    """Return how much wavelengths vary along an axis."""
    other = np.array([_median(line) for line in (wave if axis == 0 else wave.T)])
    known = other[np.isfinite(other)]
    return float(np.ptp(known)) if known.size else 0.0


def _draw_along(axes: Axes, found: Picture, wave: F64, norm: Normalize, cmap: str) -> Any:
    """Draw a slit over wavelengths."""
    known = np.flatnonzero(np.isfinite(wave))
    rising = known[np.argsort(wave[known])]
    rows = np.arange(found.shape[0])
    axes.set_xlabel("Wavelength (µm)")
    axes.set_facecolor("0.75")
    return axes.pcolormesh(wave[rising], rows, found.values[:, rising], norm=norm, cmap=cmap, rasterized=True)


def _wavelength_axis(axes: Axes, along: F64) -> None:
    """Add an axis of wavelengths above."""
    known = np.flatnonzero(np.isfinite(along))
    column, wave = known.astype(float), along[known]
    if len(known) < 2:
        return
    rising = np.argsort(wave)
    above = axes.secondary_xaxis(
        "top",
        functions=(lambda x: _line(x, column, wave), lambda w: _line(w, wave[rising], column[rising])),
    )
    above.set_xlabel("Wavelength (µm)")
    axes.tick_params(top=False)


def _line(at: Any, x: F64, y: F64) -> Any:
    """Interpolate, and go on straight beyond the ends."""
    found = np.interp(at, x, y)
    low, high = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    found = np.where(at < x[0], y[0] + low * (np.asarray(at) - x[0]), found)
    return np.where(at > x[-1], y[-1] + high * (np.asarray(at) - x[-1]), found)


def _heading(item: Any, model: Any) -> str:
    words = [title_of(model)]
    if getattr(item, "source_id", None):
        words.append(f"source {item.source_id}")
    if order_of(item) is not None:
        words.append(f"order {order_of(item)}")
    return "  ".join(words)
