"""photom of spectra: values by hand, units, and what it refuses or leaves alone."""

import numpy as np
import pytest
import slit_cases as cases

from webbcal import datamodels
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.exposure.response.photom import PhotomStep
from webbcal.simulate.headers import assign

LRS = [{"filter": "P750L", "subarray": "FULL", "photmjsr": 2.0}]
WFSS = [{"filter": "F356W", "pupil": "GRISMR", "order": 1, "photmjsr": 4.0}]


def flat_response(reference):
    """Make the relative response 1 everywhere."""
    table = np.array(reference.phot_table)
    table["relresponse"] = 1
    reference.phot_table = table
    return reference


def lrs(**more):
    return flat_response(cases.photom("MirLrsPhotomModel", LRS, 5.0, 11.0, **more))


def wide(rows=WFSS, **more):
    return flat_response(cases.photom("NrcWfssPhotomModel", rows, 3.2, 4.0, **more))


def run(model, reference, **parameters):
    return PhotomStep.call(model, override_photom=reference, override_area="N/A", **parameters)


def slit(**more):
    return cases.slit_model("MIR_LRS-FIXEDSLIT", (60, 30), 4.0, 12.0, 2, **more)


def test_a_factor_for_all_wavelengths_of_the_table():
    given = slit()
    result = run(given, lrs())
    inside = (given.wavelength >= 5) & (given.wavelength <= 11) & (given.dq & 1 == 0)
    np.testing.assert_allclose(result.data[inside], 2 * given.data[inside], rtol=1e-6)
    np.testing.assert_allclose(result.var_rnoise[inside], 4 * given.var_rnoise[inside], rtol=1e-6)
    assert np.isnan(result.data[~inside]).all() and (result.dq[~inside] & 1).all()
    assert (result.meta.bunit_data, result.meta.photometry.conversion_megajanskys) == ("MJy/sr", 2.0)
    assert result.meta.photometry.pixelarea_steradians == pytest.approx(2e-13)


def test_there_and_back():
    given = slit()
    back = run(run(given, lrs()), lrs(), inverse=True)
    good = np.isfinite(back.data)
    np.testing.assert_allclose(back.data[good], given.data[good], rtol=1e-5)
    assert back.meta.bunit_data == "DN/s"


def test_all_wavelengths_outside_of_the_table(caplog):
    given = cases.slit_model("MIR_LRS-FIXEDSLIT", (60, 30), 20.0, 30.0, 2)
    result = run(given, lrs())
    assert np.isnan(result.data).all() and (result.dq & 1).all()
    assert "has none of the wavelengths" in caplog.text
    run(cases.multi_slit("NRC_WFSS", 1, 13.0, 14.1, orders=(1, 1)), wide())
    assert "2 of 2 slits have no calibrated pixel: the model given as override_photom has none" in caplog.text


def test_wide_fields_are_calibrated_by_wavelength_interval():
    given = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.1, orders=(1,))
    result = run(given, wide())
    step = np.gradient(given.slits[0].wavelength, axis=1)
    with np.errstate(invalid="ignore"):
        expected = given.slits[0].data * 4 / np.abs(step)
    good = np.isfinite(result.slits[0].data) & np.isfinite(expected)
    assert good.sum() > 600
    np.testing.assert_allclose(result.slits[0].data[good], expected[good], rtol=1e-5)
    assert result.slits[0].meta.bunit_data == "MJy/sr" == result.meta.bunit_data
    assert result.meta.instance.get("bunit_data") is None  # it is what the slits share, and not written


def test_an_order_without_a_row_is_left_as_it_was(caplog):
    given = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.1, orders=(1, 2, 2))
    result = run(given, wide())
    np.testing.assert_array_equal(result.slits[1].data, given.slits[1].data)
    assert result.slits[0].meta.bunit_data == "MJy/sr" and result.slits[1].meta.bunit_data is None
    assert "2 of 3 slits are left as they were" in caplog.text and "ORDER = 2" in caplog.text
    assert result.meta.cal_step.photom == "COMPLETE"


def test_no_row_for_any_order():
    result = run(cases.multi_slit("NRC_WFSS", 1, 3.0, 4.1, orders=(2, 2)), wide())
    assert result.meta.cal_step.photom == "SKIPPED"


def test_units_of_the_table():
    given = cases.multi_slit("NRC_WFSS", 1, 3.0, 4.1, orders=(1,))
    plain, angstrom = run(given, wide()), run(given, wide(unit="MJy Angstrom s / (DN sr)"))
    good = np.isfinite(plain.slits[0].data)
    ratio = angstrom.slits[0].data[good] / plain.slits[0].data[good]
    np.testing.assert_allclose(ratio, 1e-4, rtol=1e-5)
    with pytest.raises(ReferenceFileError, match="PHOTUNIT"):
        run(given, wide(unit="Jy"))


def test_a_table_of_images_is_refused():
    table = datamodels.MirImgPhotomModel()
    table.phot_table = np.ones(1, table.get_dtype("phot_table"))
    table.meta.reftype, table.meta.instrument.name = "photom", "MIRI"
    with pytest.raises(ReferenceFileError, match="no table of spectral conversion factors"):
        run(slit(), table)


def test_too_few_wavelengths():
    with pytest.raises(ReferenceFileError, match="1 wavelengths"):
        run(slit(), lrs(nelem=1))


def test_neither_wavelengths_nor_wcs():
    given = slit()
    given.wavelength = np.zeros(given.shape, np.float32)
    with pytest.raises(InputError, match="neither wavelengths nor a WCS"):
        run(given, lrs())


def test_soss_waits_for_its_extraction():
    model = datamodels.CubeModel(data=np.zeros((2, 256, 2048), np.float32))
    assign(model, cases.metadata("NIS_SOSS"))
    assert run(model, "N/A").meta.cal_step.photom == "SKIPPED"


def test_tables_of_soss():
    rows = [{"filter": "CLEAR", "pupil": "GR700XD", "order": k, "photmj": 2e-9} for k in (1, 2)]
    reference = flat_response(cases.photom("NisSossPhotomModel", rows, 0.7, 2.7))
    given = cases.soss_tables()
    result = run(given, reference)
    ours, before = result.spec[0].spec_table, given.spec[0].spec_table
    inside = (before["WAVELENGTH"] >= 0.7) & (before["WAVELENGTH"] <= 2.7)
    np.testing.assert_allclose(ours["FLUX"][inside], 2e-9 * before["FLUX"][inside], rtol=1e-6)
    assert (ours["FLUX"][~inside] == 0).all() and np.isnan(ours["WAVELENGTH"][:, :2]).all()
    assert ours.columns["FLUX"].unit == "MJy" and ours.columns["FLUX_VAR_FLAT"].unit == "MJy^2"


def test_other_extracted_spectra_are_left_alone():
    given = cases.soss_tables()
    given.meta.exposure.type = "MIR_LRS-SLITLESS"
    assert run(given, "N/A").meta.cal_step.photom == "SKIPPED"


def test_a_source_type_has_no_effect(caplog):
    run(slit(), lrs(), source_type="POINT")
    assert "source_type has no effect" in caplog.text
