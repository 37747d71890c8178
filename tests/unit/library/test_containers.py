"""Containers of models: opened when touched, used as those of jwst are, and taken by steps as lists are."""

import gc
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.associations import as_level2, as_level3, load_association
from webbcal.combine.members.list_step import ListStep, Outcome
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.core.errors import InputError
from webbcal.datamodels import ModelContainer, ModelLibrary
from webbcal.library import BorrowError, ClosedLibraryError
from webbcal.library.members import Lazy

OBSERVATION = {
    "program_number": "01234",
    "observation_number": "001",
    "visit_number": "001",
    "visit_group": "02",
    "sequence_id": "1",
    "activity_id": "01",
}


def image(number: int, detector: str) -> Any:
    model = datamodels.ImageModel(np.full((4, 5), number, np.float32))
    for name, value in OBSERVATION.items():
        model[f"meta.observation.{name}"] = value
    model.meta.observation.exposure_number = f"{number:05d}"
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", detector
    model.meta.filename = f"jw01234001001_02101_{number:05d}_{detector.lower()}_cal.fits"
    return model


@pytest.fixture
def asn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An association of two exposures by two detectors, and a background."""
    monkeypatch.chdir(tmp_path)
    members = []
    for number, detector in [(1, "NRCA1"), (1, "NRCA2"), (2, "NRCA1"), (2, "NRCA2")]:
        model = image(number, detector)
        model.save(model.meta.filename)
        members.append({"expname": model.meta.filename, "exptype": "science"})
    image(3, "NRCA1").save("b_cal.fits")
    members[0] |= {"tweakreg_catalog": "a.ecsv"}
    members.append({"expname": "b_cal.fits", "exptype": "background"})
    tree = {"asn_id": "a3001", "asn_pool": "pool", "asn_rule": "Asn_Lv3Image", "asn_type": "image3"}
    path = tmp_path / "x_asn.json"
    path.write_text(json.dumps(tree | {"products": [{"name": "x", "members": members}]}))
    return path


def opened(container: ModelContainer) -> int:
    return sum(not isinstance(item, Lazy) for item in container._models)


def test_an_association_is_opened_as_a_container_that_opens_members_when_touched(asn: Path) -> None:
    container = datamodels.open(asn)
    assert isinstance(container, ModelContainer) and len(container) == 5 and opened(container) == 0
    first = container[0]
    assert opened(container) == 1 and container[0] is first and np.all(first.data == 1)
    assert first.meta.asn.exptype == "science" and first.meta.tweakreg_catalog == str(asn.parent / "a.ecsv")
    assert (first.meta.asn.table_name, first.meta.asn.pool_name) == ("x_asn.json", "pool")
    assert container.asn_table["asn_id"] == "a3001" and container.asn_table_name == "x_asn.json"
    assert (container.asn_pool_name, container.asn_file_path) == ("pool", asn)
    assert [m.meta.filename for m in container[1:3]] == [m.meta.filename for m in list(container)[1:3]]
    assert container[-1].meta.asn.exptype == "background"
    assert container.ind_asn_type("background") == [4]


def test_a_mapping_and_an_association_are_opened_too(asn: Path) -> None:
    for init in (json.loads(asn.read_text()), load_association(asn)):
        assert [m.meta.instrument.detector for m in datamodels.open(init)][:2] == ["NRCA1", "NRCA2"]
    assert len(datamodels.open(asn, asn_exptypes=["science"], asn_n_members=2)) == 2
    assert len(ModelContainer(asn, asn_exptypes="BACKGROUND")) == 1


def test_groups_are_the_exposures(asn: Path) -> None:
    container = datamodels.open(asn)
    assert [len(group) for group in container.models_grouped] == [2, 2, 1]
    assert container.group_names[0] == "jw01234001001_02101_00001" == container[1].meta.group_id
    container[1].meta.group_id = "mine"
    assert container.group_names[1] == "mine"
    nameless = ModelContainer([datamodels.ImageModel((2, 2)), datamodels.ImageModel((2, 2))])
    assert nameless.group_names == ["exposure0001", "exposure0002"]


def test_lists_of_paths_and_models(asn: Path) -> None:
    model = image(7, "NRCB1")
    container = datamodels.open(["b_cal.fits", Path("b_cal.fits"), model])
    assert len(container) == 3 and opened(container) == 1
    container[2].meta.bunit_data = "MJy/sr"  # a new model that shares all with it
    assert model.meta.bunit_data == "MJy/sr"
    assert container.asn_table_name == "b" and container.asn_table["products"][0]["name"] == "b"
    assert len(datamodels.open([])) == 0
    with pytest.raises(FileNotFoundError, match="gone"):
        datamodels.open(["gone_cal.fits"])
    with pytest.raises(InputError, match="is it an association"):
        datamodels.open({"a": 1})
    assert isinstance(datamodels.open(fits.open("b_cal.fits")), datamodels.ImageModel)


def test_it_is_a_list(asn: Path) -> None:
    container = ModelContainer()
    container.append(image(1, "NRCA1"))
    container.extend([image(2, "NRCA1"), image(3, "NRCA1")])
    container.insert(0, image(0, "NRCA1"))
    assert container.pop().data[0, 0] == 3
    del container[1]
    container[0] = image(9, "NRCA1")
    assert [m.data[0, 0] for m in container] == [9, 2]
    with container.copy() as other:
        other[0].data[:] = 5
    assert container[0].data[0, 0] == 9
    assert container.get_crds_parameters()["meta.instrument.name"] == "NIRCAM"


def test_saving_all(asn: Path) -> None:
    container = ModelContainer([image(1, "NRCA1"), image(2, "NRCA1")])
    Path("out").mkdir()
    assert container.save(dir_path="out") == [f"out/{m.meta.filename}" for m in container]
    assert container.save("all.fits") == ["all0.fits", "all1.fits"]
    assert ModelContainer([image(1, "NRCA1")]).save("one") == ["one.fits"]
    assert container.save(save_model_func=lambda model, idx: f"{idx}") == ["0", "1"]


def test_missing_members_are_listed_at_once(asn: Path) -> None:
    for name in ("b_cal.fits", "jw01234001001_02101_00001_nrca1_cal.fits"):
        (asn.parent / name).unlink()
    for open_it in (datamodels.open, ModelLibrary):
        with pytest.raises(FileNotFoundError, match=r"2 of 5 member files.*b_cal"):
            open_it(asn)


# ---------------------------------------------------------------- libraries
@pytest.mark.parametrize("on_disk", [False, True])
def test_models_are_borrowed_and_given_back(asn: Path, on_disk: bool) -> None:
    library = ModelLibrary(asn, asn_exptypes="science", on_disk=on_disk)
    assert len(library) == 4 and library.on_disk is on_disk
    with library:
        model = library.borrow(0)
        assert model.meta.tweakreg_catalog == str(asn.parent / "a.ecsv")
        model.data[:] = 8
        library.shelve(model, 0)
        other = library.borrow(1)
        other.meta.bunit_data = "lost"
        library.shelve(other, modify=False)
        again = library.borrow(0)
        assert again.data[0, 0] == 8
        library.shelve(again)
    if on_disk:
        with library:
            model = library.borrow(1)
            assert model.meta.bunit_data is None  # it was given back unchanged
            library.shelve(model)


def test_what_a_library_refuses(asn: Path) -> None:
    library = ModelLibrary(asn)
    with pytest.raises(ClosedLibraryError, match="with library"):
        library.borrow(0)
    with pytest.raises(ClosedLibraryError):
        library.shelve(image(1, "NRCA1"))
    with pytest.raises(BorrowError, match="1 models were not given back"), library:
        library.borrow(0)
    library = ModelLibrary(asn)
    with library:
        model = library.borrow(0)
        with pytest.raises(BorrowError, match="already"):
            library.borrow(0)
        with pytest.raises(BorrowError, match="not borrowed"):
            library.shelve(image(1, "NRCA1"))
        with pytest.raises(BorrowError, match="borrowed"):
            library.read_metadata(0)
        library.shelve(model)
    with pytest.raises(RuntimeError, match="of the user"), library:  # not hidden by what was not given back
        library.borrow(0)
        raise RuntimeError("of the user")
    for wrong in (3, library):
        with pytest.raises(ValueError, match="cannot make a library"):
            ModelLibrary(wrong)
    with pytest.raises(ValueError, match="on_disk"):
        ModelLibrary([image(1, "NRCA1")], on_disk=True)


def test_what_a_library_knows(asn: Path) -> None:
    library = ModelLibrary(asn)
    assert library.asn["table_name"] == "x_asn.json" and library.asn_dir == str(asn.parent)
    with pytest.raises(TypeError):
        library.asn["products"][0]["members"][0]["exptype"] = "psf"  # type: ignore[index]
    assert library.group_indices["jw01234001001_02101_00002"] == [2, 3] and len(library.group_names) == 3
    assert library.exptypes[-1] == "background" and library.indices_for_exptype("SCIENCE") == [0, 1, 2, 3]
    assert library.get_crds_parameters()["meta.instrument.detector"] == "NRCA1"
    assert library.read_metadata(1, flatten=False)["meta"]["instrument"]["detector"] == "NRCA2"
    levels = list(library.map_function(lambda model, index: (index, float(model.data.mean())), modify=False))
    assert levels == [(0, 1.0), (1, 1.0), (2, 2.0), (3, 2.0), (4, 3.0)]


def test_a_library_of_models_and_its_copy_on_disk(asn: Path) -> None:
    library = ModelLibrary([image(1, "NRCA1"), "b_cal.fits"])
    assert library.asn["products"][0]["members"][0]["expname"].endswith("nrca1_cal.fits")
    path = library.save("saved")
    again = ModelLibrary(path)
    assert again.group_names == library.group_names and len(again) == 2


def test_few_models_are_in_memory(asn: Path) -> None:
    """What is given back on disk is let go."""
    library = ModelLibrary(asn, on_disk=True)
    with library:
        for model in library:
            model.data[:] = 0
            library.shelve(model)
            del model
    gc.collect()
    assert not any(isinstance(held, datamodels.ImageModel) for held in vars(library).values())
    assert not library._kept and not library._lent


# ---------------------------------------------------------------- steps and associations
class _Brighten(ListStep):
    class_alias = "brighten"

    def apply(self, models: list[Any], p: Any, run: Any) -> list[Outcome]:
        for model in models:
            model.data = model.data + 10
        return [Outcome() for _ in models]


def test_steps_take_containers_as_they_take_lists(asn: Path) -> None:
    container = datamodels.open(asn, asn_exptypes="science")
    made = _Brighten().run(container)
    assert isinstance(made, ModelContainer) and [m.data[0, 0] for m in made] == [11, 11, 12, 12]
    assert [m.data[0, 0] for m in container] == [1, 1, 2, 2]
    assert made[0].meta.asn.table_name == "x_asn.json"
    library = _Brighten().run(ModelLibrary(asn))
    assert isinstance(library, ModelLibrary) and repr(library) == "<ModelLibrary of 5 models, in memory>"
    values = library.map_function(lambda m, _: float(m.data[0, 0]))
    assert list(values) == [11, 11, 12, 12, 3]  # the background stays as it is
    for known in (library.asn, made.asn_table):  # it is of the association that was given
        assert known["asn_id"] == "a3001" and known["products"][0]["name"] == "x"
    assert library.asn_dir == str(asn.parent) and library.asn["table_name"] == made.asn_table_name == asn.name
    assert isinstance(_Brighten().run([image(1, "NRCA1")]), list)


def test_containers_are_associations(asn: Path) -> None:
    for held in (datamodels.open(asn), ModelLibrary(asn)):
        association = as_level3(held)
        assert association.products[0].name == "x" and association.asn_id == "a3001"
        assert len(association.products[0].science) == 4 and association.filename == "x_asn.json"
        assert os.fspath(association.folder) == str(asn.parent)
    assert len(as_level2(ModelContainer([image(1, "NRCA1"), image(2, "NRCA1")])).products) == 2


# ---------------------------------------------------------------- what a step does not work on
class _SkipsAll(_Brighten):
    def reason_to_skip(self, models: Any, p: Any) -> str | None:
        return "there is nothing to do"


def test_a_step_that_does_not_apply_needs_no_data() -> None:
    (skipped,) = _SkipsAll().run([datamodels.ImageModel()])
    assert skipped.meta.cal_step.instance["brighten"] == "SKIPPED"
    with pytest.raises(InputError, match="no science array"):
        _Brighten().run([datamodels.ImageModel()])


def test_one_exposure_comes_back_as_one(tmp_path: Path) -> None:
    model = image(1, "NRCA1")
    model.save(tmp_path / "a_cal.fits")
    for given in (model, str(tmp_path / "a_cal.fits")):
        made = _Brighten().run(given)
        assert isinstance(made, datamodels.ImageModel) and made.data[0, 0] == 11
    assert model.data[0, 0] == 1


def test_outliers_of_what_does_not_say_its_type_fail(caplog: pytest.LogCaptureFixture) -> None:
    model = image(1, "NRCA1")
    model.meta.exposure.type = None
    made = OutlierDetectionStep().run(model)
    assert made.meta.cal_step.outlier_detection == "FAILED" and "ERROR" in caplog.text
