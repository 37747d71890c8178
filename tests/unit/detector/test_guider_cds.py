"""Rates of guide stars, by hand, and what is refused."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.guider_cds import GuiderCdsStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.pipeline.guider import GuiderPipeline
from webbcal.run.exposure import Exposure

GAIN, READ_NOISE, TIME = 2.0, 4.0, 0.5


def exposure(kind: str, samples: Any, size: int = 4) -> Any:
    """Return an exposure whose pixels all have these samples, (integrations, groups)."""
    samples = np.asarray(samples, np.float32)
    model = datamodels.GuiderRawModel(data=np.tile(samples[..., None, None], (1, 1, size, size)))
    return describe(model, kind, size)


def describe(model: Any, kind: str = "", size: int = 4) -> Any:
    """Say where a model lies."""
    model.meta.instrument.name, model.meta.instrument.detector = "FGS", "GUIDER1"
    sub = model.meta.subarray
    sub.name, sub.xstart, sub.ystart, sub.xsize, sub.ysize = "8X8", 11, 21, size, size
    if kind:
        model.meta.exposure.type, model.meta.exposure.group_time = kind, TIME
    return model


def references(size: int = 4) -> dict[str, Any]:
    """Return the references of the step."""
    shape = (size, size)
    gain = describe(datamodels.GainModel(data=np.full(shape, GAIN, np.float32)), size=size)
    noise = describe(datamodels.ReadnoiseModel(data=np.full(shape, READ_NOISE, np.float32)), size=size)
    return {"override_gain": gain, "override_readnoise": noise}


def error(change: float) -> float:
    """Return the error of a rate by a difference of samples."""
    return float(np.sqrt(2 * (READ_NOISE / TIME) ** 2 + max(change, 0) / (GAIN * TIME)))


@pytest.mark.parametrize(
    ("kind", "samples", "changes"),
    [
        ("FGS_ACQ1", [[100, 130], [100, 90]], [30, -10]),
        ("FGS_TRACK", [[100, 130, 999]], [30]),
        ("FGS_ID-IMAGE", [[100, 130], [100, 125]], [25]),  # the smaller: a particle in the first
        ("FGS_FINEGUIDE", [[10, 12, 14, 16, 20, 22, 24, 26]], [10]),
    ],
)
def test_rates(kind: str, samples: Any, changes: list[float]) -> None:
    raw = exposure(kind, samples)
    raw.dq = np.full((4, 4), 2, np.uint32)
    result = GuiderCdsStep(**references()).run(raw)
    assert type(result).__name__ == "GuiderCalModel"
    assert result.data.shape == (len(changes), 4, 4) and result.meta.bunit_data == "DN/s"
    np.testing.assert_allclose(result.data[:, 0, 0], np.array(changes) / TIME)
    np.testing.assert_allclose(result.err[:, 0, 0], [error(c) for c in changes], rtol=1e-6)
    np.testing.assert_array_equal(result.dq, 2)


def test_stacked_images_take_the_mean_of_references() -> None:
    words = references(3)
    words["override_gain"].data[0, 0] += 9.0
    result = GuiderCdsStep(**words).run(exposure("FGS_ID-STACK", [[100, 130], [100, 125]]))
    expected = np.sqrt(2 * (READ_NOISE / TIME) ** 2 + 25 / ((GAIN + 1.0) * TIME))
    np.testing.assert_allclose(result.err, expected, rtol=1e-6)


def test_flags_come_from_the_mask() -> None:
    mask = describe(datamodels.MaskModel(dq=np.eye(4, dtype=np.uint32)))
    result = DQInitStep(override_mask=mask).run(exposure("FGS_ACQ2", [[1, 2]]))
    np.testing.assert_array_equal(result.dq, np.eye(4))
    assert result.meta.cal_step.dq_init == "COMPLETE" and type(result).__name__ == "GuiderRawModel"


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="FGS_ID-IMAGE needs 2 integrations and 2 groups"):
        GuiderCdsStep(**references()).run(exposure("FGS_ID-IMAGE", [[100, 130]]))
    with pytest.raises(InputError, match="FGS_ACQ1 needs 1 integrations and 2 groups"):
        GuiderCdsStep(**references()).run(exposure("FGS_ACQ1", [[100]]))
    image = exposure("FGS_IMAGE", [[1, 2]])
    with pytest.raises(InputError, match="takes guide-star exposures, but EXP_TYPE is FGS_IMAGE"):
        GuiderPipeline().run(image)
    assert GuiderCdsStep(**references()).run(image).meta.cal_step.guider_cds == "SKIPPED"
    with pytest.raises(InputError, match="FGS_ACQ1 is an exposure of guide stars; use calwebb_guider"):
        Detector1Pipeline().sequence(Exposure.of_model(exposure("FGS_ACQ1", [[100, 130]])))
