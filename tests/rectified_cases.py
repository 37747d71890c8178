"""Spectra of MIRI's slit whose WCS is simple: places along rows, wavelengths that fall with the row."""

import numpy as np
from slit_cases import metadata

from webbcal import datamodels
from webbcal.combine.rectified.trees import Line, rectified_wcs
from webbcal.simulate.headers import assign

SCALE = 0.11 / 3600  # degrees
CENTRE = 30.0, -20.0
CORNERS = "POLYGON ICRS 30.0 -20.0 30.0 -20.0001 30.0001 -20.0001 30.0001 -20.0"


def wavelengths(rows):
    """Return the wavelength of each row, µm; steps are not equal."""
    return 12.0 - 0.03 * np.arange(rows) - 1e-4 * np.arange(rows) ** 2


def spectrum(shift=0, shape=(40, 21), value=3.0, unit="MJy/sr", number=1, seed=None, waves=None):
    """Return an exposure; its slit is `shift` pixels further to the west than that of another."""
    rows, columns = shape
    angle = np.radians(30)
    lines = [
        Line(slope, -slope * ((columns - 1) / 2 - shift))
        for slope in (-SCALE * np.cos(angle), SCALE * np.sin(angle))
    ]
    model = datamodels.SlitModel()
    data = np.full(shape, value)
    if seed is not None:
        data = data + np.random.default_rng(seed).normal(0, 0.3, shape)
    model.data = data.astype(np.float32)
    for name, level in (("var_rnoise", 0.04), ("var_poisson", 0.04), ("var_flat", 0.01)):
        setattr(model, name, np.full(shape, level, np.float32))
    model.err = np.full(shape, 0.3, np.float32)
    model.dq = np.zeros(shape, np.uint32)
    more = {
        "wcsinfo.dispersion_direction": 2, "wcsinfo.s_region": CORNERS, "bunit_data": unit, "bunit_err": unit,
        "filename": f"jw00001_0000{number}_mirimage_cal.fits", "photometry.pixelarea_steradians": 2.8e-13,
        "exposure.exposure_time": 100.0, "exposure.start_time": 60000.0 + number, "exposure.duration": 100.0,
        "exposure.end_time": 60000.1 + number, "group_id": str(number), "subarray.xsize": columns,
        "subarray.ysize": rows,
    }  # fmt: skip
    assign(model, metadata("MIR_LRS-FIXEDSLIT", **more))
    waves = wavelengths(rows) if waves is None else waves
    model.meta.wcs = rectified_wcs(*lines, CENTRE, waves, shape, dispersion=1)
    return model
