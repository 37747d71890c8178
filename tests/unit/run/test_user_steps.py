"""Steps and pipelines of users, written as for `jwst`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.core.errors import ParameterError, ReferenceFileError
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.lastframe import LastFrameStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.pipeline import Pipeline
from webbcal.run.record import runs_of
from webbcal.run.step import Step
from webbcal.run.step_status import record_step_status

MODULE = '''
from webbcal.run.step import Step

class ShiftStep(Step):
    """Add a constant."""

    class_alias = "shift"
    spec = """
        amount = float(default=1.0) # What is added
    """

    def process(self, step_input):
        result = self.prepare_output(step_input)
        result.data = result.data + self.amount
        return result

class NotAStep:
    pass
'''


class Everything(Step):
    """All kinds of parameters."""

    class_alias = "everything"
    spec = """
    # a comment of its own
    number = float(min=0, max=10, default=2.5) # A number; its comment has a # and a 'quote'
    count = integer(1, 9, default=3)
    switch = boolean(default=False)
    word = string(default='5.0 # 4.0')
    mode = option("a", "b", 3, default="a") # What to do
    out = output_file(default=None)
    table = input_file(default=None)
    whole = int_list(min=2, max=2, default=None)
    parts = float_list(default=list(1.0, 2))
    names = string_list(default=list('x', 'y'))
    flags = bool_list(default=None)
    one_or_many = force_list(default=None)
    free = any(default=None)
    model = is_string_or_datamodel(default=None)
    bare = string(default=bareword)
    below = float(default=-1.5e-3)
    suffix = string(default='every')
    """

    def process(self, init: Any) -> Any:
        return init


def image(name: str = "a_rate.fits") -> Any:
    model = datamodels.ImageModel(np.ones((3, 4), np.float32))
    model.meta.filename = name
    return model


# ---------------------------------------------------------------- spec
def test_defaults_of_all_kinds() -> None:
    step = Everything()
    assert (step.number, step.count, step.switch, step.word, step.mode) == (2.5, 3, False, "5.0 # 4.0", "a")
    assert step.out is None and step.whole is None and step.free is None and step.below == -1.5e-3
    assert step.parts == [1.0, 2.0] and step.names == ["x", "y"] and step.bare == "bareword"
    assert step.suffix == "every"
    assert step.parameters.number == 2.5 and "number = float" in Everything.spec


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("number", "3", 3.0),
        ("count", "4", 4),
        ("switch", "yes", True),
        ("mode", "3", 3),
        ("whole", "1, 2", [1, 2]),
        ("whole", (3.0, 4), [3, 4]),
        ("parts", "1e3", [1000.0]),
        ("one_or_many", "a.fits", ["a.fits"]),
        ("one_or_many", ["a", "b"], ["a", "b"]),
        ("flags", "true,no", [True, False]),
        ("free", {"a": 1}, {"a": 1}),
        ("out", Path("x.fits"), "x.fits"),
    ],
)
def test_values_are_converted(name: str, given: Any, expected: Any) -> None:
    step = Everything(**{name: given})
    assert getattr(step, name) == expected and step.origin(name) == "user"
    step = Everything()
    setattr(step, name, given)
    assert getattr(step, name) == expected


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("number", -0.1),
        ("number", "ten"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("count", 10),
        ("count", 2.5),
        ("switch", "perhaps"),
        ("mode", "c"),
        ("whole", "1"),
        ("whole", "1,2,3"),
        ("whole", "a,b"),
        ("parts", "1,x"),
    ],
)
def test_values_are_checked(name: str, given: Any) -> None:
    with pytest.raises(ParameterError, match=f"Everything.{name}"):
        Everything(**{name: given})
    with pytest.raises(ParameterError, match=f"Everything.{name}"):
        setattr(Everything(), name, given)


def test_instances_do_not_share_lists() -> None:
    Everything().names.append("z")
    assert Everything().names == ["x", "y"]


@pytest.mark.parametrize("line", ["a = flaot(default=1)", "a float", "a = float(default=", "1a = integer()"])
def test_a_damaged_spec_names_its_line(line: str) -> None:
    with pytest.raises(ParameterError, match=r"Damaged\.spec"):
        type("Damaged", (Step,), {"spec": f"\n    {line}\n"})


def test_a_parameter_without_default_must_be_set() -> None:
    class Needs(Step):
        spec = "amount = float()"

        def process(self, init: Any) -> Any:
            return self.amount

    with pytest.raises(ParameterError, match=r"Needs\.amount has no default"):
        Needs().run(image())
    assert Needs(amount=2).run(image()) == 2.0


def test_a_spec_adds_to_those_of_the_class_above() -> None:
    class More(Everything):
        spec = "more = integer(default=1)"

    class MyJump(JumpStep):
        spec = "extra = string(default='x') # Of mine"

    assert More(more=2, count=4).get_pars()["more"] == 2 and More().number == 2.5
    jump = MyJump(rejection_threshold=6)
    assert jump.extra == "x" and jump.parameters.rejection_threshold == 6.0


def test_a_step_is_exported_and_read_again() -> None:
    Everything(number=4, whole=[1, 2]).export_config("every.asdf")
    text = Path("every.asdf").read_text()
    assert "number: 4.0" in text
    again = Step.from_config_file("every.asdf")
    assert type(again) is Everything and again.number == 4.0 and again.whole == [1, 2]


# ---------------------------------------------------------------- alone
class Shift(Step):
    class_alias = "shift"
    spec = "amount = float(default=1.0)"

    def process(self, init: Any) -> Any:
        result = self.prepare_output(init)
        result.data = result.data + self.amount
        self.log.info("shifted by %s", self.amount)
        return result


def test_alone_on_a_model_and_on_a_file(caplog: Any) -> None:
    model = image()
    shifted = Shift.call(model, amount="3")
    assert float(shifted.data[0, 0]) == 4.0 and float(model.data[0, 0]) == 1.0
    (entry,) = runs_of(shifted)
    assert entry["steps"][0]["parameters"]["amount"] == {"value": 3.0, "origin": "user"}
    assert entry["steps"][0]["status"] == "COMPLETE"
    assert runs_of(model) == []
    model.save("a_rate.fits")
    run = Shift(save_results=True).start("a_rate.fits")
    assert run.saved == ["a_shift.fits"] and [p.name for p in run.done] == ["shift"]


def test_its_own_word_on_what_it_did_counts() -> None:
    class Lazy(Step):
        class_alias = "lazy"

        def process(self, init: Any) -> Any:
            result = self.prepare_output(init)
            self.record_step_status(result, "lazy", success=False)
            return result

    result = Lazy().run(image())
    assert result.meta.cal_step.instance["lazy"] == "SKIPPED"
    assert runs_of(result)[0]["steps"][0]["status"] == "SKIPPED"
    models = [image(), image()]
    record_step_status(models, "photom")
    assert [m.meta.cal_step.photom for m in models] == ["COMPLETE"] * 2


def test_several_results_are_numbered_and_all_recorded() -> None:
    class Two(Step):
        def process(self, init: Any) -> Any:
            return [self.prepare_output(init), self.prepare_output(init)]

    run = Two(save_results=True).start(image())
    assert run.saved == ["a_0_two.fits", "a_1_two.fits"]
    assert all(len(runs_of(model)) == 1 for model in run.result)


def test_prepare_output() -> None:
    step, model = Shift(), image()
    model.save("a_rate.fits")
    assert step.prepare_output("a_rate.fits", open_models=False) == "a_rate.fits"
    assert type(step.prepare_output("a_rate.fits", open_as_type=datamodels.SlitModel)).__name__ == "SlitModel"
    step.prepare_output(model).data[0, 0] = 7
    assert model.data[0, 0] == 1.0
    step.prepare_output(model, make_copy=False).data[0, 0] = 7
    assert model.data[0, 0] == 7.0
    assert len(step.prepare_output([model, "a_rate.fits"])) == 2


def test_finalize_result_sees_results_before_they_are_saved() -> None:
    class Signed(Shift):
        def finalize_result(self, result: Any, reference_files_used: Any) -> None:
            result.meta.observer = "me"
            assert reference_files_used == []

    Signed(save_results=True).run(image())
    assert datamodels.open("a_signed.fits").meta.observer == "me"


def test_associations() -> None:
    for name in ("a_cal.fits", "b_cal.fits"):
        image().save(name)
    step = Shift()
    assert len(step.load_as_level2_asn(["a_cal.fits", "b_cal.fits"])["products"]) == 2
    (product,) = step.load_as_level3_asn(["a_cal.fits", "b_cal.fits"])["products"]
    assert [m["expname"] for m in product["members"]] == ["a_cal.fits", "b_cal.fits"]


class Gained(Step):
    class_alias = "gained"
    reference_file_types = ("gain",)

    def process(self, init: Any) -> Any:
        result = self.prepare_output(init)
        gain = self.get_reference_file(result, "gain")
        with datamodels.open(gain) as model:
            result.meta.exposure.gain_factor = float(np.nanmedian(model.data))
        return result


def test_references_are_found_and_recorded(crds: Any) -> None:
    result = Gained().run(crds.uncal[0])
    (step,) = runs_of(result)[-1]["steps"]
    assert step["references"]["gain"]["name"].startswith("crds://")
    assert result.meta.ref_file.gain.name == step["references"]["gain"]["name"]
    assert result.meta.exposure.gain_factor > 0


def test_an_override_that_is_not_there(crds: Any) -> None:
    with pytest.raises(ReferenceFileError, match=r"nowhere\.fits"):
        Gained(override_gain="nowhere.fits").run(crds.uncal[0])


# ---------------------------------------------------------------- as hook, in pipelines
@pytest.mark.parametrize("hook", [Shift, Shift(amount=1.0)], ids=["class", "instance"])
def test_as_hook(crds: Any, hook: Any) -> None:
    plain = Detector1Pipeline().run(crds.uncal[0])
    pipeline = Detector1Pipeline()
    pipeline.gain_scale.post_hooks = [hook]
    result = pipeline.run(crds.uncal[0])
    np.testing.assert_array_equal(result.data, plain.data + 1)


class MyPipeline(Pipeline):
    """Shift what stage 1 made."""

    class_alias = "mine"
    spec = "twice = boolean(default=False)"
    step_defs = {"shift": Shift, "gain_scale": GainScaleStep}

    def process(self, init: Any) -> Any:
        result = self.shift.run(init)
        if self.twice:
            result = self.shift.run(result)
        result = self.gain_scale.run(result)
        self.save_model(result, suffix="extra", force=True)
        return result


def test_an_own_pipeline(crds: Any) -> None:
    rate = Detector1Pipeline(output_file="x.fits").run(crds.uncal[0])
    run = MyPipeline(twice=True, save_results=True, steps={"shift": {"amount": 2.0}}).start("x_rate.fits")
    np.testing.assert_array_equal(run.result.data, rate.data + 2 + 2)
    assert run.saved == ["x_extra.fits", "x_mypipeline.fits"]
    assert [plan.name for plan in run.done] == ["shift", "shift", "gain_scale"]
    by_call = MyPipeline.call("x_rate.fits", twice=True, steps={"shift": {"amount": 2.0}})
    np.testing.assert_array_equal(by_call.data, run.result.data)


def test_its_steps_save_and_are_skipped(crds: Any) -> None:
    Detector1Pipeline(output_file="x.fits").run(crds.uncal[0])
    pipeline = MyPipeline(steps={"gain_scale": {"skip": True}})
    pipeline.shift.save_results = True
    result = pipeline.run("x_rate.fits")
    assert Path("x_shift.fits").is_file() and result.meta.cal_step.gain_scale == "SKIPPED"


class MyDetector1(Detector1Pipeline):
    """Stage 1 with a step of one's own in place of gain_scale."""

    step_defs = {**Detector1Pipeline.step_defs, "gain_scale": Shift}


def test_in_place_of_a_step_of_ours(crds: Any) -> None:
    plain = Detector1Pipeline(output_file="plain.fits").run(crds.uncal[0])
    result = MyDetector1(output_file="mine.fits").run(crds.uncal[0])
    np.testing.assert_array_equal(result.data, plain.data + 1)
    ints, before = (datamodels.open(f"{n}_rateints.fits") for n in ("mine", "plain"))
    np.testing.assert_array_equal(ints.data, before.data + 1)


def test_a_step_of_ours_with_another_process(crds: Any) -> None:
    class Loud(JumpStep):
        def process(self, init: Any) -> Any:
            seen.append(type(init).__name__)
            return super().process(init)

    class Mine(Detector1Pipeline):
        step_defs = {**Detector1Pipeline.step_defs, "jump": Loud}

    seen: list[str] = []
    expected = Detector1Pipeline().run(crds.uncal[0])
    np.testing.assert_array_equal(Mine().run(crds.uncal[0]).data, expected.data)
    assert seen == ["RampModel"]


# ---------------------------------------------------------------- plan and command line
def test_plans_say_that_they_cannot_look_inside(crds: Any) -> None:
    for plan in (Shift().plan(str(crds.uncal[0])), MyPipeline().plan(str(crds.uncal[0]))):
        assert "cannot look inside" in plan.subject
    plan = MyDetector1().plan(str(crds.uncal[0]))
    reasons = {step.name: step.reason for step in plan.steps}
    assert "cannot look inside" in reasons["shift"] and reasons["jump"] == "applied"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    name = "my_steps_of_a_test"
    Path("here").mkdir()
    Path(f"here/{name}.py").write_text(MODULE)
    monkeypatch.chdir("here")
    yield name
    sys.modules.pop(name, None)


def test_on_the_command_line(module: str, capsys: Any) -> None:
    image().save("a_rate.fits")
    assert main(["run", f"{module}.ShiftStep", "a_rate.fits", "--amount=3"]) == 0
    assert "a_shiftstep.fits: 1 steps applied" in capsys.readouterr().out
    assert float(datamodels.open("a_shiftstep.fits").data[0, 0]) == 4.0
    assert main(["plan", f"{module}.ShiftStep", "a_rate.fits"]) == 0
    assert "cannot look inside" in capsys.readouterr().out
    assert main(["run", f"{module}.ShiftStep", "--help"]) == 0
    assert "--amount = float(default=1.0) # What is added" in capsys.readouterr().out


def test_what_is_wrong_is_said(module: str, capsys: Any) -> None:
    image().save("a_rate.fits")
    assert main(["run", f"{module}.ShiftStep", "a_rate.fits", "--amount=much"]) == 2
    assert "ShiftStep.amount = 'much'" in capsys.readouterr().err
    assert main(["run", f"{module}.NotAStep", "a_rate.fits"]) == 2
    assert "is no step" in capsys.readouterr().err
    assert main(["run", "no_such_module.Step", "a_rate.fits"]) == 2
    assert "cannot import step" in capsys.readouterr().err


# ---------------------------------------------------------------- what users add to models
def test_what_users_add_to_a_ramp_stays_from_step_to_step() -> None:
    ramp = datamodels.RampModel((1, 3, 4, 4))
    ramp.meta.instrument.name, ramp.meta.exposure.ngroups, ramp.meta.exposure.nints = "MIRI", 3, 1
    ramp.meta.mine = {"note": "kept"}
    ramp.meta.observation.label = "kept, too"
    ramp.history.append("looked at")
    again = LastFrameStep().run(ramp)
    assert again.meta.mine.note == "kept" and again.meta.observation.label == "kept, too"
    assert again.history == ["looked at"]
    again.meta.mine.note = "changed"
    assert ramp.meta.mine.note == "kept"


@pytest.mark.parametrize("given", [{"jump": None}, {"jump": 5}, ["jump"]])
def test_parameters_of_steps_that_are_no_dictionary(given: Any) -> None:
    with pytest.raises(ParameterError, match="give a dictionary of parameters"):
        Detector1Pipeline(steps=given)
    with pytest.raises(ParameterError, match="give a dictionary of parameters"):
        Detector1Pipeline.call("x_uncal.fits", steps=given)


def test_hooks_are_found_in_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hooks_of_this_folder.py").write_text(
        "def tripled(model):\n    model.data = model.data * 3\n    return model\n"
    )
    before = list(sys.path)
    monkeypatch.delitem(sys.modules, "hooks_of_this_folder", raising=False)
    step = Shift(amount=1, post_hooks=["hooks_of_this_folder.tripled"])
    assert float(step.run(image()).data[0, 0]) == 6.0 and sys.path == before
