"""Transforms of trees as the peer's models, evaluated at points one by one.

Usage: dispersion_kinds_peer.py IN.npz OUT.npz
"""

import json
import sys

import asdf
import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
    arrays = {key: given[key] for key in given.files if key != "cases"}
out = {}
for n, case in enumerate(cases):
    with asdf.open(case["path"], lazy_load=False) as file:
        model, inverses = file["transform"], dict(file["inverses"])
    if inverses:  # the peer has these in memory, not in files
        model = type(model)(model.orders, model.lmodels, model.xmodels, model.ymodels, **inverses)
    count = sum(key.startswith(f"{n}/in") for key in arrays)
    points = zip(*(arrays[f"{n}/in{k}"] for k in range(count)), strict=True)
    # SOSS takes its order as an array of one.
    wrap = (lambda v: np.array([v])) if case["arrays"] else float
    found = [[float(np.squeeze(v)) for v in model(*map(wrap, point))] for point in points]
    out |= {f"{n}/out{k}": np.array(column) for k, column in enumerate(zip(*found, strict=True))}
np.savez(sys.argv[2], **out)
