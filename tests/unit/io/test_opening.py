"""Damaged and wrong files give an error that names the file and what is wrong."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.datamodels.choose import NoTypeWarning


@pytest.fixture
def uncal(tmp_path):
    model = datamodels.Level1bModel((2, 3, 32, 32))
    model.data[...] = np.arange(32)
    model.meta.instrument.name = "NIRCAM"
    return model.save(tmp_path / "x_uncal.fits")


def test_missing_empty_text_and_json(tmp_path):
    with pytest.raises(InputError, match=r"no\.fits: cannot be read \(No such file"):
        datamodels.open(tmp_path / "no.fits")
    for content, message in {"": "is empty", "hello": "does not begin as a FITS or ASDF"}.items():
        (tmp_path / "x.fits").write_text(content)
        with pytest.raises(InputError, match=rf"x\.fits: {message}"):
            datamodels.ImageModel(tmp_path / "x.fits")
    (tmp_path / "x.json").write_text(json.dumps({"asn_id": "a", "products": []}))
    with pytest.raises(InputError, match=r"x\.json: .products. must be a list"):
        datamodels.open(tmp_path / "x.json")


@pytest.mark.parametrize("length", [100, 3000, 10_000, 15_000])
def test_truncation_is_seen_without_reading_data(uncal, length):
    with open(uncal, "r+b") as file:  # noqa: PTH123
        file.truncate(length)
    with pytest.raises(InputError, match=r"x_uncal\.fits: (truncated|damaged header)"):
        datamodels.open(uncal)


def test_wrong_dimensions_for_the_class(uncal):
    with pytest.raises(InputError, match=r"x_uncal\.fits: SCI: wrong number of dim.* expected 2, got 4"):
        datamodels.ImageModel(uncal)
    with pytest.raises(ValueError):
        datamodels.ImageModel(np.zeros((2, 3, 4)))


def test_opening_reads_no_data(uncal, monkeypatch):
    def refuse(*_):
        raise AssertionError("data were read")

    monkeypatch.setattr("webbcal.io.file_handle.FileHandle.read_at", refuse)
    with datamodels.open(uncal) as model:
        assert model.shape == (2, 3, 32, 32) and model.meta.instrument.name == "NIRCAM"
        assert model.meta.target.ra is None
        assert model.source("data").dtype == np.uint16 and not model.has("zeroframe")


def test_arrays_can_be_read_after_close(uncal):
    with datamodels.open(uncal) as model:
        pass
    assert model.data.dtype == np.uint16 and model.data[1, 2, 3, 31] == 31


def test_a_file_that_changed_is_not_read(uncal, tmp_path):
    with datamodels.open(uncal) as model:
        model.meta.filename  # noqa: B018
    Path(datamodels.Level1bModel((1, 1, 8, 8)).save(f"{uncal}.new.fits")).replace(uncal)
    with pytest.raises(InputError, match="changed after it was opened"):
        model.data  # noqa: B018


def test_a_file_that_was_saved_over_is_still_read(uncal):
    first, second = datamodels.open(uncal), datamodels.open(uncal)
    copy = second.copy()
    with first:
        datamodels.Level1bModel((1, 1, 8, 8)).save(uncal)
    assert first.data[0, 0, 0, 31] == second.data[0, 0, 0, 31] == copy.data[0, 0, 0, 31] == 31
    assert datamodels.open(uncal).shape == (1, 1, 8, 8)


def test_saving_over_the_file_that_is_open(uncal):
    with datamodels.open(uncal) as model:
        model.meta.target.ra = 5.0
        model.save(uncal)
    with datamodels.open(uncal) as again:
        assert again.meta.target.ra == 5.0 and again.data[0, 0, 0, 31] == 31


CASES = [
    ((8, 8), {}, "ImageModel"),
    ((2, 8, 8), {}, "CubeModel"),
    ((2, 2, 8, 8), {}, "RampModel"),
    ((8, 8), {"REFTYPE": "GAIN"}, "ReferenceImageModel"),
    ((8, 8), {"DATAMODL": "GainModel"}, "GainModel"),
]


@pytest.mark.parametrize(("shape", "keywords", "expected"), CASES)
@pytest.mark.filterwarnings("ignore::webbcal.datamodels.choose.NoTypeWarning")
def test_open_picks_the_class(tmp_path, shape, keywords, expected):
    primary = fits.PrimaryHDU()
    primary.header.update(keywords)
    hdus = fits.HDUList([primary, fits.ImageHDU(np.zeros(shape, np.float32), name="SCI")])
    hdus.writeto(tmp_path / "a.fits")
    path = tmp_path / "a.fits"
    for init in (path, str(path), hdus, io.BytesIO(path.read_bytes())):
        assert type(datamodels.open(init)).__name__ == expected
    if "DATAMODL" not in keywords:
        with pytest.warns(NoTypeWarning, match="names no model class"):
            datamodels.open(tmp_path / "a.fits")
        with pytest.raises(InputError, match="guessing is off"):
            datamodels.open(tmp_path / "a.fits", guess=False)


def test_open_of_a_model_shares_everything(uncal):
    model = datamodels.open(uncal)
    again = datamodels.open(model)
    again.meta.target.ra = 3.0
    assert again is not model and model.meta.target.ra == 3.0
    with pytest.raises(TypeError):
        datamodels.open(3)
