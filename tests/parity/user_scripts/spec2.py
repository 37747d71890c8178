"""Calibrated spectra of a time series: a user's own pipeline of single steps beside `Spec2Pipeline`."""

import sys

import numpy as np
from jwst import datamodels
from jwst.assign_wcs import AssignWcsStep
from jwst.flatfield import FlatFieldStep
from jwst.pipeline import Spec2Pipeline
from jwst.stpipe import Pipeline

rates = sys.argv[1]
Spec2Pipeline.call(
    rates,
    save_results=True,
    output_dir="out",
    steps={
        "assign_wcs": {"skip": False},
        "flat_field": {"save_results": "True"},
        "pixel_replace": {"skip": "False", "algorithm": "fit_profile", "n_adjacent_cols": "4"},
        "photom": {"pre_hooks": ["hooks_of_mine.Halve(divisor=3)"]},
        "extract_1d": {"soss_atoca": False, "apply_apcorr": "True"},
    },
)


class FlatOnly(Pipeline):
    """Attach the WCS, and divide by the flat field."""

    class_alias = "flat_only"

    spec = """
    repeat = integer(default=1) # How often
    """

    step_defs = {"assign_wcs": AssignWcsStep, "flat_field": FlatFieldStep}

    def process(self, given):
        with datamodels.open(given) as model:
            result = self.assign_wcs.run(model)
            for _ in range(self.repeat):
                result = self.flat_field.run(result)
        self.suffix = "flatonly"
        return result


FlatOnly.call(rates, output_dir="out", save_results=True, steps={"flat_field": {"skip": "False"}})

with datamodels.open(f"out/{rates.rpartition('/')[2].replace('rateints', 'x1dints')}") as product:
    flux = [np.nanmedian(np.asarray(s.spec_table["FLUX"], float)) for s in product.spec]
    print("median flux", *(f"{value:.5e}" for value in flux))
