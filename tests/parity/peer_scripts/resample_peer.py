"""ResampleStep or OutlierDetectionStep by the peer, on files.

Usage: resample_peer.py IN.npz OUT.npz; a case has "step", "files", "parameters" and "save" (a folder).
"""

import json
import sys
from pathlib import Path

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))

from jwst.datamodels import ModelLibrary
from jwst.outlier_detection import OutlierDetectionStep
from jwst.resample import ResampleStep

out = {}
for n, case in enumerate(cases):
    members = [{"expname": f, "exptype": "science"} for f in case["files"]]
    asn = {"asn_id": "a3001", "asn_pool": "none", "asn_type": "image3", "asn_rule": "rule"}
    library = ModelLibrary(asn | {"products": [{"name": "mosaic", "members": members}]}, on_disk=False)
    if case["step"] == "resample":
        step = ResampleStep(**case["parameters"])
        result = step.run(library)
        result.save(str(Path(case["save"]) / "peer_i2d.fits"))
        out[f"{n}/shape"] = np.array(result.data.shape)
    else:
        step = OutlierDetectionStep(**case["parameters"])
        step.mode = "imaging"
        with step.run(library) as models:
            for k, model in enumerate(models):
                out[f"{n}/dq{k}"] = model.dq
                out[f"{n}/data{k}"] = model.data
                models.shelve(model, k, modify=False)
np.savez(sys.argv[2], **out)
