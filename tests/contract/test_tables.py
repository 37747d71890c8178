"""The tables hold every keyword, array and model class of the field (samples of stdatamodels 6.0.0)."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.datamodels.table import FitsIndex, dtype_of, is_array, model_rows, rows_of, schema_of, walk


def test_counts():
    keywords = [row for row in rows_of("keywords") if row["keyword"]]
    assert len(model_rows()) == 143
    assert len({row["keyword"].upper() for row in keywords}) == 772
    places = {(row["path"], row["keyword"], row["hdu"]) for row in keywords}
    assert len(places) == 1384
    assert sum(1 for _ in rows_of("arrays")) == 473


def test_every_class_can_be_made_and_every_column_understood():
    for name in model_rows():
        cls = getattr(datamodels, name)
        assert cls.__name__ == name and issubclass(cls, datamodels.JwstDataModel)
        for leaf in FitsIndex(schema_of(name)).arrays.values():
            dtype_of(leaf.schema["datatype"])
    assert set(model_rows()) <= set(dir(datamodels))


def test_bases():
    assert issubclass(datamodels.MaskModel, datamodels.ReferenceFileModel)
    assert issubclass(datamodels.MiriResolutionModel, datamodels.ResolutionModel)
    assert not issubclass(datamodels.ImageModel, datamodels.ReferenceFileModel)


KEYWORDS = [
    ("ImageModel", "meta.target.ra", "TARG_RA", "PRIMARY", "number"),
    ("ImageModel", "meta.wcsinfo.crpix1", "CRPIX1", "SCI", "number"),
    ("Level1bModel", "meta.exposure.ngroups", "NGROUPS", "PRIMARY", "integer"),
    ("RampModel", "meta.exposure.mid_time_mjd", "MJD-AVG", "SCI", "number"),
    ("CubeModel", "meta.photometry.conversion_megajanskys", "PHOTMJSR", "SCI", "number"),
    ("DarkModel", "meta.exposure.average_dark_current", "AVDRKCUR", "PRIMARY", "number"),
    ("GainModel", "meta.useafter", "USEAFTER", "PRIMARY", "string"),
    ("MaskModel", "meta.subarray.name", "SUBARRAY", "PRIMARY", "string"),
    ("RampFitOutputModel", "meta.cal_step.ramp_fit", "S_RAMP", "PRIMARY", "string"),
]


@pytest.mark.parametrize(("model", "path", "keyword", "hdu", "kind"), KEYWORDS)
def test_keywords(model, path, keyword, hdu, kind):
    node = dict(walk(schema_of(model)))[tuple(path.split("."))]
    assert (node["fits_keyword"], node["fits_hdu"], node["type"]) == (keyword, hdu, kind)


# model, array, HDU, type, dimensions, most dimensions, default
ARRAYS = [
    ("Level1bModel", "data", "SCI", "uint16", 4, None, 0),
    ("Level1bModel", "zeroframe", "ZEROFRAME", "uint16", 3, None, 0),
    ("RampModel", "groupdq", "GROUPDQ", "uint8", 4, None, 0),
    ("RampModel", "pixeldq", "PIXELDQ", "uint32", 2, None, 0),
    ("RampModel", "average_dark_current", "AVDRKCUR", "float32", 2, None, 0),
    ("ImageModel", "var_poisson", "VAR_POISSON", "float32", None, 3, 0),
    ("ImageModel", "dq", "DQ", "uint32", None, None, 0),
    ("CubeModel", "err", "ERR", "float32", None, None, 0),
    ("RampFitOutputModel", "pedestal", "PEDESTAL", "float32", 3, None, 0),
    ("SaturationModel", "data", "SCI", "float32", 2, None, 100000.0),
    ("IPCModel", "data", "SCI", "float32", None, None, 1.0),
    ("LinearityModel", "coeffs", "COEFFS", "float32", 3, None, 0),
    ("DarkMIRIModel", "dq", "DQ", "uint32", 4, None, 0),
]


@pytest.mark.parametrize(("model", "name", "hdu", "dtype", "ndim", "most", "default"), ARRAYS)
def test_arrays(model, name, hdu, dtype, ndim, most, default):
    node = schema_of(model)["properties"][name]
    assert is_array(node) and node["fits_hdu"] == hdu and node["datatype"] == dtype
    assert (node.get("ndim"), node.get("max_ndim"), node["default"]) == (ndim, most, default)


def test_table_columns():
    group = datamodels.RampModel().get_dtype("group")
    assert group.names[:2] == ("integration_number", "group_number") and group["group_end_time"] == np.dtype(
        "S26"
    )
    assert datamodels.Level1bModel().get_dtype("int_times").names[-1] == "int_end_BJD_TDB"
    dq_def = datamodels.MaskModel().get_dtype("dq_def")
    assert dq_def == np.dtype([("BIT", "i4"), ("VALUE", "u4"), ("NAME", "S40"), ("DESCRIPTION", "S80")])
    assert datamodels.AmiOIModel().get_dtype("vis")["STA_INDEX"].shape == (2,)
