"""IRS2 in the steps of stage 1, on frames made by hand."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.core.irs2 import Interleaving
from webbcal.datamodels import dqflags
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.references.reference import Reference
from webbcal.run.exposure import Exposure

NRS1 = Interleaving(turned=False)
SATURATED = dqflags.group["SATURATED"]


def exposure(
    rows: int = 3200, groups: int = 2, readpatt: str = "NRSIRS2RAPID", fill: float | None = None
) -> Any:
    """Return a ramp of NRS1."""
    shape = (1, groups, rows, 2048)
    rng = np.random.default_rng(5)
    data = rng.normal(50, 5, shape).astype(np.float32) if fill is None else np.full(shape, fill, np.float32)
    model = datamodels.RampModel(data=data)
    describe(model)
    model.meta.exposure.type, model.meta.exposure.readpatt = "NRS_MSASPEC", readpatt
    model.meta.exposure.ngroups, model.meta.exposure.nframes, model.meta.exposure.groupgap = groups, 1, 0
    model.meta.exposure.frame_time = model.meta.exposure.group_time = 14.6
    return model


def describe(model: Any) -> Any:
    """Say of a model that it is of the full frame of NRS1."""
    model.meta.instrument.name, model.meta.instrument.detector = "NIRSPEC", "NRS1"
    if hasattr(model.meta, "subarray"):
        sub = model.meta.subarray
        sub.name, sub.xstart, sub.ystart, sub.xsize, sub.ysize = "FULL", 1, 1, 2048, 2048
        sub.fastaxis, sub.slowaxis = 2, 1
    return model


@pytest.fixture(scope="module")
def nothing() -> Any:
    """Return a REFPIX reference that subtracts nothing."""
    model = datamodels.IRS2Model()
    model.irs2_table = np.zeros(2 * 712 * 2048, model.get_dtype("irs2_table"))
    return describe(model)


def test_reference_pixels_are_stripped(nothing: Any, tmp_path: Any) -> None:
    ramp = exposure()
    ramp.data[0, :, 768] += 400.0  # an interleaved reference pixel that stands out
    ramp.meta.filename = "jw_nrs1_superbias.fits"
    words = {"override_refpix": nothing, "save_results": True, "output_dir": str(tmp_path)}
    result = RefPixStep(**words).run(ramp)  # read again from its file
    assert result.data.shape == result.groupdq.shape == (1, 2, 2048, 2048)
    assert result.pixeldq.shape == (2048, 2048) and not result.pixeldq.any()
    # Nothing but straight lines through the border, of a few hundredths, is gone.
    np.testing.assert_allclose(result.data, ramp.data[:, :, NRS1.science], atol=1.0)
    assert result.meta.cal_step.refpix == "COMPLETE"
    assert ramp.data.shape == (1, 2, 3200, 2048)


def test_reference_pixels_are_kept_where_asked(nothing: Any) -> None:
    ramp = exposure()
    ramp.data[0, :, 768] += 400.0
    result = RefPixStep(override_refpix=nothing, preserve_irs2_refpix=True).run(ramp)
    assert result.data.shape == (1, 2, 3200, 2048)
    bad = dqflags.pixel["BAD_REF_PIXEL"] | dqflags.pixel["DO_NOT_USE"]
    assert (result.pixeldq[768:770] == bad).all() and not result.pixeldq[700:768].any()
    assert result.data[0, 0, 768].mean() < 1.0, "replaced by its neighbours, less the mean of the ramp"


@pytest.mark.parametrize(("rows", "readpatt"), [(2048, "NRSIRS2"), (3200, "NRS")])
def test_frames_that_are_not_what_the_read_pattern_says(nothing: Any, rows: int, readpatt: str) -> None:
    with pytest.raises(InputError, match=f"READPATT = '{readpatt}', but the SCI array has {rows} rows"):
        RefPixStep(override_refpix=nothing).run(exposure(rows, readpatt=readpatt))


def test_frames_of_another_size() -> None:
    with pytest.raises(InputError, match="2048 columns and 3000 rows, but frames of IRS2"):
        Exposure.of_model(exposure(3000)).complete()


def test_references_of_other_shapes() -> None:
    raw = exposure(groups=1, fill=1.0)
    flat = describe(datamodels.SuperBiasModel(data=np.zeros((2048, 2048), np.float32)))
    with pytest.raises(
        ReferenceFileError, match=r"2048 rows, .* needs one with the reference pixels of IRS2"
    ):
        SuperBiasStep(override_superbias=flat).run(raw)
    tall = describe(datamodels.GainModel(data=np.zeros((3200, 2048), np.float32)))
    with pytest.raises(ReferenceFileError, match=r"3200 rows, .* needs one without the reference pixels"):
        Reference("gain", tall).check(Exposure.of_model(raw).stripped())
    table = datamodels.IRS2Model()
    table.irs2_table = np.zeros(7, table.get_dtype("irs2_table"))
    with pytest.raises(ReferenceFileError, match=r"7 rows in its table IRS2, .* needs 2916352"):
        RefPixStep(override_refpix=describe(table)).run(raw)


def test_a_reference_of_science_pixels_is_read_where_they_are() -> None:
    values = np.arange(2048, dtype=np.float32)[:, None] * np.ones(2048, np.float32)
    reference = Reference("saturation", describe(datamodels.SaturationModel(data=values)))
    reference.check(Exposure.of_model(exposure(groups=1, fill=1.0)))
    np.testing.assert_array_equal(reference.read("data", Box(646, 654, 0, 1))[:, 0], [6, 7, 8, 9])
    assert reference.read("dq", Box(0, 640, 0, 5)).shape == (0, 5)


def test_saturation_grows_across_reference_pixels() -> None:
    raw = exposure(groups=3, fill=100.0)
    raw.data[0, 1:, 647, 9] = 2000.0  # the last science pixel before a block of reference pixels
    raw.data[0, :, 800, 30] = 5000.0, 5000.0, 5000.0
    raw.data[0, :, 648, 60] = 5000.0  # a reference pixel
    threshold = describe(datamodels.SaturationModel(data=np.full((2048, 2048), 1000.0, np.float32)))
    bias = describe(datamodels.SuperBiasModel(data=np.zeros((3200, 2048), np.float32)))
    words = {"override_saturation": threshold, "override_superbias": bias}
    result = SaturationStep(**words).run(raw)
    rows = np.flatnonzero(result.groupdq[0, 1, :, 9] & SATURATED)
    np.testing.assert_array_equal(rows, [646, 647, 652])
    assert not (result.groupdq[0, 0, :, 9] & SATURATED).any()
    assert not (result.groupdq[0, :, :, 60] & SATURATED).any()


def test_a_second_group_that_hides_saturation() -> None:
    raw = exposure(groups=3, fill=10.0, readpatt="NRSIRS2")
    raw.meta.exposure.nframes = 5
    raw.data[0, :, 700, 9] = 10.0, 600.0, 2000.0  # far from saturation by its first group
    threshold = describe(datamodels.SaturationModel(data=np.full((2048, 2048), 1000.0, np.float32)))
    bias = describe(datamodels.SuperBiasModel(data=np.zeros((3200, 2048), np.float32)))
    words = {"override_saturation": threshold, "override_superbias": bias}
    result = SaturationStep(**words).run(raw)
    assert (result.groupdq[0, 1, 699:702, 8:11] & SATURATED).all()
    plain = SaturationStep(use_readpatt=False, **words).run(raw)
    assert not (plain.groupdq[0, 1] & SATURATED).any()
