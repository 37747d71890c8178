"""A slitless field drawn by hand: nothing of the simulator's light, optics, profiles or images is in it.

Light falls where the published configuration of the grism says, with a profile of its own (Moffat's for
stars, a softened exponential for galaxies), integrated over pixels; direct image, labels and catalogue are
drawn from the same sources, not found. What is shared with the rest of the tests are reference files: their
sensitivities turn flux into counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from published import Published
from wfss_fields import MARGIN, catalog, mosaic_wcs

from webbcal import datamodels
from webbcal.simulate.headers import assign
from webbcal.wcs.tree_wcs import TreeWCS

#: Surface brightness of a profile of total 1, at offsets (pixels) from its middle.
Profile = Callable[[np.ndarray, np.ndarray], np.ndarray]
_HALF = 20  # pixels of a stamp to each side
_PIECE = 0.34  # pixels along a trace
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)


def moffat(fwhm: float, beta: float = 2.8) -> Profile:
    """Return Moffat's profile."""
    core = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    return lambda dx, dy: (beta - 1) / (np.pi * core) * (1 + (dx**2 + dy**2) / core) ** -beta


def exponential(scale: float, ratio: float, angle: float) -> Profile:
    """Return a galaxy's profile: exponential along ellipses, rounded off within a pixel."""
    cos, sin = np.cos(angle), np.sin(angle)

    def shape(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        major, minor = dx * cos + dy * sin, (dy * cos - dx * sin) / ratio
        return np.exp(-np.sqrt(major**2 + minor**2 + 1.0) / scale)

    y, x = np.mgrid[-60:60.1:0.25, -60:60.1:0.25]
    total = shape(x, y).sum() / 16
    return lambda dx, dy: shape(dx, dy) / total


@dataclass(frozen=True)
class Drawn:
    """A source: its pixel in an image without the grism, its spectrum (Jy of µm), and its profile."""

    x: float
    y: float
    spectrum: Callable[[np.ndarray], np.ndarray]
    profile: Profile


@dataclass(frozen=True)
class Sensitivity:
    """Of an order: DN/s per µm for 1 Jy, at wavelengths (µm); the solid angle of a pixel has gone into it."""

    wavelength: np.ndarray
    value: np.ndarray

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        """Return it at wavelengths; 0 beyond."""
        return np.interp(wave, self.wavelength, self.value, left=0.0, right=0.0)


def sensitivities(photom, pixel_area: float) -> dict[int, Sensitivity]:
    """Return those of all orders in a PHOTOM reference (NIRISS), for pixels of an area in steradian."""
    found = {}
    for row in photom.phot_table:
        n = int(row["nelem"])
        response = float(row["photmjsr"]) * np.asarray(row["relresponse"][:n], float)
        wave = np.asarray(row["wavelength"][:n], float)
        found[int(row["order"])] = Sensitivity(wave, 1e-6 / pixel_area / response)
    return found


def add(image: np.ndarray, x: float, y: float, light: float, profile: Profile, boxes: int = 1) -> None:
    """Add a source to an image, averaged over the pixels (twice, if a mosaic has made it so)."""
    i, j = round(x), round(y)
    rows, columns = (np.arange(k - _HALF, k + _HALF + 1) for k in (j, i))
    rows, columns = (v[(v >= 0) & (v < n)] for v, n in zip((rows, columns), image.shape, strict=True))
    if not len(rows) or not len(columns):
        return
    points, weights = _POINTS / 2, _WEIGHTS / 2
    if boxes == 2:
        points, weights = (points[:, None] + points).ravel(), np.outer(weights, weights).ravel()
    stamp = sum(
        u * v * profile(columns[None, :] + p - x, rows[:, None] + q - y)
        for p, u in zip(points, weights, strict=True)
        for q, v in zip(points, weights, strict=True)
    )
    image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += light * stamp


def dispersed(
    shape: tuple[int, int], sources: Sequence[Drawn], optics: Published, sensitive: dict[int, Sensitivity]
) -> np.ndarray:
    """Return the count rates (DN/s) of sources behind the grism, in all orders that are known."""
    image = np.zeros(shape)
    t = np.linspace(0.0, 1.0, 40001)
    for source in sources:
        for order in set(optics.orders) & set(sensitive):
            wave, dx, dy = (optics(q, order, source.x, source.y, t) for q in "LXY")
            rate = source.spectrum(wave) * sensitive[order](wave) * np.abs(np.gradient(wave))
            along = np.cumsum(np.hypot(np.gradient(dx), np.gradient(dy)))
            piece = (along / _PIECE).astype(int)
            light = np.bincount(piece, rate)
            lit = np.flatnonzero(light > 0)
            x, y = (np.bincount(piece, rate * v)[lit] / light[lit] for v in (dx, dy))
            for k, px, py in zip(lit, source.x + x, source.y + y, strict=True):
                add(image, px, py, light[k], source.profile)
    return image


def write_direct(folder, exposure, wcs, sources, band, pixel_area, noise, rng):
    """Write mosaic, labels and catalogue; return their paths.

    Parameters
    ----------
    folder : Path
    exposure : ImageModel
        Slitless, with its WCS `wcs`.
    sources : sequence of Drawn
    band : (low, high)
        Of the filter, µm: the mosaic has the mean of each spectrum.
    pixel_area : float
        Steradian.
    noise : float
        Of a pixel of the mosaic, MJy/sr; labels go to where a source is three times as bright.
    rng : numpy.random.Generator
    """
    size = tuple(n + 2 * MARGIN for n in exposure.shape)
    tree = mosaic_wcs(wcs, exposure.shape, size, 0.0)
    mosaic = TreeWCS(tree)
    image, labels, rows = rng.normal(0.3, noise, size), np.zeros(size, np.int32), []
    brightest = np.zeros(size)
    wave = np.exp(np.linspace(*np.log(band), 400))
    for label, source in enumerate(sources, 1):
        flux = float(source.spectrum(wave).mean())
        ra, dec = wcs.between("detector", "world", source.x, source.y, 2.0, 1.0)[:2]
        x, y = (float(v) for v in mosaic.invert(ra, dec)[:2])
        own = np.zeros(size)
        add(own, x, y, 1e-6 * flux / pixel_area, source.profile, boxes=2)
        mine = (own > 3 * noise) & (own > brightest)
        labels[mine], brightest[mine] = label, own[mine]
        image += own
        yy, xx = np.nonzero(own > 3 * noise)
        rows.append({
            "label": label, "xcentroid": x, "ycentroid": y, "mag": -2.5 * np.log10(flux / 3631),
            "is_extended": False, "xs": (xx.min(), xx.max()), "ys": (yy.min(), yy.max()),
        })  # fmt: skip
    paths = {name: folder / f"drawn_{name}" for name in ("i2d.fits", "segm.fits", "cat.ecsv")}
    for cls, array, name in (
        ("ImageModel", image, "i2d.fits"),
        ("SegmentationMapModel", labels, "segm.fits"),
    ):
        model = getattr(datamodels, cls)(data=array.astype(np.float32 if cls == "ImageModel" else np.int32))
        assign(model, {"instrument.name": exposure.meta.instrument.name})
        model.meta.wcs = tree
        model.save(paths[name])
    catalog(rows, mosaic).write(paths["cat.ecsv"], format="ascii.ecsv")
    return paths["cat.ecsv"], paths["segm.fits"], paths["i2d.fits"]
