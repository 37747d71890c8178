"""Spectra combined by hand: weights, clipping, wavelengths, sources of fields."""

import numpy as np
import pytest
import spectrum_cases as cases

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.spectra.combine_1d import Combine1dStep
from webbcal.spectra.combining import InputSpectrum, combine, common_wavelengths, positions
from webbcal.spectra.extract_1d import Extract1dStep
from webbcal.spectra.tables import VECTORS, table_of


def spectra(*fluxes, times=None, wavelength=None, **item):
    """Return products of one spectrum each, of a flux everywhere."""
    made = []
    for k, flux in enumerate(fluxes):
        w = np.linspace(1, 2, 21) if wavelength is None else wavelength[k]
        columns = {name: np.zeros(len(w), np.uint32 if name == "DQ" else float) for name in VECTORS}
        columns |= {"WAVELENGTH": w, "FLUX": flux * np.ones(len(w)), "FLUX_ERROR": 0.1 * np.ones(len(w))}
        columns |= {"SURF_BRIGHT": 2 * columns["FLUX"], "SB_ERROR": 0.2 * np.ones(len(w))}
        model = datamodels.MultiSpecModel()
        table = table_of(columns, {"FLUX": "Jy", "SURF_BRIGHT": "MJy/sr"})
        model.spec.append(model.spec.item(spec_table=table))
        for name, value in {"spectral_order": 1, "source_id": 4, **item}.items():
            setattr(model.spec[0], name, value)
        model.meta.exposure.exposure_time = 100.0 if times is None else times[k]
        model.meta.exposure.integration_time = 7.0
        model.meta.target.ra, model.meta.target.dec = 10.0, -20.0
        model.meta.filename = f"jw{k}_x1d.fits"
        made.append(model)
    return made


def test_means_are_weighted_by_time():
    table = Combine1dStep().run(spectra(1.0, 4.0, times=[200.0, 100.0])).spec[0].spec_table
    np.testing.assert_allclose(table["FLUX"], 2.0)
    np.testing.assert_allclose(table["ERROR"], 0.1 * np.hypot(2, 1) / 3)
    np.testing.assert_allclose(table["SURF_BRIGHT"], 4.0)
    np.testing.assert_allclose(table["WEIGHT"], 300)
    assert (table["N_INPUT"] == 2).all()
    np.testing.assert_allclose(table["WAVELENGTH"], np.linspace(1, 2, 21))
    assert [table.columns[n].unit for n in ("WAVELENGTH", "ERROR", "SB_ERROR")] == ["um", "Jy", "MJy/sr"]


@pytest.mark.parametrize(
    "key, flux", [("unit_weight", 2.5), ("EFFINTTM", 2.5), ("nonsense", 2.5), ("effexptm", 2.0)]
)
def test_weights(key, flux):
    made = Combine1dStep(exptime_key=key).run(spectra(1.0, 4.0, times=[200.0, 100.0]))
    np.testing.assert_allclose(made.spec[0].spec_table["FLUX"], flux)


def test_bad_samples_do_not_count():
    a, b = spectra(1.0, 3.0)
    a.spec[0].spec_table["DQ"][4], b.spec[0].spec_table["FLUX"][5] = 1, np.nan
    a.spec[0].spec_table["DQ"][[6, 7]], b.spec[0].spec_table["DQ"][6] = 4, 2
    for model in (a, b):
        model.spec[0].spec_table["DQ"][9] = 1
    table = Combine1dStep().run([a, b]).spec[0].spec_table
    assert len(table) == 20  # nothing is known of one wavelength
    assert table["FLUX"][[3, 4, 5]].tolist() == [2, 3, 1]
    assert table["N_INPUT"][[3, 4, 5]].tolist() == [2, 1, 1]
    assert table["DQ"][[6, 7, 8]].tolist() == [6, 4, 0]


def test_orders_are_combined_by_themselves():
    models = spectra(1.0, 2.0, 5.0)
    models[2].spec[0].spectral_order = 2
    made = Combine1dStep().run(models)
    assert [(item.spectral_order, item.spec_table["FLUX"][0]) for item in made.spec] == [(1, 1.5), (2, 5.0)]
    assert type(made).__name__ == "MultiCombinedSpecModel"


def test_an_outlier_is_clipped():
    rng = np.random.default_rng(1)
    models = spectra(*(1 + 0.01 * rng.normal(size=(5, 21))))
    models[3].spec[0].spec_table["FLUX"][7] = 9.0
    table = Combine1dStep(sigma_clip=5.0).run(models).spec[0].spec_table
    assert table["N_INPUT"][7] == 4
    assert abs(table["FLUX"][7] - 1) < 0.03
    assert Combine1dStep().run(models).spec[0].spec_table["FLUX"][7] > 2


def test_wavelengths_of_shifted_spectra_are_the_means_of_neighbours():
    grid = np.linspace(1, 2, 41)
    found = common_wavelengths([grid, grid + 0.001])
    np.testing.assert_allclose(found, grid + 0.0005)
    # Where one ends, the other goes on.
    longer = common_wavelengths([grid[:30], grid[10:]])
    np.testing.assert_allclose(longer, grid)
    down = common_wavelengths([grid[::-1], grid])
    np.testing.assert_allclose(down, grid)


def test_positions_in_a_grid():
    grid = np.array([1.0, 2.0, 4.0])
    found = positions(np.array([1.0, 1.5, 3.0, 4.0, 4.1, 0.9]), grid)
    np.testing.assert_array_equal(found, [0, 0.5, 1.5, 2, np.nan, np.nan])
    np.testing.assert_array_equal(positions(np.array([2.0, 3.0]), grid[1:2]), [0, np.nan])


def test_of_samples_at_one_place_the_last_counts():
    w = np.array([1.0, 1.4, 1.45, 2.0])
    columns = {"WAVELENGTH": w, "DQ": np.zeros(4, np.uint32), "FLUX": np.arange(1.0, 5)}
    columns |= {name: np.ones(4) for name in ("FLUX_ERROR", "SURF_BRIGHT", "SB_ERROR")}
    other = {**columns, "WAVELENGTH": np.array([1.0, 1.42, 2.0, 2.5])}
    made = combine([InputSpectrum(columns, 1.0), InputSpectrum(other, 1.0)], None)
    assert made.columns["N_INPUT"].max() == 2


def test_spectra_that_cannot_be_used_are_left_out(caplog):
    models = spectra(1.0, np.nan, 3.0, wavelength=[np.linspace(1, 2, 21)] * 2 + [np.array([1, 3, 2.0])])
    made = Combine1dStep().run(models)
    np.testing.assert_allclose(made.spec[0].spec_table["FLUX"], 1.0)
    assert "no valid flux" in caplog.text
    assert "go up and down" in caplog.text


def test_nothing_to_combine_is_a_skip(caplog):
    made = Combine1dStep().run(spectra(np.nan)[0])
    assert made.meta.cal_step.combine_1d == "SKIPPED"
    assert "No valid input spectra found" in caplog.text
    other = Combine1dStep().run(datamodels.ImageModel((4, 4)))
    assert other.meta.cal_step.combine_1d == "SKIPPED"


def test_an_exposure_without_its_time():
    (model,) = spectra(1.0)
    model.meta.exposure.exposure_time = None
    with pytest.raises(InputError, match="does not tell its exposure time"):
        Combine1dStep().run(model)


# ---------------------------------------------------------------- sources of fields
@pytest.fixture(scope="module")
def field():
    """Two exposures of a field, extracted together."""
    step = Extract1dStep(override_apcorr="N/A")
    return step.run([cases.field(0), cases.field(1)])


def test_tables_of_a_field_have_all_sources(field):
    assert type(field).__name__ == "WFSSMultiSpecModel"
    assert [(item.group_id[-7:], item.spectral_order) for item in field.spec] == [
        ("00001_1", 1), ("00001_2", 2), ("00002_1", 1), ("00002_2", 2)
    ]  # fmt: skip
    for item in field.spec:
        assert item.spec_table["SOURCE_ID"].tolist() == [3, 7, 12]
    first, missing = field.spec[0].spec_table, field.spec[1].spec_table[1]
    assert missing["N_ALONGDISP"] == 0
    assert np.isnan(missing["FLUX"]).all()
    assert np.isnan(missing["SOURCE_RA"])
    assert first["N_ALONGDISP"].tolist() == [65, 72, 79]
    assert np.isnan(first["FLUX"][0, 65:]).all()
    assert (first["DQ"][0, 65:] == 1).all()
    assert first["SOURCE_TYPE"].tolist() == ["POINT", "EXTENDED", "POINT"]
    assert (first["EXTRACT2D_XSTOP"] - first["EXTRACT2D_XSTART"]).tolist() == [65, 72, 79]
    assert first.columns["SOURCE_RA"].unit == "deg"


def test_exposures_one_by_one_are_the_same(field):
    step = Extract1dStep(override_apcorr="N/A")
    for exposure in (0, 1):
        alone = step.run(cases.field(exposure))
        for item in alone.spec:
            (same,) = [other for other in field.spec if other.group_id == item.group_id]
            for name in ("FLUX", "FLUX_ERROR", "DQ", "NPIXELS", "SOURCE_TYPE"):
                rows = np.isin(same.spec_table["SOURCE_ID"], item.spec_table["SOURCE_ID"])
                size = item.spec_table[name].shape[1:]
                np.testing.assert_array_equal(
                    same.spec_table[name][rows][..., : size[0]] if size else same.spec_table[name][rows],
                    item.spec_table[name],
                )


def test_combined_sources(field):
    made = Combine1dStep().run(field)
    assert type(made).__name__ == "WFSSMultiCombinedSpecModel"
    assert [item.spectral_order for item in made.spec] == [1, 2]
    first = made.spec[0].spec_table
    assert first["SOURCE_ID"].tolist() == [3, 7, 12]
    assert np.nanmax(first["N_INPUT"], axis=1).tolist() == [2, 2, 1]
    np.testing.assert_allclose(first["SOURCE_DEC"], cases.DEC - 0.002 * np.arange(3))
    n = int(first["N_ALONGDISP"][0])
    assert np.isfinite(first["FLUX"][0, :n]).all()
    assert np.isnan(first["FLUX"][0, n:]).all()


def test_weights_are_those_of_each_exposure(field):
    """Exposures of 100 and 101 s: jwst takes the first one's time for all."""
    table = Combine1dStep().run(field).spec[0].spec_table
    both = table["N_INPUT"][0] == 2
    np.testing.assert_allclose(table["WEIGHT"][0][both], 201)


def test_a_source_without_an_order_is_an_empty_row(field):
    field = field.copy()
    field.spec[1].spec_table["N_ALONGDISP"][2] = field.spec[3].spec_table["N_ALONGDISP"][2] = 0
    made = Combine1dStep().run(field)
    assert made.spec[1].spec_table["SOURCE_ID"].tolist() == [-999, 3, 7]
    assert np.isnan(made.spec[1].spec_table["FLUX"][0]).all()


def test_a_field_saved_and_read_is_the_same(field, tmp_path):
    field.save(tmp_path / "x1d.fits")
    read = datamodels.open(tmp_path / "x1d.fits")
    assert type(read).__name__ == "WFSSMultiSpecModel"
    for a, b in zip(read.spec, field.spec, strict=True):
        for name in a.spec_table.dtype.names:
            np.testing.assert_array_equal(a.spec_table[name], b.spec_table[name])
    again, first = Combine1dStep().run(read), Combine1dStep().run(field)
    np.testing.assert_array_equal(again.spec[0].spec_table["FLUX"], first.spec[0].spec_table["FLUX"])
