"""Compare mosaics, and the exposures and catalogues that go with them, with those of the official pipeline.

The official drizzling leaves out whole pixels along the borders of its output, and extrapolates the corners
of the outermost pixels of an image. So mosaics are compared by a stated tolerance wherever the edge of no
exposure is near, and pixels that differ at the edges are counted.
"""

import io
from dataclasses import dataclass, field

import asdf
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from products import VOLATILE
from scipy.ndimage import binary_dilation, label
from scipy.spatial import cKDTree

from webbcal import datamodels

#: Input pixels from the edge of an exposure within which mosaics may differ.
EDGE = 3.0
VARIANCES = ("VAR_RNOISE", "VAR_POISSON", "VAR_FLAT")


@dataclass
class Found:
    """What differs: in words, and the pixels of the mosaic (True where a value is outside the tolerance)."""

    problems: list = field(default_factory=list)
    differs: np.ndarray | None = None


def edge_distance(mosaic, exposures):
    """Return how far (input pixels) each pixel of a mosaic is from the nearest edge of an exposure."""
    y, x = np.mgrid[: mosaic.shape[0], : mosaic.shape[1]]
    sky = mosaic.meta.wcs(x.ravel(), y.ravel(), with_bounding_box=False)
    nearest = np.full(mosaic.shape, np.inf)
    for model in exposures:
        px, py = (v.reshape(mosaic.shape) for v in model.meta.wcs.invert(*sky, with_bounding_box=False))
        ny, nx = model.shape
        beyond = np.array([np.fmax(-0.5 - px, px - nx + 0.5), np.fmax(-0.5 - py, py - ny + 0.5)])
        inside = beyond.max(axis=0)
        np.fmin(nearest, np.where(inside < 0, -inside, np.hypot(*beyond.clip(0))), out=nearest)
    return nearest


def compare_mosaics(ours, theirs, exposures, kernel="square"):
    """Compare the arrays of two mosaics made of the same exposures (files)."""
    found = Found()
    with datamodels.open(ours) as mosaic:
        near = edge_distance(mosaic, [datamodels.open(path) for path in exposures]) < EDGE
    found.differs = np.zeros(near.shape, bool)
    with fits.open(ours) as a, fits.open(theirs) as b:
        names = [sorted(h.name for h in hdus if isinstance(h, fits.ImageHDU)) for hdus in (a, b)]
        if names[0] != names[1]:
            found.problems.append(f"HDUs {names[0]} instead of {names[1]}")
        error = b["ERR"].data if "ERR" in b else None
        for name in set(names[0]) & set(names[1]):
            wrong = _wrong(name, a[name].data, b[name].data, error, kernel)
            found.differs |= wrong
            if (wrong & ~near).any():
                where = tuple(np.argwhere(wrong & ~near)[0])
                values = a[name].data[..., *where], b[name].data[..., *where]
                found.problems.append(
                    f"{name}: {(wrong & ~near).sum()} pixels differ away from edges; at {where} "
                    f"{values[0]} instead of {values[1]}"
                )
    return found


def _wrong(name, a, b, error, kernel):
    """Return where two arrays differ by more than the tolerance, as an image."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise AssertionError(f"{name}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}")
    if a.dtype.kind != "f":
        wrong = a != b
        return wrong.any(axis=0) if wrong.ndim == 3 else wrong
    allowed = (1e-4 if name in VARIANCES else 1e-5) * np.abs(b)
    if error is not None and name in ("SCI", "ERR"):
        allowed = np.fmax(allowed, 0.01 * error)
    if name == "WHT":  # drops that barely reach a pixel: positions are good to 1e-4 pixel
        allowed = np.fmax(allowed, 2e-4 * np.nanmedian(np.abs(b[b != 0])))
    if "lanczos" in kernel and name in VARIANCES:  # negative weights cancel
        allowed = np.fmax(allowed, 1e-5 * np.nanmax(b))
    with np.errstate(invalid="ignore"):
        return ~((np.abs(a - b) <= allowed) | (a == b) | (np.isnan(a) & np.isnan(b)))


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
            if not np.allclose(a[name].data[same], b[name].data[same], rtol=1e-6, atol=1e-8, equal_nan=True):
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
                if not layout and not _close(x, y, relative):
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
        if not _close(x, y, relative):
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


def _close(x, y, relative):
    if isinstance(x, str) or isinstance(y, str):
        return x == y or _polygons_close(str(x), str(y))
    if isinstance(x, float) or isinstance(y, float):
        return bool(np.isclose(x, y, rtol=relative, atol=1e-300))
    return x == y


def _polygons_close(x, y):
    """Footprints have nine digits: the last may differ by one."""
    if not x.startswith("POLYGON") or x.split()[:2] != y.split()[:2] or len(x.split()) != len(y.split()):
        return False
    return np.allclose(*(np.array(p.split()[2:], float) for p in (x, y)), rtol=0, atol=1.5e-9)


def compare_catalogs(ours, theirs, differs, segments=()):
    """Return what differs between two catalogues, and the share of sources that were compared.

    Sources with a pixel that differs in their annulus (`differs`: image of them) or their segment
    (`segments`: our map and the peer's) are left out.
    """
    a, b = QTable.read(ours), QTable.read(theirs)
    if a.colnames != b.colnames:
        return [f"columns {set(a.colnames) ^ set(b.colnames)}"], 0.0
    problems = _metadata(a.meta, b.meta)
    free = [_free(t, differs, s) for t, s in zip((a, b), segments or (None, None), strict=True)]
    there, distance, _ = b["sky_centroid"].match_to_catalog_sky(a["sky_centroid"])
    _, back, _ = a["sky_centroid"].match_to_catalog_sky(b["sky_centroid"])
    lost = (distance[free[1]].arcsec > 1e-3).sum() + (back[free[0]].arcsec > 1e-3).sum()
    if lost:
        problems.append(f"{lost} sources away from edges are in one catalogue only")
    rows = np.flatnonzero(free[1] & (distance.arcsec < 1e-3))
    for name in set(b.colnames) - {"label", "nn_label", "nn_dist"}:
        problems += _column(name, a[there[rows]], b[rows])
    return problems, len(rows) / len(b)


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


def _column(name, ours, theirs):
    mine, other = ours[name], theirs[name]
    if hasattr(other, "separation"):
        return [f"{name} differs"] if len(other) and mine.separation(other).arcsec.max() > 1e-4 else []
    a, b = (np.asarray(getattr(v, "value", v)) for v in (mine, other))
    if b.dtype.kind in "iub":
        return [f"{name} differs"] if (a != b).any() else []
    if np.isfinite(b).any() and getattr(mine, "unit", None) != getattr(other, "unit", None):
        return [f"{name} is in {mine.unit} instead of {other.unit}"]
    allowed = 1e-4 * np.abs(b) + (1e-4 if "flux" not in name else 0.0)
    if f"{name}_err" in theirs.colnames:
        error = theirs[f"{name}_err"]
        allowed = np.fmax(allowed, 0.01 * np.asarray(getattr(error, "value", error)))
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(a - b) <= allowed) | (np.isnan(a) & np.isnan(b)))
    if not wrong.any():
        return []
    first = np.flatnonzero(wrong)[0]
    place = f"({theirs['xcentroid'][first]:.1f}, {theirs['ycentroid'][first]:.1f})"
    return [f"{name}: {wrong.sum()} differ; at {place} {a[first]} instead of {b[first]}"]


def _metadata(ours, theirs):
    problems = []
    for key in set(theirs) - {"date", "version"}:
        a, b = ours.get(key), theirs[key]
        pairs = [(a.get(k), v) for k, v in b.items()] if isinstance(b, dict) else [(a, b)]
        for x, y in pairs:
            number = isinstance(y, (int, float, tuple, np.ndarray)) and not isinstance(y, bool)
            if not (x is not None and np.allclose(x, y, rtol=1e-6) if number else x == y):
                problems.append(f"metadata {key}: {x} instead of {y}")
    return problems
