"""Slitless spectra against the community's configurations, which nobody here has evaluated or written.

The excerpts in ``grism_configurations/`` are evaluated as their form is published (`published.py`), and
compared with the WCS that `assign_wcs` makes of the simulator's reference files.

Places on the trace and their wavelengths are compared to a hundredth of a pixel. From wavelengths to places,
NIRCam's WCS (that of jwst, reproduced) looks up t in forty steps, good to a pixel, at the ends of a trace to
twenty; it decides where boxes end, so along the dispersion it is not asked for more.
"""

import os

import numpy as np
import pytest
from published import Published

from webbcal import datamodels, simulate
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate.grisms.dispersing import beam_of
from webbcal.simulate.grisms.references import write_grism_references
from webbcal.simulate.headers import assign, exposure_metadata

CASES = {
    "NIRCAM_F444W_modA_R": ("NRCALONG", "F444W", "GRISMR", "SHALLOW4"),
    "NIRCAM_F444W_modA_C": ("NRCALONG", "F444W", "GRISMC", "SHALLOW4"),
    "NIRCAM_F356W_modB_R": ("NRCBLONG", "F356W", "GRISMR", "SHALLOW4"),
    "NIRCAM_F356W_modB_C": ("NRCBLONG", "F356W", "GRISMC", "SHALLOW4"),
    "NIRISS_F200W_GR150C": ("NIS", "F200W", "GR150C", "NIS"),
    "NIRISS_F200W_GR150R": ("NIS", "F200W", "GR150R", "NIS"),
    "NIRISS_F115W_GR150R": ("NIS", "F115W", "GR150R", "NIS"),
}
LIMIT = 0.1  # pixels
PLACES = ((1023.5, 1023.5), (200.0, 350.0), (1700.0, 1900.0))


@pytest.mark.parametrize("name", CASES)
def test_traces_and_wavelengths_are_the_published_ones(name, tmp_path):
    detector, band, grism, pattern = CASES[name]
    config = simulate.ExposureConfig(
        detector=detector, filter=band, readpatt=pattern, grism=simulate.Grism(grism, wheel_offset=0.0)
    )
    published, reach, wcs = Published.read(name), beam_of(config).reach, _wcs(config, tmp_path)
    to_grism = wcs.get_transform("detector", "grism_detector")
    to_direct = wcs.get_transform("grism_detector", "detector")
    worst = {"trace": 0.0, "along": 0.0, "wavelength": 0.0}
    for x0, y0 in PLACES:
        for order in published.orders:
            t = np.linspace(0.0, 1.0, 2001)
            wave, dx, dy = (published(q, order, x0, y0, t) for q in "LXY")
            inside = np.flatnonzero((wave > reach[0]) & (wave < reach[1]))[::200]
            places = np.array([_place(to_grism(x0, y0, wave[k], order)) for k in inside]) - (x0, y0)
            axis = int(np.ptp(dy) > np.ptp(dx))
            along, across = (dx, dy) if axis == 0 else (dy, dx)
            rising = np.argsort(along)
            curve = np.interp(places[:, axis], along[rising], across[rising])
            worst["trace"] = max(worst["trace"], np.abs(places[:, 1 - axis] - curve).max())
            worst["along"] = max(worst["along"], np.abs(places[:, axis] - along[inside]).max())
            step = np.abs(np.gradient(wave, along))  # micrometres a pixel
            found = [float(np.squeeze(to_direct(x0 + dx[k], y0 + dy[k], x0, y0, order)[2])) for k in inside]
            worst["wavelength"] = max(
                worst["wavelength"], np.max(np.abs(found - wave[inside]) / step[inside])
            )
    print(name, {key: f"{value:.2g}" for key, value in worst.items()})
    assert worst["trace"] < LIMIT and worst["wavelength"] < LIMIT
    assert worst["along"] < (20.0 if detector.startswith("NRC") else LIMIT)


def _place(outputs):
    """Return x and y of what a transform returns."""
    return [float(np.squeeze(v)) for v in outputs[:2]]


def _wcs(config, folder):
    """Return the WCS of an empty exposure."""
    cache = simulate.CrdsCache(folder / "crds")
    simulate.write_image_references(cache, {config.detector})
    write_grism_references(cache, [config])
    model = datamodels.ImageModel(config.aperture.shape)
    model.data = np.zeros(config.aperture.shape, np.float32)
    assign(model, exposure_metadata(config))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setitem(os.environ, name, value)
        return AssignWcsStep.call(model, sip_approx=False).meta.wcs
