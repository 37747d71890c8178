"""Steps of stage 1 on models and on single blocks: what they need, when they apply, and what they leave."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels, simulate
from webbcal.core.box import Box
from webbcal.core.errors import InputError, PlanError
from webbcal.datamodels import dqflags
from webbcal.detector import refpix
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.group_scale import GroupScaleStep
from webbcal.detector.jump import JumpsFound
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.run.engine.operation import Kept, Operation
from webbcal.run.engine.sources import RampSource
from webbcal.run.exposure import Exposure


def operation(step: Any, model: Any) -> Operation:
    """Return a step bound to an exposure, with its references, as the engine does it."""
    plan = step.plan(model)
    (planned,) = plan.steps
    return Operation(step, 0, step.parameters, planned.references, plan.exposure)


def test_group_scale_applies_where_the_divisor_differs(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as model:
        same = GroupScaleStep().run(model)
        assert same.meta.cal_step.group_scale == "SKIPPED"
        model.meta.exposure.frame_divisor = 4 * model.meta.exposure.nframes
        scaled = GroupScaleStep().run(model)
    np.testing.assert_array_equal(scaled.data, 4 * same.data)


def test_dq_init_takes_flags_of_the_user(crds: Any) -> None:
    plain = DQInitStep().run(crds.uncal[0])
    flags = np.zeros((64, 64), np.uint32)
    flags[3, 5] = dqflags.pixel["TELEGRAPH"] | dqflags.pixel["DO_NOT_USE"]
    fits.writeto("flags.fits", flags)
    marked = DQInitStep(user_supplied_dq="flags.fits").run(crds.uncal[0])
    assert marked.pixeldq[3, 5] == plain.pixeldq[3, 5] | flags[3, 5]
    assert (marked.groupdq[:, :, 3, 5] & dqflags.group["DO_NOT_USE"]).all()
    fits.writeto("small.fits", flags[:10])
    with pytest.raises(InputError, match=r"small.fits has shape \(10, 64\).*\(64, 64\)"):
        DQInitStep(user_supplied_dq="small.fits").run(crds.uncal[0])


def test_the_dark_of_some_groups_is_that_of_these_groups(crds: Any) -> None:
    ramp = SuperBiasStep().run(crds.uncal[0])
    whole = DarkCurrentStep().run(ramp)
    bound = operation(DarkCurrentStep(), ramp)
    bound.state = bound.step.measure(bound.exposure, bound.references, bound.parameters, None)
    source, box = RampSource(ramp), Box(10, 20, 0, 64)
    block = source.read(box, 0, range(1, 2), range(2, 5))
    bound.apply(block, Kept())
    np.testing.assert_array_equal(block.data, whole.data[1:2, 2:5, 10:20])


@pytest.fixture(scope="module", params=["SUBGRISM64", "SUBSTRIP96"])
def strip(request: Any, tmp_path_factory: pytest.TempPathFactory) -> simulate.Universe:
    """Three integrations of a stripe with reference pixels, of four amplifiers or of one."""
    niriss = {"detector": "NIS", "filter": "F277W", "readpatt": "NISRAPID"}
    config = simulate.ExposureConfig(
        subarray=request.param, ngroups=3, nints=3, **niriss if request.param == "SUBSTRIP96" else {}
    )
    folder = tmp_path_factory.mktemp("strip")
    return simulate.universe(folder, config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True))


def test_reference_pixels_a_few_integrations_at_a_time(strip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in strip.environment.items():
        monkeypatch.setenv(name, value)
    ramp = SuperBiasStep().run(DQInitStep().run(strip.uncal[0]))
    ramp.meta.exposure.zero_frame = True
    ramp.zeroframe = ramp.data[:, 0] + 3
    expected = RefPixStep().run(ramp)
    assert expected.meta.cal_step.refpix == "COMPLETE"
    monkeypatch.setattr(refpix, "_STRIP_BYTES", 1)
    result = RefPixStep().run(ramp)
    np.testing.assert_array_equal(result.data, expected.data)
    np.testing.assert_array_equal(result.zeroframe, expected.zeroframe)
    assert not np.array_equal(result.zeroframe, ramp.zeroframe)


def test_subarrays_of_miri_have_no_reference_pixels(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as model:
        model.meta.instrument.name, model.meta.exposure.type = "MIRI", "MIR_IMAGE"
        reason = RefPixStep().reason_to_skip(Exposure.of_model(model), RefPixStep().parameters)
        assert reason is not None
        assert "full frames" in reason


@pytest.mark.parametrize("name", ["side_smoothing_length", "siglimit", "sigreject", "gaussmooth"])
def test_limits_of_nothing_are_refused(crds: Any, name: str) -> None:
    """All reference pixels would be left out, and all samples become NaN."""
    with pytest.raises(PlanError, match=rf"refpix\.{name} is 0: it must be above 0"):
        RefPixStep(**{name: 0}).run(crds.uncal[0])


def test_gain_scale_takes_the_exposure_before_the_reference(crds: Any) -> None:
    rate, ints = RampFitStep().run(LinearityStep().run(SuperBiasStep().run(crds.uncal[0])))
    rate.meta.exposure.gain_factor = None
    scaled = GainScaleStep().run(rate)
    assert scaled.meta.cal_step.gain_scale == "SKIPPED"
    ints.meta.exposure.gain_factor = 3.0
    scaled = GainScaleStep().run(ints)
    np.testing.assert_array_equal(scaled.data, ints.data * np.float32(3))
    np.testing.assert_array_equal(scaled.err, ints.err * np.float32(3))
    assert scaled.meta.exposure.gain_factor == 3.0


def test_ramp_fit_of_chosen_groups_is_that_of_a_shorter_ramp(crds: Any) -> None:
    ramp = SuperBiasStep().run(DQInitStep().run(crds.uncal[0]))
    cut = RampFitStep(firstgroup=1, lastgroup=4).run(ramp)[0]
    marked = ramp.copy()
    for group in (0, 5):
        marked.groupdq[:, group] |= dqflags.group["DO_NOT_USE"]
    np.testing.assert_array_equal(cut.data, RampFitStep().run(marked)[0].data)


def test_what_blocks_tell_of_jumps_is_joined() -> None:
    full = np.array([[True, True], [True, False]])
    one = JumpsFound(3, full, np.array([[True, False], [True, True]]))
    other = JumpsFound(4, full.T, np.array([[True, True], [False, True]]))
    both = one.merged(other)
    assert both.primary == 7
    np.testing.assert_array_equal(both.full_groups, full & full.T)
    np.testing.assert_array_equal(both.unused_groups, [[True, False], [False, True]])
