"""Tables with a spectrum in each row, opened as a list of spectra."""

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels


def folded(kind, item, lengths, **values):
    """Return a table of a class whose rows have spectra of some lengths; FLUX is that of the first value.

    Parameters
    ----------
    kind : str
        The class of the product.
    item : str
        Of one spectrum: its columns are vectors here.
    lengths : sequence of int
    **values
        Columns of the rows.
    """
    declared = getattr(datamodels, kind)().spec.item().get_dtype("spec_table")
    vectors = getattr(datamodels, item)().get_dtype("spec_table").names
    shape = {name: (max(lengths),) if name in vectors else () for name in declared.names}
    table = np.zeros(len(lengths), [(n, declared[n].base, shape[n]) for n in declared.names])
    for name, value in values.items():
        table[name] = value
    for row, length, first in zip(table, lengths, next(iter(values.values())), strict=True):
        row["WAVELENGTH"] = np.where(np.arange(max(lengths)) < length, np.arange(max(lengths)) + 1.0, np.nan)
        row["FLUX"] = first * np.arange(max(lengths))
        row["N_ALONGDISP"] = length
    return table


@pytest.fixture
def field(tmp_path):
    """A field of three sources in two orders, and its file; the second order has two of them."""
    model = datamodels.WFSSMultiSpecModel()
    model.meta.exposure.type, model.meta.instrument.name = "NRC_WFSS", "NIRCAM"
    for order, lengths in ((1, (9, 7, 8)), (2, (5, 0, 4))):
        table = folded(
            "WFSSMultiSpecModel", "SpecModel", lengths, SOURCE_ID=[4, 6, 11], SOURCE_TYPE=b"POINT",
            SOURCE_RA=[10.0, 11.0, 12.0], EXTRACT2D_XSTART=7,
        )  # fmt: skip
        item = model.spec.item(spec_table=table)
        item.spectral_order, item.dispersion_direction = order, 1
        item.filename, item.group_id = "x_cal.fits", f"e1_{order}"
        model.spec.append(item)
    return model, model.save(tmp_path / "x_x1d.fits")


@pytest.mark.parametrize("saved", [False, True])
def test_each_source_and_order_is_a_spectrum(field, saved):
    spectra = datamodels.MultiSpecModel(field[saved])
    found = [(s.source_id, s.spectral_order, len(s.spec_table)) for s in spectra.spec]
    assert found == [(4, 1, 9), (6, 1, 7), (11, 1, 8), (4, 2, 5), (11, 2, 4)]
    last = spectra.spec[-1]
    assert (last.source_ra, last.source_type, last.dispersion_direction) == (12.0, "POINT", 1)
    assert (last.meta.filename, last.meta.group_id, last.extract2d_xstart) == ("x_cal.fits", "e1_2", 7)
    np.testing.assert_array_equal(last.spec_table["FLUX"], 11.0 * np.arange(4))
    assert last.spec_table.dtype.names == datamodels.SpecModel().get_dtype("spec_table").names
    assert spectra.meta.exposure.type == "NRC_WFSS" and spectra.meta.model_type == "MultiSpecModel"
    assert len(field[0].spec) == 2 and field[0].spec[0].spec_table.shape == (3,)  # as they were


def test_saved_it_has_an_hdu_for_each_spectrum(field, tmp_path):
    datamodels.MultiSpecModel(field[1]).save(tmp_path / "y_x1d.fits")
    with fits.open(tmp_path / "y_x1d.fits") as hdus:
        tables = [hdu for hdu in hdus if hdu.name == "EXTRACT1D"]
        assert [(h.header["SOURCEID"], h.header["SPORDER"], len(h.data)) for h in tables] == [
            (4, 1, 9), (6, 1, 7), (11, 1, 8), (4, 2, 5), (11, 2, 4)
        ]  # fmt: skip
        assert "EXPGRPID" not in tables[0].header
    again = datamodels.open(tmp_path / "y_x1d.fits")
    assert type(again) is datamodels.MultiSpecModel and again.spec[4].meta.group_id == "e1_2"


def test_integrations_of_a_time_series(tmp_path):
    model = datamodels.TSOMultiSpecModel()
    values = {"INT_NUM": [1, 2], "MJD-AVG": [60000.1, 60000.2], "SEGMENT": 3}
    table = folded("TSOMultiSpecModel", "SpecModel", (6, 6), **values)
    item = model.spec.item(spec_table=table)
    item.spectral_order = 1
    model.spec.append(item)
    path = model.save(tmp_path / "x_x1dints.fits")
    spectra = datamodels.MultiSpecModel(path)
    assert [(s.int_num, s.mid_time_mjd, s.segment, s.spectral_order) for s in spectra.spec] == [
        (1, 60000.1, 3, 1), (2, 60000.2, 3, 1)
    ]  # fmt: skip
    np.testing.assert_array_equal(spectra.spec[1].spec_table["FLUX"], 2.0 * np.arange(6))


def test_combined_spectra_of_a_field(tmp_path):
    model = datamodels.WFSSMultiCombinedSpecModel()
    table = folded("WFSSMultiCombinedSpecModel", "CombinedSpecModel", (4, 3), SOURCE_ID=[2, 5])
    model.spec.append(model.spec.item(spec_table=table))
    spectra = datamodels.MultiCombinedSpecModel(model.save(tmp_path / "x_c1d.fits"))
    assert [(s.source_id, len(s.spec_table)) for s in spectra.spec] == [(2, 4), (5, 3)]


def test_spectra_one_by_one_stay_as_they_are(tmp_path):
    model = datamodels.MultiSpecModel()
    dtype = datamodels.SpecModel().get_dtype("spec_table")
    model.spec.append(model.spec.item(spec_table=np.zeros(5, dtype), source_id=3))
    again = datamodels.MultiSpecModel(model.save(tmp_path / "x_x1d.fits"))
    assert [(s.source_id, len(s.spec_table)) for s in again.spec] == [(3, 5)]
