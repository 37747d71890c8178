"""Wavelengths and traces against published descriptions of the optics, evaluated here without webbcal.

- NIRCam F444W, GRISMR, module A: GRISM_NIRCAM V9 of N. Pirzkal, F. Sun and E. Egami,
  github.com/npirzkal/GRISM_NIRCAM, V9/NIRCAM_F444W_modA_R.conf (commit 231a434).
- NIRISS F200W, GR150R: GRISM_NIRISS V3 of N. Pirzkal, github.com/npirzkal/GRISM_NIRISS,
  V3/NIRISS_F200W_GR150R.conf (commit 9049823).
- MIRI LRS: the wavelength table of the MIRI team, see data/lrs_flt2.csv.

A line of a configuration holds the coefficients of a power of t: those of 1, x, y, x², xy, y², x³ … of the
place of the source (Pirzkal & Ryan 2017, ISR WFC3 2017-01).
"""

from pathlib import Path

import asdf
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling import models as m
from dispersed_cases import LRS, VELOSYS, WFSS, cache_of, rate, specwcs, write_lrs
from scipy.optimize import brentq

from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.wcs.of_model import wcs_of

FACTOR = 1 / (1 + VELOSYS / 299792458.0)

NIRCAM = {
    "displ": [
        "3.7752011538944346 -6.67039102543245e-06 -5.351197051732017e-06 2.839960930694499e-09 "
        "-1.73033920412449e-10 2.575113562911197e-09",
        "1.324474114806126 8.959137835073597e-06 6.627775566505802e-07 -1.030872524215193e-10 "
        "1.719522758089136e-10 -6.131879685945035e-10",
        "0.0014180450180460377 1.1594449698524191e-05 -2.4013002245533198e-06 -2.7291215111428514e-09 "
        "4.704207732859326e-10 1.1222027204971974e-09",
    ],
    "dispx": ["-166.33466099999967", "1364.541833"],
    "dispy": [
        "-23.27392023331774 -0.0006535705642314909 -0.0008744658080949695 7.796906961749667e-07 "
        "-8.874431625173085e-08 7.456717174118993e-07 -2.468032937176825e-10 -3.1680758433673377e-10 "
        "3.234615693069291e-10 -2.8755603025073233e-10",
        "3.9443218328735536 -0.007235274957968693 -0.012631931221871326 9.666400085774616e-07 "
        "9.225251841910177e-06 7.678292423378103e-06 6.748153400690134e-10 -2.0837382610893252e-10 "
        "-3.02500340853385e-09 -2.0072142351748805e-09",
        "-7.5535081344295225 0.007096403052719278 0.015321870395400602 -2.1366825853399997e-08 "
        "-1.1641631944751925e-05 -1.0908832312481712e-05 -2.3783128193064843e-09 1.487696672407827e-09 "
        "4.878822516426349e-09 2.8229656170123946e-09",
    ],
}
NIRISS = {
    "displ": ["0.75", "1.5500"],
    "dispx": [
        "-1.338054e+00 3.269458e-04 -4.966738e-05 -1.340773e-08 1.359544e-07 -2.070640e-12",
        "4.591840e-01 -1.396609e-03 4.247226e-04 -9.798916e-09 -8.892636e-07 1.216743e-11",
        "-7.182395e-02 1.379172e-04 -3.578408e-06 3.931024e-09 5.047368e-09 -8.639437e-13",
    ],
    "dispy": [
        "5.901527e+01 2.353808e-06 1.272915e-06 -1.373537e-09 -1.283249e-09 -3.219430e-10",
        "-3.311461e+02 -1.380812e-05 -6.178189e-06 8.137933e-09 7.358962e-09 1.086774e-09",
        "-5.351753e-04 1.160419e-06 6.919819e-07 -8.336497e-10 -4.469066e-10 -3.066406e-10",
    ],
}
#: Configuration, case, along which axis it disperses, wavelengths (µm).
PUBLISHED = {"nircam": (NIRCAM, WFSS[0], 0, (3.9, 4.95)), "niriss": (NIRISS, WFSS[4], 1, (1.75, 2.22))}


def powers(count):
    """Return the powers of x and y of the coefficients of a line."""
    found = [(total - j, j) for total in range(4) for j in range(total + 1)]
    return found[:count]


def evaluated(lines, t, x, y):
    """Return a polynomial of a configuration."""
    total = 0.0
    for k, line in enumerate(lines):
        c = [float(v) for v in line.split()]
        total = total + t**k * sum(v * x**i * y**j for v, (i, j) in zip(c, powers(len(c)), strict=True))
    return total


def as_model(lines):
    """Return the transforms of a reference for lines of a configuration."""
    numbers = [[float(v) for v in line.split()] for line in lines]
    if all(len(c) == 1 for c in numbers):
        return m.Polynomial1D(len(numbers) - 1, **{f"c{k}": c[0] for k, c in enumerate(numbers)})
    return [
        m.Polynomial2D(
            3 if len(c) > 6 else 2, **{f"c{i}_{j}": v for v, (i, j) in zip(c, powers(len(c)), strict=True)}
        )
        for c in numbers
    ]


def reference(name):
    """Return the content of a reference of a published configuration."""
    published, case, *_ = PUBLISHED[name]
    made = {key: as_model(lines) for key, lines in published.items()}
    content = {"meta": specwcs(case)["meta"], "orders": [1]}
    if name == "niriss":
        # Without its rotation, and with the inverse of a line.
        inverse = m.Polynomial1D(1, c0=-0.75 / 1.55, c1=1 / 1.55)
        content |= {"invdispl": [inverse], "fwcpos_ref": case.meta["instrument.filter_position"]}
    return content | {
        key: [[v] if isinstance(v, m.Polynomial1D) and name == "nircam" else v] for key, v in made.items()
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return cache_of(tmp_path_factory.mktemp("optics") / "crds", [LRS[0], WFSS[0], WFSS[4]])


def calibrated(case, path, cache):
    """Return the WCS that an exposure gets with a reference."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        return wcs_of(AssignWcsStep.call(rate(case), override_specwcs=str(path)))


@pytest.fixture(scope="module", params=PUBLISHED)
def grism(request, cache):
    path = cache.root / f"{request.param}.asdf"
    asdf.AsdfFile(reference(request.param)).write_to(path)
    published, case, axis, ends = PUBLISHED[request.param]
    return published, calibrated(case, path, cache), axis, ends


def points(ends, n=60):
    """Return places of sources all over the field, and wavelengths."""
    rng = np.random.default_rng(8)
    x, y = rng.uniform(20, 2020, (2, n))
    return x, y, rng.uniform(*ends, n)


def published_trace(published, x, y, wavelength):
    """Return where light of a wavelength falls, and how far it moves with t, and its wavelength."""

    def at(t):
        offsets = (evaluated(published[key], t, x, y) for key in ("dispx", "dispy"))
        return np.array([v + offset for v, offset in zip((x, y), offsets, strict=True)])

    t = brentq(lambda t: evaluated(published["displ"], t, x, y) - wavelength, -0.3, 1.3, xtol=1e-14)
    step = 1e-4
    slope = (at(t + step) - at(t)) / (evaluated(published["displ"], t + step, x, y) - wavelength)
    return at(t), slope


def test_where_light_of_a_wavelength_falls(grism):
    """NIRCam looks t up between 40 samples; NIRISS has an inverse."""
    published, wcs, _, ends = grism
    x, y, wavelength = points(ends)
    sky = wcs.between("detector", "world", x, y, wavelength, 1.0)
    found = wcs.between("world", "grism_detector", sky[0], sky[1], wavelength * FACTOR, 1.0)[:2]
    expected = [published_trace(published, *point)[0] for point in zip(x, y, wavelength, strict=True)]
    assert np.abs(np.transpose(found) - expected).max() < 0.01


def test_wavelengths_of_pixels(grism):
    """In pixels along the dispersion; NIRISS looks t up between 10 samples."""
    published, wcs, axis, ends = grism
    for x, y, wavelength in zip(*points(ends), strict=True):
        pixel, slope = published_trace(published, x, y, wavelength)
        pixel[1 - axis] += 3.0  # across the trace it is the same
        found = wcs(*pixel, x, y, 1.0)[2] / FACTOR
        assert abs((found - wavelength) * slope[axis]) < 0.01


def test_lrs_against_its_table(cache):
    """Within 0.2 pixel, 0.05 on average: the table is smoothed, as by `jwst`; the trace is straightened."""
    table = np.genfromtxt(
        Path(__file__).parent / "data" / "lrs_flt2.csv", delimiter=",", names=True, skip_header=3
    )
    path = cache.root / "flt2.fits"
    write_lrs(path)
    corners = {"X0": (-20, "x"), "X1": (20, "x"), "Y0": (0.5, "y"), "Y2": (-0.5, "y")}
    with fits.open(path, mode="update") as file:
        rows = file["WAVETABLE"].data
        rows["X_CENTER"], rows["Y_CENTER"], rows["WAVELENGTH"] = table["x"], table["y"], table["wavelength"]
        for name, (offset, axis) in corners.items():
            rows[name] = table[axis] + offset
    wcs = calibrated(LRS[0], path, cache)
    x, y = table["x"] + 326.13 - 1, table["y"] + 300.7 - 1
    off = (wcs(x, y)[2] / FACTOR - table["wavelength"]) / np.gradient(table["wavelength"], table["y"])
    assert np.isfinite(off).all() and np.abs(off).max() < 0.2 and np.sqrt(np.mean(off**2)) < 0.055
    alpha, beta, _ = wcs.between("detector", "alpha_beta", x, y)
    # The smoothed trace is within a tenth of a pixel (0.11 arcsec) of the table's.
    assert np.abs(alpha).max() < 0.011 and (beta == 0).all()
