"""assign_mtwcs by the peer, on files: sky positions of pixels, and the footprint."""

import json
import sys

import numpy as np
from jwst.assign_mtwcs import AssignMTWcsStep
from stdatamodels.jwst import datamodels

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    x, y = given["0/x"], given["0/y"]
paths = [case["path"] for case in cases]
library = AssignMTWcsStep().run(paths)
with library:
    moved = [library.borrow(n) for n in range(len(paths))]
    for n, model in enumerate(moved):
        library.shelve(model, n, modify=False)
out = {}
for n, (case, model) in enumerate(zip(cases, moved, strict=True)):
    ra, dec = model.meta.wcs(x, y)
    info = model.meta.wcsinfo
    out |= {f"{n}/ra": ra, f"{n}/dec": dec, f"{n}/average": np.array([info.mt_avra, info.mt_avdec])}
    out |= {
        f"{n}/s_region": np.array(info.s_region),
        f"{n}/frames": np.array(model.meta.wcs.available_frames),
    }
    with datamodels.open(case["ours"]) as ours:
        out |= {f"{n}/from_ours": np.array(ours.meta.wcs(x, y))}
np.savez(sys.argv[2], **out)
