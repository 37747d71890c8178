"""Open and validate each grism reference of a cache with the model class of the peer (in its environment)."""

import json
import sys
from pathlib import Path

import numpy as np
from stdatamodels.jwst import datamodels

CLASSES = {
    "specwcs": {"NIRCAM": "NIRCAMGrismModel", "NIRISS": "NIRISSGrismModel", "MIRI": "MiriWFSSSpecwcsModel"},
    "photom": {"NIRCAM": "NrcWfssPhotomModel", "NIRISS": "NisWfssPhotomModel", "MIRI": "MirWfssPhotomModel"},
    "apcorr": {"NIRCAM": "NrcWfssApcorrModel", "NIRISS": "NisWfssApcorrModel", "MIRI": "MirLrsApcorrModel"},
}
OTHERS = {
    "wavelengthrange": "WavelengthrangeModel",
    "flat": "FlatModel",
    "bkg": "WfssBkgModel",
    "area": "PixelAreaModel",
}

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
results = {}
for n, case in enumerate(cases):
    opened = []
    for entry in json.loads((Path(case["cache"]) / "references.json").read_text()):
        kind = dict(entry["match"]).get("META.EXPOSURE.TYPE", "")
        if kind != case["exposure_type"] or entry["reftype"] == "extract1d":
            continue
        name = CLASSES.get(entry["reftype"], {}).get(entry["instrument"]) or OTHERS[entry["reftype"]]
        path = Path(case["cache"]) / "references" / "jwst" / entry["instrument"].lower() / entry["file"]
        with getattr(datamodels, name)(path, strict_validation=True) as model:
            model.validate()
            assert model.meta.exposure.type == kind, (name, model.meta.exposure.type)
        opened.append(entry["reftype"])
    results[f"{n}/opened"] = np.array(sorted(opened))
np.savez(sys.argv[2], **results)
