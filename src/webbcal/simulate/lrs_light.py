"""What falls on the pixels of MIRI's low-resolution spectrometer, before any property of the detector.

The spectrum is cut into steps of an eighth of a row. The light of a step is a point-spread function, cut by
the slit, and spread over rows and columns by exact integrals over the pixels; the image is the product of a
matrix (rows by steps) and one (steps by columns). Lines are integrated over the steps exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.simulate import lrs as optics
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.geometry import Aperture, Pointing
from webbcal.simulate.optics import AREA, PLANCK
from webbcal.simulate.spectrum import Spectrum

_STEPS = 8  # of the spectrum in a row
_JANSKY = 1e-26
_ARCSEC2_PER_SR = (180.0 * 3600.0 / np.pi) ** 2


#: A spectrum row by row of the detector: what a calibration that undoes all but the blur would find.
SPECTRUM_DTYPE = np.dtype(
    [("row", "i4"), ("wavelength", "f8"), ("flux", "f8"), ("seen", "f8"), ("sky", "f8")]
)


@dataclass(frozen=True)
class LrsLight:
    """Light on the pixels and the spectra that it comes from.

    Attributes
    ----------
    rate : ndarray
        e-/s, float32, shape (ny, nx).
    spectrum : ndarray
        Of `SPECTRUM_DTYPE`, a row for each of the detector that has one of the wavelengths: micrometres; the
        star (Jy) as it is and as the optics blur it; the sky (MJy/sr).
    lost : ndarray, optional
        What a planet takes of the light in mid-transit, e-/s.
    """

    rate: np.ndarray
    spectrum: np.ndarray
    lost: np.ndarray | None = None


@dataclass(frozen=True)
class _Plan:
    """The frame in which spectra are drawn.

    Attributes
    ----------
    aperture : Aperture
    x, y : float
        The place of the slit's middle (or of the source, without a slit) in the aperture, 0-based pixels.
    edges : ndarray
        Of the steps: rows above that place; wavelengths grow as they fall.
    """

    aperture: Aperture
    x: float
    y: float
    edges: np.ndarray

    @property
    def waves(self) -> np.ndarray:
        """Wavelengths of the edges (micrometres)."""
        return optics.wavelength(self.edges)

    @property
    def middles(self) -> np.ndarray:
        """Rows above the reference place, of the middles of the steps."""
        return np.asarray(self.edges[1:] + self.edges[:-1]) / 2.0

    def electrons(self, spectrum: Spectrum) -> np.ndarray:
        """Return the light of each step (e-/s) of a source with a spectrum in Jy, all of it let through."""
        return spectrum.mean(self.waves) * electrons_per_jansky(self.waves)


def electrons_per_jansky(edges: np.ndarray) -> np.ndarray:
    """Return e-/s for 1 Jy between successive wavelengths (micrometres)."""
    middle = (edges[1:] + edges[:-1]) / 2.0
    return np.asarray(AREA * optics.throughput(middle) * np.abs(np.diff(np.log(edges))) * _JANSKY / PLANCK)


def pixel_area(aperture: Aperture) -> float:
    """Return the solid angle of a pixel, steradian."""
    return aperture.x_scale * aperture.y_scale / _ARCSEC2_PER_SR


def lrs_light(config: ExposureConfig, mjd: float) -> LrsLight:
    """Return what reaches the pixels at a time (MJD): star, sky and the loss of throughput.

    Raises
    ------
    ValueError
        If the configuration has no spectrum.
    """
    if config.lrs is None:
        raise ValueError("not a configuration of the low-resolution spectrometer")
    plan = _plan(config.aperture)
    left = optics.throughput_left(mjd)
    image, lost = _sky(plan, config.lrs.sky), None
    spectrum = _spectrum(plan, config.lrs)
    if config.lrs.source is not None:
        light = plan.electrons(config.lrs.source)
        x, y = target_pixel(config.true_pointing, config.ra, config.dec)
        star = _star(plan, light, x, y)
        image += star
        spectrum["seen"] = _seen(plan, star, spectrum["wavelength"], x, y)
        if config.lrs.transit is not None:
            depth = config.lrs.transit.depths(optics.wavelength(plan.middles))
            lost = (left * _star(plan, light * depth, x, y)).astype(np.float32)
    return LrsLight((left * image).astype(np.float32), spectrum, lost)


def target_pixel(pointing: Pointing, ra: float, dec: float) -> tuple[float, float]:
    """Return where an undispersed source falls in the aperture, 0-based pixels."""
    x, y = pointing.sky_to_pixel(np.array([ra]), np.array([dec]))
    return float(x[0]), float(y[0])


def _plan(aperture: Aperture) -> _Plan:
    rows = np.arange(optics.ROWS_ABOVE + 12, -optics.ROWS_BELOW - 20, -1.0 / _STEPS)
    waves = optics.wavelength(rows)
    inside = (waves > optics.SHORTEST) & (waves < optics.LONGEST)
    return _Plan(aperture, aperture.x_ref - 1.0, aperture.y_ref - 1.0, rows[inside])


def _star(plan: _Plan, light: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the image of a point source at a place, given the light of each step."""
    ny, nx = plan.aperture.shape
    image = np.zeros((ny, nx))
    waves, bend = optics.wavelength(plan.middles), optics.trace(plan.middles + y - plan.y)
    scales = plan.aperture.x_scale, plan.aperture.y_scale
    half = (np.inf, np.inf)
    if optics.has_slit(plan.aperture):
        half = optics.SLIT_LENGTH / scales[0] / 2.0, optics.SLIT_WIDTH / scales[1] / 2.0
    for (share, across), (_, along) in zip(
        optics.sigmas(waves, scales[0]), optics.sigmas(waves, scales[1]), strict=True
    ):
        rows = _shares(ny, plan.y + plan.middles, y - plan.y, along, half[1])
        columns = _shares(nx, plan.x + bend, x - plan.x, across, half[0])
        image += rows.T @ (share * light[:, None] * columns)
    return image


def _rows(plan: _Plan) -> np.ndarray:
    """Return the detector's rows that lie within the spectrum."""
    rows = np.arange(plan.aperture.shape[0])
    inside = (rows + 0.5 - plan.y < plan.edges[0]) & (rows - 0.5 - plan.y > plan.edges[-1])
    return rows[inside]


def _spectrum(plan: _Plan, lrs: optics.Lrs) -> np.ndarray:
    """Return the spectra of star and sky, row by row, without blur."""
    table = np.zeros(len(_rows(plan)), SPECTRUM_DTYPE)
    table["row"] = _rows(plan)
    rows = table["row"] - plan.y
    table["wavelength"] = optics.wavelength(rows)
    edges = optics.wavelength(np.append(rows - 0.5, rows[-1] + 0.5))
    table["sky"] = lrs.sky.mean(edges)
    if lrs.source is not None:
        table["flux"] = lrs.source.mean(edges)
    return table


def _seen(plan: _Plan, star: np.ndarray, waves: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the star's flux density (Jy) as it arrives in each row, all that is lost put back."""
    rows = _rows(plan)
    edges = optics.wavelength(np.append(rows - 0.5, rows[-1] + 0.5) - plan.y)
    light = star[rows].sum(axis=1) / electrons_per_jansky(edges)
    if optics.has_slit(plan.aperture):
        light /= optics.transmission(waves, y - plan.y, x - plan.x, plan.aperture.y_scale)
    return np.asarray(light)


def _shares(pixels: int, middle: np.ndarray, offset: float, sigma: np.ndarray, half: float) -> np.ndarray:
    """Return the share of each step's light that falls on each pixel of a line, shape (steps, pixels).

    The image of the slit is `half` pixels wide to each side of `middle`; the source is `offset` off it.
    """
    from scipy.special import ndtr

    edges = np.clip(np.arange(pixels + 1) - 0.5 - middle[:, None], -half, half)
    return np.asarray(np.diff(ndtr((edges - offset) / sigma[:, None]), axis=1))


def _sky(plan: _Plan, sky: Spectrum) -> np.ndarray:
    """Return the light of a uniform sky: of the slit, or of all wavelengths everywhere without one."""
    ny, nx = plan.aperture.shape
    to_jansky = 1e6 * pixel_area(plan.aperture)
    if not optics.has_slit(plan.aperture):
        return np.full((ny, nx), to_jansky * plan.electrons(sky).sum())
    rows = _rows(plan)
    waves = optics.wavelength(np.append(rows - 0.5, rows[-1] + 0.5) - plan.y)
    light = np.zeros(ny)
    light[rows] = sky.mean(waves) * electrons_per_jansky(waves)
    half = optics.SLIT_LENGTH / plan.aperture.x_scale / 2.0
    bend = optics.trace(np.arange(ny) - plan.y)
    edges = np.clip(np.arange(nx + 1) - 0.5 - plan.x - bend[:, None], -half, half)
    return to_jansky * light[:, None] * np.diff(edges, axis=1)
