"""The MIRI exercise of the field's stage-1 tutorial: calwebb_detector1 by `run`, and by `call`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.pipeline import calwebb_detector1

#: The file that comes with the exercise, and what its text says to add at the bottom.
PARAMETER_FILE = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.3.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
class: jwst.pipeline.calwebb_detector1.Detector1Pipeline
name: Detector1Pipeline
parameters: {save_calibrated_ramp: false}
steps:
"""
ADDED = """\
- class: jwst.dark_current.dark_current_step.DarkCurrentStep
  name: dark_current
  parameters: {skip: True}
- class: jwst.jump.jump_step.JumpStep
  name: jump
  parameters: {rejection_threshold: 3,
               save_results: True}
"""


@pytest.fixture
def miri_uncal_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A simulated exposure of the imager in the working directory."""
    config = simulate.ExposureConfig(
        detector="MIRIMAGE", subarray="SUB64", readpatt="FASTR1", filter="F770W", ngroups=8, nints=2,
        cosmic_rays=20.0,
    )  # fmt: skip
    made = simulate.universe(
        tmp_path / "sim", config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    Path("miri_F770W_exp1_uncal.fits").symlink_to(made.uncal[0])
    yield "miri_F770W_exp1_uncal.fits"


def test_run_and_call_with_a_parameter_file_do_the_same(miri_uncal_file: str) -> None:
    miri1 = calwebb_detector1.Detector1Pipeline()
    miri1.output_dir = "by_run"
    Path("by_run").mkdir()
    miri1.save_results = True
    miri1.jump.save_results = True
    miri1.jump.rejection_threshold = 3
    miri1.dark_current.skip = True
    miri_output = miri1.run(miri_uncal_file)

    miri_det1_param_reffile = "miri_detector1_param_file.asdf"
    Path(miri_det1_param_reffile).write_text(PARAMETER_FILE + ADDED + "...\n")
    Path("by_call").mkdir()
    again = calwebb_detector1.Detector1Pipeline.call(
        miri_uncal_file, output_dir="by_call", save_results=True, config_file=miri_det1_param_reffile
    )
    np.testing.assert_array_equal(again.data, miri_output.data)

    miri_rate_file = miri_uncal_file.replace("uncal.fits", "rate.fits")
    miri_rate = datamodels.open(Path("by_run", miri_rate_file))
    np.testing.assert_array_equal(miri_rate.data, miri_output.data)
    assert miri_rate.meta.cal_step.dark_sub == "SKIPPED"
    done = {"lastframe", "reset", "linearity", "rscd", "jump", "ramp_fit"}
    assert {name for name in done if getattr(miri_rate.meta.cal_step, name) == "COMPLETE"} == done
    products = {p.name.removeprefix("miri_F770W_exp1_") for p in Path("by_call").iterdir()}
    assert products == {"jump.fits", "rate.fits", "rateints.fits"}
