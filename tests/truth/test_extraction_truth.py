"""Extracted spectra beside what was put in: no bias, and errors as large as the scatter."""

import numpy as np
import pytest
import spectrum_cases as cases

from webbcal.spectra.combine_1d import Combine1dStep
from webbcal.spectra.extract_1d import Extract1dStep

AREA = 2.8e-13 * 1e6  # Jy for MJy/sr in a pixel
X = np.arange(cases.SHAPE[1])


def truth():
    """Return the flux of the source in all pixels, Jy, and the background in the middle of the aperture."""
    peak, sigma = 40 * (1 + 0.3 * np.sin(X / 9)), 1.2 + 0.005 * X
    return peak * sigma * np.sqrt(2 * np.pi) * AREA


def series(nints, **options):
    """Return independent exposures of a slit as integrations; noise of flat fields is not simulated."""
    slit = cases.slit("NRC_TSGRISM", vertical=False, nints=nints, bad=0, **options)
    slit.var_flat[:] = 0
    return slit


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    """Spectra of 60 exposures with a background on both sides."""
    reference = cases.extract1d(
        tmp_path_factory.mktemp("truth"),
        {
            "id": "ANY", "ystart": 4, "ystop": 23, "bkg_order": 1,
            "bkg_coeff": [[-0.5], [3.5], [23.5], [29.5]],
        },
    )  # fmt: skip
    return Extract1dStep(override_extract1d=reference, override_apcorr="N/A").run(series(60))


def test_fluxes_are_unbiased_and_errors_are_the_scatter(spectra):
    table = spectra.spec[0].spec_table
    pulls = (table["FLUX"] - truth()) / table["FLUX_ERROR"]
    assert abs(pulls.mean()) < 0.05
    assert abs(pulls.std() - 1) < 0.05
    assert abs((table["FLUX"].mean(axis=0) / truth()).mean() - 1) < 0.005


def test_the_background_is_what_lies_under_the_source(spectra):
    table = spectra.spec[0].spec_table
    expected = 3 + 0.05 * 13.5
    pulls = (table["BACKGROUND"] - expected) / table["BKGD_ERROR"]
    assert abs(pulls.mean()) < 0.05
    assert abs(pulls.std() - 1) < 0.05


def test_a_mean_of_many_has_the_error_of_a_mean(spectra):
    table = Combine1dStep(exptime_key="unit_weight").run(spectra).spec[0].spec_table
    assert (table["N_INPUT"] == 60).all()
    # Of the first and the last sample the mean of 60 equal wavelengths may be beyond them, by rounding.
    at = np.rint((table["WAVELENGTH"] - spectra.spec[0].spec_table["WAVELENGTH"][0, 0]) / cases.STEP).astype(
        int
    )
    assert len(at) >= len(X) - 2
    pulls = (table["FLUX"] - truth()[at]) / table["ERROR"]
    assert abs(pulls.std() - 1) < 0.3
    single = spectra.spec[0].spec_table["FLUX_ERROR"].mean(axis=0)[at]
    np.testing.assert_allclose(table["ERROR"], single / np.sqrt(60), rtol=1e-3)
