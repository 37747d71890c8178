"""Text columns have the width that is declared, in files too."""

import numpy as np
from astropy.io import fits

from webbcal import datamodels


def test_text_is_as_wide_as_declared(tmp_path):
    model = datamodels.WFSSMultiSpecModel()
    dtype = [(n, "U5" if n == "SOURCE_TYPE" else d) for n, d in _columns()]
    table = np.zeros(2, dtype)
    table["SOURCE_TYPE"] = "POINT", ""
    model.spec.append(model.spec.item(spec_table=table))
    model.save(tmp_path / "a_x1d.fits")
    with fits.open(tmp_path / "a_x1d.fits") as hdus:
        columns = {column.name: column.format for column in hdus["EXTRACT1D"].columns}
        assert columns["SOURCE_TYPE"] == "20A" and list(hdus["EXTRACT1D"].data["SOURCE_TYPE"]) == [
            "POINT",
            "",
        ]
    with datamodels.open(tmp_path / "a_x1d.fits") as again:
        assert list(again.spec[0].spec_table["SOURCE_TYPE"]) == ["POINT", ""]
        assert again.spec[0].spec_table.dtype["SOURCE_TYPE"] == "U20"


def _columns():
    declared = datamodels.WFSSSpecModel().get_dtype("spec_table")
    return [
        (name, (declared[name].base, (3,)) if declared[name].shape else declared[name])
        for name in declared.names
    ]
