"""The image in electrons per second that `save_wfss_esec` saves."""

import logging

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.exposure.response.electron_rate import ElectronRateStep


@pytest.fixture
def exposure():
    """Return a small grism exposure with errors of 1."""
    model = datamodels.ImageModel(np.full((2048, 2048), 2.0, np.float32))
    model.meta.exposure.type, model.meta.filename = "NRC_WFSS", "x_rate.fits"
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCALONG"
    model.meta.subarray.name = "FULL"
    for name, value in {"xstart": 1, "ystart": 1, "xsize": 2048, "ysize": 2048}.items():
        setattr(model.meta.subarray, name, value)
    for name, value in {"var_poisson": 0.75, "var_rnoise": 0.25, "var_flat": 0.0}.items():
        setattr(model, name, np.full((2048, 2048), value, np.float32))
    return model


def test_it_is_multiplied_by_the_mean_gain(exposure, tmp_path):
    gain = datamodels.ImageModel(np.full((2048, 2048), 3.0, np.float32))
    gain.data[:4], gain.data[1000, 1000], gain.data[1001, 1001] = 99.0, np.nan, 0.0
    gain.meta.instrument.name, gain.meta.instrument.detector = "NIRCAM", "NRCALONG"
    gain.meta.subarray = exposure.meta.subarray.instance
    gain.save(str(tmp_path / "gain.fits"))
    made = ElectronRateStep(override_gain=str(tmp_path / "gain.fits")).run(exposure)
    assert np.unique(made.data).tolist() == [6.0] and np.unique(made.err).tolist() == [3.0]
    assert np.unique(exposure.data).tolist() == [2.0]


def test_that_there_is_none_is_told(exposure, caplog):
    step = ElectronRateStep(override_gain="N/A", suffix="esec")
    with caplog.at_level(logging.WARNING):
        step.decide(exposure)
    assert "no esec image of x_rate.fits: No GAIN reference" in caplog.text
