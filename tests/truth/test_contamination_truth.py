"""Contamination of overlapping spectra against the simulator, which knows what light is whose.

Two pairs of stars behind NIRISS's GR150R: the spectrum of the brighter one of a pair lies on that of the
fainter. One of the brighter ones is flat, the other is not. What is left of it is measured in spectra that
are summed across the dispersion, in units of its light there.
"""

from dataclasses import replace

import numpy as np
import pytest
from grism_cases import MODES, wfss

from webbcal import simulate
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.contamination.wfss_contam import WfssContamStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.geometry.extract_2d import Extract2dStep
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.simulate.grisms.field import ListedSky, Source
from webbcal.simulate.spectrum import Spectrum

PLACES = ((1000, 1000), (1003, 1060), (600, 600), (602, 655))
#: Magnitude and slope of bright, faint; bright, faint.
LIGHT = ((19.3, 0.0), (21.0, 0.0), (19.3, -3.0), (21.0, 0.0))
FLAT, STEEP = 0, 1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return CRDS's environment; the spectra, the files of their field, and the light of bright and faint."""
    folder = tmp_path_factory.mktemp("overlap")
    detector, band, pattern, groups, _ = MODES["niriss", "R"]
    config = simulate.ExposureConfig(
        detector=detector, filter=band, readpatt=pattern, ngroups=groups, sky=simulate.Sky(background=0.12)
    )
    ra, dec = config.pointing.pixel_to_sky(*np.array(PLACES, float).T)
    stars = tuple(
        Source(float(r), float(d), magnitude, spectrum=Spectrum(1.0, 2.0, slope))
        for r, d, (magnitude, slope) in zip(ra, dec, LIGHT, strict=True)
    )
    sky = ListedSky(seed=1, background=0.12, sources=stars)
    case = wfss(folder, "niriss", "R", sky=sky)
    dark, *light = (
        simulate.expose_rates(replace(case.configs[0], sky=replace(sky, sources=s))).truth.rate_dn
        for s in ((), stars[::2], stars[1::2])
    )
    files = FieldFiles(case.catalog, case.segmentation, case.i2d)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in case.environment.items():
            patch.setenv(key, value)
        rate = AssignWcsStep().run(str(case.rates[0]))
        model = BackgroundStep().run(rate, None, files)
        before = model.data.copy()
        model = FlatFieldStep().run(model)
        flat = before / model.data
        spectra = Extract2dStep(extract_orders=[1]).run(model, files)
    return case.environment, (spectra, files, [(part - dark) / flat for part in light])


@pytest.fixture
def field(world, monkeypatch):
    """Return what `world` has made, with the references at hand."""
    for key, value in world[0].items():
        monkeypatch.setenv(key, value)
    return world[1]


def left(field, pair, **parameters):
    """Return what is left of the bright star in the faint one's spectrum: in all, and the rms along it."""
    spectra, files, (bright, faint) = field
    cleaned = WfssContamStep(skip=False, **parameters).run(spectra, files)
    x, y = PLACES[2 * pair + 1]
    slit = min(cleaned.slits, key=lambda s: np.hypot(s.source_xpos - x, s.source_ypos - y))
    (y0, x0), (ny, nx) = slit.corner, slit.shape
    box = np.s_[y0 : y0 + ny, x0 : x0 + nx]
    known = np.isfinite(slit.data) & np.isfinite(bright[box]) & np.isfinite(faint[box])
    other = np.where(known, bright[box], 0).sum(axis=1)
    rest = np.where(known, slit.data - faint[box], 0).sum(axis=1)
    lit = other > 0.2 * other.max()
    assert lit.sum() > 30 and other[lit].sum() > np.where(known, faint[box], 0).sum()
    return rest[lit].sum() / other[lit].sum(), np.sqrt(np.mean(rest[lit] ** 2)) / other[lit].mean()


def test_flat_spectra(field):
    whole, along = left(field, FLAT)
    assert abs(whole) < 0.05 and along < 0.05


@pytest.mark.parametrize("pair", [FLAT, STEEP])
def test_fitted_spectra(field, pair):
    whole, along = left(field, pair, polyfit_degree=2, fit_sums=True)
    assert abs(whole) < 0.02 and along < 0.02


def test_a_fit_of_pixels_is_better_than_none_for_steep_spectra(field):
    """As in jwst; it is held back by the width of the simulation."""
    flat, fitted = left(field, STEEP)[1], left(field, STEEP, polyfit_degree=2)[1]
    assert fitted < 0.4 * flat
