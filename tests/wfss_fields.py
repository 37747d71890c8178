"""Fields of sources behind the grisms of `dispersed_cases`: rates with a WCS, catalogue, image, labels.

The rates are noise and not what the sources would give: these fields test where spectra are cut, what is
masked, and what the dispersion of the direct image is.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import asdf
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from dispersed_cases import cache_of, rate

from webbcal import datamodels
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.references.reference import Reference
from webbcal.simulate.headers import assign
from webbcal.wcs import trees
from webbcal.wcs.grism_slits import grism_wcs
from webbcal.wcs.imaging import imaging_wcs
from webbcal.wcs.tree_wcs import TreeWCS

#: Wavelengths by order.
RANGES = {
    "NIRCAM": {1: (3.95, 5.0), 2: (3.95, 4.98)},
    "NIRISS": {1: (1.77, 2.21), 2: (1.77, 2.21), 0: (1.77, 2.21)},
    "MIRI": {1: (5.0, 13.0)},
}
MARGIN = 150


@dataclass(frozen=True)
class Field:
    """What is to be made of a case: how many sources, how many extended ones, how the mosaic is turned."""

    case: object
    sources: int = 20
    extended: float = 0.3
    roll: float = 0.0
    seed: int = 3
    #: Whether the direct image has the pixels of the detector.
    on_detector: bool = False
    #: Whether the exposure is written as it was before assign_wcs, too.
    with_rate: bool = False

    @property
    def root(self):
        return self.case.name

    @property
    def rate(self):
        """The exposure as it was before assign_wcs."""
        return f"{self.root}_rate.fits"

    @property
    def exposure(self):
        """The exposure after assign_wcs."""
        return f"{self.root}_assign_wcs.fits"

    @property
    def spectra(self):
        """What extract_2d makes of it."""
        return f"{self.root}_extract2dstep.fits"


def write_fields(folder, fields):
    """Write fields, which are of different modes, and the references of all; return CRDS's environment."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = cache_of(folder / "crds", [field.case for field in fields])
    for field in fields:
        write_references(cache, field.case)
    with patched(cache.environment):
        for field in fields:
            _write(folder, field)
    return cache.environment


def _write(folder, field):
    case, rng = field.case, np.random.default_rng(field.seed)
    model = rate(case)
    shape = model.shape
    model.data = (rng.normal(0.3, 0.1, shape) + 0.2 * background(shape)).astype(np.float32)
    if case.exp_type == "NIS_SOSS":
        model.data += (3 * soss_templates()[1] * np.where(np.arange(2048) < 715, 1.0, 1.4)).astype(np.float32)
        model.data[..., 30:60, :] += 50
    model.err = np.full(shape, 0.1, np.float32)
    model.var_poisson, model.var_rnoise = (np.full(shape, v, np.float32) for v in (0.006, 0.004))
    bad = rng.random(shape) < 0.01
    model.dq = np.where(bad, 1, 0).astype(np.uint32)
    model.data[bad] = np.nan
    model.meta.bunit_data = model.meta.bunit_err = "DN/s"
    for name, value in NAMES.items():
        model[f"meta.{name}"] = f"{case.name}_{value}"
    if field.with_rate:
        model.save(folder / field.rate)
    step = AssignWcsStep()
    made = step.run(model)
    made.save(folder / field.exposure)
    if case.exp_type.endswith("WFSS"):
        write_sky(folder, field, made, rng)


NAMES = {"source_catalog": "cat.ecsv", "segmentation_map": "segm.fits", "direct_image": "i2d.fits"}


def background(shape):
    y, x = np.indices(shape[-2:])
    return 1 + 0.3 * np.sin(x / 400) + 0.2 * y / shape[-2]


def soss_templates():
    """Return templates of the background of SOSS, (3, 256, 2048), with their step at different columns."""
    y, x = np.mgrid[:256, :2048]
    steps = [np.where(x < step, 1.0, 1.6) * (1 + 1e-4 * x + 2e-4 * y) for step in (700, 715, 709)]
    return np.array([t + 0.02 * n * np.sin(x / 40) for n, t in enumerate(steps)], np.float32)


@contextmanager
def patched(environment):
    """Set environment variables for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        yield


def write_references(cache, case):
    """Write WAVELENGTHRANGE, BKG and PHOTOM."""
    head = {
        "reftype": "wavelengthrange", "telescope": "JWST", "pedigree": "DUMMY", "author": "webbcal tests",
        "description": "wavelengths", "useafter": "2014-01-01T00:00:00", "date": "2024-01-01T00:00:00",
        "instrument": {"name": case.instrument}, "exposure": {"type": case.exp_type},
    }  # fmt: skip
    ranges = RANGES[case.instrument]
    name = case.pupil if case.instrument == "NIRISS" else case.filter
    rows = [[order, name, *limits] for order, limits in ranges.items()]
    if case.exp_type == "NRC_TSGRISM":
        rows = [[row[0], "N/A", *row[1:]] for row in rows]
    content = {"meta": head, "waverange_selector": [name], "wavelengthrange": rows, "order": list(ranges)}
    extract = [1] if case.exp_type == "NRC_TSGRISM" else list(ranges)
    match = {"META.EXPOSURE.TYPE": case.exp_type}
    path = cache.path_for(case.instrument, "wavelengthrange", match, ".asdf")
    asdf.AsdfFile(content | {"extract_orders": [[name, extract]]}).write_to(path)
    cache.add(path, case.instrument, "wavelengthrange", match)
    match = {"META.INSTRUMENT.DETECTOR": case.detector}
    if case.pupil:
        match |= {"META.INSTRUMENT.FILTER": case.filter, "META.INSTRUMENT.PUPIL": case.pupil}
    place = {"subarray.xstart": 1, "subarray.ystart": 1, "subarray.xsize": case.shape[1],
             "subarray.ysize": case.shape[0], "instrument.name": case.instrument,
             "instrument.detector": case.detector, "reftype": "bkg", "pedigree": "DUMMY", "author": "x",
             "description": "x", "useafter": "2014-01-01T00:00:00"}  # fmt: skip
    if case.exp_type == "NIS_SOSS":
        model = datamodels.SossBkgModel(data=soss_templates())
        assign(model, place)
        path = cache.path_for(case.instrument, "bkg", match)
        model.save(path)
        cache.add(path, case.instrument, "bkg", match)
    if case.exp_type.endswith("WFSS"):
        dq = (np.random.default_rng(5).random(case.shape) < 0.001).astype(np.uint32) * 4
        data = background(case.shape).astype(np.float32)
        data[::50, ::70] = np.nan
        model = datamodels.WfssBkgModel(data=data, dq=dq)
        assign(model, place)
        path = cache.path_for(case.instrument, "bkg", match)
        model.save(path)
        cache.add(path, case.instrument, "bkg", match)
        write_photom(cache, case, ranges, match, place)


def write_photom(cache, case, ranges, match, place):
    cls = {"NIRCAM": "NrcWfssPhotomModel", "NIRISS": "NisWfssPhotomModel", "MIRI": "MirWfssPhotomModel"}
    model = getattr(datamodels, cls[case.instrument])()
    rows = []
    for order, (low, high) in ranges.items():
        wave = np.linspace(low - 0.05, high + 0.05, 200)
        t = (wave - low) / (high - low)
        response = (0.5 + 2 * (t - 0.5) ** 2) * (1 if order == 1 else 6)
        response[:4] = 0
        full = [np.zeros(250, np.float32) for _ in range(3)]
        for array, values in zip(full, (wave, response, 0 * wave), strict=True):
            array[:200] = values
        keys = (case.filter, "FULL") if case.instrument == "MIRI" else (case.filter, case.pupil, order)
        scale = 0.8 if case.instrument == "NIRISS" else 8000.0
        rows.append((*keys, scale, 0.0, 200, *full))
    names = ["filter", "subarray"] if case.instrument == "MIRI" else ["filter", "pupil", "order"]
    dtype = np.dtype(
        [*((n, "i2" if n == "order" else "S15") for n in names), ("photmjsr", "f4"), ("uncertainty", "f4"),
         ("nelem", "i2"), *((n, "f4", (250,)) for n in ("wavelength", "relresponse", "reluncertainty"))]
    )  # fmt: skip
    model.phot_table = np.array(rows, dtype)
    unit = "MJy micron s / (DN sr)" if case.instrument == "NIRISS" else "MJy Angstrom s / (DN sr)"
    assign(model, {k: v for k, v in place.items() if not k.startswith("subarray")} | {"reftype": "photom"})
    model.phot_unit = unit
    model.wave_unit = "micron"
    path = cache.path_for(case.instrument, "photom", match)
    model.save(path)
    cache.add(path, case.instrument, "photom", match)


def write_sky(folder, field, exposure, rng):
    """Write a direct image with sources, its labels and its catalogue."""
    case, wcs = field.case, grism_wcs(exposure)
    size = case.shape
    if field.on_detector:
        (distortion,) = (folder / "crds" / "references").rglob(f"*{case.instrument.lower()}_distortion*")
        tree = imaging_wcs(exposure, Reference("distortion", distortion), None)
    else:
        size = tuple(n + 2 * MARGIN for n in case.shape)
        tree = mosaic_wcs(wcs, case.shape, size, field.roll)
    image, labels, rows = draw(rng, size, field.sources, field.extended)
    optics = {f"instrument.{n}": getattr(case, n) for n in ("detector", "filter")}
    for cls, array, name in (("ImageModel", image, "i2d"), ("SegmentationMapModel", labels, "segm")):
        model = getattr(datamodels, cls)(data=array)
        assign(model, {"instrument.name": case.instrument, **optics})
        model.meta.wcs = tree
        model.save(folder / f"{case.name}_{name}.fits")
    catalog(rows, TreeWCS(tree)).write(folder / f"{case.name}_cat.ecsv", format="ascii.ecsv", overwrite=True)


def catalog(rows, mosaic):
    """Return the catalogue of sources drawn on a mosaic."""

    def place(x, y):
        return SkyCoord(*mosaic(np.array(x, float), np.array(y, float), with_bounding_box=False), unit="deg")

    column = {name: [row[name] for row in rows] for name in rows[0]}
    table = QTable({name: column[name] for name in ("label", "xcentroid", "ycentroid", "is_extended")})
    table["sky_centroid"] = place(column["xcentroid"], column["ycentroid"])
    table["isophotal_abmag"] = column["mag"]
    table["isophotal_abmag_err"] = np.full(len(rows), 0.1)
    for corner, (i, j) in {"ll": (0, 0), "lr": (1, 0), "ul": (0, 1), "ur": (1, 1)}.items():
        table[f"sky_bbox_{corner}"] = place([x[i] for x in column["xs"]], [y[j] for y in column["ys"]])
    return table


def mosaic_wcs(wcs, shape, size, roll):
    """Return the tree of a tangent plane along the axes of the detector at its centre, turned by `roll`."""
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    points = np.array([[x, y], [x + 1, y], [x, y + 1]]).T
    ra, dec = wcs.between("detector", "world", *points, np.full(3, 2.0), np.ones(3))[:2]
    cos = np.cos(np.radians(dec[0]))
    jacobian = np.array([[(ra[1] - ra[0]) * cos, (ra[2] - ra[0]) * cos], [dec[1] - dec[0], dec[2] - dec[0]]])
    scale = np.sqrt(abs(np.linalg.det(jacobian)))
    turn = np.radians(roll)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    along = jacobian / np.hypot(*jacobian)
    pixel = ((size[1] - 1) / 2, (size[0] - 1) / 2)
    plane = trees.tangent_plane(pixel, (ra[0], dec[0]), (scale, scale), along @ rotation)
    bounds = (-0.5, size[1] - 0.5), (-0.5, size[0] - 0.5)
    first = trees.frame("detector", ("x", "y"), "pixel")
    return trees.wcs([(first, trees.bounded(plane, bounds)), (trees.sky(), None)], size[::-1])


def draw(rng, shape, count, extended):
    """Return an image (MJy/sr), labels, and what the catalogue says of the sources."""
    image = rng.normal(0.02, 0.001, shape).astype(np.float32)
    labels = np.zeros(shape, np.int32)
    rows = []
    for label in range(1, count + 1):
        is_extended = bool(rng.random() < extended)
        sigma = rng.uniform(3, 8) if is_extended else 1.0
        half = int(3 * sigma) + 1
        x, y = rng.uniform(half + 1, shape[1] - half - 2), rng.uniform(half + 1, shape[0] - half - 2)
        flux = 10 ** rng.uniform(0.5, 2.5)
        i, j = int(x), int(y)
        box = np.s_[j - half : j + half + 1, i - half : i + half + 1]
        yy, xx = np.mgrid[box]
        light = flux / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((xx - x) ** 2 + (yy - y) ** 2) / sigma**2)
        image[box] += light
        own = (np.hypot(xx - x, yy - y) < 2.5 * sigma) & (labels[box] == 0)
        labels[box][own] = label
        if not own.any():
            continue
        rows.append({
            "label": label, "xcentroid": x, "ycentroid": y, "mag": 26 - 2.5 * np.log10(flux),
            "is_extended": is_extended,
            "xs": (xx[own].min(), xx[own].max()), "ys": (yy[own].min(), yy[own].max()),
        })  # fmt: skip
    return image, labels, rows
