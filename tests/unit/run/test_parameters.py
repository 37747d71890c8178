import csv
import dataclasses
import gc
import weakref
from pathlib import Path

import pytest

from webbcal.core.errors import ParameterError
from webbcal.detector.jump import JumpStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.parameters import StepParameters, param, parameter_table
from webbcal.run.registry import STEPS, step_class

#: Class, parameter, type and default of the official pipeline's stage-1 steps.
FACTS = list(csv.DictReader((Path(__file__).parents[2] / "contract/data/parameters.csv").open()))


@pytest.mark.parametrize("row", FACTS, ids=lambda r: f"{r['class']}.{r['parameter']}")
def test_parameters_are_those_of_the_field(row: dict[str, str]) -> None:
    info = step_class(row["class"]).parameter_infos()[row["parameter"]]
    default = "" if row["default"] == "''" else row["default"].strip("\"'")
    if isinstance(info.default, float):
        assert info.default == float(default)
    else:
        assert str(info.default) == default
    kind = row["type"].partition("(")[0]
    assert info.spec.split(" = ", 1)[1].startswith(kind + "(")


def test_assignment_checks_type_and_bounds() -> None:
    step = JumpStep()
    step.rejection_threshold = "6"
    assert step.rejection_threshold == 6.0 and isinstance(step.rejection_threshold, float)
    with pytest.raises(ParameterError, match=r"rejection_threshold = -1.*>= 0"):
        step.rejection_threshold = -1
    with pytest.raises(ParameterError, match=r"extend_inner_radius = -3.*>= 0 and <= 1000"):
        step.extend_inner_radius = -3
    with pytest.raises(ParameterError, match=r"flag_4_neighbors = 'maybe'.*bool"):
        step.flag_4_neighbors = "maybe"
    with pytest.raises(ParameterError, match="must not be None"):
        step.min_sat_area = None
    assert step.rejection_threshold == 6.0


@pytest.mark.parametrize("name", STEPS)
def test_lists_of_numbers_hold_numbers_whoever_gives_them(name: str) -> None:
    """A command line gives text."""
    for info in step_class(name).parameter_infos().values():
        number = {"int_list": int, "float_list": float}.get(info.kind or "")
        if number:
            assert info.check("2, 3", name) == info.check([2, 3], name) == [number(2), number(3)]


def test_options_and_optional_values() -> None:
    step = RampFitStep(firstgroup="2")
    assert step.firstgroup == 2
    step.firstgroup = "None"
    assert step.firstgroup is None
    with pytest.raises(ParameterError, match="one of 'OLS_C', 'LIKELY'"):
        step.algorithm = "OLS"


def test_origin_of_every_value() -> None:
    step = JumpStep()
    assert step.origin("rejection_threshold") == "default"
    step.rejection_threshold = 5
    assert step.origin("rejection_threshold") == "user"


def test_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'rejection_threshold'"):
        JumpStep(rejecton_threshold=5)
    with pytest.raises(ParameterError, match="did you mean 'jump'"):
        Detector1Pipeline(steps={"jmp": {}})


def test_setting_an_unknown_attribute_warns_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Detector1Pipeline()
    pipeline.jump.yint_threshold = 4.0
    assert "has no parameter 'yint_threshold'" in caplog.text
    assert pipeline.jump.yint_threshold == 4.0


def test_spec_is_text_of_own_parameters() -> None:
    assert "rejection_threshold = float(default=4.0, min=0)" in JumpStep.spec
    assert "save_results" not in JumpStep.spec
    assert JumpStep().spec == JumpStep.spec
    assert "skip = boolean(default=True)" in Detector1Pipeline().persistence.spec


def test_the_parameter_object_is_frozen() -> None:
    p = JumpStep(rejection_threshold=7).parameters
    assert p.rejection_threshold == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.rejection_threshold = 8


def test_pipeline_holds_steps() -> None:
    pipeline = Detector1Pipeline(steps={"jump": {"rejection_threshold": 9}}, save_calibrated_ramp=True)
    pipeline.refpix.use_side_ref_pixels = False
    pars = pipeline.get_pars()
    assert pars["steps"]["jump"]["rejection_threshold"] == 9
    assert pars["steps"]["refpix"]["use_side_ref_pixels"] is False
    assert pars["save_calibrated_ramp"] is True
    pipeline.update_pars({"steps": {"jump": {"rejection_threshold": 3, "nonsense": 1}}})
    assert pipeline.jump.rejection_threshold == 3


@pytest.mark.parametrize(
    "name",
    [
        "jump",
        "JumpStep",
        "jwst.jump.JumpStep",
        "jwst.jump.jump_step.JumpStep",
        "webbcal.detector.jump.JumpStep",
    ],
)
def test_names_of_steps(name: str) -> None:
    assert step_class(name) is JumpStep


def test_names_that_jwst_once_had() -> None:
    assert step_class("calwebb_tso-image2") is step_class("calwebb_image2")
    skymatch = step_class("skymatch")()
    skymatch.skymethod = "globalmin+match"
    assert skymatch.skymethod == "global+match"
    with pytest.raises(ParameterError, match="expected one of 'local', 'global', "):
        skymatch.skymethod = "localmax"


def test_unknown_step() -> None:
    with pytest.raises(ParameterError, match="did you mean 'calwebb_detector1'"):
        step_class("calwebb_detector")
    with pytest.raises(ParameterError, match="cannot import"):
        step_class("no.such.Step")


def test_what_is_remembered_of_a_class_goes_with_it() -> None:
    @dataclasses.dataclass(frozen=True)
    class Parameters(StepParameters):
        factor: int = param(2, "By what")

    assert parameter_table(Parameters)["factor"].types == (int,)
    gone = weakref.ref(Parameters)
    del Parameters
    gc.collect()
    assert gone() is None
