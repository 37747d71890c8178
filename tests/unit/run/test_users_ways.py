"""What people pass to steps and pipelines, and expect of them, as they are used to from `jwst`."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import webbcal
from webbcal.core.errors import ParameterError
from webbcal.datamodels import ImageModel, ModelContainer, RampModel
from webbcal.exposure.geometry.srctype import SourceTypeStep
from webbcal.run.pipeline import Pipeline
from webbcal.run.registry import step_class
from webbcal.run.step import Step
from webbcal.spectra.combine_1d import Combine1dStep


def image(name="one_cal.fits", value=1.0):
    """Return a small image."""
    model = ImageModel(data=np.full((4, 4), value, np.float32))
    model.meta.filename = name
    model.meta.exposure.type = "NRC_IMAGE"
    return model


class Keep(Step):
    """Hand on what is given."""

    spec = """
    table = input_file(default=None) # A file beside
    """
    reference_file_types = ("flat",)

    def process(self, *given):
        return given[0] if len(given) == 1 else sum(given)


class Copies(Pipeline):
    """Make two images of one."""

    step_defs = {"keep": Keep}

    def process(self, model):
        self.suffix = "copies"
        made = [image("first_cal.fits"), image("second_cal.fits")]
        return self.keep.run(made)


def test_a_step_for_one_exposure_takes_a_container():
    given = ModelContainer([image(), image("two_cal.fits")])
    result = SourceTypeStep.call(given, save_results=True)
    assert isinstance(result, ModelContainer) and len(result) == 2
    assert [model.meta.cal_step.srctype for model in result] == ["COMPLETE", "COMPLETE"]
    assert [model.meta.cal_step.srctype for model in given] == [None, None]
    assert sorted(p.name for p in Path().glob("*.fits")) == [
        "one_0_sourcetypestep.fits", "one_1_sourcetypestep.fits",
    ]  # fmt: skip


def test_a_container_is_saved_model_by_model():
    step = Keep(save_results=True)
    paths = step.save_model(ModelContainer([image(), image("two_cal.fits")]), suffix="kept")
    assert paths == ["step_Keep_0_kept.fits", "step_Keep_1_kept.fits"]
    assert all(Path(path).is_file() for path in paths)


def test_a_pipeline_of_ones_own_may_return_several():
    Copies.call(image("a_cal.fits"), save_results=True)
    assert sorted(p.name for p in Path().glob("*.fits")) == ["a_0_copies.fits", "a_1_copies.fits"]


def test_names_of_the_models_own_where_the_pipelines_do_not_count():
    Copies.call(image("a_cal.fits"), steps={"keep": {"save_results": True, "search_output_file": False}})
    assert sorted(p.name for p in Path().glob("*.fits")) == ["first_keep.fits", "second_keep.fits"]


def test_a_users_step_takes_anything():
    assert Keep.call(1, 2) == 3 and Keep.call("text") == "text"


def test_files_in_a_parameter_file_are_beside_it(tmp_path):
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "keep.cfg").write_text('name = "keep"\ntable = "waves.csv"\n')
    assert Keep.from_config_file(folder / "keep.cfg").table == str(folder / "waves.csv")
    (folder / "none.cfg").write_text('name = "keep"\ntable = "None"\n')
    assert Keep.from_config_file(folder / "none.cfg").table is None


def test_no_reference_is_told_as_it_was_given():
    assert Keep(override_flat="").get_reference_file(image(), "flat") == ""
    assert Keep(override_flat="N/A").get_reference_file(image(), "flat") == "N/A"


def test_a_command_line_looks_beside_its_input(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    image().save(folder / "one_cal.fits")
    step = Step.from_cmdline([f"{__name__}.Keep", str(folder / "one_cal.fits")])
    assert step.input_dir == str(folder) and step.located("other.fits") == str(folder / "other.fits")


def test_a_number_fills_a_row_of_a_table():
    model = RampModel(int_times=np.arange(3.0))
    assert list(model.int_times["integration_number"]) == [0, 1, 2]
    assert list(model.int_times["int_mid_MJD_UTC"]) == [0.0, 1.0, 2.0]


def test_what_cannot_be_combined_stays_as_it_is():
    given = image()
    assert Combine1dStep.call(given).meta.cal_step.combine_1d == "SKIPPED"
    assert given.meta.cal_step.combine_1d is None


def test_a_class_below_jwst_is_imported_where_webbcal_stands_in():
    with pytest.raises(ParameterError, match="is not a step"):
        step_class("jwst.stpipe.Mine")
    with webbcal.as_jwst():
        importlib.import_module("jwst")
        with pytest.raises(ParameterError, match=r"webbcal has no jwst\.of_mine"):
            step_class("jwst.of_mine.Mine")
