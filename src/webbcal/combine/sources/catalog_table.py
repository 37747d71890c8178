"""The table of a source catalogue: its columns in order, with units, formats and descriptions."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

import webbcal
from webbcal.combine.sources.aperture_photometry import AperturePhotometry
from webbcal.combine.sources.aperture_reference import Apertures
from webbcal.combine.sources.detection import Sources
from webbcal.combine.sources.magnitudes import abmag_of
from webbcal.combine.sources.source_shape import PAIRS

_PACKAGES = ("numpy", "scipy", "astropy", "photutils", "gwcs")
_FLUX, _FINE, _COARSE = ".6e", ".6f", ".4f"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, values, what they are, unit and format for text files."""

    name: str
    values: Any
    description: str
    unit: str | None = None
    format: str | None = None


@dataclass(frozen=True)
class Measured:
    """All that is known of the sources of an image; fluxes in Jy."""

    sources: Sources
    apertures: Apertures
    photometry: AperturePhotometry
    vega_offset: float
    concentration: list[np.ndarray]
    extended: np.ndarray
    sharpness: np.ndarray
    roundness: np.ndarray
    neighbour: np.ndarray
    neighbour_distance: np.ndarray
    sky_position: Any
    north: float  # angle from the x axis to north, degrees


def catalog_table(m: Measured, metadata: Mapping[str, Any]) -> Any:
    """Return the catalogue as an `astropy.table.QTable`."""
    from astropy.table import QTable

    table = QTable()
    for column in _columns(m):
        table[column.name] = column.values
        if column.unit is not None and not hasattr(column.values, "frame"):
            table[column.name] = table[column.name] << _unit(column.unit)
        table[column.name].info.description = column.description
        if column.format:
            table[column.name].info.format = column.format
    versions = {"Python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    table.meta |= {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "version": versions | {"webbcal": webbcal.__version__},
        **metadata,
        "aperture_params": m.apertures.metadata,
        "abvega_offset": m.vega_offset,
    }
    return table


def _unit(name: str) -> Any:
    import astropy.units as u

    return u.Unit(name)


def _columns(m: Measured) -> Iterator[Column]:
    s = m.sources
    yield Column("label", s.label, "Number of the source, as in the segmentation map")
    yield Column("xcentroid", s.x, "x of the centroid, pixels from 0", format=_COARSE)
    yield Column("ycentroid", s.y, "y of the centroid, pixels from 0", format=_COARSE)
    yield Column("sky_centroid", m.sky_position, "ICRS position of the centroid")
    yield from _aperture_columns(m)
    yield from _likeness_columns(m)
    yield from _segment_columns(m)


def _aperture_columns(m: Measured) -> Iterator[Column]:
    p, last = m.photometry, m.apertures.percentages[-1]
    yield Column(
        "aper_bkg_flux", p.sky, "Local background per pixel: clipped median in the annulus", "Jy", _FLUX
    )
    yield Column("aper_bkg_flux_err", p.sky_err, "Standard error of the local background", "Jy", _FLUX)
    total = m.apertures.corrections[-1]
    named = [
        (f"aper{percentage}", flux, err, f"in the aperture of {percentage}% encircled energy")
        for percentage, flux, err in zip(m.apertures.percentages, p.flux, p.flux_err, strict=True)
    ]
    of_all = f"of all light of a point source, from the aperture of {last}% (not for extended sources)"
    named.append(("aper_total", total * p.flux[-1], total * p.flux_err[-1], of_all))
    for name, flux, err, where in named:
        yield Column(f"{name}_flux", flux, f"Flux {where}", "Jy", _FLUX)
        yield Column(f"{name}_flux_err", err, f"Error of the flux {where}", "Jy", _FLUX)
    magnitudes = [(name, *abmag_of(flux, err), where) for name, flux, err, where in named]
    for system, offset in (("AB", 0.0), ("Vega", m.vega_offset)):
        for name, magnitude, err, where in magnitudes:
            column = f"{name}_{system.lower()}mag"
            yield Column(column, magnitude - offset, f"{system} magnitude {where}", format=_FINE)
            yield Column(f"{column}_err", err, f"Error of the {system} magnitude {where}", format=_FINE)


def _likeness_columns(m: Measured) -> Iterator[Column]:
    percentages = m.apertures.percentages
    for (small, large), values in zip(PAIRS, m.concentration, strict=True):
        ratio = f"aper{percentages[large]}_flux / aper{percentages[small]}_flux"
        name = f"CI_{percentages[large]}_{percentages[small]}"
        yield Column(name, values, f"Concentration index: {ratio}", format=_COARSE)
    yield Column("is_extended", m.extended, "Whether the source is wider than a star")
    yield Column("sharpness", m.sharpness, "Sharpness as DAOFIND defines it", format=_FINE)
    yield Column("roundness", m.roundness, "Roundness as DAOFIND defines it (symmetry)", format=_FINE)
    yield Column("nn_label", m.neighbour, "Label of the nearest other source (-1: none)")
    yield Column("nn_dist", m.neighbour_distance, "Distance to the nearest other source", "pix", _FINE)


def _segment_columns(m: Measured) -> Iterator[Column]:
    s, unknown = m.sources, np.full(len(m.sources), np.nan)
    err = s.measured.get("segment_flux_err", unknown)
    magnitude, magnitude_err = abmag_of(s.flux, err)
    yield Column("isophotal_flux", s.flux, "Flux of the segment", "Jy", _FLUX)
    yield Column("isophotal_flux_err", err, "Error of the flux of the segment", "Jy", _FLUX)
    for system, offset in (("AB", 0.0), ("Vega", m.vega_offset)):
        name = f"isophotal_{system.lower()}mag"
        yield Column(name, magnitude - offset, f"{system} magnitude of the segment", format=_FINE)
        yield Column(f"{name}_err", magnitude_err, f"Error of that {system} magnitude", format=_FINE)
    yield Column("isophotal_area", s.measured.get("area", unknown), "Area of the segment", "pix2")
    of_gaussian = "axis of the Gaussian that has the second moments of the source"
    for axis in ("semimajor", "semiminor"):
        values = s.measured.get(f"{axis}_axis", unknown)
        yield Column(f"{axis}_sigma", values, f"Sigma along the {axis} {of_gaussian}", "pix", _FINE)
    ellipticity = s.measured.get("ellipticity", unknown)
    yield Column("ellipticity", ellipticity, "1 less the axis ratio", "", _FINE)
    angle = s.measured.get("orientation", unknown)
    on_sky = (180.0 - m.north + angle) % 360.0
    yield Column("orientation", angle, "Angle from the x axis to the major axis", "deg", _FINE)
    yield Column("sky_orientation", on_sky, "Position angle of the major axis, from north", "deg", _FINE)
    for corner, where in _CORNERS.items():
        name = f"sky_bbox_{corner}"
        yield Column(
            name, s.measured.get(name, unknown), f"ICRS position of the {where} corner of the segment's box"
        )


_CORNERS = {"ll": "lower left", "ul": "upper left", "lr": "lower right", "ur": "upper right"}
