"""What users' steps call, as they are used to from jwst: inputs to change, names, status, parameters."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.datamodels import ImageModel, ModelContainer, ModelLibrary, RampModel
from webbcal.run.pipeline import Pipeline
from webbcal.run.prepared import ramp_class
from webbcal.run.step import Step
from webbcal.run.step_status import NOT_SET, query_step_status, record_step_status


class _Looking(Step):
    """Gives what it may change, and notes it."""

    class_alias = "looking"
    options: dict = {}

    def process(self, given):
        result = self.prepare_output(given, **self.options)
        record_step_status(result, "looking")
        return result


class _Twice(Pipeline):
    """Looks twice."""

    class_alias = "twice"
    step_defs = {"first": _Looking, "second": _Looking}

    def process(self, given):
        return self.second.run(self.first.run(self.prepare_output(given)))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a_rate.fits"
    ImageModel((4, 4)).save(path)
    return str(path)


def seen(model):
    return query_step_status(model, "looking")


def test_a_file_is_opened(file):
    result = _Looking.call(file)
    assert isinstance(result, ImageModel) and seen(result) == "COMPLETE"


def test_a_model_is_copied_and_the_callers_stays():
    given = ImageModel((4, 4))
    for cls in (_Looking, _Twice):
        result = cls.call(given)
        assert result is not given and (seen(result), seen(given)) == ("COMPLETE", NOT_SET)


def test_a_list_of_models_is_a_container_of_copies(file):
    given = [ImageModel((4, 4)), file]
    for cls in (_Looking, _Twice):
        result = cls.call(given)
        assert isinstance(result, ModelContainer) and isinstance(result[1], ImageModel)
        assert result[0] is not given[0] and seen(given[0]) == NOT_SET


def test_a_container_is_copied(file):
    given = ModelContainer([ImageModel((4, 4))])
    result = _Looking.call(given)
    assert isinstance(result, ModelContainer) and result is not given
    assert (seen(result), seen(given)) == ("COMPLETE", NOT_SET)


def test_a_library_is_the_one_that_was_given(file):
    given = ModelLibrary([file])
    assert _Twice.call(given) is given and seen(given) == "COMPLETE"


def test_names_are_opened_only_if_wanted(file, monkeypatch):
    class Names(Step):
        def process(self, given):
            return self.prepare_output(given, open_models=False)

    class Impossible(Step):
        def process(self, given):
            return self.prepare_output(given, open_models=False, make_copy=True)

    assert Names.call(file) == file
    with pytest.raises(TypeError, match="Copy is not possible"):
        Impossible.call(file)


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("exposure.type", "MIR_IMAGE", "RampModel"),
        ("exposure.type", "FGS_ID-IMAGE", "GuiderRawModel"),
        ("subarray.num_superstripe", 3, "SuperstripeRampModel"),
    ],
)
def test_ramps_are_held_as_what_they_are(path, value, kind):
    model = RampModel()
    model.data = np.zeros((6, 3, 4, 5), np.float32)
    model[f"meta.{path}"] = value
    assert ramp_class(model) is getattr(datamodels, kind)


def test_a_ramp_is_opened_as_one(tmp_path):
    model = RampModel((1, 2, 4, 4))
    model.meta.exposure.type = "FGS_FINEGUIDE"
    model.save(tmp_path / "a_uncal.fits")
    opened = Step().prepare_output(str(tmp_path / "a_uncal.fits"), open_as_ramp=True)
    assert type(opened) is datamodels.GuiderRawModel
    copied = Step().prepare_output(model, open_as_ramp=True)
    assert type(copied) is datamodels.GuiderRawModel and copied.data is not model.data


def test_ids_of_associations_are_in_names():
    parent, container, library = Pipeline(), ModelContainer(), ModelLibrary([ImageModel()])
    parent.asn_id, container.asn_table["asn_id"] = "o002", "o003"

    def named(step, models):
        step.add_asn_id_to_output_name(models)
        return step.make_output_path(basepath="test", suffix="cal")

    step = Step()
    assert named(step, ImageModel()) == "test_cal.fits"
    step.asn_id = "o001"
    assert named(step, ImageModel()) == "test_o001_cal.fits"
    assert named(step, container) == "test_o003_cal.fits"
    assert named(Step(parent=parent), ImageModel()) == "test_o002_cal.fits"
    assert named(Step(), library) == "test_cal.fits"
    step.asn_id = None
    assert named(step, ImageModel()) == "test_cal.fits"


def test_status_is_one_of_three():
    models = [ImageModel(), ImageModel()]
    record_step_status(models, "a_step", success=False)
    assert query_step_status(models, "a_step") == "FAILED"
    record_step_status(ModelLibrary(models), "a_step", status="SKIPPED")
    assert [query_step_status(m, "a_step") for m in models] == ["SKIPPED"] * 2
    with pytest.raises(ValueError, match="BAD not in allowed values"):
        record_step_status(models[0], "a_step", status="BAD")


def test_specifications_are_printed(capsys):
    Step().print_configspec()
    assert "output_file = output_file(default=None)" in capsys.readouterr().out


def test_parameters_of_crds_are_asked_for(crds, monkeypatch):
    from webbcal.detector.jump import JumpStep

    assert JumpStep.get_config_reftype() == "pars-jumpstep"
    assert JumpStep.get_config_from_reference(str(crds.uncal[0])) == {}
    assert JumpStep.get_config_from_reference([]) == {}
    assert JumpStep.get_config_from_reference(42) == {}


def test_sections_of_a_specification_are_no_parameters():
    class Sectioned(Step):
        spec = """
        level = float(default=1.0) # A level

        [inner]
        """

    assert Sectioned().level == 1.0


def test_names_lose_their_suffix():
    assert Step.remove_suffix("jw1_nrca1_rate") == ("jw1_nrca1", "_")
