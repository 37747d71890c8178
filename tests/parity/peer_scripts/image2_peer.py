"""Take rate files through stage 2 of jwst and describe the results. Runs in the peer's environment only.

Usage: image2_peer.py FOLDER RATE...

The world coordinates come from a plain distortion model made here. Prints a list with, for each file, the
class that opens it, the class of the calibrated image, and the sky coordinates of some pixels.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.modeling.models import Identity, Mapping, Scale, Shift
from jwst.pipeline import Image2Pipeline
from stdatamodels.jwst import datamodels

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")


def distortion(folder, rate):
    """Write a reference file for a square grid of 0.063 arcsec around the detector's middle."""
    model = (Shift(-1024) & Shift(-1024)) | (Scale(0.063) & Scale(0.063)) | (Shift(90) & Shift(-490))
    reference = datamodels.DistortionModel(model=Mapping((0, 1)) | Identity(2) | model)
    reference.meta.input_units = reference.meta.output_units = u.pix
    reference.meta.description = reference.meta.author = "a test"
    reference.meta.pedigree = "DUMMY"
    reference.meta.useafter = "2014-01-01T00:00:00"
    reference.meta.reftype = "distortion"
    with datamodels.open(rate) as exposure:
        reference.meta.instrument.name = exposure.meta.instrument.name
        reference.meta.instrument.detector = exposure.meta.instrument.detector
        reference.meta.exposure.p_exptype = reference.meta.exposure.type = exposure.meta.exposure.type
    path = folder / "distortion.asdf"
    reference.save(path)
    return str(path)


def describe(rate, folder, override):
    with datamodels.open(rate) as model:
        name = type(model).__name__
    skip = {"skip": True}
    steps = {"flat_field": skip, "photom": skip, "resample": skip, "bkg_subtract": skip}
    steps["assign_wcs"] = {"override_distortion": override, "sip_approx": False}
    folder.mkdir()
    result = Image2Pipeline.call(rate, output_dir=str(folder), save_results=True, steps=steps)
    image = (result[0] if isinstance(result, (list, tuple)) else result).copy()
    sky = np.array(image.meta.wcs(np.array([3.0, 50.0, 100.0]), np.array([7.0, 20.0, 90.0])))
    return {
        "class": name,
        "result": type(image).__name__,
        "wcs": image.meta.cal_step.assign_wcs,
        "sky": sky.tolist(),
    }


folder = Path(sys.argv[1])
reference = distortion(folder, sys.argv[2])
print(json.dumps([describe(r, folder / str(n), reference) for n, r in enumerate(sys.argv[2:])]))
