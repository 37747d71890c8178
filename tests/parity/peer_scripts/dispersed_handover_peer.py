"""Extract2dStep by the peer, on products of assign_wcs.

Usage: dispersed_handover_peer.py IN.npz OUT.npz
"""

import json
import os
import sys
import warnings

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
warnings.simplefilter("ignore")

from jwst.assign_wcs import AssignWcsStep  # noqa: E402
from jwst.extract_2d import Extract2dStep  # noqa: E402
from stdatamodels.jwst import datamodels  # noqa: E402

out = {}
for n, case in enumerate(cases):
    os.environ.update(case["environment"])
    os.chdir(case["folder"])
    for who in ("ours", "own"):
        with datamodels.open(case["ours"]) as model:
            if who == "own":
                model = AssignWcsStep.call(model, configure_log=False)
            found = Extract2dStep.call(model, configure_log=False)
        slits = getattr(found, "slits", None) or [found]
        numbers = (
            "xstart",
            "ystart",
            "xsize",
            "ysize",
            "source_xpos",
            "source_ypos",
            "source_ra",
            "source_dec",
        )
        values = [[getattr(slit, name, None) or 0.0 for name in numbers] for slit in slits]
        out[f"{n}/{who}_places"] = np.array(values, float)
        out[f"{n}/{who}_orders"] = np.array([slit.meta.wcsinfo.spectral_order for slit in slits])
        maps = [np.array(slit.wavelength).ravel() for slit in slits]
        out[f"{n}/{who}_wavelengths"] = np.concatenate(maps)
        out[f"{n}/{who}_lengths"] = np.array([len(one) for one in maps])
        out[f"{n}/{who}_sky"] = np.array([[np.squeeze(v) for v in slit.meta.wcs(3.0, 4.0)] for slit in slits])
np.savez(sys.argv[2], **out)
