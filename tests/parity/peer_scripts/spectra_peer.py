"""Steps of spectra by the peer: jobs, each a step, its input, its parameters and where its result goes.

Usage: spectra_peer.py JOBS.json
"""

import json
import sys
import time
import traceback
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
from jwst.combine_1d import Combine1dStep  # noqa: E402
from jwst.datamodels import ModelContainer  # noqa: E402
from jwst.datamodels.utils.wfss_multispec import (  # noqa: E402
    make_wfss_multicombined,
    make_wfss_multiexposure,
)
from jwst.exp_to_source import multislit_to_container  # noqa: E402
from jwst.extract_1d import Extract1dStep  # noqa: E402
from jwst.master_background import MasterBackgroundStep  # noqa: E402
from jwst.pipeline import Spec3Pipeline  # noqa: E402


class Field:
    """What calwebb_spec3 does with exposures of a field: the spectra of each source, and their means."""

    def __init__(self, **parameters):
        self.parameters = parameters

    def run(self, models):
        """Return the two products."""
        extracted, combined = [], []
        for source in multislit_to_container(models).values():
            spectra = Extract1dStep(**self.parameters).run(source)
            extracted.append(spectra)
            mean = Combine1dStep().run(spectra)
            if mean.meta.cal_step.combine_1d == "COMPLETE":
                for name in ("RA", "DEC"):
                    setattr(
                        mean.spec[0],
                        f"source_{name.lower()}",
                        spectra.spec[0].spec_table[f"SOURCE_{name}"][0],
                    )
                combined.append(mean)
        spectra = make_wfss_multiexposure(extracted)
        if models[0].slits[0].meta.wcsinfo.s_region:
            Spec3Pipeline._populate_wfss_sregion(None, spectra, models)
        return [spectra, make_wfss_multicombined(combined)]


STEPS = {"extract_1d": Extract1dStep, "combine_1d": Combine1dStep, "master_background": MasterBackgroundStep}
STEPS["field"] = Field

jobs = json.loads(Path(sys.argv[1]).read_text())
for job in jobs:
    given = job["input"]
    given = ModelContainer(given) if isinstance(given, (list, dict)) else given
    step = STEPS[job["step"]](**job["parameters"])
    step.output_dir = job.get("folder", ".")
    start = time.perf_counter()
    try:
        result = step.run(given)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        job["error"] = f"{type(error).__name__}: {error}"
        continue
    job["seconds"] = time.perf_counter() - start
    results = list(result) if isinstance(result, (ModelContainer, list)) else [result]
    job["classes"] = [type(model).__name__ for model in results]
    job["status"] = [str(getattr(model.meta.cal_step, job["step"], None)) for model in results]
    job["outputs"] = []
    for k, model in enumerate(results):
        path = job["output"] if len(results) == 1 else job["output"].replace(".fits", f"_{k}.fits")
        model.save(path)
        job["outputs"].append(path)
Path(sys.argv[1]).write_text(json.dumps(jobs))
