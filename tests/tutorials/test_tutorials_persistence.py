"""The persistence of the notebook on stage 1 (seed 004): its cells, and steps alone or as a pipeline."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import simulate
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.persistence import PersistenceStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.detector1 import Detector1Pipeline

FIRST = simulate.ExposureConfig(
    subarray="SUB160", readpatt="SHALLOW4", ngroups=4, nints=2, traps=True, cosmic_rays=20.0,
    sky=simulate.Sky(stars=2000.0, bright=9.0, star_slope=0.02),
)  # fmt: skip


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> simulate.Universe:
    """A field with bright stars, and two minutes later a field beside it."""
    start = FIRST.start_mjd + 150.0 / 86400.0
    second = replace(FIRST, exposure=2, seed=2, dither=(3.0, 3.0), start_mjd=start)
    folder = tmp_path_factory.mktemp("two")
    return simulate.universe(
        folder, [FIRST, second], simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )


@pytest.fixture
def files(two: simulate.Universe, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The second exposure and the traps that the first has filled, in the working directory."""
    for name, value in two.environment.items():
        monkeypatch.setenv(name, value)
    uncal, before = two.uncal[1], Path(str(two.uncal[0]).replace("_uncal", "_truetraps"))
    for path in (uncal, before):
        Path(path.name).symlink_to(path)
    return uncal.name, before.name


def before_persistence(uncal_file: str) -> Any:
    """Return the ramp after the steps before."""
    model: Any = uncal_file
    for step in (DQInitStep, SaturationStep, SuperBiasStep, RefPixStep, LinearityStep):
        model = step().run(model)
    return model


def test_the_cells_on_persistence(files: tuple[str, str]) -> None:
    uncal_file, persist_file = files
    output_dir = "./"
    input_file_base = os.path.basename(uncal_file).replace("uncal.fits", "")  # noqa: PTH119
    linearity = before_persistence(uncal_file)

    print(PersistenceStep.spec)
    persist_step = PersistenceStep()
    persist_step.output_dir = output_dir
    persist_step.save_results = True
    persist_step.input_trapsfilled = persist_file
    persist_step.save_persistence = True
    persist = persist_step.run(linearity)

    persist_output_file = os.path.join(output_dir, f"{input_file_base}persistencestep.fits")  # noqa: PTH118
    persist_signal_file = os.path.join(output_dir, f"{input_file_base}output_pers.fits")  # noqa: PTH118
    persist_signal = fits.getdata(persist_signal_file)
    assert persist_signal.shape == (2, 4, 160, 160)
    assert np.min(persist_signal) == 0 and np.max(persist_signal) > 5
    np.testing.assert_array_equal(fits.getdata(persist_output_file), persist.data)
    np.testing.assert_allclose(linearity.data - persist.data, persist_signal, atol=0.01)
    assert Path(f"{input_file_base}trapsfilled.fits").exists()


def test_one_at_a_time_and_as_a_pipeline(files: tuple[str, str]) -> None:
    uncal_file, persist_file = files
    detector1 = Detector1Pipeline()
    detector1.persistence.input_trapsfilled = persist_file
    detector1.jump.rejection_threshold = 6
    whole = detector1.run(uncal_file)
    ramp = PersistenceStep(input_trapsfilled=persist_file).run(before_persistence(uncal_file))
    jump = JumpStep(rejection_threshold=6).run(DarkCurrentStep().run(ramp))
    rate = GainScaleStep().run(RampFitStep().run(jump)[0])
    for name in ("data", "err", "dq", "var_poisson", "var_rnoise"):
        np.testing.assert_array_equal(getattr(rate, name), getattr(whole, name))
    assert whole.meta.cal_step.persistence == "COMPLETE"
    without = Detector1Pipeline(steps={"jump": {"rejection_threshold": 6}}).run(uncal_file)
    assert np.nanmax(without.data - whole.data) > 0.5
