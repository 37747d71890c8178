"""Compare mosaics, and the exposures and catalogues that go with them, with those of the official pipeline.

The official drizzling leaves out whole pixels along the borders of its output, and extrapolates the corners
of the outermost pixels of an image. So mosaics are compared by a stated tolerance wherever the edge of no
exposure is near, and pixels that differ at the edges are counted.
"""

import io
import re
from dataclasses import dataclass, field

import asdf
import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.table import QTable
from products import VOLATILE
from scipy.ndimage import binary_dilation, label
from scipy.spatial import cKDTree

from webbcal import datamodels

#: Input pixels from the edge of an exposure, and output pixels from the border of the mosaic, within which
#: mosaics may differ; with wide kernels more.
EDGE, WIDE_EDGE = 3.0, 6.0
VARIANCES = ("VAR_RNOISE", "VAR_POISSON", "VAR_FLAT")

#: Terms of the SIP approximation; pixels from its centre to the edges of all images here; its linear part.
_SIP = re.compile(r"\b[AB]P?_(\d)_(\d)$", re.IGNORECASE)
_REACH = 350.0
_FITTED = re.compile(r"\bCD\d_\d$", re.IGNORECASE)


@dataclass
class Found:
    """What differs: in words, and the pixels of the mosaic (True where a value is outside the tolerance)."""

    problems: list = field(default_factory=list)
    differs: np.ndarray | None = None


def away_from_edges(mosaic, exposures, pixels, edge):
    """Tell which pixels (row, column) of a mosaic are farther than `edge` from the edges of all exposures.

    Distances from edges of exposures are in their pixels; the borders of the mosaic are edges, too.
    """
    (ny, nx), (y, x) = mosaic.shape, pixels.T.astype(float)
    away = np.minimum.reduce([x, y, nx - 1 - x, ny - 1 - y]) >= edge
    sky = mosaic.meta.wcs(x, y, with_bounding_box=False)
    for path in exposures:
        with datamodels.open(path) as model:
            px, py = model.meta.wcs.invert(*sky, with_bounding_box=False)
            ny, nx = model.shape
        beyond = np.array([np.fmax(-0.5 - px, px - nx + 0.5), np.fmax(-0.5 - py, py - ny + 0.5)])
        inside = beyond.max(axis=0)
        away &= np.where(inside < 0, -inside, np.hypot(*beyond.clip(0))) >= edge
    return away


def compare_mosaics(ours, theirs, exposures, kernel="square"):
    """Compare the arrays of two mosaics made of the same exposures (files)."""
    found = Found()
    with fits.open(ours) as a, fits.open(theirs) as b:
        names = [sorted(h.name for h in hdus if isinstance(h, fits.ImageHDU)) for hdus in (a, b)]
        if names[0] != names[1]:
            found.problems.append(f"HDUs {names[0]} instead of {names[1]}")
        error = b["ERR"].data if "ERR" in b else _scatter(b["SCI"].data)
        wrong = {n: _wrong(n, a[n].data, b[n].data, error, kernel) for n in set(names[0]) & set(names[1])}
        found.differs = np.any(list(wrong.values()), axis=0)
        pixels = np.argwhere(found.differs)
        with datamodels.open(ours) as mosaic:
            edge = WIDE_EDGE if "lanczos" in kernel else EDGE
            away = pixels[away_from_edges(mosaic, exposures, pixels, edge)] if len(pixels) else pixels
        for name, there in wrong.items():
            bad = [tuple(where) for where in away if there[tuple(where)]]
            if bad:
                values = a[name].data[..., *bad[0]], b[name].data[..., *bad[0]]
                found.problems.append(
                    f"{name}: {len(bad)} pixels differ away from edges; at {bad[0]} {values[0]} instead of "
                    f"{values[1]}"
                )
    return found


def with_pixels_of(theirs, ours, differs, path):
    """Write our mosaic with the pixels that differ taken from theirs (data, errors, weights)."""
    with fits.open(ours) as a, fits.open(theirs) as b:
        for name in ("SCI", "ERR", "WHT"):
            a[name].data[differs] = b[name].data[differs]
        a.writeto(path)


def noise(mosaic, left_out):
    """Return the noise of a mosaic (file) but for some pixels, clipped as in one box of the sky."""
    with fits.open(mosaic) as hdus:
        mask = np.isnan(hdus["ERR"].data) | (hdus["WHT"].data == 0) | left_out
        return sigma_clipped_stats(hdus["SCI"].data[~mask].astype(float), sigma=3.0)[2]


def _wrong(name, a, b, error, kernel):
    """Return where two arrays differ by more than the tolerance, as an image."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise AssertionError(f"{name}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}")
    if a.dtype.kind != "f":
        wrong = a != b
        return wrong.any(axis=0) if wrong.ndim == 3 else wrong
    coarse = name in VARIANCES
    allowed = (5e-4 if coarse else 1e-5) * np.abs(b)
    if coarse:
        allowed = np.fmax(allowed, 1e-4 * np.nanmedian(np.abs(b)))
    if name in ("SCI", "ERR"):  # Lanczos weights come from a table with steps, and positions are off by 1e-4
        allowed = np.fmax(allowed, (0.05 if "lanczos" in kernel else 0.01) * error)
        allowed = np.fmax(allowed, (1e-3 if "lanczos" in kernel else 0.0) * np.abs(b))
    if name == "WHT":  # drops that barely reach a pixel: positions are good to 1e-4 pixel
        allowed = np.fmax(allowed, (5e-3 if "lanczos" in kernel else 2e-4) * np.median(b[b > 0]))
    if "lanczos" in kernel and name in VARIANCES:  # negative weights cancel
        allowed = np.fmax(allowed, 1e-5 * np.nanmax(b))
    with np.errstate(invalid="ignore"):
        return ~((np.abs(a - b) <= allowed) | (a == b) | (np.isnan(a) & np.isnan(b)))


def _scatter(image):
    """Return the noise of an image that comes without errors."""
    return 1.4826 * np.nanmedian(np.abs(image - np.nanmedian(image)))


def compare_exposures(ours, theirs, others):
    """Return what differs between two flagged exposures: arrays, and positions on the sky.

    Flags may differ in the two outermost rows and columns where no other exposure (file) sees the sky, so
    that the image is compared with itself, resampled: the official pipeline has no median there.
    """
    problems, excused = [], 0
    with fits.open(ours) as a, fits.open(theirs) as b:
        flags = np.argwhere(a["DQ"].data != b["DQ"].data)
        if len(flags):
            alone = _only_here(ours, flags, others)
            excused = int(alone.sum())
            problems += [f"DQ differs at {tuple(where)}" for where in flags[~alone][:5]]
        same = a["DQ"].data == b["DQ"].data
        for name in ("SCI", "ERR", *VARIANCES, "AREA"):
            x, y = a[name].data[same], b[name].data[same]
            small = 1e-6 * np.nan_to_num(b["ERR"].data[same]) if name == "SCI" else 0
            if not np.isclose(x, y, rtol=1e-6, atol=small, equal_nan=True).all():
                problems.append(f"{name} differs")
    with datamodels.open(ours) as mine, datamodels.open(theirs) as other:
        ny, nx = mine.shape
        x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9)))
        (ra, dec), (ra0, dec0) = (m.meta.wcs(x, y) for m in (mine, other))
        distance = 3600 * np.hypot((ra - ra0) * np.cos(np.radians(dec)), dec - dec0).max()
        back = np.hypot(*(np.subtract(*v) for v in zip(mine.meta.wcs.invert(ra, dec), (x, y), strict=True)))
        if distance > 1e-6 or back.max() > 1e-3:
            problems.append(f"WCS: {distance:.2g} arcsec off, {back.max():.2g} pixel there and back")
    return problems, excused


def _only_here(path, pixels, others):
    """Tell which pixels (row, column) lie at the edge of an exposure and are seen by no other."""
    with datamodels.open(path) as model:
        y, x = pixels.T
        ny, nx = model.shape
        alone = np.minimum.reduce([x, y, nx - 1 - x, ny - 1 - y]) < 2
        sky = model.meta.wcs(x.astype(float), y.astype(float))
    for other in others:
        with datamodels.open(other) as model:
            ny, nx = model.shape
            px, py = model.meta.wcs.invert(*sky, with_bounding_box=False)
            alone &= ~((px > -0.5) & (px < nx - 0.5) & (py > -0.5) & (py < ny - 0.5))
    return alone


def compare_headers(ours, theirs, relative=1e-9):
    """Return the keywords and table columns that differ, as text."""
    problems = []
    with fits.open(ours) as a, fits.open(theirs) as b:
        for hdu in b:
            if hdu.name == "ASDF" or hdu.name not in a:
                continue
            mine, other = a[hdu.name].header, hdu.header
            for key in sorted((set(mine) | set(other)) - VOLATILE):
                x, y = mine.get(key, "(none)"), other.get(key, "(none)")
                layout = key.startswith(("TTYPE", "TFORM", "TDIM", "TZERO", "NAXIS", "TFIELDS"))
                if not layout and not _close(key, x, y, relative):
                    problems.append(f"{hdu.name}: {key} is {x!r} instead of {y!r}")
            if isinstance(hdu, fits.BinTableHDU):
                problems += _table(hdu.name, a[hdu.name].data, hdu.data, relative)
    return problems


def _table(name, ours, theirs, relative):
    missing = set(ours.names) ^ set(theirs.names)
    problems = [f"{name}: only one has column {column}" for column in sorted(missing)]
    for column in theirs.names:
        if column in missing or column in VOLATILE:
            continue
        x, y = ours[column], theirs[column]
        same = np.isclose(x, y, rtol=relative, atol=1e-8, equal_nan=True) if x.dtype.kind == "f" else x == y
        if not np.all(same):
            problems.append(f"{name}: column {column} differs: {x} instead of {y}")
    return problems


def compare_trees(ours, theirs, relative=1e-9):
    """Return the values of the ASDF trees that differ, as text; world coordinates are compared elsewhere."""
    mine, other = (dict(_flat(_tree(path))) for path in (ours, theirs))
    problems = []
    for key in sorted(set(mine) | set(other)):
        if not key.startswith("meta.") or key.startswith(("meta.wcs.", "meta.run_record")):
            continue
        x, y = mine.get(key, "(none)"), other.get(key, "(none)")
        if not _close(key, x, y, relative):
            problems.append(f"{key} is {x!r} instead of {y!r}")
    return problems


def _tree(path):
    with fits.open(path) as hdus:
        content = io.BytesIO(hdus["ASDF"].data["ASDF_METADATA"].tobytes())
    with asdf.open(content, lazy_load=False, _force_raw_types=True) as file:
        return dict(file.tree)


def _flat(value, name=""):
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _close(key, x, y, relative):
    if isinstance(x, str) or isinstance(y, str):
        return x == y or _polygons_close(str(x), str(y))
    if term := _SIP.search(key):  # each fits the polynomial with rounding errors of its own
        return bool(abs(x - y) * _REACH ** (int(term[1]) + int(term[2])) < 1e-6)
    if isinstance(x, float) or isinstance(y, float):
        return bool(np.isclose(x, y, rtol=1e-6 if _FITTED.search(key) else relative, atol=1e-300))
    return x == y


def _polygons_close(x, y):
    """Footprints have nine digits; the last is not sure, where outlines cross at small angles."""
    if not x.startswith("POLYGON") or x.split()[:2] != y.split()[:2] or len(x.split()) != len(y.split()):
        return False
    return np.allclose(*(np.array(p.split()[2:], float) for p in (x, y)), rtol=0, atol=3.5e-9)


def compare_catalogs(ours, theirs, differs, segments=()):
    """Compare two catalogues source by source.

    Sources with a pixel that differs in their annulus (`differs`: image of them) or their segment
    (`segments`: our map and the peer's) are left out.

    Returns
    -------
    problems : list of str
        Columns, units, metadata; sources that only one has; fluxes off by 1% and a tenth of their error.
    compared : float
        Share of sources that were compared.
    off : list of str
        Sources of which a value differs at all: a pixel at the threshold of a segment may fall on the other
        side, which changes what is measured of it and of its neighbours.
    """
    a, b = QTable.read(ours), QTable.read(theirs)
    if a.colnames != b.colnames:
        return [f"columns {set(a.colnames) ^ set(b.colnames)}"], 0.0, []
    problems = _metadata(a.meta, b.meta)
    free = [_free(t, differs, s) for t, s in zip((a, b), segments or (None, None), strict=True)]
    there, distance, _ = b["sky_centroid"].match_to_catalog_sky(a["sky_centroid"])
    _, back, _ = a["sky_centroid"].match_to_catalog_sky(b["sky_centroid"])
    lost = (distance[free[1]].arcsec > 0.02).sum() + (back[free[0]].arcsec > 0.02).sum()
    if lost:
        problems.append(f"{lost} sources away from edges are in one catalogue only")
    rows = np.flatnonzero(free[1] & (distance.arcsec < 0.02))
    compared, a, b = len(rows) / len(b), a[there[rows]], b[rows]
    problems += [f"unit of {name} differs" for name in b.colnames if not _same_unit(a[name], b[name])]
    flux, expected, error = (np.asarray(c.value) for c in (a["aper_total_flux"], *_with_error(b)))
    if not np.isclose(flux, expected, rtol=0.01, atol=0.1 * np.nan_to_num(error), equal_nan=True).all():
        problems.append("total fluxes differ")
    wrong = {n: _differs(n, a[n], b) for n in set(b.colnames) - {"label", "nn_label", "nn_dist"}}
    off = []
    for k in np.flatnonzero(np.any(list(wrong.values()), axis=0)):
        values = [f"{n}: {a[n][k]} instead of {b[n][k]}" for n in sorted(wrong) if wrong[n][k]]
        off.append(f"({b['xcentroid'][k]:.1f}, {b['ycentroid'][k]:.1f}) " + "; ".join(values))
    return problems, compared, off


def _free(table, differs, segments):
    """Tell which sources keep clear of the pixels that differ."""
    rows, columns = np.nonzero(differs)
    if not len(rows):
        return np.ones(len(table), bool)
    radius = table.meta["aperture_params"]["bkg_aperture_outer_radius"] + 2.0
    places = np.array([table["xcentroid"], table["ycentroid"]]).T
    free = cKDTree(np.array([columns, rows]).T).query(places)[0] > radius
    if segments is not None:
        # Blended sources share their pixels out: a neighbour's segment may be all that is touched.
        parts, _ = label(segments > 0)
        touched = np.isin(parts, np.setdiff1d(parts[binary_dilation(differs)], [0]))
        free &= ~np.isin(table["label"], segments[touched])
    return free


def _with_error(table):
    return table["aper_total_flux"], table["aper_total_flux_err"]


def _same_unit(ours, theirs):
    """Tell whether columns have the same unit; jwst gives none to columns that it knows nothing of."""
    if hasattr(theirs, "separation") or not np.isfinite(np.asarray(getattr(theirs, "value", theirs))).any():
        return True
    return getattr(ours, "unit", None) == getattr(theirs, "unit", None)


def _differs(name, ours, table):
    """Return which values of a column differ from those of a table of the same sources."""
    theirs = table[name]
    if hasattr(theirs, "separation"):
        return ours.separation(theirs).arcsec > 1e-4
    a, b = (np.asarray(getattr(v, "value", v)) for v in (ours, theirs))
    if b.dtype.kind in "iub":
        return a != b
    # Angles of round sources are hardly defined; magnitudes and ratios of fluxes near zero neither.
    small = 0.1 if "orientation" in name else 0.0 if "flux" in name else 1e-3
    allowed = np.fmax(1e-4 * np.abs(b), small)
    if f"{name}_err" in table.colnames:
        error = table[f"{name}_err"]
        allowed = np.fmax(allowed, 0.01 * np.asarray(getattr(error, "value", error)))
    with np.errstate(invalid="ignore"):
        return ~((np.abs(a - b) <= allowed) | (np.isnan(a) & np.isnan(b)))


def _metadata(ours, theirs):
    problems = []
    for key in set(theirs) - {"date", "version"}:
        a, b = ours.get(key), theirs[key]
        pairs = [(a.get(k), v) for k, v in b.items()] if isinstance(b, dict) else [(a, b)]
        for x, y in pairs:
            number = isinstance(y, (int, float, tuple, np.ndarray)) and not isinstance(y, bool)
            if not (x is not None and np.allclose(x, y, rtol=1e-5) if number else x == y):
                problems.append(f"metadata {key}: {x} instead of {y}")
    return problems
