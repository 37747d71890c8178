"""Small calibrated images of one sky, dithered, with real distortion, noise and cosmic rays."""

import os
from unittest import mock

import numpy as np
from wcs_cases import OFFSETS, Case, image

from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate import CrdsCache, write_image_references

RA, DEC, PIXEL = 53.16, -27.79, 0.063 / 3600
DITHERS = ((0.0, 0.0), (5.3, -3.6), (-6.4, 2.7), (3.2, 7.9))
NOISE, LEVEL = 0.05, 2.0
STARS = ((-22.0, 16.0, 60.0), (9.0, -34.0, 25.0), (37.0, 22.0, 8.0), (-3.0, -5.0, 4.0))


def dithered(folder, dithers=DITHERS, rays=30, seed=4):
    """Return `_cal` models, and for each a mask of its cosmic rays; the last has another exposure time."""
    cache = CrdsCache(folder / "crds")
    write_image_references(cache, {"NRCALONG"}, OFFSETS)
    models, masks = [], []
    with mock.patch.dict(os.environ, cache.environment):
        for number, (dx, dy) in enumerate(dithers):
            case = Case(
                "NRCALONG", "SUB160", ra=RA + dx * PIXEL / np.cos(np.radians(DEC)), dec=DEC + dy * PIXEL
            )
            model = AssignWcsStep.call(image(case), sip_approx=False)
            mask = _expose(model, np.random.default_rng(seed + number), rays, 1 + number // 3)
            _describe(model, number)
            models.append(model)
            masks.append(mask)
    return models, masks


def brightness(ra, dec):
    """Surface brightness of the sky: stars of 1.3 pixels sigma on a sloping background."""
    x, y = (ra - RA) * np.cos(np.radians(DEC)) / PIXEL, (dec - DEC) / PIXEL
    flux = LEVEL + 0.002 * x
    for cx, cy, peak in STARS:
        flux = flux + peak * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / 1.3**2)
    return flux


def _expose(model, rng, rays, depth):
    ny, nx = model.shape
    y, x = np.mgrid[:ny, :nx].astype(float)
    truth = brightness(*model.meta.wcs(x, y))
    read, poisson = NOISE**2 / depth, 0.001 * truth / depth
    flat = (0.002 * truth) ** 2
    data = truth + rng.normal(0, 1, truth.shape) * np.sqrt(read + poisson + flat)
    mask = np.zeros(model.shape, bool)
    mask[rng.integers(0, ny, rays), rng.integers(0, nx, rays)] = True
    data[mask] += rng.uniform(5, 50, mask.sum())
    model.var_rnoise = (read * rng.uniform(0.8, 1.2, truth.shape)).astype(np.float32)
    model.var_poisson, model.var_flat = poisson.astype(np.float32), flat.astype(np.float32)
    model.err = np.sqrt(read + poisson + flat).astype(np.float32)
    dq = np.zeros(model.shape, np.uint32)
    dq[rng.random(dq.shape) < 0.01] = 1  # do not use
    dq[rng.random(dq.shape) < 0.01] |= 4  # had a jump, still good
    data[:4, :4] = np.nan
    model.data, model.dq = data.astype(np.float32), dq
    return mask & (dq & 1 == 0)


def _describe(model, number):
    model.meta.filename = f"jw01234002001_02101_{number + 1:05d}_nrcalong_cal.fits"
    model.meta.observation.exposure_number = str(number + 1)
    model.meta.bunit_data = model.meta.bunit_err = "MJy/sr"
    model.meta.photometry.pixelarea_steradians = np.radians(PIXEL) ** 2
    model.meta.photometry.pixelarea_arcsecsq = (3600 * PIXEL) ** 2
    exposure = model.meta.exposure
    exposure.exposure_time, exposure.measurement_time, exposure.duration = (
        100.0 + number,
        90.0 + number,
        110.0,
    )
    exposure.start_time, exposure.end_time = 60000.0 + number, 60000.5 + number
