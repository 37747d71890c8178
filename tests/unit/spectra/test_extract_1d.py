"""Extraction by hand-made slits: what comes out, and what is told if nothing can."""

import logging
import warnings

import numpy as np
import pytest
import spectrum_cases as cases

from webbcal import datamodels
from webbcal.core.errors import InputError, ParameterError, PlanError, ReferenceFileError
from webbcal.spectra.box import smoothed
from webbcal.spectra.extract_1d import Extract1dStep
from webbcal.wcs.of_model import wcs_of


def extract(folder, slit, entry=None, apcorr="N/A", psf="N/A", **parameters):
    """Return the spectra of a slit with one aperture."""
    reference = "N/A" if entry is None else cases.extract1d(folder, {"id": "ANY", **entry})
    step = Extract1dStep(override_extract1d=reference, override_apcorr=apcorr, override_psf=psf, **parameters)
    return step.run(slit)


def flat_slit(vertical=False, value=2.0, **options):
    """Return a slit of one value, without noise."""
    slit = cases.slit(vertical=vertical, bad=0, source_type="EXTENDED", **options)
    slit.data[:] = value
    for name, variance in (("var_poisson", 0.04), ("var_rnoise", 0.09), ("var_flat", 0.01)):
        getattr(slit, name)[:] = variance
    return slit


@pytest.mark.parametrize("vertical", [True, False])
def test_a_box_by_hand(tmp_path, vertical):
    slit = flat_slit(vertical)
    across = "x" if vertical else "y"
    made = extract(tmp_path, slit, {f"{across}start": 10, f"{across}stop": 13.5})
    item = made.spec[0]
    table, area = item.spec_table, 2.8e-13
    np.testing.assert_allclose(table["NPIXELS"], 4.5)
    np.testing.assert_allclose(table["FLUX"], 4.5 * 2.0 * area * 1e6)
    np.testing.assert_allclose(table["SURF_BRIGHT"], 2.0)
    variance = (4 + 0.25) * np.array([0.04, 0.09, 0.01])
    for name, value in zip(("POISSON", "RNOISE", "FLAT"), variance, strict=True):
        np.testing.assert_allclose(table[f"FLUX_VAR_{name}"], value * (area * 1e6) ** 2, rtol=1e-6)
        np.testing.assert_allclose(table[f"SB_VAR_{name}"], value / 4.5**2, rtol=1e-6)
    np.testing.assert_allclose(table["SB_ERROR"], np.sqrt(variance.sum()) / 4.5, rtol=1e-6)
    assert (table["DQ"] == 0).all()
    assert [item.extraction_xstart, item.extraction_xstop] == ([11, 14.5] if vertical else [1, 90])
    assert [item.extraction_ystart, item.extraction_ystop] == ([1, 90] if vertical else [11, 14.5])
    assert item.dispersion_direction == (2 if vertical else 1)
    assert (table.columns["flux"].unit, table.columns["wavelength"].unit) == ("Jy", "um")


def test_wavelengths_are_the_mean_of_the_aperture(tmp_path):
    made = extract(tmp_path, flat_slit(), {"ystart": 10, "ystop": 13})
    expected = cases.START + cases.STEP * np.arange(90) + cases.TILT * 11.5
    np.testing.assert_allclose(made.spec[0].spec_table["WAVELENGTH"], expected, rtol=1e-6)
    ra, _, wavelength = wcs_of(made.spec[0])(np.arange(90.0))
    np.testing.assert_allclose(wavelength, expected, rtol=1e-6)
    assert np.allclose(ra, made.spec[0].slit_ra)


def test_a_slope_in_the_background_is_taken_away(tmp_path):
    slit = flat_slit()
    slit.data[:] = 3 + 0.1 * np.arange(30)[:, None]
    slit.data[12:15] += 5
    entry = {"ystart": 12, "ystop": 14, "bkg_coeff": [[-0.5], [5.5], [20.5], [26.5]], "bkg_order": 1}
    table = extract(tmp_path, slit, entry).spec[0].spec_table
    np.testing.assert_allclose(table["SURF_BRIGHT"], 5, rtol=1e-6)
    np.testing.assert_allclose(table["BACKGROUND"], 3 + 1.3, rtol=1e-6)
    assert (table["BKGD_ERROR"] > 0).all()


def test_a_bad_pixel_is_left_out_and_a_bad_column_is_told(tmp_path):
    slit = flat_slit()
    slit.dq[11, 5], slit.data[12, 6], slit.dq[:, 20] = 1, np.nan, 1
    table = extract(tmp_path, slit, {"ystart": 10, "ystop": 13}).spec[0].spec_table
    assert table["NPIXELS"][[5, 6, 7, 20]].tolist() == [3, 3, 4, 0]
    assert np.isnan(table["FLUX"][20])
    assert table["DQ"][20] == 1
    assert (np.delete(table["DQ"], 20) == 0).all()


def test_samples_without_wavelength_are_left_out(tmp_path):
    slit = flat_slit()
    slit.wavelength[:, :7], slit.wavelength[:, 85:] = np.nan, np.nan
    made = extract(tmp_path, slit, {"ystart": 10, "ystop": 13})
    assert len(made.spec[0].spec_table) == 78
    assert (made.spec[0].extraction_xstart, made.spec[0].extraction_xstop) == (8, 85)


def test_the_aperture_follows_the_source(tmp_path):
    """The target is 1.7 pixels from the middle of the aperture; its flux is found all the same."""
    entry = {"xstart": 9, "xstop": 17, "extract_width": 5}
    bright = extract(tmp_path, cases.slit(centre=14.7, bad=0), entry).spec[0]
    still = extract(tmp_path, cases.slit(centre=14.7, bad=0), entry, use_source_posn=False).spec[0]
    assert bright.extraction_xstart == pytest.approx(14.7 - 2 + 1, abs=1e-6)
    assert still.extraction_xstart == 12
    assert (bright.spec_table["FLUX"] > still.spec_table["FLUX"]).mean() > 0.95


def test_the_profile_finds_its_place(tmp_path):
    slit = cases.slit(centre=14.8, bad=0)
    # The reference counts from the edge of the first pixel.
    psf = cases.psf()
    made = extract(
        tmp_path, slit, {"extract_width": 8}, psf=psf, extraction_type="optimal", subtract_background=True
    )
    table = made.spec[0].spec_table
    x = np.arange(90)
    truth = 40 * (1 + 0.3 * np.sin(x / 9)) * np.sqrt(2 * np.pi) * (1.2 + 0.005 * x) * 2.8e-13 * 1e6
    pulls = (table["FLUX"] - truth) / table["FLUX_ERROR"]
    assert abs(pulls.mean()) < 0.5
    assert (table["SURF_BRIGHT"] == 0).all()


@pytest.mark.parametrize("nints", [1, 5])
def test_a_series_is_a_table_with_a_row_for_each_integration(tmp_path, nints):
    slit = flat_slit(exp_type="MIR_LRS-SLITLESS", nints=nints, **{"visit.tsovisit": True})
    slit.data += np.arange(nints, dtype="f4")[:, None, None]
    made = extract(tmp_path, slit, {"ystart": 10, "ystop": 13})
    assert type(made).__name__ == "TSOMultiSpecModel"
    table = made.spec[0].spec_table
    assert table["FLUX"].shape == (nints, 90)
    np.testing.assert_allclose(table["SURF_BRIGHT"], np.repeat(2.0 + np.arange(nints), 90).reshape(nints, 90))
    assert table["INT_NUM"].tolist() == list(range(1, nints + 1))
    assert (table["N_ALONGDISP"] == 90).all()
    if nints > 1:
        np.testing.assert_array_equal(table["MJD-AVG"], slit.int_times["int_mid_MJD_UTC"])
        assert made.has("int_times")


def test_times_of_a_segment_are_found_by_the_numbers_of_integrations(tmp_path):
    slit = flat_slit(exp_type="NRC_TSGRISM", nints=4)
    slit.int_times = cases.int_times(slit, 10)
    slit.meta.exposure.integration_start, slit.meta.exposure.integration_end = 4, 7
    slit.meta.exposure.nints = 10
    table = extract(tmp_path, slit, {"ystart": 10, "ystop": 13}).spec[0].spec_table
    assert table["INT_NUM"].tolist() == [4, 5, 6, 7]
    np.testing.assert_allclose(table["MJD-BEG"], 60000 + 0.01 * np.arange(3, 7))


def test_corrections_of_the_aperture_apply_to_point_sources_alone(tmp_path):
    entry = {"xstart": 10, "xstop": 15, "use_source_posn": False}
    plain = extract(tmp_path, cases.slit(), entry).spec[0].spec_table
    point = extract(tmp_path, cases.slit(), entry, apcorr=cases.apcorr()).spec[0].spec_table
    extended = cases.slit(source_type="EXTENDED")
    other = extract(tmp_path, extended, entry, apcorr=cases.apcorr()).spec[0].spec_table
    factor = 1 + 1 / plain["NPIXELS"] + 0.01 * plain["WAVELENGTH"]
    full = plain["NPIXELS"] == 6
    np.testing.assert_allclose(point["FLUX"][full], (plain["FLUX"] * factor)[full], rtol=1e-6)
    np.testing.assert_allclose(
        point["SB_VAR_FLAT"][full], (plain["SB_VAR_FLAT"] * factor**2)[full], rtol=1e-6
    )
    np.testing.assert_array_equal(point["BACKGROUND"], plain["BACKGROUND"])
    np.testing.assert_array_equal(other["FLUX"], plain["FLUX"])


def test_a_correction_for_other_wavelengths_is_told(tmp_path, caplog):
    """As in jwst the factor at the end of the table is taken."""
    entry, reference = {"xstart": 10, "xstop": 15, "use_source_posn": False}, cases.apcorr()
    extract(tmp_path, cases.slit(), entry, apcorr=reference)
    assert "its table covers" not in caplog.text
    table = np.array(reference.apcorr_table)
    table["wavelength"] += 100
    reference.apcorr_table = table
    made = extract(tmp_path, cases.slit(), entry, apcorr=reference).spec[0].spec_table
    assert "its table covers 104 to 112 µm, and the spectrum" in caplog.text
    assert np.isfinite(made["FLUX"]).any()


def test_smoothing_beside_a_bad_region_warns_of_nothing():
    image = np.ones((3, 20), np.float32)
    image[:, 5:15] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(smoothed(image, 3)[:, 8:12]).all()


def test_sizes_of_apertures_may_be_in_arcseconds(tmp_path):
    entry = {"xstart": 10, "xstop": 15, "use_source_posn": False}
    plain = extract(tmp_path, cases.slit(bad=0), entry).spec[0].spec_table
    made = extract(tmp_path, cases.slit(bad=0), entry, apcorr=cases.apcorr(unit="arcsec")).spec[0].spec_table
    pixel = cases.SCALE * 3600 * np.hypot(1, 1 / 3)
    size = np.clip(6 * pixel, 1, 20)
    low = int(size)
    inverse = (1 / low) + (size - low) * (1 / (low + 1) - 1 / low)
    factor = 1 + inverse + 0.01 * plain["WAVELENGTH"]
    np.testing.assert_allclose(made["FLUX"], plain["FLUX"] * factor, rtol=1e-5)


def test_images_of_the_extraction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slit = cases.slit(source_type="EXTENDED", filename="jw1_cal.fits")
    entry = {"xstart": 9, "xstop": 18, "bkg_coeff": [[-0.5], [4.5]]}
    made = extract(tmp_path, slit, entry, save_profile=True, save_scene_model=True, save_residual_image=True)
    weights, scene, residual = (
        datamodels.open(tmp_path / f"jw1_{name}.fits").data for name in ("profile", "scene_model", "residual")
    )
    assert weights.shape == slit.data.shape
    assert set(np.unique(weights)) == {0.0, 1.0}
    good = np.isfinite(residual)
    np.testing.assert_allclose((scene + residual)[good], slit.data[good], rtol=1e-5)
    table = made.spec[0].spec_table
    inside = (scene - table["BACKGROUND"][:, None])[:, 9:19].sum(axis=1) * 2.8e-13 * 1e6
    whole = table["NPIXELS"] == 10
    np.testing.assert_allclose(inside[whole], table["FLUX"][whole], rtol=1e-4)


def test_the_input_is_not_changed(tmp_path):
    slit = cases.slit()
    before = slit.data.copy(), slit.dq.copy()
    extract(tmp_path, slit, {"extract_width": 8})
    np.testing.assert_array_equal(slit.data, before[0])
    np.testing.assert_array_equal(slit.dq, before[1])


# ---------------------------------------------------------------- what cannot be done
def skipped(caplog, result):
    """Return why the step was skipped."""
    assert result.meta.cal_step.extract_1d == "SKIPPED"
    return caplog.text


def test_an_aperture_outside_of_the_slit(tmp_path, caplog):
    made = extract(tmp_path, flat_slit(), {"ystart": 50, "ystop": 60})
    assert "outside of the slit" in skipped(caplog, made)


def test_an_offset_out_of_the_slit(tmp_path, caplog):
    made = extract(tmp_path, flat_slit(), {"ystart": 10, "ystop": 13}, position_offset=200.0)
    assert "position_offset" in skipped(caplog, made)


def test_no_wavelength(tmp_path, caplog):
    slit = flat_slit()
    slit.wavelength[:] = np.nan
    assert "none of its pixels has a wavelength" in skipped(caplog, extract(tmp_path, slit, {}))


def test_no_good_pixel(tmp_path):
    slit = flat_slit()
    slit.data[:] = np.nan
    table = extract(tmp_path, slit, {"ystart": 10, "ystop": 13}).spec[0].spec_table
    assert np.isnan(table["FLUX"]).all()
    assert (table["DQ"] == 1).all()
    assert (table["NPIXELS"] == 0).all()


@pytest.mark.parametrize("parameters", [{}, {"subtract_background": True}])
def test_a_variance_that_nobody_knows_spoils_nothing(tmp_path, parameters):
    """Rectified spectra without a flat field have a variance of the flat that is NaN everywhere."""
    entry = {"ystart": 10, "ystop": 13, "bkg_coeff": [[1.5], [6.5]], "bkg_order": 0}
    slit, known = flat_slit(), flat_slit()
    slit.var_flat[:] = np.nan
    known.var_flat[:] = 0
    made, expected = (extract(tmp_path, s, entry, **parameters).spec[0].spec_table for s in (slit, known))
    assert np.isfinite(made["FLUX"]).all() and (made["FLUX_VAR_FLAT"] == 0).all()
    for name in expected.dtype.names:
        np.testing.assert_array_equal(made[name], expected[name])


def test_a_pixel_whose_variance_is_nan_is_bad(tmp_path):
    slit = flat_slit()
    slit.var_flat[11, 40] = np.nan
    table = extract(tmp_path, slit, {"ystart": 10, "ystop": 13}).spec[0].spec_table
    assert table["NPIXELS"][40] == 3 and table["NPIXELS"][41] == 4


def test_no_direction_of_dispersion(tmp_path, caplog):
    slit = flat_slit()
    slit.meta.wcsinfo.dispersion_direction = None
    assert "DISPAXIS" in skipped(caplog, extract(tmp_path, slit, {}))


def test_another_order(tmp_path, caplog):
    made = extract(tmp_path, flat_slit(), {"spectral_order": 2})
    assert "no aperture for order 1" in skipped(caplog, made)


def test_another_slit(tmp_path):
    with pytest.raises(ReferenceFileError, match=r"no aperture for MIR_LRS-FIXEDSLIT \(it has S200A1"):
        extract(tmp_path, flat_slit(), {"id": "S200A1"})


@pytest.mark.parametrize("coefficients", [[[1.0]], [[1.0], [2.0], [3.0]], [["a"], [2]], 5, [[], [1.0]]])
def test_limits_that_are_no_pairs(tmp_path, coefficients):
    with pytest.raises(ReferenceFileError, match="src_coeff"):
        extract(tmp_path, flat_slit(), {"src_coeff": coefficients})


@pytest.mark.parametrize(
    "entry", [{"xstart": "a"}, {"extract_width": -4}, {"extract_width": [3]}, {"bkg_order": float("nan")}]
)
def test_entries_that_are_no_numbers(tmp_path, entry):
    (name,) = entry
    with pytest.raises(ReferenceFileError, match=rf"json has {name} = .* must be a (positive )?number"):
        extract(tmp_path, flat_slit(), entry)


def test_a_reference_that_is_no_json(tmp_path):
    (tmp_path / "bad.json").write_text("{apertures")
    with pytest.raises(ReferenceFileError, match="JSON"):
        Extract1dStep(override_extract1d=str(tmp_path / "bad.json"), override_apcorr="N/A").run(flat_slit())
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ReferenceFileError, match="no list of apertures"):
        Extract1dStep(override_extract1d=str(tmp_path / "other.json"), override_apcorr="N/A").run(flat_slit())


def test_a_correction_without_the_row(tmp_path):
    with pytest.raises(ReferenceFileError, match="no row for SUBARRAY = FULL"):
        extract(tmp_path, cases.slit(), {}, apcorr=cases.apcorr(subarray="SUB64"))


def test_a_profile_of_another_size(tmp_path):
    psf = cases.psf()
    psf.apertures[0].wave = psf.apertures[0].wave[:-3]
    with pytest.raises(ReferenceFileError, match="do not fit each other"):
        extract(tmp_path, cases.slit(), {}, psf=psf, extraction_type="optimal")


def test_a_profile_for_another_slit(tmp_path):
    psf = cases.psf()
    psf.apertures[0].name = "S1600A1"
    with pytest.raises(ReferenceFileError, match="no profile for slit"):
        extract(tmp_path, cases.slit(), {}, psf=psf, extraction_type="optimal")


def test_wavelengths_of_another_shape(tmp_path):
    slit = flat_slit()
    slit.wavelength = np.ones((3, 4), "f4")
    with pytest.raises(InputError, match="they must agree"):
        extract(tmp_path, slit, {})


def test_modes_with_methods_of_their_own_are_refused():
    model = datamodels.CubeModel((2, 256, 2048))
    model.meta.exposure.type = "NIS_SOSS"
    with pytest.raises(PlanError, match="NIS_SOSS is not available yet"):
        Extract1dStep().run(model)


def test_what_holds_no_spectra_is_skipped(caplog):
    model = datamodels.RampModel((1, 2, 8, 8))
    model.meta.exposure.type = "NRC_WFSS"
    assert "works on images of spectra" in skipped(caplog, Extract1dStep().run(model))


def test_images_of_the_sky_are_skipped(caplog):
    image = datamodels.ImageModel(np.zeros((4, 4), np.float32))
    image.meta.exposure.type = "NRC_IMAGE"
    assert "EXP_TYPE is NRC_IMAGE" in skipped(caplog, Extract1dStep().run(image))


@pytest.mark.parametrize("kind", [datamodels.ImageModel, datamodels.CubeModel])
def test_grism_images_are_to_be_cut_out_first(kind):
    exposure = kind(np.zeros((2, 4, 4)[kind is datamodels.ImageModel :], np.float32))
    exposure.meta.exposure.type, exposure.meta.filename = "NRC_TSGRISM", "x_rate.fits"
    with pytest.raises(InputError, match=r"x_rate\.fits: spectra of NRC_TSGRISM are not cut out yet"):
        Extract1dStep().run(exposure)


def test_parameters_are_checked():
    with pytest.raises(ParameterError, match="bkg_order"):
        Extract1dStep(bkg_order=-1)
    with pytest.raises(ParameterError, match="extraction_type"):
        Extract1dStep(extraction_type="other")


def test_parameters_of_other_modes_say_that_they_have_no_effect(tmp_path, caplog):
    extract(tmp_path, flat_slit(), {}, ifu_rscale=1.5, soss_width=30.0)
    assert "extract_1d.ifu_rscale has no effect" in caplog.text
    assert "extract_1d.soss_width has no effect" in caplog.text
    assert "soss_rtol" not in caplog.text


def test_optimal_without_a_profile_is_a_box(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    box = extract(tmp_path, cases.slit(), {"extract_width": 6})
    made = extract(tmp_path, cases.slit(), {"extract_width": 6}, extraction_type="optimal")
    assert "no PSF reference" in caplog.text
    np.testing.assert_array_equal(made.spec[0].spec_table["FLUX"], box.spec[0].spec_table["FLUX"])


def test_several_exposures_are_several_results(tmp_path):
    made = extract(tmp_path, [cases.slit(seed=1), cases.slit(seed=2)], {"extract_width": 6})
    assert [type(each).__name__ for each in made] == ["MultiSpecModel"] * 2
    assert made[0].meta.filename != made[1].meta.filename
