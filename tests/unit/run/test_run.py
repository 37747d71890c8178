"""A run knows what belongs to it alone: steps run twice, side by side, and travel to other processes."""

import copy
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError, OutputError, ParameterError, PlanError
from webbcal.core.resources import Resources
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.references.parameter_file import ParameterFile
from webbcal.run.record import runs_of
from webbcal.run.run import Run, current
from webbcal.run.step import Step


def copies(crds: Any, *names: str) -> list[str]:
    return [str(shutil.copy(crds.uncal[0], f"{name}_uncal.fits")) for name in names]


def written(folder: str = ".") -> set[str]:
    return {p.name for p in Path(folder).iterdir() if p.is_file() and not p.name.endswith("_uncal.fits")}


# ---------------------------------------------------------------- again, side by side, elsewhere
@pytest.mark.parametrize(
    ("cls", "ends"),
    [
        (Detector1Pipeline, {"_rate.fits", "_rateints.fits"}),
        (LinearityStep, {"_linearitystep.fits"}),
    ],
)
def test_one_instance_names_products_by_each_input(crds: Any, cls: Any, ends: set[str]) -> None:
    step = cls(save_results=True)
    for name in copies(crds, "one", "two", "three"):
        step.run(name)
    assert written() == {f"{n}{end}" for n in ("one", "two", "three") for end in ends}


def test_a_model_then_a_file(crds: Any) -> None:
    step = SuperBiasStep(save_results=True)
    with datamodels.open(copies(crds, "one")[0]) as model:
        step.run(model)
    step.run(copies(crds, "two")[0])
    assert len(written()) == 2 and "two_superbiasstep.fits" in written()


def test_what_one_run_saves_the_next_does_not(crds: Any) -> None:
    pipeline = Detector1Pipeline()
    pipeline.output_file = "named.fits"
    pipeline.run(crds.uncal[0])
    assert written() == {"named_rate.fits", "named_rateints.fits"} and pipeline.save_results is False
    pipeline.output_file = None
    for name in written():
        Path(name).unlink()
    pipeline.run(crds.uncal[0])
    assert written() == set()


def test_a_run_leaves_the_parameters_of_its_pipeline_alone(crds: Any) -> None:
    Detector1Pipeline.call(copies(crds, "x")[0], save_results=True)
    pipeline = Image2Pipeline(save_results=True, steps={"resample": {"skip": True}})
    before = copy.deepcopy(pipeline.get_pars())
    pipeline.run("x_rate.fits")
    assert pipeline.get_pars() == before
    assert pipeline.resample.origin("suffix") == "default"


@pytest.mark.parametrize("cls", [Detector1Pipeline, Image2Pipeline, Image3Pipeline, JumpStep])
def test_steps_and_pipelines_pickle(crds: Any, cls: Any) -> None:
    made = cls(output_dir="out")
    again = pickle.loads(pickle.dumps(made))
    assert again.get_pars() == made.get_pars() and again.origin("output_dir") == "user"
    for name in made.step_defs:
        assert getattr(again, name).parent is again


def test_a_pipeline_that_was_pickled_runs(crds: Any) -> None:
    pipeline = Detector1Pipeline(steps={"jump": {"rejection_threshold": 6}})
    expected = pipeline.run(crds.uncal[0])
    result = pickle.loads(pickle.dumps(pipeline)).run(crds.uncal[0])
    np.testing.assert_array_equal(result.data, expected.data)


@pytest.mark.parametrize("shared", [True, False], ids=["one instance", "one each"])
def test_side_by_side_on_threads(crds: Any, shared: bool) -> None:
    names = copies(crds, *(f"n{k}" for k in range(6)))
    expected = Detector1Pipeline().run(names[0])
    one = Detector1Pipeline(save_results=True)

    def work(name: str) -> Run:
        return (one if shared else Detector1Pipeline(save_results=True)).start(name)

    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(work, names))
    for k, run in enumerate(runs):
        assert [Path(p).name for p in run.saved] == [f"n{k}_rate.fits", f"n{k}_rateints.fits"]
        assert run.result.meta.filename == f"n{k}_rate.fits"
        assert len([s for s in run.done if s.name == "jump"]) == 1
        np.testing.assert_array_equal(run.result.data, expected.data)


def test_an_instance_has_its_own_hooks() -> None:
    step = JumpStep()
    step.post_hooks.append(print)
    assert not JumpStep().post_hooks and not Detector1Pipeline().jump.post_hooks
    given = [print]
    step.pre_hooks = given
    given.append(len)
    assert step.pre_hooks == [print]


# ---------------------------------------------------------------- what a run knows
def test_a_run_tells_what_was_done_and_saved(crds: Any) -> None:
    run = Detector1Pipeline(save_results=True).start(copies(crds, "x")[0])
    assert run.saved == ["x_rate.fits", "x_rateints.fits"] and run.step.name == "Detector1Pipeline"
    assert [p.name for p in run.done if p.applied][:2] == ["dq_init", "saturation"]
    assert current() is None


def test_a_process_finds_its_run(crds: Any) -> None:
    seen: list[Any] = []

    class Look(Step):
        def process(self, model: Any) -> Any:
            seen.append(current())
            opened = self.open_model(model)
            self.save_model(opened, suffix="looked", force=True)
            seen.append(self.make_output_path(suffix="other"))
            return opened

    run = Look().start(copies(crds, "x")[0])
    assert seen == [run, "x_other.fits"] and run.saved == ["x_looked.fits"]


def test_nothing_stays_open_or_current_after_an_error(crds: Any) -> None:
    class Fail(Step):
        def process(self, model: Any) -> Any:
            self.opened = self.open_model(model)
            assert self.opened.source("data").read(0, 0).size
            raise ZeroDivisionError

    step = Fail()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(ZeroDivisionError):
        step.run(crds.uncal[0])
    assert len(os.listdir("/proc/self/fd")) == before and current() is None  # noqa: PTH208


def test_stage_1_closes_its_files(crds: Any) -> None:
    Detector1Pipeline().run(crds.uncal[0])
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    kept = [Detector1Pipeline().run(crds.uncal[0]) for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1 and len(kept) == 5  # noqa: PTH208


def test_a_result_survives_its_file(crds: Any) -> None:
    first = Detector1Pipeline.call(copies(crds, "x")[0], save_results=True)
    with datamodels.open(crds.uncal[0]) as model:
        expected = Detector1Pipeline().run(model).data
    Detector1Pipeline.call("x_uncal.fits", save_results=True, steps={"jump": {"rejection_threshold": 50}})
    np.testing.assert_array_equal(first.data, expected)


# ---------------------------------------------------------------- hooks
def double(model: Any) -> Any:
    result = model.copy()
    result.data = result.data * 2
    return result


@pytest.mark.parametrize("name", ["jump", "ramp_fit", "gain_scale", None])
@pytest.mark.parametrize("as_step", [False, True], ids=["function", "step"])
def test_a_hook_reaches_all_products(crds: Any, name: str | None, as_step: bool) -> None:
    class Double(Step):
        class_alias = "double"

        def process(self, model: Any) -> Any:
            return double(model)

    plain = Detector1Pipeline.call(copies(crds, "plain")[0], save_results=True)
    pipeline = Detector1Pipeline(save_results=True)
    target = pipeline if name is None else getattr(pipeline, name)
    target.post_hooks = [Double() if as_step else double]
    result = pipeline.run(copies(crds, "x")[0])
    assert written() == {"plain_rate.fits", "plain_rateints.fits", "x_rate.fits", "x_rateints.fits"}
    assert 1.5 < np.nanmedian(result.data / plain.data) < 2.5
    for end in ("rate", "rateints"):
        ours, theirs = (datamodels.open(f"{n}_{end}.fits") for n in ("x", "plain"))
        assert 1.5 < np.nanmedian(ours.data / theirs.data) < 2.5
        assert ours.meta.filename == f"x_{end}.fits"


def test_what_a_step_saves_is_what_its_hook_returns(crds: Any) -> None:
    pipeline = Detector1Pipeline()
    pipeline.ramp_fit.save_results = True
    plain = pipeline.run(copies(crds, "plain")[0])
    pipeline.ramp_fit.post_hooks = [double]
    result = pipeline.run(copies(crds, "x")[0])
    assert 1.9 < np.nanmedian(result.data / plain.data) < 2.1
    for number in (0, 1):
        ours, theirs = (datamodels.open(f"{n}_{number}_ramp_fit.fits") for n in ("x", "plain"))
        assert 1.9 < np.nanmedian(ours.data / theirs.data) < 2.1


def test_a_step_alone_with_two_products(crds: Any) -> None:
    Detector1Pipeline(save_results=True, save_calibrated_ramp=True).run(copies(crds, "x")[0])
    rate, ints = RampFitStep(post_hooks=[double], save_results=True).run("x_ramp.fits")
    assert 1.9 < np.nanmedian(rate.data / datamodels.open("x_rate.fits").data) < 2.1
    np.testing.assert_array_equal(datamodels.open("x_1_rampfitstep.fits").data, ints.data)


def test_a_hook_instance_is_not_changed(crds: Any) -> None:
    hook = JumpStep()
    SuperBiasStep(post_hooks=[hook]).run(crds.uncal[0])
    assert hook.parent is None


# ---------------------------------------------------------------- endings and names
@pytest.mark.parametrize("ext", [".asdf", "asdf"])
def test_the_ending_decides_the_format(crds: Any, ext: str) -> None:
    Detector1Pipeline.call(copies(crds, "x")[0], save_results=True, output_ext=ext)
    assert written() == {"x_rate.asdf", "x_rateints.asdf"}
    for name in written():
        assert Path(name).read_bytes().startswith(b"#ASDF")


@pytest.mark.parametrize("ext", [".png", ".fit", ".fits.bz2"])
@pytest.mark.parametrize("cls", [Detector1Pipeline, DQInitStep])
def test_an_unknown_ending_is_refused(crds: Any, ext: str, cls: Any) -> None:
    with pytest.raises(ParameterError, match="output_ext"):
        cls(save_results=True, output_ext=ext).run(crds.uncal[0])
    assert written() == set()


def test_two_steps_that_would_write_one_file(crds: Any) -> None:
    steps = {n: {"save_results": True, "suffix": "same"} for n in ("superbias", "jump")}
    with pytest.raises(OutputError, match=r"two products .*_same\.fits"):
        Detector1Pipeline(steps=steps).run(crds.uncal[0])
    assert written() == set()


# ---------------------------------------------------------------- resources
def test_threads_and_memory_of_a_run(crds: Any) -> None:
    run = Detector1Pipeline(threads=1, max_memory="2GB").start(crds.uncal[0])
    assert run.resources == Resources(1, 2_000_000_000, run.resources.scratch, True)
    assert Detector1Pipeline(threads=3).plan(crds.uncal[0]).threads == 3


@pytest.mark.parametrize("cls", [Detector1Pipeline, SuperBiasStep])
def test_too_little_memory_is_said_before_work(crds: Any, cls: Any) -> None:
    with pytest.raises(PlanError, match="max_memory is 20 MB"):
        cls(max_memory="20MB", save_results=True).run(crds.uncal[0])
    assert written() == set()


def test_ramps_between_passes_do_not_fill_a_large_memory(crds: Any) -> None:
    for most, kept in (("400MB", 100_000_000), ("1TB", 256 << 20), ("1MB", 32 << 20)):
        assert Detector1Pipeline(max_memory=most).plan(crds.uncal[0]).kept_bytes == kept


def test_maximum_cores_holds_for_the_run(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBBCAL_THREADS", "8")

    def threads(pipeline: dict[str, Any] | None = None, **steps: Any) -> int:
        plan = Detector1Pipeline(steps=steps, **(pipeline or {})).plan(crds.uncal[0])
        return int(plan.threads)

    assert threads() == 8  # the default of '1' is nobody's wish
    assert threads(jump={"maximum_cores": "half"}) == 4
    assert threads(jump={"maximum_cores": "none"}) == 1
    assert threads(jump={"maximum_cores": "none"}, ramp_fit={"maximum_cores": "3"}) == 3
    assert threads(jump={"maximum_cores": "none", "skip": True}) == 8
    assert threads({"threads": 2}, ramp_fit={"maximum_cores": "all"}) == 2
    with pytest.raises(ParameterError, match=r"jump.maximum_cores = 'many': must be .*'quarter'"):
        threads(jump={"maximum_cores": "many"})


@pytest.mark.parametrize(
    "words", [{"max_memory": "much"}, {"threads": 0}, {"threads": "two"}, {"max_memory": 0}]
)
def test_limits_that_make_no_sense_are_named(crds: Any, words: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(words))):
        Detector1Pipeline.call(crds.uncal[0], **words)


def test_limits_hold_for_the_whole_run(crds: Any) -> None:
    with pytest.raises(ParameterError, match="threads holds for a whole run"):
        Detector1Pipeline().jump.threads = 2


def test_limits_are_in_no_parameter_file(crds: Any) -> None:
    pipeline = Detector1Pipeline(threads=2, max_memory="3GB")
    pipeline.export_config("pars.asdf")
    file = ParameterFile.read("pars.asdf")
    assert not {"threads", "max_memory"} & {*file.parameters, *file.steps[0].parameters}
    assert "threads" not in pipeline.get_pars()


def test_the_record_of_a_run_does_not_tell_of_limits(crds: Any) -> None:
    rate = Detector1Pipeline(threads=1).run(crds.uncal[0])
    (entry,) = runs_of(rate)
    assert all("threads" not in step["parameters"] for step in entry["steps"])


# ---------------------------------------------------------------- the same thing twice
@pytest.fixture
def ramp(crds: Any) -> str:
    Detector1Pipeline(save_calibrated_ramp=True).run(copies(crds, "x")[0])
    return "x_ramp.fits"


def test_a_ramp_that_went_through_stage_1_is_refused(ramp: str) -> None:
    with pytest.raises(InputError, match=r"x_ramp\.fits: superbias was applied to it already"):
        Detector1Pipeline().run(ramp)
    with pytest.raises(InputError, match="was applied to it already"):
        Detector1Pipeline().plan(ramp)
    skipped = {n: {"skip": True} for n in ("group_scale", "superbias", "refpix", "linearity", "dark_current")}
    again = Detector1Pipeline(steps=skipped).run(ramp)
    assert again.meta.cal_step.superbias == "SKIPPED" and again.meta.cal_step.ramp_fit == "COMPLETE"


def test_exposures_in_two_folders_with_one_name(crds: Any) -> None:
    rate = Detector1Pipeline().run(crds.uncal[0])
    for folder in ("a", "b"):
        Path(folder).mkdir()
        rate.save(f"{folder}/x_rate.fits")
    rate.save("b/x_rateints.fits")
    rate.save("x.fits")
    quick = {"resample": {"skip": True}}
    for names in (["a/x_rate.fits", "b/x_rate.fits"], ["a/x_rate.fits", "x.fits"]):
        with pytest.raises(OutputError, match=r"two products .*x_cal\.fits"):
            Image2Pipeline(save_results=True, steps=quick).run(names)
        saving = {**quick, "flat_field": {"save_results": True}}
        with pytest.raises(OutputError, match=r"two products .*x_flat_field\.fits"):
            Image2Pipeline(steps=saving).run(names)
        assert not {"x_cal.fits", "x_flat_field.fits"} & written()
        assert len(Image2Pipeline(steps=quick).run(names)) == 2  # nothing is written


def test_a_name_for_the_products_of_several_exposures(crds: Any) -> None:
    rate = Detector1Pipeline().run(crds.uncal[0])
    for name in ("x_rate.fits", "y_rate.fits"):
        rate.save(name)
    steps = {"resample": {"skip": True}, "photom": {"output_file": "one.fits"}}
    with pytest.raises(OutputError, match=r"two products .*one"):
        Image2Pipeline(steps=steps).run(["x_rate.fits", "y_rate.fits"])


# ---------------------------------------------------------------- answers
@pytest.mark.parametrize("key", ["frame_time", "group_time", "nframes"])
@pytest.mark.parametrize("value", [0, -1])
def test_times_and_frames_are_positive(crds: Any, key: str, value: int) -> None:
    keyword = {"frame_time": "TFRAME", "group_time": "TGROUP", "nframes": "NFRAMES"}[key]
    with datamodels.open(crds.uncal[0]) as opened:
        model = opened.copy()
    setattr(model.meta.exposure, key, value)
    for cls in (Detector1Pipeline, JumpStep):
        with pytest.raises(InputError, match=rf"{keyword} = {value}.* must be a number above 0"):
            cls().run(model)


@pytest.mark.parametrize(("name", "shape"), [("groupdq", (2, 6, 64, 32)), ("pixeldq", (63, 64))])
def test_arrays_that_do_not_fit_are_named(crds: Any, name: str, shape: tuple[int, ...]) -> None:
    model = DQInitStep().run(crds.uncal[0])
    setattr(model, name, np.zeros(shape, np.uint8 if name == "groupdq" else np.uint32))
    with pytest.raises(InputError, match=f"{name} of the input has shape"):
        SuperBiasStep().run(model)


def test_a_file_name_that_is_no_text(crds: Any) -> None:
    name = os.fsdecode(b"\xe4_uncal.fits")
    shutil.copy(crds.uncal[0], name)
    with pytest.raises(InputError, match=r"the file name .* is not UTF-8"):
        DQInitStep().run(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "-inf"])
def test_numbers_are_finite(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"JumpStep\.rejection_threshold"):
        JumpStep(rejection_threshold=value)


def test_what_astropy_has_opened(crds: Any) -> None:
    with fits.open(copies(crds, "x")[0]) as hdus:
        run = DQInitStep(save_results=True).start(hdus)
    assert run.saved == ["x_dqinitstep.fits"]


# ---------------------------------------------------------------- extra products
class Noted(SuperBiasStep):
    """A step that writes something of its own."""

    def extra_products(self) -> dict[str, str]:
        return {"note": self.make_output_path(suffix="note")}


class NotedDetector1(Detector1Pipeline):
    step_defs = {**Detector1Pipeline.step_defs, "superbias": Noted}


def test_extra_products_are_planned(crds: Any) -> None:
    name = copies(crds, "x")[0]
    plan = NotedDetector1(save_results=True).plan(name)
    assert [output.path for output in plan.written] == ["x_rate.fits", "x_rateints.fits", "x_note.fits"]
    assert not NotedDetector1(steps={"superbias": {"skip": True}}).plan(name).written


def test_extra_products_have_names_of_their_own(crds: Any) -> None:
    steps = {"jump": {"save_results": True, "suffix": "note"}}
    with pytest.raises(OutputError, match=r"two products .*_note\.fits"):
        NotedDetector1(steps=steps).run(copies(crds, "x")[0])
    assert written() == set()
