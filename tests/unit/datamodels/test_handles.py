"""Files are closed when nobody needs them, and nothing is remembered of models that are gone."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.datamodels.table import FitsIndex


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def cal(tmp_path) -> str:
    return datamodels.ImageModel((20, 20)).save(tmp_path / "a_cal.fits")


def touch(path) -> None:
    model = datamodels.open(path)
    assert model.data.shape == (20, 20)


def copy_and_convert(path) -> None:
    model = datamodels.open(path)
    other, cube = model.copy(), datamodels.SlitModel(model)
    assert other.source("data").read(0).shape == (20,) and cube.shape == (20, 20)


def look_around(path) -> None:
    model = datamodels.open(path)
    assert model.search(key="filename").path == "meta.filename" and dict(model.items())
    assert model.instance["data"].shape == (20, 20)


def save_and_reopen(path) -> None:
    model = datamodels.open(path)
    model.reopen(model.save(Path(path).with_name("b_cal.fits")))
    assert model.data.shape == (20, 20)


def close(path) -> None:
    with datamodels.open(path) as model:
        model.source("data").read()
    closed.append(model)


def refuse_class(path) -> None:
    with pytest.raises(InputError, match="expected 4, got 2"):
        datamodels.RampModel(path)


def refuse_file(path) -> None:
    damaged = Path(path).with_name("damaged.fits")
    damaged.write_bytes(Path(path).read_bytes()[:6000])
    with pytest.raises(InputError, match="truncated"):
        datamodels.open(damaged)


closed: list[datamodels.DataModel] = []
USES = [touch, copy_and_convert, look_around, save_and_reopen, close, refuse_class, refuse_file]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_no_file_stays_open(cal, use):
    use(cal)
    before = open_files()
    for _ in range(3):
        use(cal)
    closed.clear()
    assert open_files() == before


def test_a_schema_of_a_file_goes_with_its_model(tmp_path):
    """A mosaic has a table of keywords beyond its class: that adds to the schema of this model alone."""
    path = datamodels.ImageModel((4, 4)).save(tmp_path / "m_i2d.fits")
    table = np.array([("a.fits", 1.0)], [("FILENAME", "S10"), ("TARG_RA", "f8")])
    with fits.open(path) as hdus:
        hdus.append(fits.BinTableHDU(table, name="HDRTAB"))
        hdus.writeto(path, overwrite=True)
    for _ in range(3):
        with datamodels.open(path) as model:
            assert model.hdrtab["FILENAME"][0] == "a.fits" and "hdrtab" in model.schema["properties"]
    assert datamodels.ImageModel(model).hdrtab is model.hdrtab
    model.save(tmp_path / "again_i2d.fits")
    with fits.open(tmp_path / "again_i2d.fits") as hdus:
        assert hdus["HDRTAB"].data["TARG_RA"][0] == 1.0
    del model
    kept = [index for index in gc.get_objects() if isinstance(index, FitsIndex) and "HDRTAB" in index.arrays]
    assert kept == [] and "hdrtab" not in datamodels.ImageModel().schema["properties"]
