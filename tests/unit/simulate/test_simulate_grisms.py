"""Slitless spectra: optics, light on pixels, sources, headers, and what the exposures say."""

from dataclasses import replace

import numpy as np
import pytest

from webbcal import simulate
from webbcal.core.errors import ParameterError
from webbcal.simulate.grisms.bands import sensitivity, wavelengths
from webbcal.simulate.grisms.dispersing import beam_of, dispersed, sky_light, sky_template, star_light
from webbcal.simulate.grisms.field import spectrum_of
from webbcal.simulate.grisms.gaussians import add_elliptical, add_round
from webbcal.simulate.grisms.grism import WHEEL_REFERENCE
from webbcal.simulate.grisms.optics import Trace, field, orders, powers
from webbcal.simulate.headers import exposure_metadata
from webbcal.simulate.light import light_on
from webbcal.simulate.optics import find_filter
from webbcal.simulate.spectrum import Line, Spectrum

EMPTY = simulate.Sky(stars=0.0, galaxies=0.0, background=0.0)
MODES = {
    "nircam": {"grism": simulate.Grism("GRISMR")},
    "nircam_c": {"grism": simulate.Grism("GRISMC"), "detector": "NRCBLONG", "filter": "F356W"},
    "niriss": {"detector": "NIS", "filter": "F200W", "readpatt": "NIS", "grism": simulate.Grism("GR150R")},
    "niriss_c": {"detector": "NIS", "filter": "F115W", "readpatt": "NIS", "grism": simulate.Grism("GR150C")},
    "miri": {
        "detector": "MIRIMAGE", "filter": "F1000W", "readpatt": "FASTR1", "grism": simulate.Grism("P750L")
    },
}  # fmt: skip


def exposure(mode: str = "nircam", sky: simulate.Sky = EMPTY) -> simulate.ExposureConfig:
    """Return a slitless exposure of a mode."""
    return simulate.ExposureConfig(**MODES[mode], sky=sky)


def star_at(config: simulate.ExposureConfig, x: float, y: float, spectrum: Spectrum, **values: float):
    """Return the exposure with one source at a pixel of the direct image, of 0.1 mJy."""
    ra, dec = (float(v) for v in config.pointing.pixel_to_sky(np.array(x), np.array(y)))
    source = simulate.Source(ra, dec, -2.5 * np.log10(1e-4 / 3631.0), spectrum=spectrum, **values)
    return replace(config, sky=simulate.ListedSky(background=0.0, sources=(source,)))


# Optics


def test_powers_of_a_field_come_degree_by_degree():
    assert powers(1) == [(0, 0)]
    assert powers(6) == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    assert powers(10)[6:] == [(3, 0), (2, 1), (1, 2), (0, 3)]
    assert field((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 2.0, 10.0) == 1 + 4 + 30 + 16 + 100 + 600


def test_the_parameter_of_a_trace_is_the_inverse_of_its_wavelength():
    for mode in MODES:
        beam = beam_of(exposure(mode))
        for order in beam.orders:
            trace = beam.trace(order, 800.0, 300.0)
            wave = np.linspace(*beam.reach, 50)
            np.testing.assert_allclose(trace.wavelength(trace.parameter(wave)), wave, rtol=1e-12)


def test_traces_are_turned_with_the_wheel():
    straight = Trace(np.array([1.0, 1.0]), np.array([0.0, 100.0]), np.array([5.0]))
    dx, dy = straight.turned(np.radians(90.0)).offset(np.array([0.0, 1.0]))
    np.testing.assert_allclose([dx, dy], [[-5.0, -5.0], [0.0, 100.0]], atol=1e-12)
    off = replace(exposure("niriss"), grism=simulate.Grism("GR150R", wheel_offset=0.5))
    beams = beam_of(off), beam_of(replace(off, grism=simulate.Grism("GR150R", wheel_offset=0.0)))
    (x1, y1), (x0, y0) = (b.trace(b.orders[2], 900.0, 900.0).offset(np.array(0.5)) for b in beams)
    assert np.hypot(x1, y1) == pytest.approx(np.hypot(x0, y0))
    turned = np.degrees(np.arctan2(y1, x1) - np.arctan2(y0, x0))
    assert turned == pytest.approx(-0.5)


def test_modules_disperse_in_opposite_directions():
    for module, sign in (("A", 1), ("B", -1)):
        first = orders("NIRCAM", module, "GRISMR", "F444W")[0]
        dx, dy = first.trace(1000.0, 1000.0).offset(np.array([0.0, 1.0]))
        assert sign * np.diff(dx) > 1300 and abs(np.diff(dy)) < 5
        dx, dy = (
            orders("NIRCAM", module, "GRISMC", "F444W")[0].trace(1000.0, 1000.0).offset(np.array([0.0, 1.0]))
        )
        assert np.diff(dy) > 1300 and abs(np.diff(dx)) < 5


def test_an_unknown_filter_is_an_error():
    with pytest.raises(ParameterError, match="GRISMR is simulated with F277W, F322W2, F356W, F444W"):
        orders("NIRCAM", "A", "GRISMR", "F480M")


def test_bands_end_where_little_is_left():
    band = find_filter("NIRCAM", "F444W")
    low, high = wavelengths("NIRCAM", band)
    middle = sensitivity("NIRCAM", band, 1, np.array(band.pivot))
    ends = sensitivity("NIRCAM", band, 1, np.array([low, high]))
    assert np.all((0.01 * middle < ends) & (ends < 0.03 * middle))
    second = sensitivity("NIRCAM", band, 2, np.array(band.pivot))
    assert 0 < second < 0.2 * middle


# Gaussians


def test_round_gaussians_are_integrated_over_pixels():
    from scipy.stats import norm

    image = np.zeros((40, 50))
    add_round(image, np.array([20.3]), np.array([17.8]), np.array([5.0]), np.array([0.25]))
    across = np.diff(norm.cdf((np.arange(51) - 0.5 - 20.3) / 0.25))
    along = np.diff(norm.cdf((np.arange(41) - 0.5 - 17.8) / 0.25))
    np.testing.assert_allclose(image, 5.0 * np.outer(along, across), atol=1e-6)


def test_elliptical_gaussians_have_their_light_and_shape():
    image = np.zeros((120, 130))
    one = np.ones(1)
    add_elliptical(image, 60.4 * one, 55.1 * one, 7.0 * one, (16.0 * one, 9.0 * one, 5.0 * one))
    y, x = np.mgrid[:120, :130]
    assert image.sum() == pytest.approx(7.0, rel=1e-4)
    centre = (image * x).sum() / 7.0, (image * y).sum() / 7.0
    assert centre == pytest.approx((60.4, 55.1), abs=1e-3)
    dx, dy = x - 60.4, y - 55.1
    moments = [(image * m).sum() / 7.0 for m in (dx * dx, dy * dy, dx * dy)]
    assert moments == pytest.approx([16.0 + 1 / 12, 9.0 + 1 / 12, 5.0], rel=2e-3)


def test_gaussians_beyond_the_image_leave_it_alone():
    image = np.zeros((20, 20))
    far = np.array([-500.0, 900.0])
    add_round(image, far, far, np.ones(2), np.ones(2))
    add_elliptical(image, far, far, np.ones(2), (np.ones(2), np.ones(2), np.full(2, 0.2)))
    assert not image.any()


# Light


@pytest.mark.parametrize("mode", MODES)
def test_all_light_of_a_star_arrives(mode):
    config = exposure(mode)
    ny, nx = config.aperture.shape
    config = star_at(config, 0.45 * nx, 0.45 * ny, Spectrum(1.0, 4.0))
    light, table = dispersed(config)
    beam = beam_of(config)
    assert len(table) == 1 and table["x"][0] == pytest.approx(0.45 * nx, abs=1e-3)
    wave = np.linspace(*beam.reach, 4001)
    expected = 0.0
    for order in beam.orders:
        trace = beam.trace(order, table["x"][0], table["y"][0])
        x, y = (
            p + d for p, d in zip((0.45 * nx, 0.45 * ny), trace.offset(trace.parameter(wave)), strict=True)
        )
        inside = (x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1)
        expected += np.trapezoid(1e-4 * beam.sensitivity(order.number, wave) * inside, wave)
    assert light.sum(dtype=float) == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("mode", ["nircam", "niriss", "miri"])
def test_lines_fall_on_their_pixels(mode):
    config = exposure(mode)
    beam = beam_of(config)
    ny, nx = config.aperture.shape
    low, high = beam.reach
    line = 0.4 * low + 0.6 * high
    config = star_at(config, 0.4 * nx, 0.6 * ny, Spectrum(1.0, line, lines=(Line(line, 1e5, line * 2e-4),)))
    light, table = dispersed(config)
    first = next(o for o in beam.orders if o.number == 1)
    trace = beam.trace(first, table["x"][0], table["y"][0])
    dx, dy = trace.offset(trace.parameter(np.array(line)))
    x, y = table["x"][0] + float(dx), table["y"][0] + float(dy)
    j, i = round(y), round(x)
    part = light[j - 9 : j + 10, i - 9 : i + 10].astype(float)
    v, u = np.mgrid[-9:10, -9:10]
    centre = i + (part * u).sum() / part.sum(), j + (part * v).sum() / part.sum()
    assert centre == pytest.approx((x, y), abs=0.02)


def test_a_galaxy_has_its_light_and_is_wider_than_a_star():
    flat = Spectrum(1.0, 4.4)
    star = star_at(exposure(), 900.0, 900.0, flat)
    galaxy = star_at(exposure(), 900.0, 900.0, flat, radius=0.4, axis_ratio=0.6, position_angle=30.0)
    profiles = [dispersed(c)[0][700:1100, 1000:1200].sum(axis=1) for c in (star, galaxy)]
    assert profiles[1].sum() == pytest.approx(profiles[0].sum(), rel=0.03)
    assert profiles[1].max() < 0.6 * profiles[0].max()


def test_sources_beside_the_frame_reach_into_it():
    config = star_at(exposure(), -400.0, 1000.0, Spectrum(1.0, 4.4))
    light, table = dispersed(config)
    assert len(table) == 1 and light[:, :300].sum() > 0
    assert len(dispersed(star_at(exposure(), 1000.0, -300.0, Spectrum(1.0, 4.4)))[1]) == 0


def test_the_sky_has_steps_along_the_dispersion():
    config = replace(exposure("nircam"), sky=replace(EMPTY, background=0.3))
    sky = sky_light(config)
    assert sky.min() > 0 and sky.mean() == pytest.approx(replace_sky(config, 0.6).mean() / 2)
    rows, columns = (sky_template(config.aperture.box, (2048, 2048), axis) for axis in (1, 2))
    assert np.ptp(rows.mean(axis=0)) > 2 * np.ptp(rows.mean(axis=1)) > 0
    np.testing.assert_allclose(rows, columns.T)


def replace_sky(config, background):
    """Return the sky's light at another level."""
    return sky_light(replace(config, sky=replace(config.sky, background=background)))


# Sources


def test_spectra_are_those_of_the_source():
    band, reach = find_filter("NIRCAM", "F444W"), (3.9, 4.9)
    sky = simulate.ListedSky(sources=tuple(simulate.Source(53.0, -27.0, 20.0) for _ in range(3)))
    rows = sky.sources_near(np.zeros(4), np.zeros(4))
    spectra = [spectrum_of(sky, row, band, reach) for row in rows]
    assert all(s.continuum(np.array(band.pivot)) == pytest.approx(3631e-8) for s in spectra)
    assert spectra[0] != spectra[2] and spectra[0] == spectrum_of(sky, rows[0], band, reach)
    assert [len(s.lines) for s in spectra] == [3, 0, 3]
    assert all(3.95 < line.wavelength < 4.85 for s in spectra for line in s.lines)


def test_a_field_fills_the_detector():
    config = exposure("niriss")
    sky = simulate.grism_field(config, 40, (18.0, 22.0), galaxies=0.5, seed=3)
    table = sky.sources_near(np.zeros(4), np.zeros(4))
    x, y = config.pointing.sky_to_pixel(table["ra"], table["dec"])
    assert len(table) == 40 and table["galaxy"].sum() == 20
    assert table["abmag"].min() == 18.0 and table["abmag"].max() == 22.0
    counts, _, _ = np.histogram2d(x, y, bins=2, range=[[0, 2048], [0, 2048]])
    assert counts.sum() == 40 and counts.min() >= 7


# Exposures


def test_headers_name_grism_and_filter():
    expected = {
        "nircam": ("NRC_WFSS", "F444W", "GRISMR"),
        "niriss": ("NIS_WFSS", "GR150R", "F200W"),
        "miri": ("MIR_WFSS", "P750L", None),
    }
    for mode, (kind, filter_name, pupil) in expected.items():
        meta = exposure_metadata(exposure(mode))
        assert meta["exposure.type"] == kind and meta["visit.tsovisit"] is False
        assert meta["instrument.filter"] == filter_name and meta.get("instrument.pupil") == pupil
        wheel = WHEEL_REFERENCE["GR150R"] + 0.04 if mode == "niriss" else None
        assert meta.get("instrument.filter_position") == wheel


def series(subarray: str = "SUBGRISM64") -> simulate.ExposureConfig:
    """Return a time series."""
    return simulate.ExposureConfig(
        subarray=subarray, readpatt="RAPID", ngroups=3, nints=9, sky=EMPTY,
        grism=simulate.Grism(time_series=True),
    )  # fmt: skip


@pytest.mark.parametrize(("subarray", "aperture"), [("SUBGRISM64", "GRISM64"), ("FULL", "GRISM")])
def test_the_star_of_a_time_series_is_at_the_reference_position(subarray, aperture):
    config = series(subarray)
    meta = exposure_metadata(config)
    assert meta["exposure.type"] == "NRC_TSGRISM" and meta["visit.tsovisit"] is True
    assert meta["aperture.name"] == f"NRCA5_{aperture}_F444W" and meta["subarray.name"] == subarray
    star, lost = star_light(config)
    rows = (star.sum(axis=1, dtype=float) * np.arange(star.shape[0])).sum() / star.sum(dtype=float)
    assert rows == pytest.approx(config.aperture.y_ref - 1.0, abs=0.5)
    np.testing.assert_allclose(lost, 0.01 * star, rtol=1e-6)


def test_a_transit_dims_the_star():
    config = series()
    made = simulate.expose_rates(config, simulate.RateOptions(integrations=True))
    assert made.model.data.shape == (9, 64, 2048)
    assert made.truth.curve is not None and made.truth.curve[[0, 4]].tolist() == [0.0, 1.0]
    light = light_on(config)
    sums = np.nansum(made.model.data[:, 30:40], axis=(1, 2))
    assert sums[4] / sums[0] == pytest.approx(1.0 - light.lost.sum() / light.rate.sum(), abs=1e-3)


def test_what_a_grism_cannot_do_is_refused():
    with pytest.raises(ParameterError, match="there is no grism 'GRISMX'"):
        simulate.Grism("GRISMX")
    with pytest.raises(ParameterError, match="time series are taken with GRISMR"):
        simulate.Grism("GRISMC", time_series=True)
    with pytest.raises(ParameterError, match="GRISMR disperses onto NRCALONG or NRCBLONG, not NRCA1"):
        simulate.ExposureConfig(detector="NRCA1", filter="F200W", grism=simulate.Grism())
    with pytest.raises(ParameterError, match="slitless fields are full frames"):
        simulate.ExposureConfig(subarray="SUB160", grism=simulate.Grism())
