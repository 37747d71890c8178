"""Flag bad pixels with jwst: arrays in, arrays out."""

import json
import sys

import numpy as np
from jwst.badpix_selfcal import BadpixSelfcalStep
from stdatamodels.jwst import datamodels

source, target = sys.argv[1:]
out = {}
with np.load(source) as arrays:
    for n, case in enumerate(json.loads(str(arrays["cases"]))):
        models = []
        for data in arrays[f"{n}/stack"]:
            full = np.full(data.shape, 1.0, np.float32)
            model = datamodels.ImageModel(data=data, err=full, var_poisson=full, var_rnoise=full)
            model.dq = np.zeros(data.shape, np.uint32)
            model.meta.instrument.name, model.meta.instrument.detector = "MIRI", case["detector"]
            model.meta.wcsinfo.dispersion_direction = case["axis"]
            models.append(model)
        science, *rest = models
        step = BadpixSelfcalStep(skip=False, **case["parameters"])
        result, backgrounds = step.run(science, rest[:1], rest[1:])
        out |= {f"{n}/data": result.data, f"{n}/dq": result.dq, f"{n}/err": result.err}
        for k, background in enumerate(backgrounds):
            out |= {f"{n}/bkg{k}": background.data, f"{n}/bkgdq{k}": background.dq}
np.savez(target, **out)
