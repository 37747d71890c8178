"""Small dithered images of one field of stars, with pointing errors and sky levels that are known."""

from dataclasses import dataclass

import numpy as np

from webbcal import datamodels
from webbcal.io.asdf_text import Tagged
from webbcal.wcs import transforms, trees

SIZE, PIXEL = 200, 0.063  # pixels, arcsec
V2, V3 = 86.0, -493.0
RA, DEC, ROLL = 53.16, -27.79, 33.0
ARCSEC = 1 / 3600
#: Dither offsets in arcsec along RA and Dec; neighbours overlap.
DITHERS = ((0.0, 0.0), (1.5, 0.4), (-0.7, 1.9), (2.1, -1.4))


@dataclass(frozen=True)
class Pointing:
    """Where an exposure points (dither), where its header says it does (error), and its sky."""

    dither: tuple[float, float] = (0.0, 0.0)
    error: tuple[float, float] = (0.0, 0.0)  # arcsec
    turn: float = 0.0  # error of the roll, degrees
    sky: float = 0.3


def wcs_at(east, north, roll):
    """Return the WCS of an image offset by arcsec to the east and north."""
    pixels = trees.chain(
        trees.both(trees.shift(-SIZE / 2), trees.shift(-SIZE / 2)),
        trees.both(trees.scale(PIXEL), trees.scale(PIXEL)),
        trees.both(trees.shift(V2), trees.shift(V3)),
    )
    # As the inverse of a real distortion, this one is not exact: corners do not come back to half pixels,
    # where rounding errors would decide which pixels overlap.
    off = 1e-3
    back = trees.chain(
        trees.both(trees.shift(-V2), trees.shift(-V3)),
        trees.both(trees.scale(1 / PIXEL), trees.scale(1 / PIXEL)),
        trees.both(trees.shift(SIZE / 2 + off), trees.shift(SIZE / 2 + off)),
    )
    pixels = Tagged(pixels.tag, pixels.value | {"inverse": back})
    bounds = ((-0.5, SIZE - 0.5), (-0.5, SIZE - 0.5))
    ra, dec = RA + east * ARCSEC / np.cos(np.radians(DEC)), DEC + north * ARCSEC
    to_sky = transforms.telescope_to_sky(v2_ref=V2, v3_ref=V3, ra_ref=ra, dec_ref=dec, roll_ref=roll)
    steps = [
        (trees.frame("detector", ("x", "y"), "pixel"), trees.bounded(pixels, bounds)),
        (trees.frame("v2v3", ("v2", "v3"), "arcsec"), to_sky),
        (trees.sky(), None),
    ]
    return trees.wcs(steps).resolve()


def stars(seed=1, spacing=1.5, across=18.0):
    """Return RA, Dec and flux of stars on a jittered grid, which is denser than any match could confuse."""
    rng = np.random.default_rng(seed)
    line = np.arange(-across / 2, across / 2, spacing)
    east, north = (v.ravel() + rng.uniform(-0.2, 0.2, line.size**2) for v in np.meshgrid(line, line))
    flux = rng.uniform(30.0, 100.0, line.size**2)
    return RA + east * ARCSEC / np.cos(np.radians(DEC)), DEC + north * ARCSEC, flux


def render(wcs, field, sky, rng):
    """Return an image of Gaussian stars (FWHM 2.5 pixels) on a flat sky with noise."""
    data = rng.normal(sky, 0.01, (SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE]
    for px, py, flux in zip(*wcs.invert(field[0], field[1], with_bounding_box=False), field[2], strict=True):
        box = np.s_[max(0, int(py) - 8) : max(0, int(py) + 9), max(0, int(px) - 8) : max(0, int(px) + 9)]
        r2 = (x[box] - px) ** 2 + (y[box] - py) ** 2
        data[box] += flux * np.exp(-r2 / (2 * 1.06**2)) / (2 * np.pi * 1.06**2)
    return data.astype(np.float32)


def exposure(number, p, field=None, detector="NRCALONG"):
    """Return an image model of an exposure."""
    field = stars() if field is None else field
    east, north = p.dither
    rng = np.random.default_rng(number + 100)
    model = datamodels.ImageModel(render(wcs_at(east, north, ROLL), field, p.sky, rng))
    model.err = np.full((SIZE, SIZE), 0.01, np.float32)
    model.dq = np.zeros((SIZE, SIZE), np.uint32)
    model.meta.wcs = wcs_at(east + p.error[0], north + p.error[1], ROLL + p.turn)
    info = model.meta.wcsinfo
    info.v2_ref, info.v3_ref, info.roll_ref = V2, V3, ROLL + p.turn
    info.ra_ref, info.dec_ref = RA, DEC
    model.meta.filename = f"jw01234001001_02101_{number:05d}_{detector.lower()}_cal.fits"
    model.meta.exposure.type, model.meta.bunit_data = "NRC_IMAGE", "MJy/sr"
    i, o = model.meta.instrument, model.meta.observation
    i.name, i.detector, i.filter, i.pupil = "NIRCAM", detector, "F444W", "CLEAR"
    o.program_number, o.observation_number, o.visit_number = "01234", "001", "001"
    o.visit_group, o.sequence_id, o.activity_id, o.exposure_number = "02", "1", "01", f"{number:05d}"
    o.date = "2026-01-15"
    return model


def exposures(pointings, **kwargs):
    """Return a list of exposures, numbered from 1."""
    return [exposure(n, p, **kwargs) for n, p in enumerate(pointings, start=1)]


def error_mas(model, pointing):
    """Return how far (mas) the corners and centre of an image are from the truth."""
    x, y = np.array([0, SIZE - 1, 0, SIZE - 1, SIZE / 2]), np.array([0, 0, SIZE - 1, SIZE - 1, SIZE / 2])
    ra, dec = model.meta.wcs(x, y)
    ra0, dec0 = wcs_at(*pointing.dither, ROLL)(x, y)
    return 3.6e6 * np.hypot((ra - ra0) * np.cos(np.radians(dec0)), dec - dec0)
