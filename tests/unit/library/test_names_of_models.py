"""Containers and libraries save each model under a name of its own, and open what is put into them."""

import io
from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError, OutputError
from webbcal.library import ModelContainer, ModelLibrary
from webbcal.run.registry import step_class


def saved(folder, name="x_cal.fits", value=1.0):
    folder.mkdir(exist_ok=True)
    return datamodels.ImageModel(np.full((2, 2), value, "f4")).save(folder / name)


@pytest.mark.parametrize("held", [ModelContainer, ModelLibrary])
def test_two_models_of_one_name(held, tmp_path):
    paths = [saved(tmp_path / "a"), saved(tmp_path / "b", value=2.0)]
    (tmp_path / "out").mkdir()
    models = held(paths)
    with pytest.raises(OutputError, match=r"two models would be saved as x_cal\.fits"):
        models.save(
            **({"dir_path": tmp_path / "out"} if held is ModelContainer else {"path": tmp_path / "out"})
        )
    assert not list((tmp_path / "out").iterdir())


def test_models_without_a_name(tmp_path):
    models = ModelContainer([datamodels.ImageModel((2, 2)), datamodels.ImageModel((2, 2))])
    assert [Path(path).name for path in models.save(dir_path=tmp_path)] == ["model_0.fits", "model_1.fits"]


def test_a_file_that_is_put_in_is_opened(tmp_path):
    models = ModelContainer()
    models.append(saved(tmp_path / "a", value=3.0))
    models.extend([Path(saved(tmp_path / "b"))])
    assert "0 opened" in repr(models)
    assert (
        models.copy()[0].data[0, 0] == 3
        and models[0].data[0, 0] == 3
        and models[1].meta.filename == "x_cal.fits"
    )
    models.close()


@pytest.mark.parametrize("several", [list, tuple, ModelContainer])
def test_a_step_for_one_exposure_says_so(several, tmp_path):
    given = several([saved(tmp_path / "a")])
    for call in (step_class("dq_init").call, step_class("dq_init")().run):
        with pytest.raises(
            (InputError, TypeError), match=r"takes one exposure; run it for each|cannot open tuple"
        ):
            call(given)


@pytest.mark.parametrize("ending", ["fits", "asdf"])
def test_an_open_file_can_be_read_again(ending, tmp_path):
    content = io.BytesIO(Path(saved(tmp_path / "a", f"x_cal.{ending}")).read_bytes())
    for _ in range(2):
        assert datamodels.open(content).data.sum() == 4


def test_a_tree_of_a_user_is_as_declared():
    model = datamodels.ImageModel({"data": np.ones((2, 2)), "meta": {"mine": 5}})
    assert model.data.dtype == np.float32 and model.meta.mine == 5
    with pytest.raises(InputError, match="ImageModel: data: wrong number of dimensions"):
        datamodels.ImageModel({"data": np.ones(2)})
