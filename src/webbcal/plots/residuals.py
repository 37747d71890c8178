"""How well exposures are aligned: where each has the stars, beside where all have them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from webbcal.combine.alignment.catalogs import catalog_of_image, reference_catalog
from webbcal.combine.alignment.tweakreg import TweakRegParameters
from webbcal.core.errors import InputError
from webbcal.plots.canvas import CYCLE, drawing
from webbcal.plots.inputs import each_opened, name_of
from webbcal.plots.matching import Residuals, residuals_of
from webbcal.plots.tangent import Tangent
from webbcal.run.exposure import meta_value
from webbcal.wcs.of_model import wcs_of

F64 = NDArray[np.float64]

_LENGTH = 0.09  # of the key's arrow, as a part of the field's half width
_NAMED = 14  # exposures that a legend can name


def plot_residuals(
    exposures: Any,
    catalog: str | None = None,
    *,
    tolerance: float = 0.2,
    title: str | None = None,
    ax: Axes | None = None,
    **finder: Any,
) -> Axes:
    """Plot how far the stars of each exposure are from their mean position in all, or from a catalogue.

    Stars are found as `tweakreg` finds them, and put on the sky by the WCS that an exposure has: of `_cal`
    products before the alignment, of `_crf` products after it.

    Parameters
    ----------
    exposures : association (path, mapping), or sequence of models and paths
        Calibrated images.
    catalog : path, optional
        Positions that are right: a table with RA and DEC, or a catalogue of `source_catalog`.
    tolerance : float
        The largest distance of the same star in two exposures, arcsec.
    title : str, optional
    ax : Axes, optional
        Where to draw; by default a new figure with axes of RA and Dec. On the user's, coordinates are
        offsets from the middle in arcsec.
    **finder
        Parameters of `tweakreg` for finding sources: ``snr_threshold``, ``kernel_fwhm``, ….

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If an exposure has no WCS, or no star is in two of them (or in the catalogue).
    """
    settings = TweakRegParameters(**finder)
    names, positions, systems = [], [], []
    for model in each_opened(exposures):
        names.append(name_of(model))
        systems.append(_wcs(model))
        positions.append(_sources(model, systems[-1], settings))
    points = [p for p in positions if len(p)]
    if not points:
        raise InputError("no stars are found in these exposures; try a lower snr_threshold")
    tangent = Tangent.around(np.concatenate(points))
    known = None if catalog is None else _known(catalog, systems, tangent)
    flat = [np.array(tangent.offsets(p[:, 0], p[:, 1])).T if len(p) else np.zeros((0, 2)) for p in positions]
    found = residuals_of(flat, tolerance, known)
    if not any(len(one.vectors) for one in found):
        beside = "in two of these exposures" if catalog is None else f"in {catalog}"
        raise InputError(f"no star is {beside} within {tolerance:g} arcsec; try a larger tolerance")
    return _draw(found, names, tangent, title, ax)


def _wcs(model: Any) -> Any:
    wcs = wcs_of(model) if meta_value(model, "meta.wcsinfo.ctype1") is not None else None
    if wcs is None:
        raise InputError(f"{name_of(model)}: has no WCS; run assign_wcs on it (calwebb_image2 does)")
    return wcs


def _sources(model: Any, wcs: Any, settings: TweakRegParameters) -> F64:
    """Return RA and Dec of the sources of an image, (n, 2), degrees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN, and of images without detections
        table = catalog_of_image(model, settings)
    if not len(table):
        return np.zeros((0, 2))
    sky = np.array(wcs(np.asarray(table["x"], float), np.asarray(table["y"], float))).T
    found: F64 = sky[np.isfinite(sky).all(axis=1)]
    return found


def _known(catalog: str, systems: list[Any], tangent: Tangent) -> F64:
    table = reference_catalog(str(catalog), systems, 2025.0)
    return np.array(tangent.offsets(np.asarray(table["RA"], float), np.asarray(table["DEC"], float))).T


def _draw(
    found: list[Residuals], names: list[str], tangent: Tangent, title: str | None, ax: Axes | None
) -> Axes:
    everything = np.concatenate([one.vectors for one in found])
    places = np.concatenate([one.places for one in found])
    reach = 1.12 * float(np.abs(places).max())
    typical = float(np.percentile(np.hypot(*everything.T), 90))
    unit = _round(1000 * typical) / 1000  # arcsec, that the key's arrow stands for
    with drawing(ax, (6.6, 6.4), tangent.wcs if ax is None else None) as axes:
        sign = tangent.prepare(axes, ax is None)
        drawn: Any = None
        for k, (one, name) in enumerate(zip(found, names, strict=True)):
            label = f"{name}: {1000 * one.rms:.1f} mas rms of {len(one.vectors)}"
            drawn = axes.quiver(
                sign * one.places[:, 0], one.places[:, 1], sign * one.vectors[:, 0], one.vectors[:, 1],
                color=CYCLE[k % len(CYCLE)], angles="xy", scale_units="xy", width=0.0035,
                scale=unit / (_LENGTH * reach), label=label,
            )  # fmt: skip
        axes.quiverkey(
            drawn, 0.9, 0.95, unit, f"{1000 * unit:g} mas", coordinates="axes", labelpos="S", color="black"
        )
        tangent.frame(axes, reach, ax is None)
        rms = float(np.sqrt(np.mean(np.sum(everything**2, axis=1))))
        axes.set_title(f"Residuals: {1000 * rms:.1f} mas rms" if title is None else title)
        if len(names) <= _NAMED:
            axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.12), fontsize=8, borderaxespad=0.0)
    return axes


def _round(value: float) -> float:
    """Return the round number (1, 2 or 5 times a power of ten) that is not above a value."""
    unit = 10.0 ** np.floor(np.log10(max(value, 1e-6)))
    return float(unit * max(step for step in (1, 2, 5) if step * unit <= max(value, unit)))
