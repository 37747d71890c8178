"""A mosaic of calibrated images: nested dictionaries, models in a container, a step with a library."""

import json
import sys
from pathlib import Path

from jwst.associations.asn_from_list import asn_from_list
from jwst.datamodels import ModelContainer, ModelLibrary
from jwst.pipeline import Image3Pipeline
from jwst.skymatch import SkyMatchStep

cals = sys.argv[1:]
asn = asn_from_list(cals, product_name="mosaic")
Path("image3_asn.json").write_text(asn.dump()[1])

quick = {"tweakreg": {"skip": True}, "source_catalog": {"skip": "True"}}
drop = {"pixfrac": "0.8", "rotation": 0.0, "output_shape": [90, 90]}
Image3Pipeline.call(
    "image3_asn.json", save_results=True, output_dir="out",
    steps={**quick, "outlier_detection": {"snr": "6.0 5.0"}, "resample": drop},
)  # fmt: skip

with ModelContainer(cals) as container:
    levels = {model.meta.filename: float(model.data[10, 10]) for model in container}
library = ModelLibrary("image3_asn.json", on_disk=False)
result = SkyMatchStep.call(library, skymethod="match")
with result:
    for model in result:
        levels[f"sky of {model.meta.filename}"] = model.meta.background.level
        result.shelve(model, modify=False)
Path("out/levels.json").write_text(json.dumps(levels))
