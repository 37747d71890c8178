"""Small mosaics with known sources, noise and holes, for tests of source catalogues."""

from dataclasses import dataclass

import numpy as np

from webbcal import datamodels
from webbcal.simulate.headers import assign
from webbcal.simulate.optics import Galaxy, add_galaxy, add_stars, find_filter
from webbcal.simulate.references_catalog import pixel_scale

ARCSEC = np.pi / 180 / 3600


@dataclass(frozen=True)
class Scene:
    """A mosaic: stars on a loose grid (x, y and flux in Jy drawn from the seed), galaxies and close pairs."""

    name: str = "nircam"
    instrument: str = "NIRCAM"
    detector: str = "NRCALONG"
    band: str = "F444W"
    filter: str | None = "F444W"
    pupil: str | None = "CLEAR"
    exp_type: str = "NRC_IMAGE"
    ratio: float = 1.0
    shape: tuple[int, int] = (240, 260)
    step: int = 40
    faint: float = 100.0  # in units of the noise of the sky in a pixel
    bright: float = 2000.0
    galaxies: int = 0
    pairs: int = 0
    holes: bool = False
    sky: float = 0.3  # MJy/sr
    noise: float = 0.01  # MJy/sr
    gain: float = 0.02  # variance of a source's light: this times its brightness, MJy/sr
    seed: int = 0


def make(scene):
    """Return the mosaic (ImageModel) and the table of its stars: x, y, flux (Jy)."""
    rng = np.random.default_rng(scene.seed)
    scale = pixel_scale(scene.detector) * scene.ratio
    area = (scale * ARCSEC) ** 2
    sigma = find_filter(scene.instrument, scene.band).core_sigma(scale)
    ny, nx = scene.shape
    x, y = np.meshgrid(
        np.arange(scene.step / 2, nx - scene.step / 3, scene.step),
        np.arange(scene.step / 2, ny - scene.step / 3, scene.step),
    )
    x, y = (v.ravel() + rng.uniform(-2, 2, v.size) for v in (x, y))
    flux = scene.noise * np.exp(rng.uniform(np.log(scene.faint), np.log(scene.bright), x.size))
    light = np.zeros(scene.shape)
    add_stars(light, x, y, flux, sigma)
    for k in range(scene.pairs):
        add_stars(light, x[k : k + 1] + 5.0, y[k : k + 1] + 3.0, flux[k : k + 1] * 0.7, sigma)
    for k in range(scene.galaxies):
        place = rng.uniform(10, nx - 10), rng.uniform(10, ny - 10)
        add_galaxy(light, Galaxy(*place, 300 * scene.noise, 4.0, 0.5, 0.3 * k), sigma)
    variance = scene.noise**2 + scene.gain * scene.noise * light
    model = datamodels.ImageModel(
        (light + scene.sky + rng.normal(size=scene.shape) * np.sqrt(variance)).astype(np.float32)
    )
    model.err = np.sqrt(variance).astype(np.float32)
    model.wht = np.ones(scene.shape, np.float32)
    if scene.holes:
        model.wht[:, :9] = 0
        model.data[:7, :] = np.nan
        model.err[:7, :] = np.nan
        model.data[60:62, 100] = np.nan  # inside the image, err as well
        model.err[60:62, 100] = np.nan
    assign(model, _metadata(scene, scale, area))
    model.meta.wcs = _wcs(model.meta.wcsinfo)
    return model, np.rec.fromarrays([x, y, flux * 1e6 * area], names="x,y,flux")


def _metadata(scene, scale, area):
    ny, nx = scene.shape
    cos, sin = np.cos(np.radians(33.0)), np.sin(np.radians(33.0))
    found = {
        "filename": f"{scene.name}_i2d.fits",
        "telescope": "JWST",
        "instrument.name": scene.instrument,
        "instrument.detector": scene.detector,
        "instrument.filter": scene.filter,
        "instrument.pupil": scene.pupil,
        "exposure.type": scene.exp_type,
        "subarray.name": "FULL",
        "observation.date": "2026-01-01",
        "observation.time": "00:00:00.000",
        "bunit_data": "MJy/sr",
        "bunit_err": "MJy/sr",
        "photometry.pixelarea_steradians": float(area),
        "photometry.pixelarea_arcsecsq": float(scale**2),
        "resample.pixel_scale_ratio": scene.ratio,
        "cal_step.resample": "COMPLETE",
        "wcsinfo.crpix1": nx / 2 + 0.5,
        "wcsinfo.crpix2": ny / 2 + 0.5,
        "wcsinfo.crval1": 53.16,
        "wcsinfo.crval2": -27.79,
        "wcsinfo.cdelt1": scale / 3600,
        "wcsinfo.cdelt2": scale / 3600,
        "wcsinfo.pc1_1": -cos,
        "wcsinfo.pc1_2": sin,
        "wcsinfo.pc2_1": sin,
        "wcsinfo.pc2_2": cos,
        "wcsinfo.ctype1": "RA---TAN",
        "wcsinfo.ctype2": "DEC--TAN",
        "wcsinfo.cunit1": "deg",
        "wcsinfo.cunit2": "deg",
        "wcsinfo.wcsaxes": 2,
    }
    return {name: value for name, value in found.items() if value is not None}


def _wcs(info):
    import astropy.units as u
    from astropy.coordinates import ICRS
    from astropy.modeling.models import (
        AffineTransformation2D,
        Pix2Sky_TAN,
        RotateNative2Celestial,
        Scale,
        Shift,
    )
    from gwcs import WCS, coordinate_frames

    matrix = [[info.pc1_1, info.pc1_2], [info.pc2_1, info.pc2_2]]
    transform = (
        (Shift(1 - info.crpix1) & Shift(1 - info.crpix2))
        | AffineTransformation2D(matrix)
        | (Scale(info.cdelt1) & Scale(info.cdelt2))
        | Pix2Sky_TAN()
        | RotateNative2Celestial(info.crval1, info.crval2, 180)
    )
    pixels = coordinate_frames.Frame2D(name="detector", unit=(u.pix, u.pix))
    sky = coordinate_frames.CelestialFrame(reference_frame=ICRS(), unit=(u.deg, u.deg), name="world")
    return WCS([(pixels, transform), (sky, None)])
