"""TweakRegStep or SkyMatchStep by the peer, on the files of an association.

Usage: combine_peer.py IN.npz OUT.npz
"""

import json
import sys

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    arrays = {key: given[key] for key in given.files if key != "cases"}

from jwst.skymatch import SkyMatchStep
from jwst.tweakreg import TweakRegStep

STEPS = {"tweakreg": TweakRegStep, "skymatch": SkyMatchStep}

out = {}
for n, case in enumerate(cases):
    step = STEPS[case["step"]](**case["parameters"])
    result = step.run(case["association"])
    found = {"status": [], "ra": [], "dec": [], "level": [], "data": [], "frames": []}
    with result:
        for model in result:
            found["status"].append(str(getattr(model.meta.cal_step, case["step"])))
            ra, dec = model.meta.wcs(arrays[f"{n}/x"], arrays[f"{n}/y"])
            found["ra"].append(ra)
            found["dec"].append(dec)
            found["frames"].append("/".join(model.meta.wcs.available_frames))
            level = model.meta.background.level
            found["level"].append(np.nan if level is None else level)
            found["data"].append(np.array(model.data) if case["step"] == "skymatch" else 0)
            result.shelve(model, modify=False)
    out |= {f"{n}/{key}": np.array(values) for key, values in found.items()}
np.savez(sys.argv[2], **out)
