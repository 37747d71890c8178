"""Slitless spectra against the truth: calibrated by our own pipelines, from rates to extracted spectra."""

import os

import numpy as np
import pytest
from grism_cases import tsgrism, wfss
from scipy.optimize import curve_fit

from webbcal import datamodels
from webbcal.pipeline.spec2 import Spec2Pipeline
from webbcal.report.wfss_truth import compare_wfss
from webbcal.simulate import Truth

#: Pixels around a line, and from which its share of a spectrum is left out of statistics.
NEAR, FAR = 6, 12


@pytest.fixture(scope="module", params=[("nircam", "R"), ("niriss", "R"), ("miri", "P")], ids=lambda p: p[0])
def compared(request, tmp_path_factory):
    """Return the stars of a field with their spectra, from first to last exactly as users make them."""
    case = wfss(tmp_path_factory.mktemp("wfss"), *request.param, galaxies=0.0)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setitem(os.environ, name, value)
        Spec2Pipeline.call(str(case.spec2[0]), output_dir=str(case.folder), save_results=True)
    x1d = case.rates[0].with_name(case.rates[0].name.replace("_rate", "_x1d"))
    return request.param[0], compare_wfss(case.configs[0], x1d)


def test_fluxes_of_stars_are_within_a_percent(compared):
    _, found = compared
    assert len(found) >= 5
    for c in found:
        uncertain = 1.0 / np.sqrt(np.sum((c.truth / c.error) ** 2))
        assert abs(c.ratio - 1.0) < 0.01 + 3.0 * uncertain, (c.label, c.ratio, uncertain)
    weights = np.array([np.sum((c.truth / c.error) ** 2) for c in found])
    mean = np.sum(weights * [c.ratio for c in found]) / weights.sum()
    assert abs(mean - 1.0) < 0.006


def test_errors_are_as_stated(compared):
    """Of the fainter half: in bright stars bad pixels, which a box leaves out, count for more than noise."""
    _, found = compared
    faint = sorted(found, key=lambda c: float(np.median(c.truth / c.error)))[: len(found) // 2]
    pulls = np.concatenate([c.pulls for c in faint])
    middle = np.median(pulls)
    assert abs(middle) < 0.15
    assert 0.9 < 1.4826 * np.median(np.abs(pulls - middle)) < 1.15


def test_lines_are_where_they_are(compared):
    """Within 0.05 pixel, beside the noise of the fit and the error of the catalogue's position."""
    instrument, found = compared
    catalogue = {"nircam": 0.02, "niriss": 0.06, "miri": 0.03}[instrument]
    offsets = [o for c in found for o in _offsets(c)]
    assert len(offsets) >= 3
    for offset, error in offsets:
        assert abs(offset) < 0.05 + catalogue + 3.0 * error


def _offsets(c):
    """Yield how far lines are off and how sure that is, pixels, by fits to spectrum and truth alike."""
    pixel = np.arange(len(c.wavelength), dtype=float)
    for line in c.lines:
        middle = int(np.argmin(np.abs(c.wavelength - line)))
        part = slice(max(middle - NEAR, 0), middle + NEAR + 1)
        if len(pixel[part]) < 2 * NEAR + 1:
            continue
        (true, _), (measured, error) = (
            _fitted(pixel[part], values[part], c.error[part]) for values in (c.truth, c.flux)
        )
        if error < 0.2:
            yield measured - true, error


def _fitted(x, values, error):
    """Return the centre of a Gaussian on a sloping continuum, and its error."""
    start = (np.median(values), 0.0, np.ptp(values), x[len(x) // 2], 1.5)

    def line(x, level, slope, height, centre, sigma):
        return level + slope * (x - start[3]) + height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)

    best, covariance = curve_fit(line, x, values, start, sigma=error, absolute_sigma=True, maxfev=4000)
    return best[3], np.sqrt(covariance[3, 3])


def test_a_transit_through_the_grism(tmp_path):
    case = tsgrism(tmp_path, nints=5)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setitem(os.environ, name, value)
        Spec2Pipeline.call(str(case.spec2[0]), output_dir=str(case.folder), save_results=True)
    truth = Truth.load(case.truths[0])
    known = np.sort(truth.spectrum[truth.spectrum["order"] == 1], order="wavelength")
    name = case.rates[0].name.replace("_rateints", "_x1dints")
    with datamodels.open(case.folder / name) as model:
        table = np.array(model.spec[0].spec_table)
    wave, flux = table["WAVELENGTH"], table["FLUX"]
    inside = (wave[0] > 3.95) & (wave[0] < 4.9) & np.isfinite(flux).all(axis=0)
    seen = np.interp(wave[0][inside], known["wavelength"], known["seen"])
    ratios = np.median(flux[:, inside] / seen, axis=1)
    expected = 1.0 - case.configs[0].grism.transit.depth * truth.curve
    np.testing.assert_allclose(ratios, expected, atol=3e-3)
    np.testing.assert_allclose(ratios / ratios[0], expected / expected[0], atol=8e-4)
