"""Steps that only MIRI has: hand-computed cases, blocks of a long exposure, and input that does not fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.errors import ParameterError, PlanError, ReferenceFileError
from webbcal.datamodels import dqflags
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.emicorr import EmiCorrStep
from webbcal.detector.firstframe import FirstFrameStep
from webbcal.detector.lastframe import LastFrameStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.reset import ResetStep
from webbcal.detector.rscd import RscdStep, groups_to_reject
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.record import runs_of

SATURATED, DO_NOT_USE = dqflags.group["SATURATED"], dqflags.group["DO_NOT_USE"]
ESTIMATED = dqflags.pixel["FLUX_ESTIMATED"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> simulate.Universe:
    """A bright exposure of SUB64 with its reference files."""
    config = simulate.ExposureConfig(
        detector="MIRIMAGE", subarray="SUB64", readpatt="FASTR1", ngroups=8, nints=6, filter="F770W",
        sky=simulate.Sky(stars=3000.0, bright=5.0, star_slope=0.02), cosmic_rays=20.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("miri")
    return simulate.universe(folder, config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True))


@pytest.fixture
def exposure(world: simulate.Universe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The raw exposure, opened, with CRDS set for it."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    with datamodels.open(world.uncal[0]) as model:
        yield datamodels.RampModel(model)


def reason_of(model: Any) -> str:
    """Return why the only step of the last run was skipped."""
    reason: str = runs_of(model)[-1]["steps"][0]["reason"]
    return reason


def saturating(model: Any) -> Any:
    """Return a ramp of which two pixels saturate: from the third group on, and from the first."""
    model.groupdq = np.zeros(model.data.shape, np.uint8)
    model.pixeldq = np.zeros(model.data.shape[-2:], np.uint32)
    model.groupdq[1:, 2:, 5, 6] = SATURATED
    model.groupdq[:, :, 5, 7] = SATURATED
    return model


def test_ramps_that_saturate_give_groups_back() -> None:
    saturated = np.zeros((1, 8, 1, 8), bool)
    for pixel in range(7):
        saturated[0, pixel:, 0, pixel] = True  # saturated from group 0, 1, … 6 on; the last pixel: never
    assert groups_to_reject(saturated, 4)[0, 0].tolist() == [4, 0, 0, 1, 2, 3, 4, 4]
    assert groups_to_reject(saturated, 1)[0, 0].tolist() == [1, 0, 0 + (2 > 2), 1, 1, 1, 1, 1]


def test_rscd(exposure: Any) -> None:
    done = RscdStep().run(saturating(exposure))
    rejected = (done.groupdq & DO_NOT_USE) != 0
    assert rejected[0].sum(axis=0)[20, 20] == 1 and rejected[1:].sum(axis=1)[:, 20, 20].tolist() == [4] * 5
    assert rejected[:, :, 5, 6].sum(axis=1).tolist() == [1, 0, 0, 0, 0, 0]
    assert rejected[:, :, 5, 7].sum(axis=1).tolist() == [1, 4, 4, 4, 4, 4]
    assert np.argwhere(done.pixeldq & ESTIMATED).tolist() == [[5, 6]]
    meta = done.meta.rscd
    assert (meta.ngroups_skip_int1, meta.ngroups_skip_int2p) == (1, 4)
    assert (meta.keep_groups_saturation_int1, meta.keep_groups_saturation_int2p) == (0, 1)
    assert (meta.keep_bright_firstgroup_int1, meta.keep_bright_firstgroup_int2p) == (0, 1)


def test_rscd_of_a_later_segment_has_no_first_integration(exposure: Any) -> None:
    exposure.meta.exposure.integration_start = 7
    exposure.meta.exposure.integration_end = 12
    done = RscdStep().run(exposure)
    assert ((done.groupdq & DO_NOT_USE) != 0).sum(axis=1)[:, 20, 20].tolist() == [4] * 6
    assert done.meta.rscd.ngroups_skip_int1 is None


def test_rscd_without_a_row_for_the_exposure_is_skipped(exposure: Any) -> None:
    exposure.meta.exposure.readpatt = "ANY"
    done = RscdStep().run(exposure)
    assert done.meta.cal_step.rscd == "SKIPPED"
    assert "has no row for ANY, SUB64" in reason_of(done)


def test_first_and_last_frames(exposure: Any) -> None:
    done = LastFrameStep().run(FirstFrameStep(skip=False).run(saturating(exposure)))
    rejected = (done.groupdq & DO_NOT_USE) != 0
    assert rejected[:, [0, -1]].mean() > 0.99 and not rejected[:, 1:-1].any()
    assert rejected[:, 0, 5, 6].tolist() == [True] + [False] * 5 and done.pixeldq[5, 6] & ESTIMATED
    plain = FirstFrameStep(skip=False, bright_use_group1=False).run(saturating(exposure))
    assert (plain.groupdq[:, 0] & DO_NOT_USE).all() and not (plain.pixeldq & ESTIMATED).any()


def test_reset_and_dark_have_integrations(exposure: Any, world: simulate.Universe) -> None:
    reset = datamodels.ResetModel(next(world.folder.glob("crds/references/jwst/miri/*_reset_*.fits")))
    reset.data[1, 2, 3, 4] = np.nan
    done = ResetStep(override_reset=reset).run(exposure)
    expected = np.nan_to_num(reset.data)[[0, 1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(done.data, exposure.data - expected)
    dark = datamodels.DarkMIRIModel(next(world.folder.glob("crds/references/jwst/miri/*_dark_*.fits")))
    expected = exposure.data - dark.data[[0, 1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(DarkCurrentStep().run(exposure).data, expected)
    assert np.abs(dark.data[1] - dark.data[0]).max() > 1
    exposure.meta.exposure.integration_start = 2
    later = ResetStep(override_reset=reset).run(exposure)
    np.testing.assert_array_equal(later.data, exposure.data - np.nan_to_num(reset.data)[[1] * 6])
    np.testing.assert_array_equal(DarkCurrentStep().run(exposure).data, exposure.data - dark.data[[1] * 6])


def test_reference_columns_take_off_the_drifts_of_outputs_and_rows() -> None:
    rng = np.random.default_rng(2)
    fixed = rng.normal(5000, 200, (1024, 1032))
    drift = rng.normal(0, 20, (2, 4, 2, 4))
    drift[:, 0] = 0
    rows, columns = np.ix_(np.arange(1024) % 2, np.arange(1032) % 4)
    data = fixed + drift[:, :, rows, columns] + rng.normal(0, 1, (2, 4, 1024, 1032))
    data[:, :, 40, :4] += rng.normal(0, 500, (2, 4, 4))  # an outlier
    model = datamodels.RampModel(data=data.astype(np.float32))
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
    model.meta.exposure.type = "MIR_IMAGE"
    done = RefPixStep(override_refpix="N/A", override_sirskernel="N/A").run(model)
    left = (done.data - done.data[:, :1])[:, 1:]
    assert np.abs(np.median(left[:, :, ::2, 1::4], axis=(2, 3))).max() < 0.3
    assert np.abs(np.median(left[:, :, 1::2, 2::4], axis=(2, 3))).max() < 0.3
    together = RefPixStep(
        odd_even_rows=False, override_refpix="N/A", override_sirskernel="N/A"
    ).run(model)  # fmt: skip
    left = (together.data - together.data[:, :1])[:, 1:]
    assert np.abs(np.median(left[:, :, ::2, 1::4], axis=(2, 3))).max() > 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"emicorr": {"skip": False}},
        {"emicorr": {"skip": False, "algorithm": "sequential"}, "firstframe": {"skip": False}},
    ],
    ids=["joint", "sequential"],
)
def test_blocks_of_some_integrations_give_the_same(
    exposure: Any, world: simulate.Universe, parameters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def products(folder: str) -> list[Any]:
        Path(folder).mkdir()
        Detector1Pipeline.call(
            str(world.uncal[0]), output_dir=folder, save_results=True, save_calibrated_ramp=True,
            steps={"rscd": {"save_results": True}} | parameters,
        )  # fmt: skip
        return [datamodels.open(p) for p in sorted(Path(folder).glob("*.fits"))]

    whole = products("whole")
    monkeypatch.setattr("webbcal.run.engine.tiling.BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr("webbcal.run.engine.tiling.KEPT_BYTES", 1 << 14)
    monkeypatch.setattr("webbcal.detector.emi_joint._LOOK_BYTES", 1 << 16)
    monkeypatch.setattr("webbcal.detector.emi_joint._SUM_BYTES", 1 << 16)
    monkeypatch.setattr("webbcal.detector.emi_joint._DEVIATION_BYTES", 0)
    monkeypatch.setattr("webbcal.detector.emi_binned._KEPT_BYTES", 0)
    pieces = products("pieces")
    assert len(whole) == len(pieces) == 4
    estimated = next(m for m in whole if m.meta.filename.endswith("_rscd.fits")).pixeldq & ESTIMATED
    assert estimated.any(), "no pixel saturates soon enough to show how flags of integrations come together"
    for a, b in zip(whole, pieces, strict=True):
        flags = [n for n in ("groupdq", "pixeldq", "dq") if a.has(n)]
        assert all((getattr(a, n) == getattr(b, n)).all() for n in flags), a.meta.filename
        np.testing.assert_allclose(a.data, b.data, rtol=1e-5, atol=1e-3)
        assert a.meta.rscd.keep_groups_saturation_int2p == b.meta.rscd.keep_groups_saturation_int2p


def test_interference_that_was_measured_serves_as_a_reference(
    exposure: Any, world: simulate.Universe
) -> None:
    first = EmiCorrStep(
        skip=False, onthefly_corr_freq=[390.625], save_intermediate_results=True, use_n_cycles=None
    )
    alone = first.run(str(world.uncal[0]))
    (saved,) = Path().glob("*_emi_ref_waves.asdf")
    again = EmiCorrStep(skip=False, override_emicorr=str(saved), algorithm="sequential", use_n_cycles=None)
    np.testing.assert_allclose(again.run(exposure).data, alone.data, atol=0.3)
    assert np.std(alone.data - exposure.data) > 3


def test_interference_of_another_subarray_or_read_pattern(exposure: Any, world: simulate.Universe) -> None:
    emi = datamodels.EmiModel(next(world.folder.glob("crds/references/jwst/miri/*_emicorr_*.asdf")))
    tree = emi.subarray_cases.instance
    other = datamodels.EmiModel()
    other.frequencies, other.subarray_cases = emi.frequencies.instance, {"SUB256": tree["SUB256"]}
    done = EmiCorrStep(skip=False, override_emicorr=other).run(exposure)
    assert done.meta.cal_step.emicorr == "SKIPPED"
    assert "has no frequencies for SUB64 of MIRIMAGE" in reason_of(done)
    np.testing.assert_array_equal(done.data, exposure.data)
    other.frequencies, other.subarray_cases = {}, {"SUB64": tree["SUB64"]}
    with pytest.raises(ReferenceFileError, match="names the frequency Hz390_625 for SUB64, but has no wave"):
        EmiCorrStep(skip=False, override_emicorr=other).run(exposure)
    exposure.meta.exposure.readpatt = "FASTGRPAVG8"
    done = EmiCorrStep(skip=False).run(exposure)
    assert "not implemented for read pattern FASTGRPAVG8" in reason_of(done)


def test_one_integration_is_the_first(exposure: Any, world: simulate.Universe) -> None:
    model = datamodels.RampModel(data=exposure.data[:1])
    model.update(exposure)
    model.meta.exposure.nints = 1
    done = Detector1Pipeline.call(model, steps={"emicorr": {"skip": False}})
    assert done.meta.cal_step.rscd == "COMPLETE" and done.meta.rscd.ngroups_skip_int2p is None
    assert done.meta.cal_step.emicorr == "COMPLETE"


def test_the_reference_output_is_carried_and_not_missed(exposure: Any, world: simulate.Universe) -> None:
    Detector1Pipeline.call(str(world.uncal[0]), save_calibrated_ramp=True)
    (ramp,) = Path().glob("*_ramp.fits")
    with datamodels.open(world.uncal[0]) as raw, datamodels.open(ramp) as calibrated:
        assert raw.refout.shape == (6, 8, 64, 18)
        np.testing.assert_array_equal(calibrated.refout, raw.refout)
    without = datamodels.RampModel(data=exposure.data)
    without.update(exposure)
    done = Detector1Pipeline.call(without, save_calibrated_ramp=True, output_dir=".")
    assert done.meta.cal_step.ramp_fit == "COMPLETE"
    with datamodels.open(ramp) as calibrated:
        assert not calibrated.has("refout")


def test_parameters_that_do_nothing_say_so(exposure: Any, caplog: pytest.LogCaptureFixture) -> None:
    EmiCorrStep(skip=False, nbins=30).run(exposure)
    assert "emicorr.nbins has no effect: the algorithm is joint" in caplog.text
    EmiCorrStep(skip=False, algorithm="sequential", fit_ints_separately=True).run(exposure)
    assert "emicorr.fit_ints_separately has no effect: the algorithm is sequential" in caplog.text


@pytest.mark.parametrize("frequency", ["0", "-390.625", "1e9", "nan"])
def test_frequencies_that_cannot_be(exposure: Any, frequency: str) -> None:
    with pytest.raises((PlanError, ParameterError), match="onthefly_corr_freq"):
        EmiCorrStep(onthefly_corr_freq=frequency).run(exposure)


@pytest.mark.parametrize("name", ["nbins", "use_n_cycles", "nints_to_phase"])
def test_nothing_cannot_be_measured_on(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name} = 0: expected int >= 1"):
        EmiCorrStep(**{name: 0})
