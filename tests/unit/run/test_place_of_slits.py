"""Where a slit lies on the detector: within its exposure, or as large as its subarray."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.run.exposure import Exposure


def slit(shape: tuple[int, int], ystart: int) -> Exposure:
    """Return a slit of a subarray of 72 columns and 416 rows that begins in row 529."""
    model = datamodels.SlitModel(data=np.zeros(shape, np.float32))
    model.meta.instrument.name = "MIRI"
    sub = model.meta.subarray
    sub.xstart, sub.ystart, sub.xsize, sub.ysize, sub.fastaxis, sub.slowaxis = 1, 529, 72, 416, 1, 2
    model.xstart, model.ystart, model.xsize, model.ysize = 1, ystart, shape[1], shape[0]
    return Exposure.of_model(model)


@pytest.mark.parametrize(
    ("shape", "ystart", "rows"), [((416, 72), 529, (528, 944)), ((100, 72), 11, (538, 638))]
)
def test_place(shape: tuple[int, int], ystart: int, rows: tuple[int, int]) -> None:
    assert slit(shape, ystart).box == Box(*rows, 0, 72)
