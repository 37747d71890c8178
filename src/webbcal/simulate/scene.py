"""What is on the sky, and what a detector would collect of it each second.

Modelled: stars with power-law counts and galaxies with exponential discs or steeper profiles, uniformly
spread; a cluster of galaxies, if wanted; and a uniform sky. The sky is cut into tiles around a tangent point,
and each tile draws its own sources from its own seed. So every detector, subarray, dither and visit that
looks at the same place sees the same sources.

Not modelled: other clustering, variability, moving targets, colours (a source has one AB magnitude in all
filters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.simulate.geometry import Pointing
from webbcal.simulate.optics import Filter, Galaxy, add_galaxy, add_stars

_TILE = 20.0  # arcsec
_MARGIN = 10.0  # arcsec beyond the detector from which light may still fall on it
_CLUSTER_CORE = 20.0  # arcsec
_CLUSTER_RADIUS = 2.0  # arcsec, of the brightest galaxy

SOURCE_DTYPE = np.dtype(
    [
        ("id", "i8"),
        ("ra", "f8"),
        ("dec", "f8"),
        ("abmag", "f8"),
        ("galaxy", "?"),
        ("radius", "f8"),
        ("axis_ratio", "f8"),
        ("position_angle", "f8"),
        ("sersic", "f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Sky:
    """A patch of sky.

    Attributes
    ----------
    ra, dec : float
        Tangent point of the tiling, degrees.
    seed : int
    stars, galaxies : float
        Sources per square arcminute between the magnitude limits.
    bright, faint : float
        AB magnitude limits.
    star_slope, galaxy_slope : float
        Counts grow as 10**(slope * magnitude).
    background : float
        Surface brightness of the sky, MJy/sr.
    cluster : int
        Galaxies of a cluster around the tangent point.
    """

    ra: float = 53.16
    dec: float = -27.79
    seed: int = 0
    stars: float = 150.0
    galaxies: float = 100.0
    bright: float = 15.5
    faint: float = 26.5
    star_slope: float = 0.22
    galaxy_slope: float = 0.35
    background: float = 0.25
    cluster: int = 0

    def sources_near(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Return the sources of all tiles that a region with these corners (degrees) touches.

        Returns
        -------
        ndarray
            Structured array of `SOURCE_DTYPE`: positions and position angles (east of north) in degrees,
            effective radii in arcsec.
        """
        xi, eta = _to_plane(self, np.asarray(ra), np.asarray(dec))
        lo_x, hi_x = np.floor((xi.min() - _MARGIN) / _TILE), np.floor((xi.max() + _MARGIN) / _TILE)
        lo_y, hi_y = np.floor((eta.min() - _MARGIN) / _TILE), np.floor((eta.max() + _MARGIN) / _TILE)
        tiles = [
            self._tile(i, j) for j in range(int(lo_y), int(hi_y) + 1) for i in range(int(lo_x), int(hi_x) + 1)
        ]
        return np.concatenate([*tiles, self._cluster_members()])

    def _cluster_members(self) -> np.ndarray:
        """Draw the galaxies of the cluster: early types around the brightest, denser to the middle."""
        n = self.cluster
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(0,))))
        t = np.zeros(n, SOURCE_DTYPE)
        t["id"], t["galaxy"], t["sersic"] = -1 - np.arange(n), True, 3.0
        share, angle = 0.9 * rng.random(n), rng.uniform(0.0, 2.0 * np.pi, n)
        distance = _CLUSTER_CORE * np.sqrt(share / (1.0 - share))  # half of all within the core, to 3 cores
        t["ra"], t["dec"] = _from_plane(self, distance * np.cos(angle), distance * np.sin(angle))
        t["abmag"] = self._magnitudes(rng, n, self.bright + 2.0, 0.18)
        t["abmag"][:1], t["ra"][:1], t["dec"][:1] = self.bright + 0.5, self.ra, self.dec
        t["radius"] = _CLUSTER_RADIUS * 10.0 ** (-0.12 * (t["abmag"] - self.bright - 0.5))
        t["axis_ratio"], t["position_angle"] = rng.uniform(0.5, 1.0, n), rng.uniform(0.0, 180.0, n)
        return t

    def _tile(self, i: int, j: int) -> np.ndarray:
        """Draw the sources of one tile from the tile's own random stream."""
        key = (i + 2**16, j + 2**16)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))
        area = (_TILE / 60.0) ** 2
        n_stars, n_galaxies = rng.poisson(self.stars * area), rng.poisson(self.galaxies * area)
        n = n_stars + n_galaxies
        t = np.zeros(n, SOURCE_DTYPE)
        t["galaxy"][n_stars:] = True
        t["id"] = (key[0] * 2**17 + key[1]) * 10_000 + np.arange(n)
        xi, eta = _TILE * (i + rng.random(n)), _TILE * (j + rng.random(n))
        t["ra"], t["dec"] = _from_plane(self, xi, eta)
        t["abmag"][:n_stars] = self._magnitudes(rng, n_stars, self.bright, self.star_slope)
        # Galaxies start three magnitudes fainter: the brightest sources of a field are stars.
        t["abmag"][n_stars:] = self._magnitudes(rng, n_galaxies, self.bright + 3.0, self.galaxy_slope)
        size = np.exp(rng.normal(np.log(0.35), 0.45, n)) * 10 ** (-0.08 * (t["abmag"] - 24.0))
        t["radius"] = np.where(t["galaxy"], np.clip(size, 0.05, 3.0), 0.0)
        t["axis_ratio"] = np.where(t["galaxy"], rng.uniform(0.25, 1.0, n), 1.0)
        t["position_angle"] = np.where(t["galaxy"], rng.uniform(0.0, 180.0, n), 0.0)
        t["sersic"] = np.where(t["galaxy"], np.where(rng.random(n) < 0.75, 1.0, 3.0), 0.0)
        return t

    def _magnitudes(self, rng: np.random.Generator, n: int, bright: float, slope: float) -> np.ndarray:
        share_beyond = 10.0 ** (slope * (bright - self.faint))
        return self.faint + np.log10(share_beyond + (1.0 - share_beyond) * rng.random(n)) / slope


def _to_plane(sky: Sky, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project onto the tangent plane; arcsec east and north."""
    r, d, d0 = np.radians(ra - sky.ra), np.radians(dec), np.radians(sky.dec)
    depth = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(r)
    xi = np.cos(d) * np.sin(r) / depth
    eta = (np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(r)) / depth
    return np.degrees(xi) * 3600.0, np.degrees(eta) * 3600.0


def _from_plane(sky: Sky, xi: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return RA and Dec (degrees) of tangent-plane positions in arcsec."""
    x, y, d0 = np.radians(xi / 3600.0), np.radians(eta / 3600.0), np.radians(sky.dec)
    depth = np.cos(d0) - y * np.sin(d0)
    ra = sky.ra + np.degrees(np.arctan2(x, depth))
    dec = np.degrees(np.arctan2(np.sin(d0) + y * np.cos(d0), np.hypot(x, depth)))
    return ra % 360.0, dec


def observe(sky: Sky, sources: np.ndarray, pointing: Pointing, band: Filter) -> tuple[np.ndarray, np.ndarray]:
    """Render what reaches the pixels, before any property of the detector.

    Returns
    -------
    image : ndarray
        Rate in e-/s/pixel for perfect pixels, float32, shape (ny, nx).
    table : ndarray
        The sources with light on the detector: the columns of `sources` and `x`, `y` (0-based pixels) and
        `rate` (total e-/s).
    """
    aperture = pointing.aperture
    scale = float(np.sqrt(aperture.x_scale * aperture.y_scale))
    x, y = pointing.sky_to_pixel(sources["ra"], sources["dec"])
    reach = _MARGIN / scale
    near = (x > -reach) & (x < aperture.shape[1] + reach) & (y > -reach) & (y < aperture.shape[0] + reach)
    table = with_pixels(sources[near], x[near], y[near], band)
    image = band.electrons_from_surface_brightness(sky.background, 1.0) * aperture.pixel_areas.astype(float)
    sigma = band.core_sigma(scale)
    stars = table[~table["galaxy"]]
    add_stars(image, stars["x"], stars["y"], stars["rate"], sigma)
    galaxies = table[table["galaxy"]]
    for g, angle in zip(galaxies, pixel_angles(pointing, galaxies), strict=True):
        shape = Galaxy(g["x"], g["y"], g["rate"], g["radius"] / scale, g["axis_ratio"], angle, g["sersic"])
        add_galaxy(image, shape, sigma)
    return image.astype(np.float32), table


def with_pixels(sources: np.ndarray, x: np.ndarray, y: np.ndarray, band: Filter) -> np.ndarray:
    """Return sources with their places (0-based pixels) and their rates (e-/s) in a band."""
    extra = [("x", "f8"), ("y", "f8"), ("rate", "f8")]
    table = np.zeros(len(sources), np.dtype(SOURCE_DTYPE.descr + extra))
    for name in SOURCE_DTYPE.names or ():
        table[name] = sources[name]
    table["x"], table["y"], table["rate"] = x, y, band.electrons_from_abmag(sources["abmag"])
    return table


def pixel_angles(pointing: Pointing, galaxies: np.ndarray) -> np.ndarray:
    """Return the direction of each galaxy's major axis on the pixel grid (radians), by a step on the sky."""
    step, pa = 0.1 / 3600.0, np.radians(galaxies["position_angle"])
    ra = galaxies["ra"] + step * np.sin(pa) / np.cos(np.radians(galaxies["dec"]))
    x, y = pointing.sky_to_pixel(ra, galaxies["dec"] + step * np.cos(pa))
    return np.asarray(np.arctan2(y - galaxies["y"], x - galaxies["x"]))
