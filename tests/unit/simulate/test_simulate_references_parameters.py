"""Parameter references of the simulated CRDS: found by band, and read by webbcal."""

import pytest

from webbcal import datamodels
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.run.configuration import build_step
from webbcal.simulate import CrdsCache
from webbcal.simulate.references_parameters import write_parameter_references


@pytest.mark.parametrize(
    ("instrument", "exp_type", "wheels", "scale"),
    [
        ("NIRISS", "NIS_IMAGE", ("CLEAR", "F200W"), "3.0 2.0"),
        ("NIRISS", "NIS_IMAGE", ("F444W", "CLEARP"), "1.2 0.7"),
        ("NIRCAM", "NRC_IMAGE", ("F090W", "CLEAR"), "3.0 2.0"),
        ("NIRCAM", "NRC_IMAGE", ("F150W", "CLEAR"), "2.0 1.4"),
        ("NIRCAM", "NRC_IMAGE", ("F277W", "CLEAR"), "2.0 1.4"),
        ("NIRCAM", "NRC_IMAGE", ("F200W", "CLEAR"), "1.2 0.7"),
        ("FGS", "FGS_IMAGE", (None, None), "3.0 2.0"),
    ],
)
def test_undersampled_bands_allow_more_for_slopes(tmp_path, monkeypatch, instrument, exp_type, wheels, scale):
    cache = CrdsCache(tmp_path / "crds")
    write_parameter_references(cache, [instrument])
    for name, value in cache.environment.items():
        monkeypatch.setenv(name, value)
    model = datamodels.ImageModel((4, 4))
    model.meta.instrument.name, model.meta.exposure.type = instrument, exp_type
    model.meta.instrument.filter, model.meta.instrument.pupil = wheels
    model.meta.observation.date, model.meta.observation.time = "2026-01-01", "00:00:00"
    step = build_step(OutlierDetectionStep, model)
    assert step.scale == scale
    assert ("CRDS" in step.origin("scale")) == (scale != "1.2 0.7")
