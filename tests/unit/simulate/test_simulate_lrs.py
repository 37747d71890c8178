"""MIRI's low-resolution spectrometer: optics, light on pixels, references that undo it, nods and transits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from spectral_cases import SLIT, SLITLESS

from webbcal import datamodels, simulate
from webbcal.core.errors import ParameterError
from webbcal.simulate import lrs
from webbcal.simulate.headers import exposure_metadata
from webbcal.simulate.light import light_on
from webbcal.simulate.lrs_light import lrs_light, pixel_area, target_pixel
from webbcal.simulate.personality import personality
from webbcal.simulate.references_lrs import WIDTH, share_in_box, write_lrs_references
from webbcal.simulate.spectrum import Line, Spectrum

DARK_SKY = Spectrum(0.0)
START = lrs.EPOCH  # nothing of the throughput is lost yet


def config(source: Spectrum | None, base: simulate.ExposureConfig = SLIT, **values: Any) -> Any:
    """Return an exposure of a source in a dark sky."""
    options = {"sky": DARK_SKY} | values
    return replace(base, lrs=lrs.Lrs(source=source, **options))


def test_wavelengths_grow_downwards_and_the_trace_is_straight_at_the_source() -> None:
    rows = np.arange(lrs.ROWS_ABOVE, -lrs.ROWS_BELOW - 1, -1)
    waves = lrs.wavelength(rows)
    assert waves[0] == 5.0 and waves[-1] == pytest.approx(13.98, abs=0.01)
    assert (np.diff(waves) > 0.014).all()
    assert lrs.trace(np.array(0.0)) == 0.0 and 0.5 < np.ptp(lrs.trace(rows)) < 2.0


def test_the_slit_takes_its_cut() -> None:
    scale = 0.1
    full, half = lrs.SLIT_WIDTH / scale, lrs.SLIT_WIDTH / scale / 2
    assert lrs.slit_share(np.array(0.01), 0.0, scale) == pytest.approx(1.0)
    assert lrs.slit_share(np.array(0.01), half, scale) == pytest.approx(0.5)
    assert lrs.slit_share(np.array(full), 0.0, scale) == pytest.approx(norm.cdf(0.5) - norm.cdf(-0.5))
    blue, red = lrs.transmission(np.array([5.0, 13.0]), 0.0, 0.0, scale)
    assert 1.0 > blue > red > 0.7
    assert lrs.transmission(np.array(13.0), 1.5, 0.0, scale) < red


def test_lines_fall_on_their_rows() -> None:
    rows = np.array([60.0, 0.3, -120.0, -250.0])
    lines = tuple(Line(float(w), 0.01, sigma=0.002) for w in lrs.wavelength(rows))
    exposure = config(Spectrum(0.0, lines=lines))
    image = lrs_light(exposure, START).rate.astype(float)
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    aperture = exposure.aperture
    for row in rows:
        middle = aperture.y_ref - 1 + row
        cut = slice(int(middle) - 12, int(middle) + 13)
        light = image[cut]
        assert (light.sum(axis=1) @ y[cut]) / light.sum() == pytest.approx(middle, abs=0.01)
        column = aperture.x_ref - 1 + lrs.trace(row)
        assert (light.sum(axis=0) @ x) / light.sum() == pytest.approx(column, abs=0.01)


def test_a_source_beside_the_middle_moves_light_along_and_across() -> None:
    line = Line(float(lrs.wavelength(0.0)), 0.01, sigma=0.002)
    centre = config(Spectrum(0.0, lines=(line,)))
    image = lrs_light(centre, START).rate.astype(float)
    # A tenth of an arcsecond across the slit, found from where the sky falls on the detector.
    pointing = centre.pointing
    ra, dec = pointing.pixel_to_sky(
        np.array([centre.aperture.x_ref - 1 + 5.0]), np.array([centre.aperture.y_ref - 1 + 1.0])
    )
    moved = replace(
        centre,
        pointing_error=(
            float((centre.ra - ra[0]) * 3600 * np.cos(np.radians(centre.dec))),
            float((centre.dec - dec[0]) * 3600),
        ),
    )
    x, y = target_pixel(moved.true_pointing, moved.ra, moved.dec)
    assert (x, y) == pytest.approx((centre.aperture.x_ref + 4.0, centre.aperture.y_ref), abs=0.01)
    other = lrs_light(moved, START).rate.astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    along = (other * columns).sum() / other.sum() - (image * columns).sum() / image.sum()
    across = (other * rows).sum() / other.sum() - (image * rows).sum() / image.sum()
    assert along == pytest.approx(5.0, abs=0.02) and 0.5 < across < 1.0, "the slit cuts the far side"
    assert other.sum() < image.sum()


def test_headers_put_the_target_where_it_is() -> None:
    for exposure in simulate.nod_pair(SLIT):
        assert exposure.lrs is not None
        (along, across), aperture = exposure.lrs.offset, exposure.aperture
        ra, dec = exposure.pointing.ideal_to_sky(along, across)
        assert (ra, dec) == pytest.approx((exposure.ra, exposure.dec), abs=1e-9)
        x, y = target_pixel(exposure.pointing, exposure.ra, exposure.dec)
        assert x - (aperture.x_ref - 1) == pytest.approx(along / aperture.x_scale, rel=0.005)
        assert y == pytest.approx(aperture.y_ref - 1, abs=0.05)
        header = exposure_metadata(exposure)
        assert header["dither.x_offset"] == along and header["dither.primary_type"] == "ALONG-SLIT-NOD"
        assert header["exposure.type"] == "MIR_LRS-FIXEDSLIT" and header["aperture.name"] == "MIRIM_SLIT"
        assert header["target.ra"] == exposure.ra and not header["observation.bkgdtarg"]
    assert exposure_metadata(simulate.beside(SLIT))["observation.bkgdtarg"]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Reference files by exposure type and type."""
    cache = simulate.CrdsCache(tmp_path_factory.mktemp("lrs") / "crds")
    write_lrs_references(cache, [SLIT, SLITLESS])
    folder = cache.root / "references" / "jwst" / "miri"
    return {(dict(e.match)["META.EXPOSURE.TYPE"], e.reftype): folder / e.file for e in cache.entries}


def by_hand(exposure: Any, references: dict[tuple[str, str], Path]) -> dict[str, np.ndarray]:
    """Return truth and what each reference says of a noiseless exposure, row by row."""
    kind = exposure_metadata(exposure)["exposure.type"]
    light = light_on(exposure)
    person = personality(exposure.detector, exposure.aperture.box, exposure.detector_seed)
    rate = light.rate * person.sensitivity / person.gain
    flat = np.array(datamodels.open(references[kind, "flat"]).data)
    photom = datamodels.open(references[kind, "photom"])
    (row,), (decline,) = photom.phot_table, photom.timecoeff_exponential
    area = datamodels.open(references[kind, "area"]).meta.photometry.pixelarea_steradians
    assert area == pytest.approx(pixel_area(exposure.aperture))
    wave = light.spectrum["wavelength"]
    factor = row["photmjsr"] * np.interp(wave, row["wavelength"], row["relresponse"])
    days = exposure_metadata(exposure)["exposure.mid_time"] - decline["t0"]
    left = decline["amplitude"] * np.exp(-days / decline["tau"]) + decline["const"]
    with np.errstate(divide="ignore", invalid="ignore"):
        flattened = np.where(flat > 0.2, rate / flat, light.rate / person.normal_gain)
    return {
        "wave": wave, "seen": light.spectrum["seen"], "sky": light.spectrum["sky"],
        "rows": light.spectrum["row"],
        "flattened": flattened, "to_sky": factor / left, "to_jansky": factor / left * area * 1e6,
    }  # fmt: skip


def test_references_give_back_the_flux_of_a_star(references: dict[tuple[str, str], Path]) -> None:
    exposure = config(lrs.star_with_lines())
    found = by_hand(exposure, references)
    pathloss = datamodels.open(references["MIR_LRS-FIXEDSLIT", "pathloss"])
    table, places = pathloss.pathloss_table, pathloss.meta.wcsinfo
    row, column = (round(-getattr(places, f"crval{k}") / getattr(places, f"cdelt{k}")) for k in (2, 1))
    loss = np.interp(found["wave"], table["wavelength"][::-1], table["pathloss"][::-1, row, column])
    total = found["flattened"][found["rows"]].sum(axis=1) * found["to_jansky"]
    good = (found["wave"] > 5.0) & (found["wave"] < 14.0)
    np.testing.assert_allclose((total * loss)[good], found["seen"][good], rtol=2e-3)
    assert np.ptp(loss[good]) > 0.1, "a star without the correction is fainter, and red ones more so"


def test_references_give_back_the_sky(references: dict[tuple[str, str], Path]) -> None:
    exposure = config(None, sky=Spectrum(200.0, 10.0, 2.0))
    found = by_hand(exposure, references)
    middle = round(exposure.aperture.x_ref - 1)
    inner = found["flattened"][:, middle - 18 : middle + 19].mean(axis=1)
    good = (found["wave"] > 5.0) & (found["wave"] < 14.0)
    np.testing.assert_allclose((inner[found["rows"]] * found["to_sky"])[good], found["sky"][good], rtol=1e-3)


def test_the_aperture_correction_is_that_of_the_profile(references: dict[tuple[str, str], Path]) -> None:
    exposure = config(lrs.star_with_lines(), SLITLESS)
    light = light_on(exposure)
    table = datamodels.open(references["MIR_LRS-SLITLESS", "apcorr"]).apcorr_table[0]
    tree = json.loads(references["MIR_LRS-SLITLESS", "extract1d"].read_text())["apertures"][0]
    for row, wave in (
        (380, lrs.wavelength(80.0)),
        (150, lrs.wavelength(-150.0)),
        (20, lrs.wavelength(-280.0)),
    ):
        low, high = (np.polynomial.polynomial.polyval(row, c) for c in tree["src_coeff"])
        assert high - low == pytest.approx(WIDTH)
        columns = np.arange(light.rate.shape[1])
        weight = np.clip(np.minimum(columns + 0.5, high) - np.maximum(columns - 0.5, low), 0, 1)
        seen = light.rate[row].astype(float)
        size = list(table["size"]).index(WIDTH)
        correction = np.interp(wave, table["wavelength"], table["apcorr"][:, size])
        assert correction == pytest.approx(seen.sum() / (weight * seen).sum(), rel=3e-3)
        assert correction == pytest.approx(1 / share_in_box(exposure.aperture, wave, WIDTH, 2), rel=1e-4)


def test_the_table_of_wavelengths_is_about_the_source(references: dict[tuple[str, str], Path]) -> None:
    slit = datamodels.open(references["MIR_LRS-FIXEDSLIT", "specwcs"])
    assert (slit.meta.x_ref, slit.meta.y_ref) == pytest.approx((326.13, 300.70), abs=0.01)
    assert slit.wavetable["wavelength"][lrs.ROWS_ABOVE] == pytest.approx(lrs.wavelength(0.0))
    assert slit.wavetable["x1"][0] - slit.wavetable["x0"][0] == pytest.approx(42.7, abs=0.3)
    assert slit.meta.v2_vert1 == pytest.approx(-414.8, abs=3.0)
    slitless = datamodels.open(references["MIR_LRS-SLITLESS", "specwcs"])
    assert slitless.meta.x_ref_slitless == pytest.approx(38.5, abs=0.01)
    assert slitless.meta.y_ref_slitless == pytest.approx(829.0, abs=0.01)


def test_a_transit_takes_its_share() -> None:
    exposure = replace(SLITLESS, nints=3, lrs=replace(SLITLESS.lrs, sky=DARK_SKY))
    made = simulate.expose_rates(exposure, simulate.RateOptions(integrations=True))
    assert made.model.meta.visit.tsovisit and made.model.meta.exposure.type == "MIR_LRS-SLITLESS"
    assert made.model.shape == (3, 416, 72) and len(made.model.int_times) == 3
    np.testing.assert_array_equal(made.truth.curve, [0.0, 1.0, 0.0])
    data = np.nan_to_num(np.array(made.model.data, float))
    depth = 1 - data[1, 20:380].sum() / data[[0, 2], 20:380].sum(axis=(1, 2)).mean()
    truth = made.truth.lost[20:380].sum() / made.truth.rate_dn[20:380].sum()
    assert truth == pytest.approx(0.02, rel=0.2) and depth == pytest.approx(truth, rel=0.15)


def test_what_is_not_a_spectrum_of_miri_is_refused() -> None:
    with pytest.raises(ParameterError, match="LRS spectra need"):
        replace(SLIT, subarray="SUB64")
    with pytest.raises(ParameterError, match="takes spectra"):
        replace(SLIT, lrs=None)
    with pytest.raises(ParameterError, match="only spectra of the slit"):
        simulate.nod_pair(SLITLESS)
    with pytest.raises(ParameterError, match="not a transit"):
        lrs.Transit(ingress=0.0)


def test_the_profile_is_that_of_the_light(references: dict[tuple[str, str], Path]) -> None:
    (psf,) = datamodels.open(references["MIR_LRS-SLITLESS", "psf"]).apertures
    light = light_on(config(lrs.star_with_lines(), SLITLESS)).rate.astype(float)
    row = 150
    middle = SLITLESS.aperture.x_ref - 1 + lrs.trace(row - (SLITLESS.aperture.y_ref - 1))
    wave = lrs.wavelength(row - (SLITLESS.aperture.y_ref - 1))
    profile = psf.data[int(np.argmin(np.abs(np.array(psf.wave) - wave)))]
    # Half a pixel beyond the middle, as pipelines count.
    columns = psf.center_col - psf.subpix / 2 + (np.arange(light.shape[1]) - middle) * psf.subpix
    inside = np.abs(np.arange(light.shape[1]) - middle) < 20
    expected = np.interp(columns[inside], np.arange(len(profile)), profile) * psf.subpix
    seen = light[row, inside] / light[row].sum()
    np.testing.assert_allclose(seen, expected, atol=0.01 * seen.max())
