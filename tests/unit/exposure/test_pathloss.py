"""pathloss: factors by hand, sources beside the slit, and what it skips."""

import numpy as np
import pytest
import slit_cases as cases
from rectified_cases import spectrum

from webbcal import datamodels
from webbcal.core.errors import InputError, PlanError, ReferenceFileError
from webbcal.exposure.response.pathloss import PathLossStep
from webbcal.exposure.response.pathloss_slit import at_wavelengths
from webbcal.simulate.headers import assign
from webbcal.wcs import trees

MIDDLE = 10.0, 20.0


def slit(x=10.0, y=20.0):
    """Return a spectrum whose WCS begins, as that of LRS, with the shift to its reference and back."""
    model = spectrum()
    tree = model.meta.instance["wcs"]
    first = tree.value["steps"][0].value["transform"]
    there = trees.both(trees.shift(-MIDDLE[0]), trees.shift(-MIDDLE[1]))
    back = trees.both(trees.shift(MIDDLE[0]), trees.shift(MIDDLE[1]))
    whole = trees.bounded(trees.chain(there, trees.chain(back, first)), ((-0.5, 20.5), (-0.5, 39.5)))
    last = tree.value["steps"][-1].value["frame"]
    model.meta.wcs = trees.wcs([(trees.frame("detector", ("x", "y"), "pixel"), whole), (last, None)])
    model.source_xpos, model.source_ypos = x, y
    return model


def losses(**more):
    """Return factors that grow with the column of the source, and with the wavelength."""
    model = datamodels.MirLrsPathlossModel()
    dtype = [("wavelength", "f4"), ("pathloss", "f4", (11, 21)), ("pathloss_err", "f4", (11, 21))]
    table = np.zeros(30, dtype)
    table["wavelength"] = np.linspace(13, 5, 30)
    x = np.arange(21) - 10
    table["pathloss"] = 2 + 0.1 * x + 0.01 * table["wavelength"][:, None, None]
    model.pathloss_table = table
    told = {"reftype": "pathloss", "instrument.name": "MIRI", "instrument.detector": "MIRIMAGE"}
    axes = {"crpix1": 11.0, "crval1": 0.0, "cdelt1": 1.0, "crpix2": 6.0, "crval2": 0.0, "cdelt2": 1.0}
    assign(model, told | {f"wcsinfo.{name}": value for name, value in (axes | more).items()})
    return model


def run(model, reference=None, **parameters):
    return PathLossStep.call(model, override_pathloss=reference or losses(), **parameters)


@pytest.mark.parametrize("offset", [0.0, 2.25, -3.5])
def test_factors_by_place_and_wavelength(offset):
    given = slit(MIDDLE[0] + offset)
    result = run(given)
    expected = 2 + 0.1 * offset + 0.01 * result.wavelength
    np.testing.assert_allclose(result.pathloss_point, expected, rtol=1e-5)
    np.testing.assert_allclose(result.data, given.data * expected, rtol=1e-5)
    np.testing.assert_allclose(result.var_poisson, given.var_poisson * expected**2, rtol=1e-5)
    assert result.meta.cal_step.pathloss == "COMPLETE"


def test_there_and_back():
    given = slit(11.5)
    back = run(run(given), inverse=True)
    np.testing.assert_allclose(back.data, given.data, rtol=1e-6)


def test_a_source_outside_of_the_slit_is_taken_to_be_in_the_middle(caplog):
    result = run(slit(MIDDLE[0] + 40))
    np.testing.assert_allclose(result.pathloss_point, run(slit()).pathloss_point)
    assert "outside of the slit" in caplog.text


def test_the_users_offset_is_across_the_slit():
    reference = losses()
    table = np.array(reference.pathloss_table)
    table["pathloss"] = 2 + 0.1 * (np.arange(11) - 5)[:, None]
    reference.pathloss_table = table
    result = run(slit(), reference, user_slit_loc=0.22)  # two pixels
    np.testing.assert_allclose(result.pathloss_point, 2.2, rtol=1e-4)


def test_the_target_tells_the_place_if_nothing_else_does():
    model = slit()
    del model.source_xpos, model.source_ypos
    with pytest.raises(InputError, match="TARG_RA"):
        run(model)
    model.meta.target.ra, model.meta.target.dec = 30.0, -20.0
    np.testing.assert_allclose(run(model).pathloss_point, 2 + 0.01 * run(slit()).wavelength, rtol=1e-3)


def test_beyond_the_wavelengths_of_the_reference():
    points = np.array([3.0, 1.0, 2.0], np.float32)
    found = at_wavelengths(points, np.array([30.0, 10.0, 20.0]), np.array([0.5, 1.0, 1.5, 3.0, 3.1, np.nan]))
    np.testing.assert_array_equal(found, np.array([np.nan, np.nan, 15, 30, np.nan, np.nan], np.float32))


def test_extended_sources_lose_nothing():
    model = slit()
    model.meta.target.source_type = "EXTENDED"
    assert run(model).meta.cal_step.pathloss == "SKIPPED"
    assert run(model, source_type="POINT").meta.cal_step.pathloss == "COMPLETE"


@pytest.mark.parametrize("mode", ["MIR_LRS-SLITLESS", "NRC_WFSS", "MIR_WFSS", "NRC_TSGRISM", "NIS_WFSS"])
def test_modes_without_a_slit(mode):
    model = cases.slit_model(mode, (40, 30), 3.0, 4.0, 1)
    assert run(model).meta.cal_step.pathloss == "SKIPPED"


def test_nirspec_is_refused():
    model = slit()
    model.meta.exposure.type = "NRS_FIXEDSLIT"
    with pytest.raises(PlanError, match="path losses"):
        run(model)


def test_a_reference_of_another_kind():
    with pytest.raises(ReferenceFileError, match="no table of losses"):
        run(slit(), datamodels.PathlossModel())
