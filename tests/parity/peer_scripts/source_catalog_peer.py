"""SourceCatalogStep by the peer, on files.

Usage: source_catalog_peer.py IN.npz OUT.npz
"""

import json
import os
import sys

import numpy as np

with np.load(sys.argv[1]) as given:
    cases = json.loads(str(given["cases"]))
os.environ.update(cases[0]["environment"])

from jwst.source_catalog import SourceCatalogStep

out = {}
for n, case in enumerate(cases):
    catalog = SourceCatalogStep.call(
        case["path"],
        save_results=True,
        output_dir=case["folder"],
        configure_log=False,
        **case["parameters"],
    )
    out[f"{n}/number"] = np.array(-1 if catalog is None else len(catalog))
np.savez(sys.argv[2], **out)
