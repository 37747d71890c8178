"""Text that FITS headers cannot hold comes back, from every place where text may stand."""

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.combine.mosaic.blending import Blender

TEXT = "α Centauri – Señor"
LONG = "é" * 100 + " and more"


def image():
    return datamodels.ImageModel(np.ones((4, 4), "f4"))


@pytest.mark.parametrize("hdu", ["PRIMARY", "SCI", "MINE"])
@pytest.mark.parametrize("keyword", ["COMMENT", "HISTORY", ""])
@pytest.mark.parametrize("text", [TEXT, LONG])
def test_commentary(hdu, keyword, text, tmp_path):
    if (hdu, keyword) == ("PRIMARY", "HISTORY"):
        pytest.skip("that is the history of the model")
    model = image()
    cards = [[keyword, "why?", ""], [keyword, text, ""], [keyword, "plain", ""]]
    model.extra_fits = {hdu: {"header": cards}}
    path = model.save(tmp_path / "a.fits")
    assert "??" in str(fits.getheader(path, hdu)) or "?" in str(fits.getheader(path, hdu))
    for _ in range(2):  # also when saved once more
        with datamodels.open(path) as again:
            found = getattr(again.extra_fits, hdu).header.instance
            assert found == cards
            path = again.save(tmp_path / "b.fits")


def test_comments_of_cards(tmp_path):
    model = image()
    cards = [["MYKEY", 5, "α of the star"], ["OTHER", "x", "plain?"]]
    model.extra_fits = {"SCI": {"header": cards}}
    path = model.save(tmp_path / "a.fits")
    assert fits.getheader(path, "SCI")["MYKEY"] == 5
    assert datamodels.open(path).extra_fits.SCI.header.instance == cards


@pytest.mark.parametrize("kind", [datamodels.ImageModel, datamodels.SuperBiasModel])
def test_history(kind, tmp_path):
    model = kind(np.ones((4, 4), "f4"))
    for text in ("why?", TEXT, LONG):
        model.add_history_entry(text)
    path = model.save(tmp_path / "a.fits")
    assert [entry["description"] for entry in datamodels.open(path).history] == ["why?", TEXT, LONG]


def test_comments_that_a_foreign_file_has_in_utf_8(tmp_path):
    path = image().save(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].header["COMMENT"] = "Senor xx of the star"
    content = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(
        content.replace(b"Senor xx of the star ", "Señor α of the star".encode())
    )
    with datamodels.open(path) as model:
        path = model.save(tmp_path / "b.fits")
    assert ["COMMENT", "Señor α of the star", ""] in datamodels.open(path).extra_fits.SCI.header.instance


def test_text_of_exposures_in_the_table_of_a_mosaic(caplog):
    blender = Blender()
    for name in ("α Cen", "plain"):
        model = image()
        model.meta.target.proposer_name = name
        blender.add(model)
    assert list(blender.table()["TARGPROP"]) == [b"? Cen", b"plain"]
    assert "column TARGPROP has ? for what is not ASCII (α Cen)" in caplog.text


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("NINTS", "3"), ("NINTS", 3.5), ("PROGRAM", 1234), ("DATE-OBS", 20200101), ("DETECTOR", "MINE")],
)
def test_values_that_a_keyword_cannot_have_are_passed_on(keyword, value, tmp_path):
    path = image().save(tmp_path / "a.fits")
    fits.setval(path, keyword, value=value)
    with pytest.warns(datamodels.ValidationWarning, match=str(value)), datamodels.open(path) as model:
        assert model[model.find_fits_keyword(keyword)[0]] is None
        path = model.save(tmp_path / "b.fits")
    assert fits.getval(path, keyword) == value


def test_a_value_that_is_set_takes_the_place_of_one_that_is_passed_on(tmp_path):
    path = image().save(tmp_path / "a.fits")
    fits.setval(path, "NINTS", value="three")
    with pytest.warns(datamodels.ValidationWarning), datamodels.open(path) as model:
        model.meta.exposure.nints = 3
        path = model.save(tmp_path / "b.fits")
    header = fits.getheader(path)
    assert header["NINTS"] == 3 and header.count("NINTS") == 1
