"""The light of a slitless exposure: every source in every order, and the sky behind them.

Modelled: all orders that the optics know, the zero order of NIRISS included; sources outside of the frame
whose spectra reach into it; the point-spread function growing with wavelength; galaxies as their shape in
every wavelength; the sky as a smooth template that has its steps where orders begin and end. Not modelled:
what the pick-off mirror cuts off; diffraction spikes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from webbcal.core.box import Box
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.geometry import Aperture, Pointing
from webbcal.simulate.grisms.bands import EFFICIENCY, sensitivity, wavelengths
from webbcal.simulate.grisms.field import spectrum_of
from webbcal.simulate.grisms.gaussians import add_elliptical, add_round
from webbcal.simulate.grisms.grism import Grism
from webbcal.simulate.grisms.optics import Order, Trace, orders
from webbcal.simulate.optics import PSF_GAUSSIANS, Filter, diffraction_sigma, sersic_gaussians
from webbcal.simulate.scene import SOURCE_DTYPE, pixel_angles, with_pixels
from webbcal.simulate.spectrum import Spectrum

_FINEST = 0.1  # pixels along the trace between pieces of it
_LEAST_SHARE = 2e-3  # of a galaxy's Gaussians
_ARCSEC2 = (np.pi / 180.0 / 3600.0) ** 2
_BEYOND = 60.0  # pixels from which light of a trace may still fall on the detector


@dataclass(frozen=True)
class Beam:
    """The optics of an exposure: grism, filter, and the region that is read."""

    grism: Grism
    band: Filter
    aperture: Aperture

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders, with efficiencies."""
        g = self.grism
        return orders(g.instrument, self.aperture.detector.module, g.name, self.band.name, g.time_series)

    @property
    def reach(self) -> tuple[float, float]:
        """The passband, micrometres."""
        return wavelengths(self.grism.instrument, self.band)

    @property
    def scale(self) -> float:
        """Arcsec a pixel."""
        return float(np.sqrt(self.aperture.x_scale * self.aperture.y_scale))

    def trace(self, order: Order, x: float, y: float) -> Trace:
        """Return the trace of a source at a pixel (0-based) of the region that is read."""
        box = self.aperture.box
        return order.trace(x + box.x0, y + box.y0).turned(self.grism.turn)

    def sensitivity(self, order: int, wave: np.ndarray) -> np.ndarray:
        """Return e-/s per micrometre and Jy."""
        return sensitivity(self.grism.instrument, self.band, order, wave)


@dataclass(frozen=True)
class Pieces:
    """Pieces of a trace: where they lie (pixels), their light (e-/s) and wavelength (micrometres)."""

    x: np.ndarray
    y: np.ndarray
    light: np.ndarray
    wave: np.ndarray

    def merged(self, number: int) -> Pieces:
        """Return coarser ones, of that many pieces each, at the middle of their light."""
        if number < 2:
            return self
        starts = np.arange(0, len(self.light), number)
        light = np.add.reduceat(self.light, starts)
        weights = np.where(light > 0, light, 1.0)
        places = (np.add.reduceat(v * self.light, starts) / weights for v in (self.x, self.y, self.wave))
        x, y, wave = (
            np.where(light > 0, v, w[starts])
            for v, w in zip(places, (self.x, self.y, self.wave), strict=True)
        )
        return Pieces(x, y, light, wave)


def beam_of(config: ExposureConfig) -> Beam:
    """Return the optics of an exposure with a grism."""
    assert config.grism is not None
    return Beam(config.grism, config.band, config.aperture)


def dispersed(config: ExposureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return what reaches the pixels of a slitless exposure, and the table of its sources.

    Returns
    -------
    image : ndarray
        e-/s, float32, shape (ny, nx).
    table : ndarray
        As of `scene.observe`; `x` and `y` are where a direct image would have the sources.
    """
    beam, pointing = beam_of(config), config.true_pointing
    image = sky_light(config)
    if beam.grism.time_series:
        return image.astype(np.float32), _listed(config, np.zeros(0), np.zeros(0))
    table = source_table(config)
    reached = np.zeros(len(table), bool)
    for k, (row, angle) in enumerate(zip(table, pixel_angles(pointing, table), strict=True)):
        spectrum = source_spectrum(config, beam, row)
        for order in beam.orders:
            trace = beam.trace(order, row["x"], row["y"])
            if _touches(trace, beam, row):
                reached[k] = True
                _add(image, beam, trace, order.number, spectrum, row, float(angle))
    return image.astype(np.float32), table[reached]


def source_table(config: ExposureConfig) -> np.ndarray:
    """Return the sources whose light may reach a slitless exposure, with their pixels in a direct image."""
    pointing = config.true_pointing
    sources = config.sky.sources_near(*_wide_footprint(beam_of(config), pointing))
    x, y = pointing.sky_to_pixel(sources["ra"], sources["dec"])
    return with_pixels(sources, x, y, config.band)


def source_spectrum(config: ExposureConfig, beam: Beam, row: np.void) -> Spectrum:
    """Return the spectrum of a source of an exposure (Jy); of a time series, that of its star."""
    if beam.grism.time_series:
        return beam.grism.star
    return spectrum_of(config.sky, row, config.band, beam.reach)


def star_light(config: ExposureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the light (e-/s) of the star of a time series, and what the planet takes of it in mid-transit.

    The star is at the aperture's reference position.
    """
    beam = beam_of(config)
    image = np.zeros(beam.aperture.shape)
    row = series_star(config)[0]
    for order in beam.orders:
        _add(image, beam, beam.trace(order, row["x"], row["y"]), order.number, beam.grism.star, row, 0.0)
    star = image.astype(np.float32)
    return star, star * np.float32(beam.grism.transit.depth)


def series_star(config: ExposureConfig) -> np.ndarray:
    """Return the table of the star of a time series, whose number is 0."""
    aperture = config.aperture
    return _listed(config, np.array([aperture.x_ref - 1.0]), np.array([aperture.y_ref - 1.0]))


def sky_light(config: ExposureConfig) -> np.ndarray:
    """Return the light (e-/s) of a uniform sky, float64 (ny, nx)."""
    beam = beam_of(config)
    wave = np.linspace(*beam.reach, 400)
    per_jansky = sum(np.trapezoid(beam.sensitivity(o, wave), wave) for o in EFFICIENCY[beam.grism.instrument])
    jansky = config.sky.background * 1e6 * beam.aperture.nominal_area * _ARCSEC2
    return (
        jansky * per_jansky * sky_template(beam.aperture.box, beam.aperture.detector.frame, beam.grism.axis)
    )


def sky_template(box: Box, frame: tuple[int, int], axis: int) -> np.ndarray:
    """Return the relative brightness of a dispersed sky: steps along the dispersion, slopes across."""
    v, u = np.ogrid[box.slices]
    u, v = u / frame[1] - 0.5, v / frame[0] - 0.5
    along, across = (u, v) if axis == 1 else (v, u)
    steps = 0.12 * np.tanh((along + 0.33) / 0.04) - 0.08 * np.tanh((along - 0.38) / 0.03)
    return np.asarray(1.0 + steps + 0.10 * across - 0.25 * along * across - 0.15 * across**2)


def _listed(config: ExposureConfig, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a table of stars at pixels."""
    return with_pixels(np.zeros(len(x), SOURCE_DTYPE), x, y, config.band)


def _wide_footprint(beam: Beam, pointing: Pointing) -> tuple[np.ndarray, np.ndarray]:
    """Return the sky (RA and Dec of corners) from which light of the first order may fall on the detector."""
    ny, nx = beam.aperture.shape
    order = next(o for o in beam.orders if o.number == 1)
    trace = beam.trace(order, nx / 2, ny / 2)
    dx, dy = (np.append(d, 0.0) for d in trace.offset(trace.parameter(np.array(beam.reach))))
    x = np.array([-dx.max(), nx - dx.min(), nx - dx.min(), -dx.max()])
    y = np.array([-dy.max(), -dy.max(), ny - dy.min(), ny - dy.min()])
    return pointing.pixel_to_sky(x, y)


def _touches(trace: Trace, beam: Beam, row: np.void) -> bool:
    ny, nx = beam.aperture.shape
    dx, dy = trace.offset(trace.parameter(np.linspace(*beam.reach, 9)))
    x, y = row["x"] + dx, row["y"] + dy
    beyond = _BEYOND + 4.0 * row["radius"] / beam.scale
    return bool(x.max() > -beyond and x.min() < nx + beyond and y.max() > -beyond and y.min() < ny + beyond)


def pieces(beam: Beam, trace: Trace, order: int, spectrum: Spectrum, row: np.void) -> Pieces:
    """Cut a trace into the finest pieces, each with the light of its wavelengths."""
    first, last = trace.parameter(np.array(beam.reach))
    ends = trace.offset(np.array([first, last]))
    length = float(np.hypot(*(v[1] - v[0] for v in ends)))
    edges = np.linspace(first, last, max(int(np.ceil(length / _FINEST)), 8) + 1)
    middle = (edges[1:] + edges[:-1]) / 2.0
    bounds = trace.wavelength(edges)
    wave = trace.wavelength(middle)
    light = spectrum.mean(bounds) * np.abs(np.diff(bounds)) * beam.sensitivity(order, wave)
    dx, dy = trace.offset(middle)
    return Pieces(row["x"] + dx, row["y"] + dy, light, wave)


def _add(
    image: np.ndarray, beam: Beam, trace: Trace, order: int, spectrum: Spectrum, row: np.void, angle: float
) -> None:
    """Add one order of a source to an image."""
    finest = pieces(beam, trace, order, spectrum, row)
    core = float(diffraction_sigma(np.array(beam.reach[0]), beam.scale))
    for share, width in PSF_GAUSSIANS:
        if not row["galaxy"]:
            p = finest.merged(_number(core * width))
            add_round(image, p.x, p.y, share * p.light, diffraction_sigma(p.wave, beam.scale) * width)
            continue
        for part, xx, yy, xy in _shape(row, angle, beam.scale):
            if part * share > _LEAST_SHARE:
                p = finest.merged(_number(np.hypot(core * width, np.sqrt(min(xx, yy)))))
                psf = (diffraction_sigma(p.wave, beam.scale) * width) ** 2
                add_elliptical(image, p.x, p.y, part * share * p.light, (psf + xx, psf + yy, psf * 0.0 + xy))


def _number(sigma: float) -> int:
    """Return how many of the finest pieces one Gaussian of a width (pixels) may stand for."""
    return max(int(sigma / 2.0 / _FINEST), 1)


def _shape(row: np.void, angle: float, scale: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield the Gaussians of a galaxy: share of the light, and covariance xx, yy, xy in pixels²."""
    cos, sin = np.cos(angle), np.sin(angle)
    for share, sigma in sersic_gaussians(float(row["sersic"])):
        major = (sigma * row["radius"] / scale) ** 2
        minor = major * row["axis_ratio"] ** 2
        xx, yy = major * cos**2 + minor * sin**2, major * sin**2 + minor * cos**2
        yield share, float(xx), float(yy), float((major - minor) * sin * cos)
