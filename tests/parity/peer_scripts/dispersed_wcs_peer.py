"""AssignWcsStep by the peer on dispersed exposures; and the WCS of files, sampled.

Usage: dispersed_wcs_peer.py IN.npz OUT.npz
"""

import json
import os
import sys
import time
import warnings

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    arrays = {key: given[key] for key in given.files if key != "cases"}
os.environ.update(cases[0]["environment"])
warnings.simplefilter("ignore")

from jwst.assign_wcs import AssignWcsStep  # noqa: E402
from stdatamodels.jwst import datamodels  # noqa: E402


def sampled(wcs, steps, values):
    """Return what each step (frame to frame) makes of the results of the one before."""
    found = {}
    for n, (first, last) in enumerate(steps):
        results = [[] for _ in range(9)]
        function = wcs.get_transform(first, last)
        for point in zip(*values, strict=True):  # one by one: arrays mean something else to some
            for column, value in zip(results, function(*point), strict=False):
                column.append(float(np.squeeze(value)))
        values = [np.array(column) for column in results if column]
        found |= {f"{n}_{k}": v for k, v in enumerate(values)}
    return found


out = {}
for n, case in enumerate(cases):
    count = sum(key.startswith(f"{n}/in") for key in arrays)
    values = [arrays[f"{n}/in{k}"] for k in range(count)]
    if "ours" in case:
        model = datamodels.open(case["ours"])
        results = {}
    else:
        start = time.perf_counter()
        model = AssignWcsStep.call(case["rate"], configure_log=False)
        results = {"seconds": np.array(time.perf_counter() - start)}
    wcs = model.meta.wcs
    results |= sampled(wcs, case["steps"], values)
    results["frames"] = np.array(wcs.available_frames)
    box = wcs.bounding_box
    results["bounds"] = np.array([] if box is None else box.bounding_box(order="F"))
    if getattr(model, "wavelength", None) is not None and "ours" not in case:
        results["wavelength"] = model.wavelength
    head = {
        path: value for path, value in model.to_flat_dict().items()
        if path.startswith(("meta.wcsinfo", "meta.dither.dith", "meta.cal_step.assign"))
    }  # fmt: skip
    results["header"] = np.array(json.dumps(head, default=str))
    if "save" in case:
        model.save(case["save"])
    model.close()
    out |= {f"{n}/{key}": value for key, value in results.items()}
np.savez(sys.argv[2], **out)
