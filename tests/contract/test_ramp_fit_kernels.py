"""The compiled ramp fit must equal the NumPy reference: flags exactly, numbers to rounding."""

import itertools

import numpy as np
import pytest

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.kernels import ramp_fit

DNU, SATURATED, JUMP, PERSISTENCE, CHARGELOSS = (
    dqflags.group[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET", "PERSISTENCE", "CHARGELOSS")
)


def random_band(rng, nints, ngroups, ny=5, nx=70):
    shape = (nints, ngroups, ny, nx)
    steps = rng.poisson(np.broadcast_to(rng.choice([0, 1, 30, 1000, 30000], (ny, nx)), shape))
    data = (np.cumsum(steps, axis=1) + rng.normal(0, 8, shape)).astype(np.float32)
    groupdq = np.zeros(shape, np.uint8)
    clean = rng.random((ny, nx)) < 0.2
    busy = rng.choice([0.02, 0.1, 0.5], (ny, nx)) * ~clean
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx)) + 9 * ngroups * clean
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] |= SATURATED
    for flag in (DNU, JUMP, JUMP, PERSISTENCE, CHARGELOSS | DNU, CHARGELOSS, 8):
        groupdq[rng.random(shape) < busy] |= np.uint8(flag)
    data[rng.random(shape) < 0.003] = np.nan
    data[rng.random((nints, ny, nx))[:, None] * np.ones(shape) < 0.01] = 7.0  # no slope at all
    gain = rng.choice(
        np.array([2, 1.7, np.nan, 0, -1], np.float32), (ny, nx), p=[0.5, 0.41, 0.03, 0.03, 0.03]
    )
    readnoise = rng.choice(np.array([8, 5.3, np.nan, 0], np.float32), (ny, nx), p=[0.5, 0.44, 0.03, 0.03])
    pixeldq = rng.choice([0, 0, 0, 0, 1, 2, 1024], (ny, nx)).astype(np.uint32)
    dark = rng.normal(0, 0.05, (ny, nx)).astype(np.float32)
    zeroframe = (data[:, 0] * rng.choice([0.0, 0.5], (nints, ny, nx))).astype(np.float32)
    return data, groupdq, pixeldq, gain, readnoise, dark, zeroframe


def assert_close(got, expected, name):
    if got.dtype.kind == "u":
        np.testing.assert_array_equal(got, expected, err_msg=name)
    else:
        np.testing.assert_allclose(got, expected, rtol=3e-6, atol=1e-9, equal_nan=True, err_msg=name)


@pytest.mark.parametrize("suppress", [True, False])
@pytest.mark.parametrize("zero", [True, False])
def test_cpu_equals_reference(suppress, zero):
    rng = np.random.default_rng(3)
    for nints, ngroups in itertools.product((1, 2, 3), (1, 2, 3, 4, 7, 12)):
        *band, dark, zeroframe = random_band(rng, nints, ngroups)
        settings = ramp_fit.RampFitSettings(
            21.47, 10.74, nframes=4, groupgap=1, drop_frames1=2, suppress_one_group=suppress, save_opt=True
        )
        arguments = (*band, dark if zero else None, zeroframe if zero else None, settings)
        before = [array.copy() for array in band]
        expected, got = (
            kernels.get("ramp_fit", backend).fit_ramps(*arguments) for backend in ("reference", "cpu")
        )
        for array, copy in zip(band, before, strict=True):
            np.testing.assert_array_equal(array, copy)
        assert got.all_saturated == expected.all_saturated
        for kind in ("rate", "rateints", "segments"):
            fits = zip(getattr(got, kind), getattr(expected, kind), strict=True)
            for field, (a, b) in zip(getattr(got, kind)._fields, fits, strict=True):
                assert a.shape == b.shape
                if field == "yint":  # large numbers cancel
                    np.testing.assert_allclose(a, b, rtol=3e-6, atol=0.02, equal_nan=True)
                else:
                    assert_close(a, b, f"{nints} {ngroups} {kind} {field}")


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_bands_equal_the_whole(backend):
    rng = np.random.default_rng(4)
    *band, dark, zeroframe = random_band(rng, 2, 6, ny=7, nx=20)
    settings = ramp_fit.RampFitSettings(21.47, 10.74, suppress_one_group=False, save_opt=True)
    fit_ramps = kernels.get("ramp_fit", backend).fit_ramps
    whole = fit_ramps(*band, dark, zeroframe, settings)
    shape = band[0].shape
    out = ramp_fit.RampFit(ramp_fit.Fit.empty(shape[2:]), ramp_fit.Fit.empty((shape[0], *shape[2:])))
    segments = []
    for y0 in range(0, 7, 3):
        part = [np.ascontiguousarray(array[..., y0 : y0 + 3, :]) for array in (*band, dark, zeroframe)]
        segments.append((y0, 0, fit_ramps(*part, settings, out=out, row=y0).segments))
    merged = ramp_fit.merge_segments(segments)
    for got, expected in ((out.rate, whole.rate), (out.rateints, whole.rateints), (merged, whole.segments)):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("save", [True, False])
@pytest.mark.parametrize("suppress", [True, False])
@pytest.mark.parametrize("parts", [[1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_integrations_a_few_at_a_time_equal_the_whole(parts, suppress, save):
    """The rate of an exposure is a fold over its integrations, to the last bit."""
    from webbcal.kernels.ramp_fit import cpu

    rng = np.random.default_rng(5)
    for ngroups in (1, 2, 3, 6, 12):
        *band, dark, zeroframe = random_band(rng, sum(parts), ngroups)
        data, groupdq, pixeldq, gain, readnoise = band
        settings = ramp_fit.RampFitSettings(
            21.47, 10.74, nframes=4, suppress_one_group=suppress, save_opt=save
        )
        whole = cpu.fit_ramps(*band, dark, zeroframe, settings)
        pieces, start = [], 0
        for n in parts:
            pieces.append(slice(start, start + n))
            start += n
        rates = np.zeros(gain.shape)
        for piece in pieces:
            cpu.add_median_rates(data[piece], groupdq[piece], zeroframe[piece], settings, rates)
        rates /= sum(parts)
        shares = ramp_fit.empty_shares(gain.shape)
        fits = [
            cpu.fit_integrations(
                data[piece], groupdq[piece], pixeldq, gain, readnoise, dark, zeroframe[piece], settings,
                rates, shares,
            )
            for piece in pieces
        ]  # fmt: skip
        for k, name in enumerate(ramp_fit.Fit._fields):
            together = np.concatenate([fit[k] for fit, _ in fits])
            np.testing.assert_array_equal(together, whole.rateints[k], err_msg=name)
        for name, got, expected in zip(
            ramp_fit.Fit._fields, ramp_fit.combine(shares, pixeldq, gain), whole.rate, strict=True
        ):
            np.testing.assert_array_equal(got, expected, err_msg=name)
        if save:
            merged = ramp_fit.merge_segments(
                [(0, p.start, f) for p, (_, f) in zip(pieces, fits, strict=True)]
            )
            for name, got, expected in zip(merged._fields, merged, whole.segments, strict=True):
                np.testing.assert_array_equal(got, expected, err_msg=name)


@pytest.mark.parametrize("rejected", [(0, 0), (1, 1), (4, 1), (0, 2), (7, 3)])
@pytest.mark.parametrize("nints", [1, 3])
def test_first_and_last_groups_that_all_pixels_reject_are_the_same_as_in_single_pixels(rejected, nints):
    """The quick way, for many pixels at once, gives the bits of the way that follows each pixel's flags."""
    from webbcal.kernels.ramp_fit import cpu

    rng = np.random.default_rng(6)
    ngroups = 12
    data, groupdq, *others, dark, _ = random_band(rng, nints, ngroups, nx=200)
    groupdq[:, : rejected[0]] |= DNU
    groupdq[:, ngroups - rejected[1] :] = DNU
    groupdq[:, 0, 2, ::7] = 0  # as in pixels that saturate early
    band = data, groupdq, *others, dark, None
    quick, slow = (
        cpu.fit_ramps(*band, ramp_fit.RampFitSettings(21.47, 10.74, save_opt=save)) for save in (False, True)
    )
    for kind in ("rate", "rateints"):
        for got, expected in zip(getattr(quick, kind), getattr(slow, kind), strict=True):
            np.testing.assert_array_equal(got, expected)
    whole, pieces = np.zeros(dark.shape), np.zeros(dark.shape)
    settings = ramp_fit.RampFitSettings(21.47, 10.74)
    cpu.add_median_rates(data, groupdq, None, settings, whole)
    for i in range(nints):
        cpu.add_median_rates(data[i : i + 1], groupdq[i : i + 1], None, settings, pieces)
    np.testing.assert_array_equal(whole, pieces)
