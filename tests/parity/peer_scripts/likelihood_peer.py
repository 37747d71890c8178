"""Run stcal's likelihood fit on the bands of an .npz file. Runs in the peer's environment only.

Also tells in which ramps its search for jumps met 0/0; it then finds none.

Usage: likelihood_peer.py INPUT.npz OUTPUT.npz
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
from stcal.ramp_fitting import likely_fit

fit_ramps, mask_jumps = likely_fit.fit_ramps, likely_fit.mask_jumps
broken, rows = set(), []


def watched_fit(diffs, *arguments, **named):
    result = fit_ramps(diffs, *arguments, **named)
    if named.get("detect_jumps"):
        undefined = ~np.isfinite(result.chisq_one_omit.sum(axis=0) + result.chisq_two_omit.sum(axis=0))
        broken.update(column.tobytes() for column in diffs.T[undefined])
    return result


def watched_search(diffs, *arguments, **named):
    broken.clear()
    done = mask_jumps(diffs, *arguments, **named)
    rows.append([column.tobytes() in broken for column in diffs.T])
    return done


likely_fit.fit_ramps, likely_fit.mask_jumps = watched_fit, watched_search

source = np.load(sys.argv[1])
results = {}
for n, case in enumerate(json.loads(str(source["cases"]))):
    names = ("data", "groupdq", "pixeldq", "gain", "readnoise", "dark", "zeroframe")
    arrays = {name: source[f"{n}_{name}"].copy() for name in names}
    ramps = SimpleNamespace(
        data=arrays["data"],
        groupdq=arrays["groupdq"],
        pixeldq=arrays["pixeldq"],
        average_dark_current=arrays["dark"] if case["dark"] else np.zeros_like(arrays["dark"]),
        zeroframe=arrays["zeroframe"] if case["zero"] else None,
        read_pattern=None,
        rejection_threshold=None,
        nframes=case["nframes"],
        groupgap=case["groupgap"],
        frame_time=case["frame_time"],
        flags_do_not_use=1,
        flags_saturated=2,
        flags_jump_det=4,
    )
    rows.clear()
    with np.errstate(all="ignore"):
        image, ints, _ = likely_fit.likely_ramp_fit(ramps, arrays["readnoise"], arrays["gain"])
    results[f"{n}_undefined"] = np.reshape(rows, ints["dq"].shape)
    for kind, info in (("rate", image), ("rateints", ints)):
        results |= {f"{n}_{kind}_{name}": array for name, array in info.items()}
np.savez(sys.argv[2], **results)
