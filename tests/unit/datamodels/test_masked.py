"""Masks and units of arrays, which files do not have: nothing of them is lost without a word."""

import logging

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from webbcal import datamodels
from webbcal.core.errors import InputError

MASK = np.eye(3, dtype=bool)


def test_a_masked_pixel_is_nan(tmp_path):
    model = datamodels.ImageModel(np.ma.masked_array(np.ones((3, 3), "f4"), MASK))
    model.err = np.ma.masked_array(np.ones((3, 3), "i2"), MASK)  # whole numbers that become floats
    path = model.save(tmp_path / "a.fits")
    with datamodels.open(path) as again:
        assert np.isnan(again.data[MASK]).all() and (again.data[~MASK] == 1).all()
        assert np.isnan(again.err[MASK]).all()


def test_masked_flags_are_refused_by_name():
    with pytest.raises(InputError, match=r"dq: 3 values are masked, and uint32 has no value for none"):
        datamodels.ImageModel(np.ones((3, 3), "f4")).dq = np.ma.masked_array(np.ones((3, 3), "u4"), MASK)


def test_a_mask_that_masks_nothing_is_no_matter():
    model = datamodels.ImageModel(np.ones((3, 3), "f4"))
    model.dq = np.ma.masked_array(np.ones((3, 3), "u4"), np.zeros((3, 3), bool))
    assert type(model.dq) is np.ndarray


def test_masked_pixels_of_an_unknown_hdu(tmp_path):
    model = datamodels.ImageModel(np.ones((3, 3), "f4"))
    model.extra_fits = {"MINE": {"data": np.ma.masked_array(np.ones((3, 3)), MASK)}}
    path = model.save(tmp_path / "a.fits")
    assert np.isnan(fits.getdata(path, "MINE")[MASK]).all()


def test_masked_cells_of_tables(tmp_path):
    masked = {"mask": [False, True, False]}
    table = Table(
        {
            "n": MaskedColumn([1, 2, 3], fill_value=-9, **masked),
            "x": MaskedColumn([1.0, 2.0, 3.0], unit="Jy", **masked),
            "t": MaskedColumn(["a", "b", "c"], **masked),
        }
    )
    model = datamodels.ImageModel(np.ones((3, 3), "f4"))
    model.extra_fits = {"MINE": {"data": table}}
    path = model.save(tmp_path / "a.fits")
    found = Table.read(path, hdu="MINE")
    assert list(found["n"].mask) == list(found["x"].mask) == masked["mask"]
    assert fits.getheader(path, "MINE")["TNULL1"] == -9 and str(found["x"].unit) == "Jy"
    assert list(fits.getdata(path, "MINE")["t"]) == ["a", "", "c"]


def test_masked_cells_of_a_declared_table(tmp_path):
    wave = MaskedColumn([1.0, 2.0], mask=[False, True], unit="um")
    columns = datamodels.SpecModel().get_dtype("spec_table")
    rows = np.zeros(2, columns)
    table = Table(rows)
    table["WAVELENGTH"] = wave
    model = datamodels.SpecModel(spec_table=table)
    assert np.isnan(model.spec_table["wavelength"][1]) and model.spec_table["WAVELENGTH"][0] == 1
    path = model.save(tmp_path / "a.fits")
    assert np.isnan(fits.getdata(path, "EXTRACT1D")["WAVELENGTH"][1])


def test_a_unit_is_left_out_with_a_word(caplog):
    with caplog.at_level(logging.WARNING):
        model = datamodels.ImageModel(np.ones((3, 3), "f4"))
        model.data = np.ones((3, 3), "f4") * units.MJy
    assert "data: its unit, MJy, is left out" in caplog.text and (model.data == 1).all()
