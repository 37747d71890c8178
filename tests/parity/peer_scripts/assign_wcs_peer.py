"""AssignWcsStep by the peer, on files; and the WCS of a file that another pipeline wrote.

Usage: assign_wcs_peer.py IN.npz OUT.npz
"""

import json
import os
import sys

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    arrays = {key: given[key] for key in given.files if key != "cases"}
os.environ.update(cases[0]["environment"])

from jwst.assign_wcs import AssignWcsStep
from stdatamodels.jwst import datamodels


def sampled(wcs, x, y):
    ra, dec = wcs(x, y, with_bounding_box=False)
    back_x, back_y = wcs.invert(ra, dec, with_bounding_box=False)
    v2, v3 = wcs.get_transform("detector", "v2v3")(x, y, with_bounding_box=False)
    return {"ra": ra, "dec": dec, "x": back_x, "y": back_y, "v2": v2, "v3": v3}


out = {}
for n, case in enumerate(cases):
    x, y = arrays[f"{n}/x"], arrays[f"{n}/y"]
    if "ours" in case:
        with datamodels.open(case["ours"]) as model:
            results = sampled(model.meta.wcs, x, y)
            results["frames"] = np.array(model.meta.wcs.available_frames)
    else:
        model = AssignWcsStep.call(case["rate"], configure_log=False)
        results = sampled(model.meta.wcs, x, y)
        results["frames"] = np.array(model.meta.wcs.available_frames)
        results["bounds"] = np.array(model.meta.wcs.bounding_box.bounding_box(order="F"))
        model.save(case["save"])
    info = model.meta.wcsinfo.instance
    results["header"] = np.array(
        json.dumps({k: v for k, v in info.items() if isinstance(v, (str, int, float))})
    )
    out |= {f"{n}/{key}": value for key, value in results.items()}
np.savez(sys.argv[2], **out)
