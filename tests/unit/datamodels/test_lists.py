"""Slits, spectra and exposures of a list are as good as models."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.io.arrays import MemoryArray
from webbcal.io.asdf_text import Tagged
from webbcal.run.exposure import Exposure


def wcs(number, shared):
    return Tagged("tag:stsci.edu:gwcs/wcs-1.4.0", {"name": f"{number}", "steps": [shared]})


@pytest.fixture
def slits():
    model = datamodels.MultiSlitModel()
    model.meta.instrument.name, model.meta.instrument.detector = "NIRSPEC", "NRS1"
    model.meta.exposure.type, model.meta.filename = "NRS_MSASPEC", "x_cal.fits"
    size = {"xstart": 1, "ystart": 1, "xsize": 2048, "ysize": 2048, "fastaxis": 2, "slowaxis": 1}
    for name, value in size.items():
        setattr(model.meta.subarray, name, value)
    shared = Tagged("tag:stsci.edu:gwcs/step-1.3.0", {"frame": "THE FRAME"})
    for number in range(3):
        slit = datamodels.SlitModel(np.full((4, 6), number, np.float32), name=f"S{number}")
        slit.xstart, slit.ystart, slit.meta.photometry.conversion_megajanskys = 11, 21 + number, 2.5
        slit.meta.wcs = wcs(number, shared)
        model.slits.append(slit)
    return model


@pytest.mark.parametrize("saved", [False, True])
def test_an_item_has_what_a_model_has(slits, tmp_path, saved):
    model = datamodels.open(slits.save(tmp_path / "x_cal.fits")) if saved else slits
    slit = model.slits[1]
    assert slit.shape == (4, 6) and slit.get_primary_array_name() == "data" and slit.corner == (21, 10)
    assert slit.has("data") and not slit.has("err") and slit.source("err") is None
    source = slit.source("data")
    assert isinstance(source, MemoryArray) != saved and source.read(1, slice(2, 4)).tolist() == [1, 1]
    assert isinstance(slit.source("data"), MemoryArray) != saved  # reading a region loads nothing
    assert slit.data[0, 0] == 1 and isinstance(slit.source("data"), MemoryArray)
    assert slit.get_default("dq").shape == (4, 6) and slit.get_default("dq").dtype == np.uint32
    slit.shift("data", 2)
    assert model.slits[1].data[3, 5] == 3
    assert model.slits[0].source("data").dtype == np.float32 and model.slits[2].data.sum() == 48


def test_a_model_is_made_of_the_instance_of_an_item(slits, tmp_path):
    """As users of jwst copy a slit; that of a file has its arrays read."""
    path = slits.save(tmp_path / "x_cal.fits")
    with datamodels.open(path) as model:
        assert [slit["data"][0, 0] for slit in model.slits.instance] == [0, 1, 2]
    with datamodels.open(path) as model:
        copied = datamodels.SlitModel(model.slits[2].instance)
        assert (
            (copied.data == 2).all()
            and copied.name == "S2"
            and copied.meta.instance["wcs"].value["name"] == "2"
        )
    assert datamodels.open(copied.save(tmp_path / "slit.fits")).data.shape == (4, 6)


def test_the_exposure_of_a_slit(slits):
    exposure = Exposure.of_model(slits.slits[2])
    assert (exposure.box.y0, exposure.box.y1, exposure.box.x0, exposure.box.x1) == (22, 26, 10, 16)
    assert exposure.filename == "x_cal.fits" and exposure.shape == (4, 6)
    assert (exposure.instrument, exposure.detector, exposure.exp_type) == ("NIRSPEC", "NRS1", "NRS_MSASPEC")
    alone = Exposure.of_model(slits[2])
    assert (alone.box, alone.shape, alone.placement) == (exposure.box, exposure.shape, exposure.placement)


def test_metadata_of_an_item_and_of_its_model(slits):
    meta = slits.slits[0].meta
    assert meta.photometry.conversion_megajanskys == 2.5 and meta.exposure.type == "NRS_MSASPEC"
    meta.photometry.conversion_megajanskys = None
    assert meta.photometry.conversion_megajanskys is None  # declared for a slit: never that of the model
    slits.meta.wcs = wcs(9, None)
    del slits.slits[0].instance["meta"]["wcs"]
    with pytest.raises(AttributeError):
        meta.wcs  # noqa: B018
    with pytest.raises(AttributeError):
        meta.nonsense  # noqa: B018
    assert "exposure" not in meta.instance


def test_a_slit_as_a_model_of_its_own(slits):
    slit = slits[1]
    assert type(slit) is datamodels.SlitModel and slit.name == "S1" and slit.data is slits.slits[1].data
    assert slit.meta.exposure.type == "NRS_MSASPEC" and slit.meta.instance["wcs"].value["name"] == "1"
    slit.meta.exposure.type = "NRS_FIXEDSLIT"
    assert slits.meta.exposure.type == "NRS_MSASPEC" and slits["meta.exposure.type"] == "NRS_MSASPEC"
    assert slits[-1].name == "S2" and slits["slits.2.name"] == "S2"
    with pytest.raises(IndexError):
        slits[3]


SINGLES = [
    ("MultiSlitModel", "ImageModel", "slits"),
    ("MultiSlitModel", "SlitModel", "slits"),
    ("MultiExposureModel", "SlitModel", "exposures"),
    ("MultiSpecModel", "SpecModel", "spec"),
    ("MRSMultiSpecModel", "MRSSpecModel", "spec"),
    ("TSOMultiSpecModel", "TSOSpecModel", "spec"),
    ("WFSSMultiSpecModel", "WFSSSpecModel", "spec"),
]


@pytest.mark.parametrize(("name", "single", "member"), SINGLES)
def test_a_list_of_a_single_model(name, single, member):
    model = getattr(datamodels, single)()
    primary = model.get_primary_array_name()
    columns = model.get_dtype(primary)
    setattr(model, primary, np.zeros((2, 3) if columns.names is None else 3, columns))
    several = getattr(datamodels, name)(model)
    item = getattr(several, member)[0]
    assert type(several).__name__ == name and len(getattr(several, member)) == 1
    assert item.shape == model.shape and item.get_primary_array_name() == primary
    assert pickle.loads(pickle.dumps(type(several))) is type(several)


def test_what_slits_share_is_copied_and_stored_once(slits, tmp_path):
    def trees(model):
        return [slit.meta.instance["wcs"] for slit in model.slits]

    copy = slits.copy()
    assert copy.slits[0].data is not slits.slits[0].data
    path = slits.save(tmp_path / "x_cal.fits")
    assert Path(path).read_bytes().count(b"THE FRAME") == 1
    with datamodels.open(path) as back:
        back.slits[0].meta.hasattr("wcs")
        for model in (slits, copy, back, back.copy()):
            assert len({id(tree.value["steps"][0]) for tree in trees(model)}) == 1
            assert [tree.value["name"] for tree in trees(model)] == ["0", "1", "2"]


def test_opening_many_slits_reads_headers_alone(slits, tmp_path, monkeypatch):
    path = slits.save(tmp_path / "x_cal.fits")

    def refuse(*_):
        raise AssertionError("data were read")

    monkeypatch.setattr("webbcal.io.file_handle.FileHandle.read_at", refuse)
    with datamodels.open(path) as model:
        assert [(slit.name, slit.shape, slit.corner[0]) for slit in model.slits] == [
            ("S0", (4, 6), 20),
            ("S1", (4, 6), 21),
            ("S2", (4, 6), 22),
        ]


def test_units_of_slits_are_those_of_the_product(slits):
    with pytest.raises(AttributeError, match="bunit_data"):
        slits.meta.bunit_data  # noqa: B018
    for slit in slits.slits:
        slit.meta.bunit_data = "MJy/sr"
    assert slits.meta.bunit_data == "MJy/sr" and "bunit_data" not in slits.meta.instance
    slits.slits[1].meta.bunit_data = "Jy"
    with pytest.raises(AttributeError, match="bunit_data"):
        slits.meta.bunit_data  # noqa: B018
