"""A reference that is saved again keeps its history, the times in it, and the times that CRDS goes by."""

import datetime
from pathlib import Path

import asdf
import numpy as np
import pytest
from asdf.tags.core import HistoryEntry, Software
from astropy.io import fits
from astropy.modeling.models import Shift

from webbcal import datamodels

MADE = datetime.datetime(2019, 5, 6, 7, 8, 9)
META = {
    "model_type": "DistortionModel",
    "useafter": "2021-01-01T00:00:00",
    "date": "2020-02-03T04:05:06.789",
    "reftype": "distortion",
    "telescope": "JWST",
}
LINES = ["first line", "", "2021-05-06 made by x"]


@pytest.fixture
def distortion(tmp_path: Path) -> Path:
    tool = Software({"name": "tool", "version": "1.0"})
    file = asdf.AsdfFile({"meta": META, "model": Shift(1)})
    file._tree["history"] = {"entries": [HistoryEntry(description="made", time=MADE, software=[tool])]}
    file.write_to(tmp_path / "distortion.asdf")
    return tmp_path / "distortion.asdf"


def test_asdf(distortion: Path, tmp_path: Path) -> None:
    with datamodels.open(distortion) as model:
        model.history.append("looked at")
        model.add_history_entry("changed", {"name": "mine", "version": "2"})
        path = model.save(tmp_path / "again.asdf")
    with asdf.open(path) as file:
        made, looked, changed = file["history"]["entries"]
        assert made["description"] == "made" and made["time"].replace(tzinfo=None) == MADE
        assert made["software"][0]["name"] == "tool"
        assert dict(looked) == {"description": "looked at"}
        assert changed["software"][0]["version"] == "2" and changed["time"].year > 2019
        assert {key: file["meta"][key] for key in META} == META
    again = datamodels.open(path)
    assert [entry["description"] for entry in again.history] == ["made", "looked at", "changed"]
    assert again.model(1) == 2


def test_fits(tmp_path: Path) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(TELESCOP="JWST", INSTRUME="NIRCAM", REFTYPE="FLAT", USEAFTER=META["useafter"])
    for line in LINES:
        primary.header["HISTORY"] = line
    path = tmp_path / "flat.fits"
    fits.HDUList([primary, fits.ImageHDU(np.ones((4, 5), np.float32), name="SCI")]).writeto(path)
    flat = datamodels.FlatModel(path)
    saved = fits.getheader(flat.save(tmp_path / "again.fits"))
    assert list(saved["HISTORY"]) == LINES and saved["USEAFTER"] == META["useafter"]
    in_asdf = datamodels.FlatModel(flat.save(tmp_path / "again.asdf"))
    assert in_asdf.history == [{"description": line} for line in LINES]  # no time is made up
    assert list(fits.getheader(in_asdf.save(tmp_path / "back.fits"))["HISTORY"]) == LINES
