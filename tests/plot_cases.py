"""Small products made by hand, with what plots are to show: a star, jumps, flags, a rate, spectra."""

import numpy as np

from webbcal import datamodels
from webbcal.core import dqflags

JUMP, SATURATED = dqflags.group["JUMP_DET"], dqflags.group["SATURATED"]
DEAD, DO_NOT_USE = dqflags.pixel["DEAD"], dqflags.pixel["DO_NOT_USE"]
GROUP_TIME = 10.0
#: Of the ramp: column and row of a pixel with a jump, its group, and DN that it adds; and DN/s of all pixels.
JUMPED, JUMP_GROUP, JUMP_SIZE, RATE = (7, 3), 4, 500.0, 5.0


def ramp(groups=8, shape=(10, 12), integrations=2):
    """Return a ramp without noise whose last integration has one jump and a saturated pixel (0, 0)."""
    model = datamodels.RampModel()
    rising = 100.0 + RATE * GROUP_TIME * np.arange(groups)
    model.data = np.broadcast_to(rising[:, None, None], (integrations, groups, *shape)).astype(np.float32)
    model.groupdq = np.zeros(model.data.shape, np.uint8)
    model.pixeldq = np.zeros(shape, np.uint32)
    x, y = JUMPED
    model.data[-1, JUMP_GROUP:, y, x] += JUMP_SIZE
    model.groupdq[-1, JUMP_GROUP, y, x] = JUMP
    model.groupdq[-1, 5:, 0, 0] = SATURATED
    model.pixeldq[1, 1] = DEAD | DO_NOT_USE
    model.meta.exposure.group_time = GROUP_TIME
    model.meta.filename = "jw1_nrcb1_ramp.fits"
    model.meta.instrument.detector, model.meta.instrument.filter = "NRCB1", "F200W"
    return model


def rate(shape=(10, 12), integrations=None):
    """Return the rates of that ramp."""
    if integrations:
        model = datamodels.CubeModel(np.full((integrations, *shape), RATE, np.float32))
    else:
        model = datamodels.ImageModel(np.full(shape, RATE, np.float32))
    model.meta.bunit_data, model.meta.filename = "DN/s", "jw1_nrcb1_rate.fits"
    return model


def image(shape=(40, 50), star=(30, 20), sky=2.0, noise=0.1, seed=1):
    """Return an image of a star on a noisy sky, with a dead pixel that is far too bright."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    data = np.random.default_rng(seed).normal(sky, noise, shape)
    data += 100 * np.exp(-((x - star[0]) ** 2 + (y - star[1]) ** 2) / 4)
    model = datamodels.ImageModel(data.astype(np.float32))
    model.dq = np.zeros(shape, np.uint32)
    model.dq[5, 6] = DEAD | DO_NOT_USE
    model.data[5, 6] = 1e9
    model.meta.bunit_data, model.meta.filename = "MJy/sr", "jw1_nrcb1_cal.fits"
    model.meta.instrument.detector, model.meta.instrument.filter = "NRCB1", "F200W"
    return model


def spectrum(count=2, length=60, level=2e-3):
    """Return extracted spectra of sources 1, 2, …; the tenth value of each is flagged and wild."""
    model = datamodels.MultiSpecModel()
    for number in range(count):
        dtype = model.spec.item().get_dtype("spec_table")
        table = np.zeros(length, dtype)
        table["WAVELENGTH"] = np.linspace(5, 12, length)
        table["FLUX"], table["FLUX_ERROR"] = level * (number + 1), level / 20
        table["DQ"][10], table["FLUX"][10] = DO_NOT_USE, 1e3
        model.spec.append(model.spec.item(spec_table=table, source_id=number + 1, spectral_order=1))
        model.spec[-1].spec_table.columns["FLUX"].unit = "Jy"
    model.meta.filename = "jw1_mirimage_x1d.fits"
    return model


def slits(count=3, shape=(9, 40)):
    """Return slits of sources 1, 2, … on a detector, dispersed along columns of wavelengths 3 to 4 µm."""
    model = datamodels.MultiSlitModel()
    for number in range(count):
        slit = model.slits.item(source_id=number + 1, xstart=11 * number + 1, ystart=20 * number + 1)
        slit.data = np.random.default_rng(number).normal(5, 1, shape).astype(np.float32)
        slit.wavelength = np.broadcast_to(np.linspace(3, 4, shape[1]), shape).astype(np.float32)
        slit.meta.wcsinfo.spectral_order = 1 + number % 2
        slit.xsize, slit.ysize = shape[1], shape[0]
        model.slits.append(slit)
    model.meta.filename, model.meta.bunit_data = "jw1_nrcalong_cal.fits", "MJy/sr"
    return model
