"""Slitless spectra against the truth: calibrated by our own pipelines, from rates to extracted spectra."""

import os

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from grism_cases import tsgrism, wfss
from scipy.optimize import curve_fit

from webbcal import datamodels
from webbcal.pipeline.spec2 import Spec2Pipeline
from webbcal.report.wfss_truth import compare_wfss
from webbcal.simulate import Truth
from webbcal.simulate.grisms.dispersing import source_table

#: Pixels around a line, and from which its share of a spectrum is left out of statistics.
NEAR, FAR = 6, 12


@pytest.fixture(scope="module", params=[("nircam", "R"), ("niriss", "R"), ("miri", "P")], ids=lambda p: p[0])
def field(request, tmp_path_factory):
    """Return a field of stars."""
    return request.param[0], wfss(tmp_path_factory.mktemp("wfss"), *request.param, galaxies=0.0)


@pytest.fixture(scope="module")
def compared(field):
    """Return the stars of a field with their spectra, from first to last exactly as users make them."""
    instrument, case = field
    return instrument, _spectra(case, case.spec2[0], case.folder)


@pytest.fixture(scope="module")
def ideal(field, tmp_path_factory):
    """Return the same without noise or bad pixels, the catalogue told where the stars are."""
    case, folder = field[1], tmp_path_factory.mktemp("ideal")
    with datamodels.open(case.rates[0]) as rate:
        rate.data, rate.dq = Truth.load(case.truths[0]).rate_dn, np.zeros_like(rate.dq)
        for name in ("err", "var_poisson", "var_rnoise"):
            rate[name] = np.nan_to_num(rate[name], nan=np.nanmedian(rate[name]))
        rate.save(folder / case.rates[0].name)
    _with_true_places(case).write(folder / case.catalog.name)
    for path in (case.spec2[0], case.i2d, case.segmentation):
        (folder / path.name).symlink_to(path)
    return _spectra(case, folder / case.spec2[0].name, folder)


def _spectra(case, association, folder):
    """Calibrate an exposure, and return its spectra beside the truth."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setitem(os.environ, name, value)
        Spec2Pipeline.call(str(association), output_dir=str(folder), save_results=True)
    return compare_wfss(case.configs[0], folder / case.rates[0].name.replace("_rate", "_x1d"))


def _with_true_places(case):
    """Return the catalogue of a field with each star where it was simulated."""
    table, true = QTable.read(case.catalog), source_table(case.configs[0])
    true = SkyCoord(true["ra"], true["dec"], unit="deg")
    nearest, apart, _ = table["sky_centroid"].match_to_catalog_sky(true)
    assert (apart.arcsec < 0.1).all()
    table["sky_centroid"] = true[nearest]
    return table


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


def test_the_optics_put_lines_where_they_are(ideal):
    """What is beyond in the test above is noise, bad pixels and the catalogue."""
    offsets = [offset for c in ideal for offset, _ in _offsets(c)]
    print(np.round(offsets, 4))
    assert len(offsets) >= 3
    assert np.abs(offsets).max() < 0.05


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
