"""targ_centroid: the fit, and what it skips."""

import numpy as np
import pytest
import slit_cases as cases

from webbcal import datamodels
from webbcal.core.errors import SkipStep
from webbcal.exposure.geometry.centroid import centroid
from webbcal.exposure.geometry.targ_centroid import TargCentroidStep
from webbcal.simulate.headers import assign


def spot(shape, x, y):
    rows, columns = np.indices(shape)
    return (30 * np.exp(-0.5 * (((columns - x) / 1.3) ** 2 + ((rows - y) / 1.6) ** 2))).astype(np.float32)


@pytest.mark.parametrize("place", [(30.3, 24.8), (3.2, 44.1), (58.7, 2.4)])
def test_a_spot_is_found_where_it_is(place):
    image = spot((48, 64), *place)
    image[20, 20] = np.nan
    assert centroid(image, (place[0] + 2, place[1] - 1)) == pytest.approx(place, abs=0.02)


@pytest.mark.parametrize("near", [(200.0, 10.0), (np.nan, 10.0), (-50.0, 10.0)])
def test_a_place_outside_of_the_image(near):
    with pytest.raises(SkipStep, match="not enough data"):
        centroid(spot((48, 64), 30, 20), near)


def run(model, **parameters):
    return TargCentroidStep(skip=False, override_filteroffset="N/A", **parameters).run(model)


def test_without_an_image():
    model = cases.slit_model("MIR_LRS-FIXEDSLIT", (40, 30), 5.0, 12.0, 2)
    assert run(model).meta.cal_step.targ_centroid == "SKIPPED"


@pytest.mark.parametrize("mode", ["NRC_WFSS", "MIR_WFSS", "NRC_TSGRISM"])
def test_other_modes(mode):
    model = cases.slit_model(mode, (40, 30), 3.0, 4.0, 1)
    assert run(model, ta_file="any.fits").meta.cal_step.targ_centroid == "SKIPPED"


def test_an_image_that_is_none_of_an_acquisition(tmp_path):
    offsets = datamodels.FilteroffsetModel()
    offsets.filters = [{"filter": "F560W", "column_offset": 0.0, "row_offset": 0.0}]
    other = datamodels.ImageModel(data=np.zeros((40, 30), np.float32))
    assign(other, cases.metadata("MIR_WFSS"))
    model = cases.slit_model("MIR_LRS-FIXEDSLIT", (40, 30), 5.0, 12.0, 2)
    result = TargCentroidStep(skip=False, override_filteroffset=offsets).run(model, other)
    assert result.meta.cal_step.targ_centroid == "SKIPPED" and result.ta_xpos is None
