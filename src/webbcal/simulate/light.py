"""What reaches the pixels of an exposure, whatever it looks at: a field, a slit, a spectrum, a transit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.grisms.dispersing import dispersed, series_star, star_light
from webbcal.simulate.grisms.grism import Grism
from webbcal.simulate.grisms.seen import seen_spectra
from webbcal.simulate.headers import exposure_metadata
from webbcal.simulate.lrs_light import lrs_light
from webbcal.simulate.scene import observe
from webbcal.simulate.spectra import spectra


@dataclass(frozen=True)
class Light:
    """Light on the pixels, before any property of the detector.

    Attributes
    ----------
    rate : ndarray
        e-/s, float32, shape (ny, nx).
    sources : ndarray
        The sources with light on the detector, with pixel positions; none for spectra.
    lost : ndarray, optional
        What a planet takes of it in mid-transit, e-/s.
    spectrum, lines : ndarray, optional
        The spectrum that was dispersed, and the wavelengths of its lines (see `truth.Truth`).
    """

    rate: np.ndarray
    sources: np.ndarray
    lost: np.ndarray | None = None
    spectrum: np.ndarray | None = None
    lines: np.ndarray | None = None


def light_on(config: ExposureConfig) -> Light:
    """Return what reaches the pixels of an exposure."""
    if config.grism is not None:
        return _through_grism(config, config.grism)
    pointing = config.true_pointing
    sources = config.sky.sources_near(*pointing.footprint())
    if config.lrs is not None:
        made = lrs_light(config, float(exposure_metadata(config)["exposure.mid_time"]))
        lines = () if config.lrs.source is None else config.lrs.source.lines
        places = np.array([line.wavelength for line in lines])
        return Light(made.rate, no_sources(config), made.lost, made.spectrum, places)
    if config.soss is not None:
        light, table = observe(config.sky, sources[:0], pointing, config.band)
        star, lost = config.soss.light(config.aperture)
        return Light(light + star, table, lost)
    if config.instrument == "NIRSPEC":
        return Light(spectra(config), no_sources(config))
    return Light(*observe(config.sky, sources, pointing, config.band))


def _through_grism(config: ExposureConfig, grism: Grism) -> Light:
    field, table = dispersed(config)
    if not grism.time_series:
        return Light(field, table, spectrum=seen_spectra(config, table))
    star, lost = star_light(config)
    places = np.array([line.wavelength for line in grism.star.lines])
    return Light(field + star, table, lost, seen_spectra(config, series_star(config)), places)


def no_sources(config: ExposureConfig) -> np.ndarray:
    """Return the table of sources of an exposure that has none, or whose light is given."""
    pointing = config.true_pointing
    sources = config.sky.sources_near(*pointing.footprint())
    return observe(config.sky, sources[:0], pointing, config.band)[1]


def transit_curve(config: ExposureConfig, numbers: np.ndarray) -> np.ndarray | None:
    """Return how far a planet is on the star, 0 to 1, in the middle of integrations of the whole exposure.

    None if there is no planet.
    """
    transit = config.soss if config.lrs is None else config.lrs.transit
    if config.grism is not None and config.grism.time_series:
        transit = config.grism.transit
    if transit is None:
        return None
    return np.asarray(transit.curve((np.asarray(numbers) + 0.5) / config.all_integrations))
