"""Steps on MIRI LRS with parameters that pipelines do not use, by both packages, from the same products.

Our own pipeline's steps make what they start from; `test_spectra_peer` compares those.
"""

import json
import shutil
from pathlib import Path

import pytest
from detector1_runs import finish_peer, start_peer
from spectral_cases import lrs_slit, lrs_slitless

from webbcal.run.registry import step_class

#: What the steps start from, in the order in which it is made: suffix -> step, parameters.
GIVEN = {
    "wcs": ("assign_wcs", {}),
    "src": ("srctype", {"source_type": "POINT"}),
    "flat": ("flat_field", {}),
    "loss": ("pathloss", {}),
    "cal": ("photom", {}),
}
#: Suffix -> class, suffix of its input, parameters.
CASES = {
    "unflat": ("FlatFieldStep", "flat", {"inverse": True}),
    "aside": ("PathLossStep", "flat", {"user_slit_loc": 0.1}),
    "outside": ("PathLossStep", "flat", {"user_slit_loc": 9.0}),
    "fit": ("PixelReplaceStep", "cal", {"skip": False, "algorithm": "fit_profile"}),
    "fit5": ("PixelReplaceStep", "cal", {"skip": False, "algorithm": "fit_profile", "n_adjacent_cols": 5}),
    "s2d": ("ResampleSpecStep", "cal", {}),
    "s2dfine": ("ResampleSpecStep", "cal", {"pixel_scale_ratio": 1.7, "weight_type": "exptime"}),
    "s2dscale": ("ResampleSpecStep", "cal", {"pixel_scale": 0.09, "pixfrac": 0.7, "propagate_dq": True}),
    "s2dpoint": ("ResampleSpecStep", "cal", {"kernel": "point", "fillval": "-5"}),
}
#: On the integrations of a series.
SERIES = {"fitints": ("PixelReplaceStep", "cal", {"skip": False, "algorithm": "fit_profile"})}
#: On both nods together.
TOGETHER = {
    "crf": ("OutlierDetectionStep", {"save_intermediate_results": True}),
    "crfa": ("OutlierDetectionStep", {"resample_data": False, "snr": "6 4"}),
}


def make_given(rate, folder, root, environment, steps=GIVEN):
    """Calibrate an exposure with our steps, and save what others start from."""
    made = str(rate)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        for suffix, (name, parameters) in steps.items():
            made = step_class(name).call(made, **parameters)
            if suffix in ("flat", "cal"):
                made.save(folder / f"{root}_{suffix}.fits")


class Runs:
    """What the peer has made, and how to make ours."""

    def __init__(self, folder, case, series):
        self.folder, self.environment = folder, case.environment
        for side in ("given", "theirs", "ours"):
            (folder / side).mkdir(exist_ok=True)
        self.roots = [Path(rate).name.rsplit("_", 1)[0] for rate in case.rates]
        for root, rate in zip(self.roots, case.rates, strict=True):
            make_given(rate, folder / "given", root, case.environment)
        unslit = {name: step for name, step in GIVEN.items() if name != "loss"}
        make_given(series.rates[0], folder / "given", "series", series.environment, unslit)
        jobs = [self._job(self.roots[0], name, CASES[name]) for name in CASES]
        jobs += [self._job("series", name, SERIES[name]) for name in SERIES]
        jobs += [self.together(name, "theirs") for name in TOGETHER]
        answers = finish_peer(start_peer(jobs, case.environment))
        assert not [a for a in answers if "error" in a], answers

    def _job(self, root, name, step):
        cls, before, parameters = step
        words = {"save_results": True, "output_file": f"{root}.fits", "suffix": name, **parameters}
        return {
            "class": cls,
            "input": str(self.folder / "given" / f"{root}_{before}.fits"),
            "output_dir": str(self.folder / "theirs"),
            "parameters": words,
        }

    def together(self, name, side):
        """Return the job of a step on both nods."""
        members = [{"expname": f"{root}_cal.fits", "exptype": "science"} for root in self.roots]
        tree = {
            "asn_type": "spec3",
            "asn_rule": "DMS_Level3_Base",
            "asn_pool": "none",
            "asn_id": "a3001",
            "program": "01234",
            "products": [{"name": "both", "members": members}],
        }
        path = self.folder / "given" / "both_asn.json"
        path.write_text(json.dumps(tree))
        cls, parameters = TOGETHER[name]
        output = self.folder / side / name
        output.mkdir(exist_ok=True)
        words = {"save_results": True, "suffix": name, **parameters}
        return {"class": cls, "input": str(path), "output_dir": str(output), "parameters": words}

    def pair(self, name):
        """Make our product of a step; return its path and the peer's."""
        root, step = (self.roots[0], CASES[name]) if name in CASES else ("series", SERIES[name])
        job = self._job(root, name, step)
        out = self.folder / "ours" / f"{root}_{name}.fits"
        with pytest.MonkeyPatch.context() as patch:
            for key, value in self.environment.items():
                patch.setenv(key, value)
            step_class(job["class"]).call(job["input"], **step[2]).save(out)
        return out, self.folder / "theirs" / f"{root}_{name}.fits"


@pytest.fixture(scope="module")
def lrs(tmp_path_factory):
    """Both modes of LRS, through the peer's steps."""
    folder = tmp_path_factory.mktemp("lrs_steps")
    case = lrs_slit(folder / "slit", background=False)
    yield Runs(folder, case, lrs_slitless(folder / "slitless"))
    shutil.rmtree(folder)
