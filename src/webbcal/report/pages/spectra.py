"""Extracted spectra, with errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.html import Markup
from webbcal.datamodels.lists import items_of
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import section
from webbcal.report.pages.picture import panels, plots, tidy
from webbcal.run.exposure import meta_value

_PRODUCTS = ("x1d", "x1dints", "c1d")
_MOST = 12  # spectra of a product that are drawn
_DO_NOT_USE = dqflags.pixel["DO_NOT_USE"]
_BLUE = "#2b6ca3"


@dataclass(frozen=True)
class _Spectrum:
    """A spectrum: values by wavelength (µm), and their errors."""

    title: str
    wavelength: np.ndarray
    flux: np.ndarray
    error: np.ndarray


def spectra(family: Family) -> Markup | None:
    """Return the section on spectra, a picture for each product that has some."""
    drawn = [picture for suffix in _PRODUCTS if (picture := _picture(family, suffix)) is not None]
    return section("Spectra", *drawn, id_="spectra") if drawn else None


def _picture(family: Family, suffix: str) -> Markup | None:
    model = family.open(suffix)
    if model is None:
        return None
    with model:
        found = [s for s in _read(model) if np.isfinite(s.flux).sum() > 1]
    if not found:
        return None
    brightest = sorted(found, key=lambda s: -float(np.nanmedian(s.flux)))[:_MOST]
    shown = found if len(found) <= _MOST else brightest
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    made, drawn = panels(rows, columns, 3.2 if len(shown) == 1 else 2.2 * rows)
    for axes, spectrum in zip(drawn, shown, strict=False):
        _draw(axes, spectrum)
    for axes in drawn[len(shown) :]:
        axes.axis("off")
    more = f", the {_MOST} brightest of {len(found)}" if len(found) > _MOST else ""
    caption = f"_{suffix}: flux with its error{more}. What must not be used is left out."
    return plots(made, caption, f"spectra of _{suffix}")


def _read(model: Any) -> Iterator[_Spectrum]:
    """Yield the spectra of a product; tables have a row a wavelength, or one a source or integration."""
    for number, item in enumerate(items_of(model), 1):
        table = getattr(item, "spec_table", None)
        if table is None or not len(table):
            continue
        columns = {str(name).lower(): str(name) for name in table.dtype.names}
        if "wavelength" not in columns or "flux" not in columns:
            continue
        wavelength, flux = (np.asarray(table[columns[name]], float) for name in ("wavelength", "flux"))
        error = _column(table, columns, ("flux_error", "error"), flux)
        flags = _column(table, columns, ("dq",), np.zeros(flux.shape))
        flux = np.where(np.nan_to_num(flags).astype(np.int64) & _DO_NOT_USE != 0, np.nan, flux)
        title = _title(item, number)
        if flux.ndim == 1:
            yield _Spectrum(title, wavelength, flux, error)
            continue
        names = _names(table, columns, title)
        for k in range(len(flux)):
            yield _Spectrum(names[k], wavelength[k], flux[k], error[k])


def _column(table: Any, columns: dict[str, str], names: tuple[str, ...], instead: np.ndarray) -> np.ndarray:
    found = next((columns[name] for name in names if name in columns), None)
    if found is None or np.shape(table[found]) != instead.shape:
        return np.zeros(instead.shape)
    return np.asarray(table[found], float)


def _title(item: Any, number: int) -> str:
    source, order = (meta_value(item, name) for name in ("source_id", "spectral_order"))
    said = [f"source {source}"] if isinstance(source, int) and source else [f"spectrum {number}"]
    said += [f"order {order}"] if isinstance(order, int) else []
    return ", ".join(said)


def _names(table: Any, columns: dict[str, str], title: str) -> list[str]:
    for name, word in (("source_id", "source"), ("int_num", "integration")):
        if name in columns:
            return [f"{word} {value}" for value in np.asarray(table[columns[name]]).tolist()]
    return [f"{title}, row {k + 1}" for k in range(len(table))]


def _draw(axes: Any, spectrum: _Spectrum) -> None:
    good = np.isfinite(spectrum.flux) & np.isfinite(spectrum.wavelength) & (spectrum.wavelength > 0)
    order = np.argsort(spectrum.wavelength[good])
    x, y, error = (v[good][order] for v in (spectrum.wavelength, spectrum.flux, spectrum.error))
    error = np.nan_to_num(error)
    axes.fill_between(x, y - error, y + error, color=_BLUE, alpha=0.3, lw=0)
    axes.plot(x, y, color=_BLUE, lw=0.9, drawstyle="steps-mid")
    if y.size:
        low, high = np.percentile(y, (1, 99))
        room = 0.25 * max(high - low, 1e-30)
        axes.set_ylim(low - room, high + room)
    tidy(axes, spectrum.title, xlabel="wavelength (µm)", ylabel="flux (Jy)")
