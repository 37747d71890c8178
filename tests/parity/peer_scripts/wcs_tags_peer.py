"""Write a WCS of regions, and one with a transform of jwst's own, into images; evaluate those of files.

Usage: wcs_tags_peer.py IN.npz OUT.npz
"""

import json
import sys

import astropy.units as u
import gwcs
import numpy as np
from astropy.modeling import models as m
from gwcs import coordinate_frames as cf
from gwcs import selector
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.transforms.models import Unitless2DirCos


def frame(name):
    return cf.CoordinateFrame(3, ("SPATIAL",) * 3, (0, 1, 2), unit=(u.one,) * 3, name=name)


def regions():
    """Two slices of a detector, with a table of wavelengths that is too large for the text of a tree."""
    mask = np.zeros((2048, 64), int)
    mask[:, :30], mask[:, 34:] = 1, 2
    wave = m.Tabular1D(np.arange(2048.0), np.linspace(1, 5, 2048) ** 1.1)
    transforms = {
        1: m.Mapping((0, 1, 1)) | m.Shift(1.0) & m.Scale(2.0) & wave,
        2: m.Mapping((0, 1, 1)) | m.Shift(-1.0) & m.Scale(-2.0) & m.Const1D(3.0),
    }
    mapper = selector.LabelMapperArray(mask)
    return selector.RegionsSelector(("x", "y"), ("a", "b", "lam"), transforms, mapper)


def write(path, own):
    """Write a WCS; with a transform that only stdatamodels has, if `own`."""
    last = frame("cosines" if own else "slices")
    steps = [(cf.Frame2D(name="detector"), regions()), (last, None)]
    if own:
        cosines = m.Mapping((0, 1), n_inputs=3) | m.Scale(1e-3) & m.Scale(1e-4) | Unitless2DirCos()
        steps[1:] = [(frame("slices"), cosines), (last, None)]
    model = datamodels.ImageModel(np.ones((2048, 64), np.float32))
    model.meta.wcs = gwcs.WCS(steps)
    model.save(path)


with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    arrays = {key: given[key] for key in given.files if key != "cases"}
out = {}
for n, case in enumerate(cases):
    if case["own"] is not None:
        write(case["path"], case["own"])
    with datamodels.open(case["path"]) as model:
        found = model.meta.wcs(arrays[f"{n}/x"], arrays[f"{n}/y"])
    out |= {f"{n}/{name}": values for name, values in zip("abc", found, strict=True)}
np.savez(sys.argv[2], **out)
