"""Run stcal's ramp fit (OLS_C) on the bands of an .npz file. Runs in the peer's environment only.

Usage: ramp_fit_peer.py INPUT.npz OUTPUT.npz
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
from stcal.ramp_fitting.ramp_fit import ramp_fit
from stdatamodels.jwst.datamodels import dqflags


class Model(SimpleNamespace):
    def hasattr(self, name):
        return name in self.__dict__


def run(case, arrays):
    meta = SimpleNamespace(
        instrument=SimpleNamespace(name="NIRCAM"),
        exposure=SimpleNamespace(
            frame_time=case["frame_time"],
            group_time=case["group_time"],
            groupgap=case["groupgap"],
            nframes=case["nframes"],
            drop_frames1=case["drop_frames1"],
        ),
    )
    model = Model(data=arrays["data"], groupdq=arrays["groupdq"], pixeldq=arrays["pixeldq"], meta=meta)
    if case["dark"]:
        model.average_dark_current = arrays["dark"]
    if case["zero"]:
        model.zeroframe = arrays["zeroframe"]
    return ramp_fit(
        model,
        True,
        arrays["readnoise"],
        arrays["gain"],
        "OLS_C",
        "optimal",
        "1",
        dqflags.pixel,
        case["suppress"],
    )


source = np.load(sys.argv[1])
cases = json.loads(str(source["cases"]))
names = ("data", "groupdq", "pixeldq", "gain", "readnoise", "dark", "zeroframe")
results = {}
for n, case in enumerate(cases):
    arrays = {name: source[f"{n}_{name}"].copy() for name in names}
    with np.errstate(all="ignore"):
        image, ints, segments = run(case, arrays)
    for kind, info in (("rate", image), ("rateints", ints), ("segments", segments)):
        results |= {f"{n}_{kind}_{name}": array for name, array in (info or {}).items()}
np.savez(sys.argv[2], **results)
