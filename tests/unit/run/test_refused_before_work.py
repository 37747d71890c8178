"""What cannot be done is refused in a sentence before any work; names of products stay apart."""

import sys
from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import OutputError, ParameterError
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.configuration import parse_arguments
from webbcal.run.naming import output_name
from webbcal.run.registry import step_class
from webbcal.run.step import Step


class Add(Step):
    """A user's step."""

    class_alias = "add"

    def process(self, model):
        return self.prepare_output(model)


def image():
    model = datamodels.ImageModel(np.ones((4, 4), "f4"))
    model.meta.filename = "a_cal.fits"
    return model


@pytest.mark.parametrize(
    ("hook", "named"),
    [
        ("no_such_program {0}", "no_such_program"),
        ("no.such.module.function", "no.such.module.function"),
        ("webbcal.run.naming.no_such_function", "no_such_function"),
        ("/no/such/path {0} --flag", "/no/such/path"),
        ("echo 'unended {0}", "unended"),
        ("", "''"),
        (5, "5"),
    ],
)
@pytest.mark.parametrize("when", ["pre_hooks", "post_hooks"])
def test_hooks_that_are_none(hook, named, when, crds):
    pipeline = Detector1Pipeline()
    setattr(pipeline.ramp_fit, when, [hook])
    seen = []
    pipeline.dq_init.pre_hooks = [lambda model: seen.append(model)]
    with pytest.raises(ParameterError, match=named):
        pipeline.run(crds.uncal[0])
    assert not seen  # no step has begun


def test_a_command_with_braces_of_its_own():
    step = Add()
    step.post_hooks = [f"{sys.executable} -c 'print({{1: 2}})' {{0}}"]
    assert step.run(image()).data.sum() == 16


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("field.1", "field.1_i2d.fits"),
        ("field.2.fits", "field.2_i2d.fits"),
        ("NGC 1.5pm", "NGC 1.5pm_i2d.fits"),
        ("a_cal.fits.gz", "a_i2d.fits"),
        ("m_asn.json", "m_i2d.fits"),
        ("m.", "m_i2d.fits"),
    ],
)
def test_points_in_names(name, product):
    assert output_name(name, "i2d", ".fits").replace("_asn_", "_") == product


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"output_file": "mine.asdf"}, "mine_add.asdf"),
        ({"output_file": "mine.asdf", "output_ext": ".fits"}, "mine_add.fits"),
        ({"output_file": "mine.fits", "output_ext": "asdf"}, "mine_add.asdf"),
        ({"output_file": "mine.v2"}, "mine.v2_add.fits"),
    ],
)
def test_the_ending_of_the_name_of_a_product(given, made):
    Add.call(image(), **given)
    assert {p.name.replace("_Add", "_add").lower() for p in Path().iterdir()} == {made}
    assert type(datamodels.open(next(Path().iterdir()))).__name__ == "ImageModel"


@pytest.mark.parametrize(
    "given", [{"output_file": "mine.fits.gz"}, {"output_ext": ".fits.gz"}, {"output_ext": "png"}]
)
def test_endings_that_cannot_be_written(given):
    with pytest.raises(ParameterError, match=rf"{next(iter(given))} = .*products end with \.fits or \.asdf"):
        Add.call(image(), save_results=True, **given)
    assert not list(Path().iterdir())


def test_a_name_of_too_many_characters():
    with pytest.raises(OutputError, match=r"too long.*shorter name"):
        Add.call(image(), save_results=True, suffix="x" * 300)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a = integer(default='x')", "a = integer"),
        ("a = float(default=list(1))", "a = float"),
        ("a = integer(min=5, default=1)", r"a = 1: expected int >= 5"),
        ("a = option('x', 'y', default='z')", "'z'"),
        ("a = int_list(min=2, default=list(1))", ">= 2"),
        ("a = integer(default=1)\na = float(default=2.0)", "'a' is there twice"),
    ],
)
def test_specs_that_contradict_themselves(line, said):
    with pytest.raises(ParameterError, match=said):
        type("Mine", (Step,), {"spec": line, "__module__": "mine"})


@pytest.mark.parametrize("value", [[float("nan"), 1.0], [1.0, float("inf")], "nan, 1"])
@pytest.mark.parametrize("name", ["crpix", "crval"])
def test_lists_with_numbers_that_are_none(name, value):
    with pytest.raises(ParameterError, match=name):
        step_class("resample")(**{name: value})


@pytest.mark.parametrize(
    "words", [["--steps.jump=5", "--steps.jump.skip=true"], ["--steps.jump.skip=true", "--steps.jump=5"]]
)
def test_a_step_that_is_given_a_value(words):
    with pytest.raises(ParameterError, match=r"--steps.jump is given a value"):
        parse_arguments(["calwebb_detector1", *words])
