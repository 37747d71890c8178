"""Scripts that know FITS, astropy and photutils, and nothing of webbcal or jwst, on our `_cal` and `_i2d`.

They are written as people write them for photutils, reproject and grizli: every HDU and keyword that such
scripts look for is looked for here.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS, FITSFixedWarning
from photutils.aperture import (
    ApertureStats,
    CircularAnnulus,
    CircularAperture,
    SkyCircularAperture,
    aperture_photometry,
)
from scipy.ndimage import map_coordinates

from webbcal.simulate import Truth

#: What scripts look for in the headers, and what must be true of it.
PRIMARY = {
    "TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": "NRCBLONG", "CHANNEL": "LONG", "MODULE": "B",
    "FILTER": "F444W", "PUPIL": "CLEAR", "EXP_TYPE": "NRC_IMAGE", "SUBARRAY": "SUB320",
}  # fmt: skip
NAMED = (
    "PROGRAM", "OBSERVTN", "VISIT", "DATE-OBS", "TIME-OBS", "CAL_VER", "CRDS_CTX", "DATAMODL",
    "FILENAME", "READPATT", "S_WCS", "S_FLAT", "S_PHOTOM", "R_FLAT", "R_PHOTOM", "R_DISTOR", "TARG_RA",
    "TARG_DEC",
)  # fmt: skip
NUMBERS = ("EXPSTART", "EXPEND", "EFFEXPTM", "NGROUPS", "NINTS", "TGROUP")
SCIENCE = (
    "PIXAR_SR", "PIXAR_A2", "PHOTMJSR", "CRVAL1", "CRPIX2", "RA_REF", "DEC_REF", "ROLL_REF", "V3I_YANG",
    "VPARITY", "V2_REF", "V3_REF", "RA_V1", "DEC_V1", "PA_V3",
)  # fmt: skip
ARRAYS = ("SCI", "ERR", "DQ", "AREA", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")
RESAMPLED = ("SCI", "ERR", "CON", "WHT", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")
DO_NOT_USE = 1


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        yield


def sources(field: Any, number: int = 0) -> Any:
    """Return the brighter stars on an exposure whose neighbours are faint or far, from the truth."""
    known = Truth.load(field.truth[number]).sources
    inside = (known["x"] > 20) & (known["x"] < 300) & (known["y"] > 20) & (known["y"] < 300)
    stars = known[inside & ~known["galaxy"] & (known["abmag"] < 20.5)]
    places = SkyCoord(known["ra"], known["dec"], unit="deg")
    bright = known["abmag"][:, None] < known["abmag"][None, :] + 4
    near = places[:, None].separation(places[None, :]).arcsec < 1.2
    alone = ~(bright & near & ~np.eye(len(known), dtype=bool)).any(axis=0)
    return stars[np.isin(stars["id"], known["id"][alone])]


def test_every_hdu_and_keyword_is_where_scripts_look_for_it(field: Any) -> None:
    for name, arrays in (("cal", ARRAYS), ("l3_results_i2d.fits", RESAMPLED)):
        with fits.open(field(name)) as hdus:
            assert {hdu.name for hdu in hdus} >= {*arrays, "ASDF"}
            header, science = hdus[0].header, hdus["SCI"].header
            shapes = {hdus[array].data.shape[-2:] for array in arrays}
            assert shapes == {hdus["SCI"].data.shape}
            assert {key: header.get(key) for key in PRIMARY} == PRIMARY
            missing = [key for key in NAMED if not str(header.get(key, "")).strip()]
            missing += [key for key in NUMBERS if not float(header.get(key, "nan")) > 0]
            missing += [key for key in SCIENCE if not np.isfinite(science.get(key, np.nan))]
            assert not [key for key in missing if name == "cal" or key in ("PIXAR_SR", "PIXAR_A2", "CAL_VER")]
            assert science["BUNIT"] == "MJy/sr" and hdus["ERR"].header["BUNIT"] == "MJy/sr"
            assert science["EXTNAME"] == "SCI"
            assert science["S_REGION"].startswith("POLYGON ICRS")
            assert hdus["SCI"].data.dtype.kind == hdus["ERR"].data.dtype.kind == "f"
            np.testing.assert_allclose(
                science["PIXAR_SR"], (science["PIXAR_A2"] * u.arcsec**2).to_value(u.sr), rtol=1e-3
            )
            start, end = (Time(header[key], format="mjd") for key in ("EXPSTART", "EXPEND"))
            assert start < end and start.isot[:10] == header["DATE-OBS"]


def flux_of_stars(path: str, stars: Any) -> np.ndarray:
    """Return fluxes, Jy, by an aperture on the sky less that of an annulus, as photutils' guide has it."""
    with fits.open(path) as hdus:
        data, error = hdus["SCI"].data * u.MJy / u.sr, hdus["ERR"].data
        wcs = WCS(hdus["SCI"].header, hdus)
        bad = ~np.isfinite(hdus["SCI"].data)
        if "DQ" in hdus:
            bad |= (hdus["DQ"].data & DO_NOT_USE) != 0
        pixel = hdus["SCI"].header["PIXAR_SR"] * u.sr
    places = SkyCoord(stars["ra"], stars["dec"], unit="deg")
    aperture = SkyCircularAperture(places, r=0.35 * u.arcsec).to_pixel(wcs)
    ring = CircularAnnulus(aperture.positions, r_in=1.7 * aperture.r, r_out=2.6 * aperture.r)
    sky = ApertureStats(data.value, ring, mask=bad).median
    table = aperture_photometry(data.value, aperture, error=error, mask=bad)
    assert isinstance(aperture, CircularAperture) and (table["aperture_sum_err"] > 0).all()
    sums = (table["aperture_sum"] - sky * aperture.area) * u.MJy / u.sr
    return (sums * pixel).to_value(u.Jy)


def test_photutils_measures_the_stars(field: Any) -> None:
    stars = sources(field)
    assert len(stars) >= 3
    true = 3631 * 10 ** (-0.4 * stars["abmag"])
    ratios = {name: flux_of_stars(field(name), stars) / true for name in ("cal", "l3_results_i2d.fits")}
    for ratio in ratios.values():
        inside = np.isfinite(ratio) & (ratio > 0.1)  # a mosaic may end at a star
        assert inside.sum() >= 3
        middle = np.median(ratio[inside])
        assert 0.6 < middle < 1.0  # of the light that the aperture holds
        np.testing.assert_allclose(ratio[inside], middle, rtol=0.08)
    np.testing.assert_allclose(*map(np.nanmedian, ratios.values()), rtol=0.03)


def test_an_exposure_is_reprojected_onto_the_mosaic(field: Any) -> None:
    """As reproject_interp does it: from pixels to the sky to pixels, by the headers alone."""
    with fits.open(field("cal")) as hdus:
        data, wcs = hdus["SCI"].data, WCS(hdus["SCI"].header, hdus)
    with fits.open(field("l3_results_i2d.fits")) as hdus:
        mosaic, target = hdus["SCI"].data, WCS(hdus["SCI"].header, hdus)
        assert target.sip is None and wcs.sip is not None
    y, x = np.mgrid[: mosaic.shape[0], : mosaic.shape[1]]
    u_, v_ = wcs.world_to_pixel(target.pixel_to_world(x, y))
    placed = map_coordinates(np.nan_to_num(data), [v_, u_], order=1, cval=np.nan)
    both = np.isfinite(placed) & np.isfinite(mosaic) & (mosaic != 0)
    assert both.mean() > 0.7
    bright = both & (mosaic > np.nanpercentile(mosaic[both], 99))
    offset = np.nanmedian(placed[both]) - np.nanmedian(mosaic[both])  # the sky that skymatch took off
    matched = np.corrcoef(placed[bright] - offset, mosaic[bright])[0, 1]
    shifted = np.roll(placed, 1, axis=1)
    assert matched > 0.9 and matched > np.corrcoef(np.nan_to_num(shifted[bright]), mosaic[bright])[0, 1]


def test_astropy_reads_images_and_catalogue(field: Any) -> None:
    image = CCDData.read(field("cal"), hdu="SCI")
    assert image.unit == u.MJy / u.sr and image.wcs.has_celestial
    table = Table.read(field("l3_results_cat.ecsv"))
    assert {"label", "xcentroid", "ycentroid", "sky_centroid", "aper_total_flux"} <= set(table.colnames)
    with fits.open(field("l3_results_i2d.fits")) as hdus:
        wcs = WCS(hdus["SCI"].header)
    x, y = wcs.world_to_pixel(table["sky_centroid"])
    np.testing.assert_allclose(x, table["xcentroid"], atol=0.02)
    np.testing.assert_allclose(y, table["ycentroid"], atol=0.02)
