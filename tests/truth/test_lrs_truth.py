"""calwebb_spec2 and calwebb_spec3 recover the simulated spectra of MIRI's low-resolution spectrometer.

Images are combined by exposure time. The default weights (read noise of single pixels) mix the flanks of a
star unevenly where it is narrower than two pixels: see docs/truth.md.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from spectral_cases import SLIT, SLITLESS, association, lrs_slit, lrs_slitless, root

from webbcal import datamodels, simulate
from webbcal.pipeline.spec2 import Spec2Pipeline
from webbcal.pipeline.spec3 import Spec3Pipeline
from webbcal.report.spectrum_truth import SpectrumComparison, compare_spectrum
from webbcal.simulate.lrs import Lrs, Transit, star_with_lines
from webbcal.simulate.spectrum import Spectrum

BANDS = ((5.1, 7.0), (7.0, 9.0), (9.0, 11.0), (11.0, 13.9))
EQUAL = {"resample_spec": {"weight_type": "exptime"}}
FILLED = {"pixel_replace": {"skip": False}} | EQUAL


@dataclass(frozen=True)
class Calibrated:
    """A case, where its products are, and the environment that made them."""

    case: object
    folder: Path

    def product(self, suffix: str, k: int = 0) -> Path:
        """Return a product of stage 2."""
        return self.folder / f"{root(self.case.rates[k])}_{suffix}.fits"

    def compared(self, x1d: Path, k: int = 0) -> SpectrumComparison:
        """Return a spectrum beside the truth of an exposure."""
        return compare_spectrum(x1d, truth_of(self.case.rates[k]))


def truth_of(rate: Path) -> Path:
    """Return where the truth of an exposure is."""
    return rate.with_name(f"{root(rate)}_truth.fits")


def run(pipeline, case, source, folder, steps=None):
    """Run a pipeline with everything saved into a folder."""
    with mock.patch.dict(os.environ, case.environment):
        return pipeline.call(str(source), output_dir=str(folder), save_results=True, steps=steps or {})


@pytest.fixture(scope="module")
def nodded(tmp_path_factory):
    """A nod pair, each the background of the other, and the spectrum of both together."""
    folder = tmp_path_factory.mktemp("nods")
    case = lrs_slit(folder)
    out = folder / "out"
    out.mkdir()
    for path in case.spec2:
        run(Spec2Pipeline, case, path, out, FILLED)
    entries = [(out / f"{root(rate)}_cal.fits", "science") for rate in case.rates]
    run(Spec3Pipeline, case, association(out, "spec3", "star", entries), out, FILLED)
    return Calibrated(case, out)


def single(folder, lrs, **values):
    """Write the rate of one exposure of the middle of the slit; returns its path."""
    rate, _ = simulate.expose_rates(replace(SLIT, lrs=lrs, **values)).save(folder)
    return rate


def test_lines_are_where_they_should_be(nodded):
    combined = nodded.compared(nodded.folder / "star_x1d.fits")
    assert len(combined.lines) == 7
    assert max(abs(line.offset) for line in combined.lines) < 0.03
    for k in (0, 1):
        lines = nodded.compared(nodded.product("x1d", k), k).lines
        assert max(abs(line.offset) for line in lines) < 0.05


def test_the_flux_of_a_star_is_right_and_unbiased(nodded):
    spectra = [nodded.compared(nodded.product("x1d", k), k) for k in (0, 1)]
    for found in (*spectra, nodded.compared(nodded.folder / "star_x1d.fits")):
        for low, high in BANDS:
            part = (found.wavelength >= low) & (found.wavelength < high)
            excess = found.excess[part]
            typical = 1.4826 * np.median(np.abs(excess - np.median(excess)))
            assert abs(np.median(excess)) < 0.002 + 4 * 1.25 * typical / np.sqrt(part.sum())
            assert abs(np.median(excess)) < 0.005


def test_errors_are_those_of_a_star_alone(nodded, tmp_path):
    """Pixels without correlation: not rectified; the sky dark, since nods do not add to the errors."""
    pulls = []
    for seed in (1, 2, 3):
        dim = Lrs(star_with_lines(0.003), sky=Spectrum(0.0))
        rate = single(tmp_path / str(seed), dim, seed=seed)
        run(Spec2Pipeline, nodded.case, rate, tmp_path, {"resample_spec": {"skip": True}})
        product = tmp_path / f"{root(rate)}_x1d.fits"
        found = compare_spectrum(product, truth_of(rate))
        pulls.append(found.pulls[found.pixels > 9.99])  # of boxes without bad pixels
    every = np.concatenate(pulls)
    assert len(every) > 1000
    assert abs(every.mean()) < 0.05 + 3.0 / np.sqrt(len(every))
    assert every.std() == pytest.approx(1.0, abs=0.1)


def test_the_sky_is_right_and_flat(nodded, tmp_path):
    rate = single(tmp_path, Lrs(None, sky=Spectrum(2000.0, 10.0, 1.0)))
    run(Spec2Pipeline, nodded.case, rate, tmp_path, EQUAL)
    truth = simulate.Truth.load(truth_of(rate)).spectrum
    inner = (truth["wavelength"] > 5.1) & (truth["wavelength"] < 13.9)
    with datamodels.open(tmp_path / f"{root(rate)}_cal.fits") as cal:
        assert cal.meta.target.source_type == "EXTENDED"
        data = np.array(cal.data)[truth["row"][inner], 308:344]
    ratio = data / truth["sky"][inner][:, None]
    assert abs(np.nanmedian(ratio) - 1) < 0.001
    for part in np.array_split(np.arange(ratio.shape[0]), 8):
        assert abs(np.nanmedian(ratio[part]) - 1) < 0.005
    with datamodels.open(tmp_path / f"{root(rate)}_x1d.fits") as x1d:
        table = np.array(x1d.spec[0].spec_table)
    expected = np.interp(table["WAVELENGTH"], truth["wavelength"][::-1], truth["sky"][::-1])
    assert abs(np.nanmedian(table["SURF_BRIGHT"] / expected) - 1) < 0.002


def test_what_the_slit_has_cut_off_comes_back(nodded, tmp_path):
    """A star a pixel off the middle, across the slit; only who says so gets its flux."""
    aperture = SLIT.aperture
    ra, dec = SLIT.pointing.pixel_to_sky(np.array([aperture.x_ref - 1]), np.array([aperture.y_ref]))
    error = float((SLIT.ra - ra[0]) * 3600 * np.cos(np.radians(SLIT.dec))), float((SLIT.dec - dec[0]) * 3600)
    rate = single(tmp_path, Lrs(star_with_lines(), sky=Spectrum(0.0)), pointing_error=error)
    excess = {}
    for place in (None, aperture.y_scale):
        out = tmp_path / f"at_{place}"
        out.mkdir()
        run(Spec2Pipeline, nodded.case, rate, out, {"pathloss": {"user_slit_loc": place}} | FILLED)
        found = compare_spectrum(out / f"{root(rate)}_x1d.fits", truth_of(rate))
        excess[place] = np.median(found.excess)
    assert excess[None] < -0.05
    assert abs(excess[aperture.y_scale]) < 0.005


def test_steps_that_are_skipped_show(nodded, tmp_path):
    # Not rectified: without a flat there is no VAR_FLAT, and what is resampled has no error, as in jwst.
    found = {}
    for name in ("none", "flat_field", "pathloss"):
        out = tmp_path / name
        out.mkdir()
        steps = {"resample_spec": {"skip": True}, "pixel_replace": {"skip": False}}
        left_out = {} if name == "none" else {name: {"skip": True}}
        run(Spec2Pipeline, nodded.case, nodded.case.spec2[0], out, steps | left_out)
        found[name] = nodded.compared(out / nodded.product("x1d").name)
    typical = {name: float(np.median(np.abs(c.excess))) for name, c in found.items()}
    assert typical["flat_field"] > 1.3 * typical["none"]
    assert np.median(found["pathloss"].excess) < -0.05 < np.median(found["none"].excess)


def test_a_transit_has_its_depth(tmp_path):
    deep = Transit(depth=0.05, colour=0.05)
    case = lrs_slitless(tmp_path, replace(SLITLESS, nints=20, lrs=replace(SLITLESS.lrs, transit=deep)))
    run(Spec2Pipeline, case, case.spec2[0], tmp_path)
    truth = simulate.Truth.load(truth_of(case.rates[0]))
    with datamodels.open(tmp_path / f"{root(case.rates[0])}_x1dints.fits") as model:
        table = np.array(model.spec[0].spec_table)
    wave, flux, error = (table[name].astype(float) for name in ("WAVELENGTH", "FLUX", "FLUX_ERROR"))
    inside, outside = truth.curve == 1.0, truth.curve == 0.0
    for low, high in BANDS:
        part = (wave[0] > low) & (wave[0] < high) & np.isfinite(flux).all(axis=0)
        light = flux[:, part].sum(axis=1)
        noise = np.sqrt((error[:, part] ** 2).sum(axis=1)) / light[outside].mean()
        depth = 1 - light[inside].mean() / light[outside].mean()
        expected = (deep.depths(wave[0, part]) * flux[outside][:, part].mean(axis=0)).sum() / light[
            outside
        ].mean()
        sigma = noise.mean() * np.sqrt(1 / inside.sum() + 1 / outside.sum())
        assert abs(depth - expected) < 4 * sigma
        assert sigma < 0.003, "or the test says nothing"
