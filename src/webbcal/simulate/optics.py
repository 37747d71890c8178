"""From magnitudes to electrons a second, and from sources to an image.

Modelled: a filter as pivot wavelength, width and total throughput, from which the photometric zero point
follows; the point-spread function as a sum of circular Gaussians whose size scales with wavelength (core,
first rings, and the wide wings), integrated over pixels exactly; galaxies as Sersic profiles, themselves
expanded in Gaussians so that the convolution with the point-spread function is exact.

Not modelled: diffraction spikes, field dependence, colour within a filter. What a calibration must find again
is flux, position and size; a sum of Gaussians gives all three in closed form, including the encircled energy.

Sources: filter widths from the JWST documentation (rounded); collecting area 25.4 m²; the idea of expanding
galaxy profiles in Gaussians from Hogg & Lang 2013 (PASP 125, 719), with our own least-squares expansion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from webbcal.core.errors import ParameterError

PLANCK = 6.62607015e-34  # J s
AREA = 25.4  # m², collecting area of the telescope
_DIAMETER = 6.5  # m
_AB_ZERO = 3631e-26  # W m⁻² Hz⁻¹
_ARCSEC = np.pi / 180.0 / 3600.0

#: Gaussians of the point-spread function: share of the light, and width in units of the core's.
PSF_GAUSSIANS = ((0.72, 1.0), (0.17, 2.6), (0.08, 7.0), (0.03, 22.0))


def photons_per_jansky(wave: np.ndarray) -> np.ndarray:
    """Return photons a second and micrometre on the mirror from a source of 1 Jy, at wavelengths (µm)."""
    return np.asarray(AREA * 1e-26 / PLANCK / wave)


@dataclass(frozen=True, slots=True)
class Filter:
    """A passband.

    Attributes
    ----------
    name : str
    pivot, width : float
        Micrometres.
    throughput : float
        Electrons per photon that reaches the primary mirror, averaged over the band.
    wheels : tuple of str
        FILTER and PUPIL keywords that select the band.
    """

    name: str
    pivot: float
    width: float
    throughput: float
    wheels: tuple[str, str]

    @property
    def zero_point(self) -> float:
        """Electrons a second from a source of AB magnitude 0."""
        return AREA * self.throughput * (self.width / self.pivot) * _AB_ZERO / PLANCK

    def electrons_from_abmag(self, magnitude: np.ndarray) -> np.ndarray:
        """Return the total rate (e-/s) of sources of these AB magnitudes."""
        return self.zero_point * 10.0 ** (-0.4 * np.asarray(magnitude, float))

    def electrons_from_surface_brightness(self, mjy_per_sr: float, pixel_area_arcsec2: float) -> float:
        """Return the rate (e-/s/pixel) of a uniform sky of this surface brightness."""
        jansky = mjy_per_sr * 1e6 * pixel_area_arcsec2 * _ARCSEC**2
        return self.zero_point * jansky / 3631.0

    def fwhm(self, pixel_scale: float) -> float:
        """Return the width of the point-spread function's core, pixels (1.02 wavelength/diameter)."""
        return 1.02 * self.pivot * 1e-6 / _DIAMETER / _ARCSEC / pixel_scale

    def core_sigma(self, pixel_scale: float) -> float:
        """Return the sigma of the point-spread function's core, pixels."""
        return self.fwhm(pixel_scale) / 2.3548


_NIRCAM = """
F070W 0.704 0.128 0.21  F090W 0.901 0.194 0.29  F115W 1.154 0.225 0.33  F140M 1.404 0.142 0.41
F150W 1.501 0.318 0.43  F182M 1.845 0.238 0.47  F187N 1.874 0.024 0.44  F200W 1.990 0.461 0.49
F210M 2.093 0.205 0.49  F212N 2.120 0.027 0.46  F150W2 1.671 1.227 0.45 F250M 2.503 0.181 0.37
F277W 2.786 0.672 0.42  F300M 2.996 0.318 0.41  F322W2 3.247 1.339 0.46 F335M 3.365 0.347 0.46
F356W 3.563 0.787 0.50  F360M 3.621 0.372 0.49  F410M 4.092 0.436 0.48  F430M 4.280 0.228 0.47
F444W 4.421 1.024 0.47  F460M 4.624 0.228 0.38  F480M 4.834 0.303 0.37
"""
#: Narrow bands that sit in the pupil wheel, with the blocking filter they need.
_NIRCAM_PUPIL = {
    "F162M": (1.626, 0.168, 0.43, "F150W2"),
    "F164N": (1.644, 0.020, 0.42, "F150W2"),
    "F323N": (3.237, 0.038, 0.40, "F322W2"),
    "F405N": (4.055, 0.046, 0.43, "F444W"),
    "F466N": (4.654, 0.054, 0.36, "F444W"),
    "F470N": (4.707, 0.051, 0.34, "F444W"),
}
_NIRISS = """
F090W 0.902 0.194 0.31  F115W 1.150 0.225 0.36  F140M 1.404 0.147 0.41  F150W 1.494 0.318 0.44
F158M 1.587 0.196 0.46  F200W 1.989 0.461 0.49  F277W 2.764 0.715 0.45  F356W 3.593 0.914 0.49
F380M 3.825 0.205 0.46  F430M 4.285 0.202 0.44  F444W 4.441 1.024 0.45  F480M 4.815 0.298 0.38
"""

_MIRI = """
F560W 5.636 1.000 0.22  F770W 7.639 1.950 0.30  F1000W 9.953 1.800 0.30  F1130W 11.31 0.730 0.30
F1280W 12.81 2.470 0.28  F1500W 15.06 2.920 0.29  F1800W 17.98 2.950 0.24  F2100W 20.80 4.580 0.21
F2550W 25.36 3.670 0.13
"""
#: Dispersers in the wheel of filters, which take no images.
_PRISM = Filter("P750L", 9.0, 9.0, 0.11, ("P750L", "N/A"))
#: MIRI's coronagraphs (their masks are not modelled), and its integral field unit, whose spectra stage 1 does
#: not tell from images: they have no place in the references of the imager.
_MIRI_OTHERS = {
    name: Filter(name, pivot, width, throughput, (name, "N/A"))
    for name, pivot, width, throughput in (
        ("F1065C", 10.58, 0.75, 0.20),
        ("F1140C", 11.31, 0.80, 0.20),
        ("F1550C", 15.52, 0.90, 0.20),
        ("F2300C", 22.76, 5.50, 0.14),
        ("N/A", 12.0, 2.0, 0.10),
    )
}
#: NIRSpec: a filter and the disperser that goes with it.
_NIRSPEC = {
    "CLEAR": (2.95, 4.7, 0.45, "PRISM"),
    "F100LP": (1.43, 0.92, 0.40, "G140H"),
    "F170LP": (2.42, 1.51, 0.45, "G235H"),
    "F290LP": (4.07, 2.40, 0.45, "G395H"),
}


def diffraction_sigma(wave: np.ndarray, pixel_scale: float) -> np.ndarray:
    """Return the sigma (pixels) of the point-spread function's core at wavelengths (micrometres)."""
    return np.asarray(1.02 * wave * 1e-6 / _DIAMETER / _ARCSEC / pixel_scale / 2.3548)


def _rows(text: str) -> list[tuple[str, float, float, float]]:
    w = text.split()
    return [(w[i], float(w[i + 1]), float(w[i + 2]), float(w[i + 3])) for i in range(0, len(w), 4)]


@lru_cache
def filters_of(instrument: str) -> dict[str, Filter]:
    """Return the filters of an instrument by name."""
    if instrument == "NIRCAM":
        wide = [Filter(n, p, w, t, (n, "CLEAR")) for n, p, w, t in _rows(_NIRCAM)]
        narrow = [Filter(n, p, w, t, (block, n)) for n, (p, w, t, block) in _NIRCAM_PUPIL.items()]
        bands = wide + narrow
    elif instrument == "NIRISS":
        # Short bands are in the pupil wheel behind CLEAR; long ones in the filter wheel behind CLEARP.
        bands = [
            Filter(n, p, w, t, ("CLEAR", n) if p < 2.5 else (n, "CLEARP")) for n, p, w, t in _rows(_NIRISS)
        ]
    elif instrument == "NIRSPEC":
        bands = [Filter(n, p, w, t, (n, disperser)) for n, (p, w, t, disperser) in _NIRSPEC.items()]
    elif instrument == "MIRI":
        bands = [Filter(n, p, w, t, (n, "N/A")) for n, p, w, t in _rows(_MIRI)]
    else:
        bands = [Filter("N/A", 2.5, 4.0, 0.55, ("N/A", "N/A"))]  # the guiders have no filter wheel
    return {b.name: b for b in bands}


def find_filter(instrument: str, name: str) -> Filter:
    """Return a filter of an instrument; raises ParameterError for an unknown one."""
    bands = filters_of(instrument)
    if instrument == "MIRI" and name == _PRISM.name:
        return _PRISM
    if instrument == "MIRI" and name in _MIRI_OTHERS:
        return _MIRI_OTHERS[name]
    if name not in bands:
        raise ParameterError(f"{instrument} has no filter {name!r} here; known: {', '.join(bands)}")
    return bands[name]


def add_stars(image: np.ndarray, x: np.ndarray, y: np.ndarray, rate: np.ndarray, core_sigma: float) -> None:
    """Add point sources to `image` (ny, nx; e-/s), in place.

    Each Gaussian of the point-spread function is integrated over the pixels exactly, as a product of
    differences of the normal cumulative distribution, out to five sigma (all but 1e-6 of its light).
    """
    for share, factor in PSF_GAUSSIANS:
        sigma = core_sigma * factor
        for xi, yi, ri in zip(x, y, rate, strict=True):
            cut = _stamp(image.shape, xi, yi, 5.0 * sigma + 1.0)
            if cut is not None:
                rows, columns = cut
                image[cut] += (share * ri) * np.outer(
                    _pixel_integrals(rows, yi, sigma), _pixel_integrals(columns, xi, sigma)
                )


def _stamp(shape: tuple[int, ...], x: float, y: float, reach: float) -> tuple[slice, slice] | None:
    """Return the pixels within `reach` of a position, or None if the image has none of them."""
    y0, y1 = max(int(np.ceil(y - reach)), 0), min(int(y + reach) + 1, shape[0])
    x0, x1 = max(int(np.ceil(x - reach)), 0), min(int(x + reach) + 1, shape[1])
    return (slice(y0, y1), slice(x0, x1)) if y0 < y1 and x0 < x1 else None


def _pixel_integrals(pixels: slice, centre: float, sigma: float) -> np.ndarray:
    from scipy.special import ndtr

    edges = np.arange(pixels.start, pixels.stop + 1) - 0.5
    return np.diff(ndtr((edges - centre) / sigma))


@lru_cache
def sersic_gaussians(index: float) -> tuple[tuple[float, float], ...]:
    """Expand a Sersic profile in Gaussians: (share of the light, sigma in effective radii), by least squares.

    The fit is to the light in rings out to eight effective radii, and the shares add to one.
    """
    from scipy.optimize import nnls
    from scipy.special import gammaincinv

    b = gammaincinv(2.0 * index, 0.5)
    sigmas = np.geomspace(0.02, 4.0, 14)
    edges = np.geomspace(0.01, 8.0, 200)
    radius = np.sqrt(edges[1:] * edges[:-1])
    light = 2 * np.pi * radius * np.exp(-b * radius ** (1.0 / index)) * np.diff(edges)
    encircled = 1.0 - np.exp(-0.5 * (edges[:, None] / sigmas) ** 2)
    weights, _ = nnls(np.diff(encircled, axis=0), light / light.sum())
    weights /= weights.sum()
    return tuple((float(w), float(s)) for w, s in zip(weights, sigmas, strict=True) if w > 1e-3)


@dataclass(frozen=True, slots=True)
class Galaxy:
    """An elliptical Sersic source in pixels: total rate (e-/s), effective radius, axis ratio, angle (rad)."""

    x: float
    y: float
    rate: float
    radius: float
    axis_ratio: float
    angle: float
    index: float = 1.0


def add_galaxy(image: np.ndarray, galaxy: Galaxy, core_sigma: float) -> None:
    """Add a galaxy, convolved with the point-spread function and the pixel, to `image` (e-/s), in place.

    Gaussians convolve by adding covariances; the pixel adds 1/12 to each axis, which is accurate to 1e-3 of
    the peak for the widths met here.
    """
    cos, sin = np.cos(galaxy.angle), np.sin(galaxy.angle)
    for share_g, sigma_g in sersic_gaussians(galaxy.index):
        major, minor = (sigma_g * galaxy.radius) ** 2, (sigma_g * galaxy.radius * galaxy.axis_ratio) ** 2
        for share_p, factor in PSF_GAUSSIANS:
            round_part = (core_sigma * factor) ** 2 + 1.0 / 12.0
            xx = major * cos**2 + minor * sin**2 + round_part
            yy = major * sin**2 + minor * cos**2 + round_part
            xy = (major - minor) * sin * cos
            _add_gaussian(image, galaxy.x, galaxy.y, galaxy.rate * share_g * share_p, xx, yy, xy)


def _add_gaussian(
    image: np.ndarray, x: float, y: float, rate: float, xx: float, yy: float, xy: float
) -> None:
    """Add an elliptical Gaussian of a total rate and a covariance, sampled at the pixel centres."""
    det = xx * yy - xy * xy
    cut = _stamp(image.shape, x, y, 4.5 * np.sqrt(max(xx, yy)) + 1.0)
    if cut is None:
        return
    dy = np.arange(cut[0].start, cut[0].stop)[:, None] - y
    dx = np.arange(cut[1].start, cut[1].stop)[None, :] - x
    exponent = (dx * dx * (yy / det) - dx * dy * (2 * xy / det) + dy * dy * (xx / det)) * -0.5
    image[cut] += rate / (2 * np.pi * np.sqrt(det)) * np.exp(exponent)
