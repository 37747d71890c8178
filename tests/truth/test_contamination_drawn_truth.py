"""Contamination in a field drawn by hand (`drawn_field.py`): another grism, profiles and spectra.

`test_contamination_truth` uses the simulator's own scene, on which `wfss_contam.fit_sums` was found. Here
light falls by the published optics of NIRISS' GR150C, with other profiles, and the spectra of the
contaminating sources are no power laws: bumps, a break, emission lines, and a galaxy.
"""

import numpy as np
import pytest
from drawn_field import Drawn, dispersed, exponential, moffat, sensitivities, write_direct
from published import Published

from webbcal import datamodels, simulate
from webbcal.exposure.contamination.wfss_contam import WfssContamStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.geometry.extract_2d import Extract2dStep
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.simulate.grisms.references import write_grism_references
from webbcal.simulate.headers import assign, exposure_metadata
from webbcal.wcs.grism_slits import grism_wcs

BAND = (1.755, 2.226)
STAR = moffat(1.5)
NOISE = 0.02  # DN/s


def jansky(magnitude):
    """Return the flux of an AB magnitude."""
    return 3631 * 10 ** (-0.4 * magnitude)


def bumps(wave):
    return jansky(19.4) * (1 + 0.25 * np.sin(9 * wave) + 0.1 * np.cos(23 * wave))


def break_(wave):
    """Twice as bright beyond a break as before."""
    return jansky(19.3) * (1 + 1 / (1 + np.exp((1.95 - wave) / 0.02)))


def lines(wave):
    """A falling continuum with three lines of 1 % of the light each."""
    peaks = sum(np.exp(-0.5 * ((wave - w) / 0.004) ** 2) for w in (1.83, 1.97, 2.11))
    return jansky(19.2) * (2.0 / wave) ** 4 * (1 + 0.5 * peaks)


def flat(magnitude):
    return lambda wave: jansky(magnitude) + 0 * wave


#: Contaminating source and the one beside it that is to be cleaned.
PAIRS = {
    "bumps": (Drawn(1000.3, 900.2, bumps, STAR), Drawn(1058.7, 902.9, flat(21.2), STAR)),
    "break": (Drawn(500.6, 1400.5, break_, STAR), Drawn(551.2, 1397.8, flat(21.0), STAR)),
    "lines": (Drawn(1500.1, 500.9, lines, STAR), Drawn(1555.4, 503.3, flat(21.0), STAR)),
    "galaxy": (
        Drawn(700.4, 400.1, lambda w: jansky(18.6) * (w / 2) ** 3, exponential(2.6, 0.5, 0.7)),
        Drawn(752.9, 403.8, flat(20.6), STAR),
    ),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return CRDS's environment; spectra, the field's files, and the light of bright and faint sources."""
    folder = tmp_path_factory.mktemp("drawn")
    config = simulate.ExposureConfig(
        detector="NIS", filter="F200W", readpatt="NIS", grism=simulate.Grism("GR150C", wheel_offset=0.0)
    )
    cache = simulate.CrdsCache(folder / "crds")
    simulate.write_image_references(cache, {"NIS"})
    files = {path.name: path for path in write_grism_references(cache, [config])}
    (photom,) = (path for name, path in files.items() if "photom" in name)
    with datamodels.open(photom) as model:
        area = float(model.meta.photometry.pixelarea_steradians)
        sensitive = sensitivities(model, area)
    optics, rng = Published.read("NIRISS_F200W_GR150C"), np.random.default_rng(8)
    shape = config.aperture.shape
    bright, faint = (
        dispersed(shape, [pair[k] for pair in PAIRS.values()], optics, sensitive) for k in (0, 1)
    )
    model = datamodels.ImageModel((bright + faint + rng.normal(0, NOISE, shape)).astype(np.float32))
    model.err = np.full(shape, NOISE, np.float32)
    assign(model, exposure_metadata(config) | {"filename": "drawn_rate.fits"})
    model.meta.cal_step.bkg_subtract = "COMPLETE"
    with pytest.MonkeyPatch.context() as patch:
        for key, value in cache.environment.items():
            patch.setenv(key, value)
        exposure = AssignWcsStep().run(model)
        sources = [source for pair in PAIRS.values() for source in pair]
        paths = write_direct(folder, exposure, grism_wcs(exposure), sources, BAND, area, 0.01, rng)
        field = FieldFiles(*map(str, paths))
        spectra = Extract2dStep(extract_orders=[1]).run(exposure, field)
    return cache.environment, (spectra, field, bright, faint)


@pytest.fixture(scope="module")
def left(drawn):
    """Return what is left of each bright source, by what is assumed of spectra: in all, and the rms along."""
    environment, (spectra, field, bright, faint) = drawn
    assumed = {"flat": {}, "pixels": {"polyfit_degree": 2}, "sums": {"polyfit_degree": 2, "fit_sums": True}}
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        for name, parameters in assumed.items():
            cleaned = WfssContamStep(skip=False, **parameters).run(spectra, field)
            by_source = {slit.source_id: slit for slit in cleaned.slits}
            found[name] = {pair: _left(by_source[2 * k + 2], bright, faint) for k, pair in enumerate(PAIRS)}
    return found


def _left(slit, bright, faint):
    """Return what is left in the spectrum of a faint source, in units of the bright one's light there."""
    (y0, x0), (ny, nx) = slit.corner, slit.shape
    box = np.s_[y0 : y0 + ny, x0 : x0 + nx]
    other, own = bright[box].sum(axis=0), faint[box].sum(axis=0)
    rest = slit.data.sum(axis=0) - own
    lit = other > 0.2 * other.max()
    assert lit.sum() > 20 and other[lit].sum() > 1.5 * own[lit].sum()
    return abs(rest[lit].sum() / other[lit].sum()), np.sqrt(np.mean(rest[lit] ** 2)) / other[lit].mean()


@pytest.mark.parametrize("pair", PAIRS)
def test_a_fit_of_sums_takes_the_light_away(left, pair):
    """All of it within 2 %; along the spectrum what a parabola can follow."""
    assert left["sums"][pair][0] < 0.02 < left["flat"][pair][0]
    assert left["sums"][pair][1] < 0.6 * left["flat"][pair][1]


def test_a_fit_of_pixels_leaves_more_of_stars(left):
    """Of a galaxy, which is wide, it does not."""
    for pair in ("break", "lines"):
        assert left["sums"][pair][0] < 0.3 * left["pixels"][pair][0]
    assert left["pixels"]["galaxy"][0] < 0.01
