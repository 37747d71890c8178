import copy
import subprocess
import sys

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError, ParameterError
from webbcal.datamodels import ValidationError, ValidationWarning


def test_from_a_shape_every_array_has_its_default():
    with datamodels.ImageModel((8, 6)) as model:
        assert model.shape == (8, 6) and model.data.dtype == np.float32 and not model.data.any()
        assert model.dq is None and not model.has("dq") and model.source("dq") is None
        assert model.get_default("dq").shape == (8, 6) and model.get_default("dq").dtype == np.uint32
    assert datamodels.SaturationModel((4, 4)).data[0, 0] == 100000
    with pytest.raises(ValueError):
        datamodels.ImageModel((2, 3, 4))


def test_from_arrays_by_name():
    model = datamodels.ImageModel(data=np.empty((5, 5)), dq=np.ones((5, 5)))
    assert model.data.dtype == np.float32 and model.dq.dtype == np.uint32 and (model.dq == 1).all()
    with pytest.raises(InputError, match="expected 2, got 1"):
        model.wavelength = np.zeros(3)


@pytest.mark.parametrize("name", ["RampModel", "CubeModel", "SuperBiasModel"])
def test_dq_and_errors_come_into_being_with_the_data(name):
    cls = getattr(datamodels, name)
    assert all(getattr(cls(), array) is None for array in cls._created)
    model = cls(data=np.ones((2, 3, 4, 5)[-cls().get_default("data").ndim :]))
    for array in cls._created:
        assert not model.has(array)
        made = getattr(model, array)
        made[...] = 3
        assert getattr(model, array) is made and made.shape[-2:] == (4, 5)


def test_ramp_from_an_uncalibrated_exposure_keeps_its_own_metadata():
    uncal = datamodels.Level1bModel((1, 2, 4, 4))
    uncal.meta.target.ra = 1.5
    ramp = datamodels.RampModel(uncal)
    assert ramp.data.dtype == np.float32 and ramp.meta.model_type == "RampModel"
    ramp.meta.target.ra = 2.5
    assert (uncal.meta.target.ra, uncal.meta.model_type) == (1.5, "Level1bModel")
    assert ramp.get_default("zeroframe").shape == (1, 4, 4)


def test_meta_tree():
    model = datamodels.ImageModel()
    assert model.meta.target.ra is None and not model.meta.target.hasattr("ra")
    model.meta.target.ra = np.float32(2.5)
    assert type(model.meta.target.ra) is float and model["meta.target.ra"] == 2.5
    model["meta.target.dec"] = -1
    assert model.meta.instance["target"] == {"ra": 2.5, "dec": -1}
    with pytest.raises(AttributeError, match=r"meta\.tarjet"):
        model.meta.tarjet.ra  # noqa: B018
    with pytest.raises(KeyError):
        model["meta.tarjet.ra"]
    model.meta.my_own = {"a": [1, 2]}
    assert model.meta.my_own.a[1] == 2
    del model.meta.target.ra
    assert model.meta.target.ra is None
    with pytest.raises(AttributeError):
        del model.meta.target.ra


WRONG = [
    ("meta.target.ra", "53.1", "number"),
    ("meta.target.ra", True, "number"),
    ("meta.exposure.ngroups", 3.0, "integer"),
    ("meta.exposure.zero_frame", 1, "boolean"),
    ("meta.observation.date", 20230101, "string"),
    ("meta.instrument.name", "HST", "one of"),
    ("meta.cal_step.jump", "DONE", "one of"),
    ("meta.target", {"ra": "x"}, "number"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_a_value_that_does_not_fit_warns_and_is_not_taken(path, value, message):
    model = datamodels.ImageModel()
    with pytest.warns(ValidationWarning, match=message):
        model[path] = value
    assert path not in model
    with pytest.raises(ValidationError, match=message):
        datamodels.ImageModel(strict_validation=True)[path] = value
    lenient = datamodels.ImageModel(pass_invalid_values=True)
    with pytest.warns(ValidationWarning, match="kept"):
        lenient[path] = value
    assert path in lenient


def test_validation_by_environment(monkeypatch):
    monkeypatch.setenv("STRICT_VALIDATION", "yes")
    with pytest.raises(ParameterError):
        datamodels.ImageModel().meta.target.ra = "x"
    monkeypatch.setenv("STRICT_VALIDATION", "perhaps")
    with pytest.raises(ParameterError, match="STRICT_VALIDATION='perhaps'"):
        datamodels.ImageModel()
    monkeypatch.delenv("STRICT_VALIDATION")
    monkeypatch.setenv("VALIDATE_ON_ASSIGNMENT", "0")
    model = datamodels.ImageModel()
    model.meta.target.ra = "x"
    assert model.meta.target.ra == "x"
    with pytest.warns(ValidationWarning):
        model.validate()


def test_looking_around(capsys):
    model = datamodels.ImageModel((4, 4))
    model.meta.instrument.name = "NIRCAM"
    assert model.find_fits_keyword("DATE-OBS") == ["meta.observation.date"]
    found = model.search_schema("TARGET")
    assert "meta.target.ra" in [path for path, _ in found] and "keyword TARG_RA in PRIMARY" in repr(found)
    assert model.schema["properties"]["meta"]["properties"]["target"]["properties"]["ra"]["type"] == "number"
    model.info(max_rows=None)
    printed = capsys.readouterr().out
    assert "data (array): shape=(4, 4), dtype=float32" in printed and "name (str): NIRCAM" in printed
    model.info(max_rows=3)
    assert len(capsys.readouterr().out.splitlines()) <= 4
    result = model.search(key="^name$")
    assert result.paths == ["meta.instrument.name"] and result.node == "NIRCAM"
    assert (
        model.search(value="NIRCAM").path == "meta.instrument.name" and len(model.search(key="nothing")) == 0
    )
    assert (
        model.get_primary_array_name() == "data" and datamodels.MaskModel().get_primary_array_name() == "dq"
    )
    assert model.get_dtype("dq") == np.uint32
    assert repr(model) == "<ImageModel(4, 4)>"


def test_flat_dictionary_and_crds_parameters():
    model = datamodels.ImageModel((2, 2))
    model.meta.instrument.name = "NIRCAM"
    flat = model.to_flat_dict()
    assert flat["meta.instrument.name"] == "NIRCAM" and flat["data"].shape == (2, 2)
    assert "data" not in model.to_flat_dict(include_arrays=False)
    assert (
        model.get_crds_parameters()["meta.instrument.name"] == "NIRCAM" and model.crds_observatory == "jwst"
    )
    assert dict(model.meta.items())["instrument.name"] == "NIRCAM"


def test_update_takes_keywords_but_not_type_arrays_or_unknown_values():
    source, target = datamodels.RampModel((1, 1, 2, 2)), datamodels.ImageModel((4, 4))
    source.meta.target.ra, source.meta.wcsinfo.crpix1, source.meta.my_own = 5.0, 3.0, "mine"
    source.cal_logs = {"stage1": ["line"]}
    target.update(source)
    assert (target.meta.target.ra, target.meta.wcsinfo.crpix1) == (5.0, 3.0)
    assert target.meta.model_type == "ImageModel" and target.shape == (4, 4)
    assert not target.meta.hasattr("my_own") and target.cal_logs.stage1[0] == "line"
    other = datamodels.ImageModel()
    other.update(source, only="PRIMARY")
    assert other.meta.target.ra == 5.0 and other.meta.wcsinfo.crpix1 is None
    other.update({"meta": {"target": {"dec": 1.0}}})
    assert other.meta.target.dec == 1.0


def test_copies_are_deep():
    model = datamodels.ImageModel((3, 3))
    model.meta.target.ra = 1.0
    for other in (model.copy(), copy.copy(model), copy.deepcopy(model)):
        other.data[0, 0], other.meta.target.ra = 9, 2.0
        assert model.data[0, 0] == 0 and model.meta.target.ra == 1.0 and type(other) is type(model)


def test_tables_have_the_declared_columns():
    model = datamodels.RampModel()
    given = np.array(
        [(1, 2.0, 3, 4, 5, 6, 7)], dtype=[(n.upper(), "f8") for n in model.get_dtype("int_times").names]
    )
    model.int_times = given
    assert model.int_times["integration_number"].dtype == np.int32 and model.int_times.int_mid_MJD_UTC[0] == 3
    with pytest.raises(InputError, match=r"columns do not match: missing \['integration_number'"):
        model.int_times = given[["INT_MID_MJD_UTC"]]
    model.group = [(1, 1, 0, 0, 0, "2023-01-01", 8, 8, 0, 0, "done", 0.0, 0.0)]
    assert model.group["group_end_time"][0] == "2023-01-01"


def test_reference_dq_bits_are_moved_to_the_standard_places(tmp_path):
    mask = datamodels.MaskModel((4, 4))
    mask.dq_def = [(0, 1, "HOT", ""), (1, 2, "DO_NOT_USE", ""), (2, 4, "MY_NAME", "")]
    mask.dq[0, :3] = datamodels.dqflags.pixel["HOT"], datamodels.dqflags.pixel["DO_NOT_USE"], 2048 + 1
    standard = mask.dq.copy()
    path = mask.save(tmp_path / "mask.fits")
    np.testing.assert_array_equal(mask.dq, standard)
    from astropy.io import fits

    assert fits.getdata(path, "DQ")[0].tolist() == [1, 2, 3, 0]
    with datamodels.open(path) as back:
        np.testing.assert_array_equal(back.source("dq").read(0), standard[0])
        np.testing.assert_array_equal(back.dq, standard)
        np.testing.assert_array_equal(datamodels.MaskModel(back).dq, standard)


def test_reference_metadata_are_checked():
    model = datamodels.GainModel((4, 4))
    assert model.meta.telescope == "JWST"
    with pytest.warns(ValidationWarning, match="missing description, reftype"):
        model.validate()


def test_classes_that_jwst_once_had():
    assert datamodels.DrizProductModel is datamodels.ImageModel
    assert datamodels.MultiProductModel is datamodels.MultiSlitModel


def test_own_schema_entries():
    model = datamodels.ImageModel().add_schema_entry("meta.mood", {"type": "string", "fits_keyword": "MOOD"})
    with pytest.warns(ValidationWarning):
        model.meta.mood = 3
    assert (
        model.find_fits_keyword("MOOD") == ["meta.mood"]
        and datamodels.ImageModel().find_fits_keyword("MOOD") == []
    )


def test_lists_of_items():
    model = datamodels.MultiSlitModel()
    model.slits.append({"name": "A", "data": np.zeros((2, 2), np.float32)})
    model.slits.append(model.slits.item(name="B"))
    with pytest.warns(ValidationWarning):
        model.slits.append({"name": 5})
    assert [slit.name for slit in model.slits] == ["A", "B"] and model["slits.0.data"].shape == (2, 2)
    model.slits[0].dq = np.ones((2, 2))
    assert model.slits[0].dq.dtype == np.uint32
    with pytest.warns(ValidationWarning):
        model.slits[1].source_id = "x"
    del model.slits[0]
    assert len(model.slits) == 1


def test_importing_and_opening_load_no_heavy_library(tmp_path):
    model = datamodels.RampModel((1, 2, 4, 4))
    path = model.save(tmp_path / "x.fits")
    code = (
        "import sys; from webbcal import datamodels\n"
        f"m = datamodels.open({str(path)!r}); m.data; m.meta.anything_else if m.meta.hasattr('x') else None\n"
        f"m.save({str(path)!r})\n"
        "print([name for name in ('astropy', 'asdf', 'numba', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
