"""Run stcal's jump detection on the bands of an .npz file. Runs in the peer's environment only.

Usage: jump_peer.py INPUT.npz OUTPUT.npz
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
from stcal.jump.jump import detect_jumps_data
from stcal.jump.jump_class import JumpData
from stdatamodels.jwst.datamodels import dqflags


def run(case, arrays):
    exposure = SimpleNamespace(nframes=case["nframes"])
    model = SimpleNamespace(
        data=arrays["data"],
        groupdq=arrays["groupdq"],
        pixeldq=arrays["pixeldq"],
        meta=SimpleNamespace(exposure=exposure),
    )
    job = JumpData(model, arrays["gain"], arrays["readnoise"], dqflags.pixel)
    job.set_detection_settings(
        case["rejection"], case["three"], case["four"], case["max_jump"], case["min_jump"], case["neighbours"]
    )
    job.set_after_jump(case["dn1"], case["n1"], case["dn2"], case["n2"])
    job.min_diffs_single_pass = case["single_pass"]
    job.set_sigma_clipping_info(3, case["sigclip"], case["only_ints"])
    job.max_cores = "1"
    return detect_jumps_data(job)


source = np.load(sys.argv[1])
cases = json.loads(str(source["cases"]))
results = {}
for n, case in enumerate(cases):
    arrays = {
        name: source[f"{n}_{name}"].copy() for name in ("data", "groupdq", "pixeldq", "gain", "readnoise")
    }
    with np.errstate(all="ignore"):
        gdq, pdq, crs, _ = run(case, arrays)
    results |= {f"{n}_groupdq": gdq, f"{n}_pixeldq": pdq, f"{n}_crs": crs}
np.savez(sys.argv[2], **results)
