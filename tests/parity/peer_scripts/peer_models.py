"""Models and file traffic shared by the scripts that run in the peer's environment."""

import json
import logging
import sys
import warnings

import numpy as np
from stdatamodels.jwst import datamodels

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")


def ramp(a, instrument="NIRCAM", detector="NRCA1", nframes=1, groupgap=0, name="SUB", **subarray):
    """RampModel from the arrays of a case (data, and groupdq, pixeldq, zeroframe where given)."""
    nints, ngroups, ny, nx = a["data"].shape
    model = datamodels.RampModel(data=a["data"].copy())
    model.groupdq = a["groupdq"].copy() if "groupdq" in a else np.zeros(a["data"].shape, np.uint8)
    model.pixeldq = a["pixeldq"].copy() if "pixeldq" in a else np.zeros((ny, nx), np.uint32)
    exposure = model.meta.exposure
    exposure.nints, exposure.ngroups, exposure.nframes, exposure.groupgap = nints, ngroups, nframes, groupgap
    exposure.type = "NRC_IMAGE"
    if "zeroframe" in a:
        model.zeroframe = a["zeroframe"].copy()
        exposure.zero_frame = True
    model.meta.instrument.name, model.meta.instrument.detector = instrument, detector
    place(model, a["data"].shape, name, **subarray)
    return model


def place(model, shape, name="SUB", xstart=1, ystart=1, fastaxis=-1, slowaxis=2):
    s = model.meta.subarray
    s.name, s.xstart, s.ystart, s.xsize, s.ysize = name, xstart, ystart, shape[-1], shape[-2]
    s.fastaxis, s.slowaxis = fastaxis, slowaxis
    return model


def outcome(model):
    found = {k: getattr(model, k) for k in ("data", "groupdq", "pixeldq")}
    if model.meta.exposure.zero_frame:
        found["zeroframe"] = model.zeroframe
    return found


def main(run):
    """Read cases, call run(case, arrays) -> dict of arrays for each, write the results."""
    with np.load(sys.argv[1]) as source:
        cases = json.loads(str(source["cases"]))
        arrays = [{} for _ in cases]
        for key in source.files:
            if "/" in key:
                n, name = key.split("/")
                arrays[int(n)][name] = source[key]
    results = {}
    for n, (case, a) in enumerate(zip(cases, arrays, strict=True)):
        with np.errstate(all="ignore"):
            results |= {f"{n}/{k}": np.asarray(v) for k, v in run(case, a).items()}
    np.savez(sys.argv[2], **results)
