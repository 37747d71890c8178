"""A small field in files: dithered `_cal` exposures for the whole of stage 3, to be damaged by tests."""

import json

import numpy as np
from sky_scenes import DITHERS, ROLL, Pointing, exposures

from webbcal import datamodels
from webbcal.simulate import CrdsCache, write_catalog_references
from webbcal.wcs.footprint import update_s_region

POINTINGS = [
    Pointing(d, e) for d, e in zip(DITHERS[:3], ((0.0, 0.0), (0.12, -0.07), (-0.2, 0.11)), strict=True)
]
ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")


def write_field(folder):
    """Write three exposures and a CRDS cache for catalogues; return their paths and its environment."""
    cache = CrdsCache(folder / "crds")
    write_catalog_references(cache, ["NIRCAM"])
    paths = []
    for model in exposures(POINTINGS):
        paths.append(folder / model.meta.filename)
        make_calibrated(model).save(paths[-1])
    return paths, cache.environment


def make_calibrated(model):
    """Complete an image of `sky_scenes` to a `_cal` exposure; return it."""
    info, photometry = model.meta.wcsinfo, model.meta.photometry
    info.vparity, info.v3yangle, info.roll_ref = -1, 0.0, ROLL
    update_s_region(model)
    photometry.pixelarea_arcsecsq = 0.063**2
    photometry.pixelarea_steradians = np.radians(0.063 / 3600) ** 2
    model.var_rnoise = np.full(model.shape, 1e-4, np.float32)
    model.var_poisson = model.var_flat = np.zeros(model.shape, np.float32)
    time = model.meta.exposure
    time.exposure_time = time.measurement_time = time.duration = 100.0
    model.meta.observation.time = "00:00:00"
    time.start_time, time.end_time = 60000.0, 60000.1
    for step in ("assign_wcs", "flat_field", "photom"):
        setattr(model.meta.cal_step, step, "COMPLETE")
    return model


def association(path, members, name="field", **keys):
    """Write an association of files (or of entries) beside `path`."""
    entries = [m if isinstance(m, dict) else {"expname": m, "exptype": "science"} for m in members]
    tree = {"asn_type": "image3", "asn_id": "a3001", "products": [{"name": name, "members": entries}]}
    path.write_text(json.dumps(tree | keys))
    return path


def edit(path, change):
    """Change a model in its file."""
    with datamodels.open(path) as model:
        for name in ARRAYS:
            if model.has(name):
                getattr(model, name)
        change(model)
    model.save(path)
