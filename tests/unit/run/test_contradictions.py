"""What is said of exposures whose parts contradict each other, and of steps that can do nothing."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.emicorr import EmiCorrStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.time_tables import check_tables


def shifted(table: np.ndarray, column: str, by: int) -> np.ndarray:
    table = table.copy()
    table[column] += by
    return table


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t, ""),
        (lambda t: np.concatenate([t, t]), "has several rows for a group"),
        (lambda t: np.delete(t, 1), "rows, but the SCI array has"),
        (lambda t: shifted(t, "integration_number", -1), "from below 1"),
        (lambda t: shifted(t, "group_number", 7), "goes to integration"),
    ],
)
def test_a_group_table_that_contradicts_the_data(
    crds: Any, caplog: pytest.LogCaptureFixture, change: Any, said: str
) -> None:
    model = datamodels.open(crds.uncal[0])
    model.group = change(np.asarray(model.group))
    DQInitStep().run(model)
    assert caplog.text.count("GROUP table") == (1 if said else 0) and said in caplog.text


def test_a_warning_comes_once_in_a_pipeline(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = datamodels.open(crds.uncal[0])
    model.group = np.asarray(model.group)[:-1]
    Detector1Pipeline().run(model)
    assert caplog.text.count("GROUP table") == 1


def test_a_step_alone_that_does_not_apply_says_so(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    EmiCorrStep().run(crds.uncal[0])
    assert "step emicorr skipped: not implemented for instrument" in caplog.text


def test_steps_of_a_pipeline_that_do_nothing(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Who has asked for a step learns that it does nothing; defaults that do not apply are no surprise."""
    steps = {
        "clean_flicker_noise": {"skip": False, "fit_method": "fft", "background_method": "median"},
        "picture_frame": {"skip": False},
    }
    Detector1Pipeline(steps=steps).run(crds.uncal[0])
    assert "step clean_flicker_noise failed: " in caplog.text
    assert "step picture_frame skipped: " in caplog.text
    assert "gain_scale" not in caplog.text and "charge_migration" not in caplog.text


def test_a_reference_output_that_is_missing_or_does_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    ramp = datamodels.RampModel(np.zeros((1, 4, 8, 8), np.float32))
    ramp.meta.instrument.name = "MIRI"
    check_tables(ramp, "raw", ramp.data.shape)
    assert "without its reference output (REFOUT)" in caplog.text
    ramp.refout = np.zeros((1, 4, 8, 2), np.float32)
    caplog.clear()
    check_tables(ramp, "raw", ramp.data.shape)
    assert not caplog.text
    ramp.refout = np.zeros((1, 4, 7, 2), np.float32)
    check_tables(ramp, "raw", ramp.data.shape)
    assert "REFOUT has shape (1, 4, 7, 2)" in caplog.text
