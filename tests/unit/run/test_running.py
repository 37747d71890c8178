"""Running steps and pipelines: names of products, streaming, intermediate results, hooks, records."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core import resources
from webbcal.core.errors import InputError, PlanError
from webbcal.core.leftovers import ENDING, mark
from webbcal.detector import jump as jump_step
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.engine import passes
from webbcal.run.engine import rows as rows_of_task
from webbcal.run.engine.tiling import Cut
from webbcal.run.record import runs_of
from webbcal.run.step import Step

ROOT = "jw01234001001_02101_00001_nrcb1"
RATE_ARRAYS = ("data", "dq", "err", "var_poisson", "var_rnoise")


def names(folder: Path = Path()) -> set[str]:
    return {p.name.removeprefix(ROOT) for p in folder.iterdir() if p.is_file()}


def assert_same(a: Any, b: Any, arrays: tuple[str, ...] = RATE_ARRAYS) -> None:
    for name in arrays:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_pipeline_in_memory_leaves_no_file(crds: Any) -> None:
    result = Detector1Pipeline().run(crds.uncal[0])
    assert type(result).__name__ == "ImageModel" and result.shape == (64, 64)
    assert result.meta.bunit_data == "DN/s"
    assert names() == set()


def test_pipeline_saves_rate_and_rateints(crds: Any) -> None:
    rate = Detector1Pipeline.call(str(crds.uncal[0]), save_results=True, output_dir="out")
    assert names(Path("out")) == {"_rate.fits", "_rateints.fits"}
    ints = datamodels.open(f"out/{ROOT}_rateints.fits")
    assert type(ints).__name__ == "CubeModel" and ints.shape == (2, 64, 64)
    assert len(ints.int_times) == 2
    assert rate.meta.filename == f"{ROOT}_rate.fits"
    assert_same(rate, Detector1Pipeline().run(crds.uncal[0]))


def test_names_of_steps_alone_and_inside_a_pipeline(crds: Any) -> None:
    pipeline = Detector1Pipeline(save_results=True, save_calibrated_ramp=True)
    pipeline.linearity.save_results = True
    pipeline.ramp_fit.save_opt = True
    pipeline.run(crds.uncal[0])
    assert names() == {"_linearity.fits", "_ramp.fits", "_rate.fits", "_rateints.fits", "_fitopt.fits"}
    alone = LinearityStep(save_results=True).run(f"{ROOT}_linearity.fits")
    assert f"{ROOT}_linearitystep.fits" == alone.meta.filename
    RampFitStep(save_results=True).run(f"{ROOT}_ramp.fits")
    assert {"_linearitystep.fits", "_0_rampfitstep.fits", "_1_rampfitstep.fits"} <= names()


def test_a_chain_of_steps_equals_the_pipeline(crds: Any) -> None:
    pipeline = Detector1Pipeline()
    model: Any = crds.uncal[0]
    for name in ("group_scale", "dq_init", "saturation", "ipc", "superbias", "refpix", "linearity",
                 "dark_current", "jump"):  # fmt: skip
        model = type(getattr(pipeline, name))().run(model)
        assert type(model).__name__ == "RampModel"
    rate, ints = RampFitStep().run(model)
    assert (type(rate).__name__, type(ints).__name__) == ("ImageModel", "CubeModel")
    assert_same(rate, pipeline.run(crds.uncal[0]))
    assert rate.meta.cal_step.superbias == "COMPLETE" and rate.meta.cal_step.ipc == "SKIPPED"


def test_the_calibrated_ramp_is_what_is_fitted(crds: Any) -> None:
    rate = Detector1Pipeline(save_results=True, save_calibrated_ramp=True).run(crds.uncal[0])
    again, _ = RampFitStep().run(f"{ROOT}_ramp.fits")
    assert_same(rate, again)


def cut_into(monkeypatch: pytest.MonkeyPatch, rows: int, ints: int, columns: int, kept: int = 0) -> None:
    """Cut exposures into blocks of this size, and keep no more than `kept` bytes in memory."""
    made = lambda shape, halo, threads: Cut(rows, ints, shape[1], columns)  # noqa: E731
    monkeypatch.setattr(passes, "cut_rows", made)
    monkeypatch.setattr(rows_of_task, "KEPT_BYTES", kept)


@pytest.mark.parametrize(
    ("rows", "ints", "columns", "threads", "kept"),
    [
        (1, 2, 64, 1, 0),
        (5, 1, 64, 2, 0),
        (64, 1, 10, 1, 1 << 20),
        (17, 2, 64, 3, 0),
        (17, 1, 13, 3, 0),
        (1, 1, 1, 2, 1 << 20),
    ],
)
def test_blocks_and_threads_do_not_change_results(
    crds: Any, monkeypatch: pytest.MonkeyPatch, rows: int, ints: int, columns: int, threads: int, kept: int
) -> None:
    def calibrated() -> tuple[Any, ...]:
        rate = Detector1Pipeline(save_results=True, steps=saved).run(crds.uncal[0])
        others = [
            datamodels.open(f"{ROOT}_{name}.fits").copy()
            for name in ("rateints", "jump", "linearity", "fitopt")
        ]
        return rate, *others

    saved = {
        "jump": {"save_results": True},
        "linearity": {"save_results": True},
        "ramp_fit": {"save_opt": True},
    }
    expected = calibrated()
    cut_into(monkeypatch, rows, ints, columns, kept)
    monkeypatch.setenv("WEBBCAL_THREADS", str(threads))
    result = calibrated()
    for got, wanted in zip(result[:2], expected[:2], strict=True):
        assert_same(got, wanted)
    for got, wanted in zip(result[2:4], expected[2:4], strict=True):
        assert_same(got, wanted, ("data", "groupdq", "pixeldq"))
    assert_same(result[4], expected[4], ("slope", "weights", "pedestal", "crmag", "var_poisson"))
    cosmic_rays = [rate.meta.exposure.primary_cosmic_rays for rate in (result[0], expected[0])]
    assert cosmic_rays[0] == cosmic_rays[1] > 0


def test_the_input_model_is_not_changed(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as model:
        before = model.data.copy()
        flat = dict(model.to_flat_dict())
        Detector1Pipeline().run(model)
        ramp = DQInitStep().run(model)
        np.testing.assert_array_equal(model.data, before)
        assert dict(model.to_flat_dict()) == flat
        kept = ramp.groupdq.copy()
        SaturationStep().run(ramp)
        np.testing.assert_array_equal(ramp.groupdq, kept)
        assert ramp.meta.cal_step.saturation is None


def test_record_keywords_and_origins(crds: Any) -> None:
    pipeline = Detector1Pipeline(save_results=True)
    pipeline.jump.rejection_threshold = 6
    pipeline.refpix.skip = True
    pipeline.run(crds.uncal[0])
    header = fits.getheader(f"{ROOT}_rate.fits")
    assert header["S_LINEAR"] == "COMPLETE" and header["S_REFPIX"] == header["S_IPC"] == "SKIPPED"
    assert header["R_LINEAR"] == "crds://jwst_nircam_linearity_0001.fits"
    assert header["CRDS_VER"] == version("crds")
    assert header["CRDS_CTX"] == "jwst_0001.pmap" and header["BUNIT" if "BUNIT" in header else "DATAMODL"]
    with datamodels.open(f"{ROOT}_rate.fits") as model:
        (run,) = runs_of(model)
    steps = {s["step"]: s for s in run["steps"]}
    assert steps["jump"]["parameters"]["rejection_threshold"] == {"value": 6.0, "origin": "user"}
    assert steps["jump"]["parameters"]["flag_4_neighbors"]["origin"] == "default"
    assert steps["refpix"]["reason"] == "skip = True (user)"
    assert steps["ipc"]["reason"] == "No IPC reference file found (N/A)"
    assert len(steps["linearity"]["references"]["linearity"]["sha256"]) == 64


def test_reference_overrides(crds: Any) -> None:
    gain = next(Path(crds.environment["CRDS_PATH"]).rglob("*gain*.fits"))
    plain = Detector1Pipeline().run(crds.uncal[0])
    with datamodels.open(gain) as model:
        double = model.copy()
    double.data = double.data * 2
    pipeline = Detector1Pipeline()
    pipeline.ramp_fit.override_gain = double
    by_model = pipeline.run(crds.uncal[0])
    assert np.nanmedian(by_model.var_poisson[plain.var_poisson > 0]) < np.nanmedian(
        plain.var_poisson[plain.var_poisson > 0]
    )
    double.save("double_gain.fits")
    pipeline.ramp_fit.override_gain = "double_gain.fits"
    assert_same(pipeline.run(crds.uncal[0]), by_model)
    pipeline.superbias.override_superbias = "N/A"
    assert pipeline.run(crds.uncal[0]).meta.cal_step.superbias == "SKIPPED"


def test_hooks(crds: Any) -> None:
    seen: list[str] = []

    def look(model: Any) -> None:
        seen.append(type(model).__name__)

    def brighten(model: Any) -> Any:
        result = model.copy()
        result.data = result.data + 1
        return result

    class Doubler(Step):
        class_alias = "doubler"

        def process(self, model: Any) -> Any:
            result = model.copy()
            result.data = result.data * 2
            return result

    plain = Detector1Pipeline().run(crds.uncal[0])
    pipeline = Detector1Pipeline()
    pipeline.jump.pre_hooks = [look]
    pipeline.jump.post_hooks = [look]
    pipeline.post_hooks = [brighten, Doubler]
    hooked = pipeline.run(crds.uncal[0])
    assert seen == ["RampModel", "RampModel"]
    np.testing.assert_allclose(hooked.data, (plain.data + 1) * 2, rtol=1e-6)


def test_a_user_step_with_process(crds: Any) -> None:
    class Shift(Step):
        def process(self, init: Any) -> Any:
            model = self.open_model(init).copy()
            model.data = model.data + 5
            return model

    rate = Detector1Pipeline(save_results=True).run(crds.uncal[0])
    shifted = Shift.call(f"{ROOT}_rate.fits", save_results=True)
    np.testing.assert_allclose(shifted.data, rate.data + 5)
    assert "_shift.fits" in names()


def test_wrong_kind_of_input(crds: Any) -> None:
    rate = Detector1Pipeline().run(crds.uncal[0])
    with pytest.raises(InputError, match=r"JumpStep works on ramps .* ImageModel of shape \(64, 64\)"):
        JumpStep().run(rate)
    with pytest.raises(InputError, match="GainScaleStep works on rates"):
        GainScaleStep().run(crds.uncal[0])


def test_gain_scale_alone(crds: Any) -> None:
    rate = Detector1Pipeline().run(crds.uncal[0])
    rate.meta.exposure.gain_factor = 2.0
    scaled = GainScaleStep().run(rate)
    np.testing.assert_array_equal(scaled.data, rate.data * 2)
    np.testing.assert_array_equal(scaled.var_rnoise, rate.var_rnoise * 4)
    assert scaled.meta.cal_step.gain_scale == "COMPLETE"


def test_a_run_that_will_not_fit_is_refused(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "available_memory", lambda: 1_000_000)
    with pytest.raises(PlanError, match=r"needs about .* MB, but 1 MB are free"):
        SuperBiasStep().run(crds.uncal[0])


def test_sigma_clipping_keeps_a_group_that_all_pixels_reject(
    crds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one band cannot know, a second pass puts right."""
    ramp = SuperBiasStep().run(crds.uncal[0])
    rng = np.random.default_rng(1)
    data = np.cumsum(rng.normal(20.0, 3.0, (9, 6, 64, 64)), axis=1).astype(np.float32)
    data[4, 3:] += 5000  # one group of one integration, everywhere
    data[7, 2:, 10, 10] += 5000  # and a cosmic ray
    ramp.data = data
    ramp.groupdq = np.zeros(data.shape, np.uint8)
    step = JumpStep(minimum_sigclip_groups=5, rejection_threshold=2, flag_4_neighbors=False)
    jump = datamodels.dqflags.group["JUMP_DET"]
    results = []
    for cut in ((64, 9, 64), (7, 9, 64), (20, 2, 11)):
        cut_into(monkeypatch, *cut)
        results.append(step.run(ramp).groupdq)
    assert results[0][7, 2, 10, 10] & jump
    assert not (results[0][4, 3] & jump).all()
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_ramps_wait_once_for_two_steps_that_need_all_integrations(
    crds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit right behind clipping over integrations looks at the ramps that waited for the clipping."""
    stores: list[Any] = []
    make = rows_of_task.store_for

    def counted(*arguments: Any) -> Any:
        stores.append(make(*arguments))
        return stores[-1]

    pipeline = {"steps": {"jump": {"minimum_sigclip_groups": 2}}}
    expected = Detector1Pipeline(**pipeline).run(crds.uncal[0])
    monkeypatch.setattr(rows_of_task, "store_for", counted)
    cut_into(monkeypatch, 64, 1, 64)
    result = Detector1Pipeline(**pipeline).run(crds.uncal[0])
    assert_same(result, expected)
    assert len(stores) == 1


def test_unused_groups_that_a_look_here_and_there_got_wrong(
    crds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the few pixels that are looked at have a group less than the rest, the run is put right."""
    ramp = SuperBiasStep().run(crds.uncal[0])
    ramp.groupdq = np.zeros(ramp.data.shape, np.uint8)
    expected = JumpStep().run(ramp)
    ramp.groupdq[:, 2, 4:] |= datamodels.dqflags.group["DO_NOT_USE"]
    results = [JumpStep().run(ramp)]
    monkeypatch.setattr(jump_step, "_sample", lambda frame: list(frame.bands(64)))
    results.append(JumpStep().run(ramp))
    np.testing.assert_array_equal(results[0].groupdq, results[1].groupdq)
    rates = [result.meta.exposure.primary_cosmic_rays for result in results]
    assert rates[0] == rates[1] != expected.meta.exposure.primary_cosmic_rays


def test_a_run_sweeps_its_folder_of_output(crds: Any) -> None:
    """What a process that is no more has left goes; what one that lives writes stays."""
    mine, dead = mark(), mark().replace(f"-{os.getpid()}-", "-999999999-", 1)
    for folder in ("out", "ramps"):
        Path(folder).mkdir()
        for whose in (mine, dead):
            (Path(folder) / f".x_rate.fits.{whose}{ENDING}").touch()
    pipeline = Detector1Pipeline(save_results=True, output_dir="out")
    pipeline.jump.save_results, pipeline.jump.output_dir = True, "ramps"
    pipeline.run(crds.uncal[0])
    hidden = f".x_rate.fits.{mine}{ENDING}"
    assert names(Path("out")) == {hidden, "_rate.fits", "_rateints.fits"}
    assert names(Path("ramps")) == {hidden, "_jump.fits"}
