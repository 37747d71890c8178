"""Models made by hand take the arguments that the classes of jwst take."""

import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.modeling.models import Shift

from webbcal import datamodels
from webbcal.datamodels import ValidationError, ValidationWarning

IMAGE = np.ones((4, 5), np.float32)


def test_arrays_by_keyword_beside_a_shape_or_an_array():
    ramp = datamodels.RampModel((1, 2, 4, 5), pixeldq=np.full((4, 5), 2))
    assert ramp.shape == (1, 2, 4, 5) and ramp.pixeldq.dtype == np.uint32 and ramp.pixeldq[0, 0] == 2
    flat = datamodels.FlatModel(IMAGE, err=2 * IMAGE)
    assert flat.data[0, 0] == 1 and flat.err[0, 0] == 2 and flat.dq.shape == (4, 5)


def test_an_array_that_the_class_does_not_have_is_left_out_with_a_word(caplog):
    with caplog.at_level(logging.WARNING):
        ramp = datamodels.RampModel(data=np.zeros((1, 2, 4, 5)), err=np.zeros((1, 2, 4, 5)), meta={"a": 1})
    assert ramp.shape == (1, 2, 4, 5) and not ramp.has("err")
    assert "RampModel has no array 'err': it is left out" in caplog.text
    assert "'meta'" in caplog.text


def test_none_is_as_if_not_given(caplog):
    model = datamodels.ImageModel(data=IMAGE, err=None, nonsense=None)
    assert np.all(model.data == 1) and not caplog.records


def test_nothing_by_keyword_beside_a_file_tree_or_model():
    for init in ({}, datamodels.ImageModel(IMAGE), fits.HDUList([fits.PrimaryHDU()])):
        with pytest.raises(TypeError, match="data"):
            datamodels.ImageModel(init, data=IMAGE)


def test_options_are_no_arrays(monkeypatch):
    for name in ("validate_arrays", "ignore_missing_extensions", "ignore_unrecognized_tag"):
        assert datamodels.SlitModel(**{name: True}).shape is None
    with pytest.raises(ValidationError):
        datamodels.ImageModel(strict_validation=True).meta.exposure.nints = "two"
    with pytest.warns(ValidationWarning):
        kept = datamodels.ImageModel(pass_invalid_values=True)
        kept.meta.exposure.nints = "two"
    assert kept.meta.exposure.nints == "two"
    unchecked = datamodels.ImageModel(validate_on_assignment=False)
    unchecked.meta.exposure.nints = "two"
    assert unchecked.meta.exposure.nints == "two"


def test_arrays_that_come_by_themselves_go_into_another_class():
    slit = datamodels.SlitModel(datamodels.FlatModel(IMAGE))
    assert slit.dq.shape == slit.err.shape == (4, 5)


def test_a_shape_is_of_whole_numbers_whatever_the_class():
    for cls in (datamodels.ImageModel, datamodels.SpecModel):
        with pytest.raises(ValueError, match="integers"):
            cls((2.0, 3.0))


def test_slits_take_whatever_is_given():
    slit = datamodels.SlitModel((4, 5), wavelength=IMAGE, name="S200A1", xstart=3)
    assert slit.name == "S200A1" and slit.corner is None and slit.xstart == 3
    assert slit.wavelength.shape == (4, 5)


def test_references_take_what_they_are_made_of(tmp_path):
    model = datamodels.DistortionModel(model=Shift(1) & Shift(2), input_units=u.pix, output_units="arcsec")
    model.meta.date = "2020-01-01T00:00:00.000"
    path = model.save(tmp_path / "distortion.asdf")
    again = datamodels.DistortionModel(path)
    assert again.model(0, 0) == (1, 2)
    assert again.meta.input_units == u.pix and again.meta.output_units == "arcsec"
    # Of these types jwst sets the type when it saves, and leaves the date.
    assert again.meta.reftype == "distortion" and again.meta.date == "2020-01-01T00:00:00.000"


def test_a_reference_made_of_nothing_says_what_it_is_for(tmp_path):
    grism = datamodels.NIRCAMGrismModel(displ=[Shift(1)], orders=[1, 2])
    assert (grism.meta.instrument.name, grism.meta.exposure.type) == ("NIRCAM", "NRC_WFSS")
    assert grism.orders == [1, 2] and grism.meta.reftype == "specwcs"
    assert datamodels.IFUPostModel(slice_models={"slice_0": {"xpoly": Shift(3)}}).slice_0.xpoly(1) == 4
    shutters = np.zeros(3, [("NO", "f4"), ("CX", "f4")])
    parts = {"models": {"Q1": Shift(1), "Q2": Shift(2)}, "data": {"Q1": shutters, "Q2": shutters}}
    msa = datamodels.MSAModel(datamodels.MSAModel(**parts).save(tmp_path / "msa.asdf"))
    assert msa.Q2.model(1) == 3 and len(msa.Q1.data) == 3 and msa.meta.instrument.name == "NIRSPEC"
    lrs = datamodels.MiriLRSSpecwcsModel(x_ref=326.1)
    assert lrs.meta.x_ref == 326.1 and lrs.meta.instrument.filter == "P750L"


def test_what_is_read_out_has_the_arrays_that_come_by_themselves():
    assert {"data", "pixeldq", "groupdq"} <= set(datamodels.RampModel((1, 2, 4, 5)).to_flat_dict())
