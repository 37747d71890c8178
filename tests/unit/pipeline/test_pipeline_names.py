"""Every pipeline is found where scripts for jwst look for it."""

import importlib

import pytest

from webbcal import pipeline
from webbcal.run.registry import STEPS, step_class

PIPELINES = {alias: cls for alias, (_, cls) in STEPS.items() if cls.endswith("Pipeline")}


@pytest.mark.parametrize("alias", PIPELINES)
def test_a_pipeline_is_in_the_package_and_in_its_module(alias: str) -> None:
    name = PIPELINES[alias]
    assert name in pipeline.__all__
    assert getattr(pipeline, name) is step_class(alias)
    assert getattr(getattr(pipeline, alias), name) is step_class(alias)  # calwebb_spec2.Spec2Pipeline


def test_what_is_no_pipeline_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Spec9Pipeline"):
        getattr(importlib.import_module("webbcal.pipeline"), "Spec9Pipeline")  # noqa: B009
