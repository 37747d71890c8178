"""What `imaging.py` made, compared with the truth: positions, fluxes, cosmic rays, star cores, sky, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from imaging import SKIES, Combined, Field

from webbcal import datamodels
from webbcal.combine.sources.aperture_photometry import finite_positions, measure_apertures
from webbcal.combine.sources.aperture_reference import Apertures
from webbcal.simulate.personality import personality

DO_NOT_USE, SATURATED, JUMP, OUTLIER = 1, 2, 4, 16
_MAS = 3.6e6  # in a degree


def east_north(ra: np.ndarray, dec: np.ndarray, ra0: np.ndarray, dec0: np.ndarray) -> np.ndarray:
    """Return small offsets (mas) to the east and north of a position, shape (2, ...)."""
    return _MAS * np.array([(ra - ra0) * np.cos(np.radians(dec0)), dec - dec0])


def wcs_errors(field: Field, exposures: Sequence[Any], n: int = 15) -> np.ndarray:
    """Return how far (mas east, north) the sky positions of a grid of pixels of each exposure are off.

    Returns
    -------
    ndarray
        Shape (exposures, 2, n * n).
    """
    errors = []
    for pointing, model in zip(field.pointings, exposures, strict=True):
        ny, nx = model.shape
        x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, nx - 1, n), np.linspace(0, ny - 1, n)))
        errors.append(east_north(*model.meta.wcs(x, y), *pointing.pixel_to_sky(x, y)))
    return np.array(errors)


@dataclass(frozen=True)
class Matched:
    """Stars of the truth with their rows in the catalogue; arrays of one value for each.

    Attributes
    ----------
    abmag : ndarray
        True magnitude.
    offset : ndarray
        Catalogue less truth, mas to the east and north, shape (2, stars).
    flux, error, truth : ndarray
        Total flux from the largest aperture, its stated error, and the truth, Jy.
    sampled : ndarray
        What the same aperture and correction find in the mosaic without noise.
    whole : ndarray of bool
        Whether all exposures cover the star, and none has a bad or saturated pixel near it.
    """

    abmag: np.ndarray
    offset: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    sampled: np.ndarray
    whole: np.ndarray


def match(field: Field, combined: Combined, radius: float = 60.0) -> Matched:
    """Find the true stars in the catalogue, within `radius` mas."""
    from scipy.spatial import cKDTree

    stars, found = field.stars, combined.catalog["sky_centroid"]
    ra, dec = found.ra.deg, found.dec.deg
    centre = field.stated[0].ra, field.stated[0].dec
    known = np.isfinite(ra) & np.isfinite(dec)
    plane = east_north(ra[known], dec[known], *centre).T
    distance, nearest = cKDTree(plane).query(east_north(stars["ra"], stars["dec"], *centre).T)
    near = distance < radius
    rows = combined.catalog[np.flatnonzero(known)[nearest[near]]]
    stars = stars[near]
    offset = east_north(rows["sky_centroid"].ra.deg, rows["sky_centroid"].dec.deg, stars["ra"], stars["dec"])
    flux, error = (np.asarray(rows[f"aper_total_flux{e}"]) for e in ("", "_err"))
    truth = 3631.0 * 10.0 ** (-0.4 * stars["abmag"])
    sampled = _noiseless_fluxes(combined)[np.flatnonzero(known)[nearest[near]]]
    return Matched(stars["abmag"], offset, flux, error, truth, sampled, _whole(field, combined, stars))


def _noiseless_fluxes(combined: Combined) -> np.ndarray:
    """Return the total fluxes (Jy) of the catalogue's sources in the mosaic without noise."""
    table, unit = combined.catalog, 1e6 * combined.mosaic.meta.photometry.pixelarea_steradians
    p = table.meta["aperture_params"]
    apertures = Apertures(
        *(np.array(p[f"aperture_{name}"]) for name in ("ee", "radii", "corrections")),
        p["bkg_aperture_inner_radius"],
        p["bkg_aperture_outer_radius"],
    )
    positions = finite_positions(np.asarray(table["xcentroid"]), np.asarray(table["ycentroid"]))
    data = combined.expected * unit
    return (
        measure_apertures(data, np.ones_like(data), positions, apertures).flux[-1] * apertures.corrections[-1]
    )


def _whole(field: Field, combined: Combined, stars: np.ndarray, reach: int = 2) -> np.ndarray:
    good = np.ones(len(stars), bool)
    for pointing, model in zip(field.pointings, combined.exposures, strict=True):
        x, y = (np.rint(v).astype(int) for v in pointing.sky_to_pixel(stars["ra"], stars["dec"]))
        ny, nx = model.shape
        inside = (x >= reach) & (y >= reach) & (x < nx - reach) & (y < ny - reach)
        bad = (model.dq & (DO_NOT_USE | SATURATED)) != 0
        bad &= model.dq & OUTLIER == 0
        good &= inside
        for k in np.flatnonzero(inside):
            box = np.s_[y[k] - reach : y[k] + reach + 1, x[k] - reach : x[k] + reach + 1]
            good[k] &= not bad[box].any()
    return good


@dataclass(frozen=True)
class Hits:
    """Pixels that particles hit; arrays of one value for each.

    Attributes
    ----------
    size : ndarray
        What the hit adds to the pixel in units of the pixel's error without it.
    steepness : ndarray
        Largest difference of the true brightness from a neighbour, in the same units: a comparison of
        resampled images must allow for it.
    found : ndarray of bool
        Whether the pixel is flagged.
    """

    size: np.ndarray
    steepness: np.ndarray
    found: np.ndarray

    def completeness(self, above: float = 10.0, flat: bool = False) -> float:
        """Return the share found of those larger than a number of sigma (of those on flat ground)."""
        which = self.size > above
        if flat:
            which &= self.steepness < 2.0
        return float(self.found[which].mean())


def outlier_hits(field: Field, exposures: Sequence[Any], others: int = 2) -> Hits:
    """Look for outlier flags of the particles in simulated rates, where at least two others could tell."""
    parts = []
    for k, (config, truth) in enumerate(zip(field.true, field.truths, strict=True)):
        model, h = exposures[k], truth.hits
        y, x = h["y"], h["x"]
        before = datamodels.open(field.folder / str(field.files[k].name).replace("_rate", "_cal"))
        perfect, seconds = field.calibrated(k), config.readout.total_frames * config.readout.tframe
        with np.errstate(divide="ignore", invalid="ignore"):
            size = h["electrons"] / seconds * (perfect / truth.rate)[y, x] / before.err[y, x]
        steep = (slope(perfect) / before.err)[y, x]
        use = np.isfinite(size) & (before.dq[y, x] & DO_NOT_USE == 0) & (coverage(field, k, x, y) > others)
        parts.append((size[use], steep[use], (model.dq[y, x] & OUTLIER != 0)[use]))
    return Hits(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def ramp_hits(field: Field, exposures: Sequence[Any]) -> Hits:
    """Look for jump or outlier flags of the particles in simulated ramps.

    Sizes are in units of the noise of a difference of groups. Left out are hits before the first group, in
    pixels that saturate, and in those not to be used for other reasons.
    """
    parts = []
    for k, (config, truth) in enumerate(zip(field.true, field.truths, strict=True)):
        h, readout, dq = truth.hits, config.readout, exposures[k].dq
        y, x = h["y"], h["x"]
        person = personality(config.detector, config.aperture.box, config.detector_seed)
        read = person.gain**2 * 2.0 * (person.read_noise**2 + config.electronics.one_over_f_left**2)
        noise = np.sqrt((truth.rate + truth.dark) * readout.tgroup + read / readout.nframes)
        flags = dq[y, x]
        use = (h["group"] > 0) & (truth.first_saturated[0][y, x] == config.ngroups) & ~h["snowball"]
        use &= (flags & SATURATED == 0) & ((flags & DO_NOT_USE == 0) | (flags & OUTLIER != 0))
        size = h["electrons"] / noise[y, x]
        steep = slope(truth.rate)[y, x] * readout.tgroup / noise[y, x]
        parts.append((size[use], steep[use], (flags & (JUMP | OUTLIER) != 0)[use]))
    return Hits(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def slope(image: np.ndarray) -> np.ndarray:
    """Return the largest difference of a pixel from its four neighbours."""
    steep = np.zeros_like(image)
    for axis in (0, 1):
        step = np.abs(np.diff(image, axis=axis))
        low, high = ((slice(None), s) if axis else (s, slice(None)) for s in (np.s_[:-1], np.s_[1:]))
        steep[low], steep[high] = np.fmax(steep[low], step), np.fmax(steep[high], step)
    return steep


def coverage(field: Field, k: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how many exposures see the sky at these pixels of exposure `k`, itself included."""
    sky = field.pointings[k].pixel_to_sky(x, y)
    seen = np.zeros(len(x), int)
    for pointing in field.pointings:
        (ny, nx), (px, py) = pointing.aperture.shape, pointing.sky_to_pixel(*sky)
        seen += (px > 4) & (py > 4) & (px < nx - 5) & (py < ny - 5)
    return seen


@dataclass(frozen=True)
class Cores:
    """The nine innermost pixels of unsaturated stars in each exposure that no particle came near.

    Attributes
    ----------
    abmag : ndarray
        Magnitude of the star.
    flagged : ndarray
        How many of the pixels are flagged as outliers.
    pixels : ndarray
        How many of them were usable.
    """

    abmag: np.ndarray
    flagged: np.ndarray
    pixels: np.ndarray

    def share(self, bright: float = -np.inf, faint: float = np.inf) -> float:
        """Return the share of the pixels of stars between two magnitudes that is flagged."""
        which = (self.abmag >= bright) & (self.abmag < faint)
        return float(self.flagged[which].sum() / self.pixels[which].sum())


def cores(field: Field, exposures: Sequence[Any], reach: int = 1) -> Cores:
    """Count outlier flags in the cores of stars that at least two more exposures see."""
    from scipy.ndimage import binary_dilation

    parts = []
    for k, (model, truth) in enumerate(zip(exposures, field.truths, strict=True)):
        ny, nx = model.shape
        hit = np.zeros(model.shape, bool)
        hit[truth.hits["y"], truth.hits["x"]] = True
        flagged = model.dq & OUTLIER != 0
        usable = ~binary_dilation(hit, np.ones((3, 3))) & ((model.dq & DO_NOT_USE == 0) | flagged)
        full = (model.dq & SATURATED) != 0
        x, y = (np.rint(truth.sources[axis]).astype(int) for axis in "xy")
        inside = (x >= reach) & (y >= reach) & (x < nx - reach) & (y < ny - reach)
        inside[inside] &= coverage(field, k, x[inside], y[inside]) > 2
        for star in np.flatnonzero(inside):
            box = np.s_[y[star] - reach : y[star] + reach + 1, x[star] - reach : x[star] + reach + 1]
            if not full[box].any():
                parts.append((truth.sources["abmag"][star], (flagged & usable)[box].sum(), usable[box].sum()))
    return Cores(*(np.array(column) for column in zip(*parts, strict=True)))


def sky_errors(exposures: Sequence[Any]) -> np.ndarray:
    """Return by how much the measured sky levels of the exposures, above the lowest, are off (MJy/sr)."""
    levels = np.array([model.meta.background.level for model in exposures])
    true = np.array(SKIES) - min(SKIES)
    return np.asarray(levels - levels.min() - true)


@dataclass(frozen=True)
class Noise:
    """The mosaic less its expectation, in areas that all exposures cover.

    Attributes
    ----------
    blocks : ndarray
        Sides of blocks of pixels, n.
    width : ndarray
        Robust standard deviation of block means in units of the error that the error plane gives, were the
        pixels independent.
    count : ndarray
        Blocks.
    offset : float
        Median of the difference in units of the typical error.
    """

    blocks: np.ndarray
    width: np.ndarray
    count: np.ndarray
    offset: float


def expected_width(n: np.ndarray) -> np.ndarray:
    """Return what `Noise.width` is for drops as large as output pixels, at random phases.

    A row of noise shared out between neighbours, f and 1 - f, has a mean variance of 2/3 and a covariance of
    neighbours of 1/6; so the mean of n pixels has a variance of (1 - 1/(3n))/n, and both axes multiply. (The
    same as in Fruchter & Hook 2002, PASP 114, 144, equations 9 and 10, for p = s and n = 1.)
    """
    return 1.0 - 1.0 / (3.0 * np.asarray(n, float))


def noise(
    field: Field, combined: Combined, blocks: Sequence[int] = (1, 2, 4, 8, 16), bright: float = 1.0
) -> Noise:
    """Compare the scatter of the mosaic with its error plane where the true brightness is below `bright`."""
    data, err = np.asarray(combined.mosaic.data, float), np.asarray(combined.mosaic.err, float)
    use = np.isfinite(data) & (combined.mosaic.con[0] == 2 ** len(field.files) - 1)
    use &= combined.expected < bright
    difference = np.where(use, data - combined.expected, np.nan)
    variance = np.where(use, err**2, np.nan)
    widths, counts = [], []
    for n in blocks:
        ny, nx = (size // n for size in data.shape)
        means, errors = (
            a[: ny * n, : nx * n].reshape(ny, n, nx, n).sum(axis=(1, 3)) for a in (difference, variance)
        )
        pulls = (means / np.sqrt(errors))[np.isfinite(errors)]
        widths.append(1.4826 * np.median(np.abs(pulls - np.median(pulls))))
        counts.append(pulls.size)
    offset = float(np.nanmedian(difference) / np.sqrt(np.nanmedian(variance)))
    return Noise(np.array(blocks), np.array(widths), np.array(counts), offset)
