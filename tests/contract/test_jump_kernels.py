"""The compiled jump detection must equal the NumPy reference, bit for bit."""

import itertools

import numpy as np
import pytest

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels import jump
from webbcal.kernels.compiling import kernel
from webbcal.kernels.jump import quiet
from webbcal.kernels.sortnet import LANES

DNU, SATURATED, JUMP = (dqflags.group[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))


def random_band(rng, nints, ngroups, ny=6, nx=71):
    shape = (nints, ngroups, ny, nx)
    steps = rng.poisson(np.broadcast_to(rng.choice([0.0, 1.0, 30.0, 1000.0], (ny, nx)), shape)).astype(float)
    steps += (rng.random(shape) < 0.1) * rng.exponential(400, shape)
    data = (np.cumsum(steps, axis=1) + np.rint(rng.normal(0, 8, shape))).astype(np.float32)
    data[rng.random(shape) < 0.005] = np.nan
    groupdq = np.zeros(shape, np.uint8)
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx))
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] |= SATURATED
    for flag in (DNU, JUMP, dqflags.group["PERSISTENCE"], dqflags.group["CHARGELOSS"] | DNU):
        groupdq[rng.random(shape) < 0.02] |= np.uint8(flag)
    gain = rng.choice(
        np.array([2, 1.7, np.nan, 0, -1], np.float32), (ny, nx), p=[0.5, 0.41, 0.03, 0.03, 0.03]
    )
    readnoise = rng.choice(np.array([8, 5.3, np.nan, 0], np.float32), (ny, nx), p=[0.5, 0.44, 0.03, 0.03])
    return data, groupdq, np.zeros((ny, nx), np.uint32), gain, readnoise


def run(backend, band, settings, **options):
    data, groupdq, pixeldq, gain, readnoise = band
    groupdq, pixeldq = groupdq.copy(), pixeldq.copy()
    dnu = ((groupdq & DNU) != 0).all(axis=(2, 3))
    tally = kernels.get("jump", backend).detect_jumps(
        data, groupdq, pixeldq, gain, readnoise, settings, dnu, **options
    )
    return groupdq, pixeldq, tally


SETTINGS = {
    "default": jump.JumpSettings(),
    "low": jump.JumpSettings(
        rejection_threshold=2.0, three_group_rejection_threshold=1.5, four_group_rejection_threshold=1.7
    ),
    "alone": jump.JumpSettings(flag_4_neighbors=False, nframes=8),
    "after": jump.JumpSettings(
        min_jump_to_flag_neighbors=0.0,
        max_jump_to_flag_neighbors=60.0,
        after_jump_electrons1=20.0,
        after_jump_groups1=1,
        after_jump_electrons2=200.0,
        after_jump_groups2=4,
        nframes=4,
    ),
    "single pass": jump.JumpSettings(min_diffs_single_pass=2, rejection_threshold=3.0),
    "clip all": jump.JumpSettings(minimum_sigclip_groups=3, only_use_ints=False, rejection_threshold=2.5),
    "in time": jump.JumpSettings(running_ints=5, rejection_threshold=2.5),
    "clip ints": jump.JumpSettings(minimum_sigclip_groups=3, rejection_threshold=1.4, after_jump_groups1=1),
    "clip near": jump.JumpSettings(
        minimum_sigclip_groups=3,
        rejection_threshold=1.2,
        min_jump_to_flag_neighbors=2.0,
        max_jump_to_flag_neighbors=30.0,
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_cpu_equals_reference(name):
    rng = np.random.default_rng(7)
    for nints, ngroups in itertools.product((1, 2, 3), (1, 2, 3, 4, 5, 6, 9, 12)):
        band = random_band(rng, nints, ngroups)
        cleared = rng.random((nints, ngroups)) < 0.05
        inner = Box(1, 5, 2, band[0].shape[-1] - 3)
        expected = run("reference", band, SETTINGS[name], inner=inner, cleared_groups=cleared)
        got = run("cpu", band, SETTINGS[name], inner=inner, cleared_groups=cleared)
        np.testing.assert_array_equal(got[0], expected[0], err_msg=f"{nints} {ngroups}")
        np.testing.assert_array_equal(got[1], expected[1])
        assert got[2].method == expected[2].method
        assert got[2].primary == expected[2].primary
        np.testing.assert_array_equal(got[2].full_groups, expected[2].full_groups)


@kernel
def mark_quiet(diff, variance, limit, absolute, usable, look, marked):
    quiet.mark_quiet(diff, variance, limit, absolute, usable, look, marked)


@pytest.mark.parametrize(("nints", "ngroups"), [(1, 10), (2, 40), (30, 5)])
def test_most_ramps_are_passed_over_and_none_with_a_jump(nints, ngroups):
    rng = np.random.default_rng(11)
    shape = nints, ngroups, 3, LANES
    steps = rng.poisson(60.0, shape) + (rng.random(shape) < 0.05 / ngroups / nints) * 2000.0
    data = (np.cumsum(steps, axis=1) + rng.normal(0, 4, shape)).astype(np.float32)
    groupdq = np.zeros(shape, np.uint8)
    groupdq[:, 0] = groupdq[:, -1] = DNU
    pixel = np.ones(shape[2:], np.float32)
    band = data, groupdq, np.zeros(shape[2:], np.uint32), pixel, 6 * pixel
    settings = jump.JumpSettings(flag_4_neighbors=False)
    expected, got = (run(backend, band, settings) for backend in ("reference", "cpu"))
    np.testing.assert_array_equal(got[0], expected[0])
    jumps = (expected[0] & JUMP != 0).any(axis=(0, 1))
    assert jumps.any()
    differences = np.diff(data, axis=1)
    differences[:, [0, -1]] = np.nan
    differences = differences.reshape(-1, *shape[2:])
    passed_over = np.zeros(shape[2:], bool)
    for row in range(shape[2]):
        scratch = np.zeros(LANES, np.int64), np.zeros((7, LANES), np.float32)
        variance = np.full(LANES, 36.0)
        absolute = expected[2].method == jump.Method.ITERATIVE
        values = np.ascontiguousarray(differences[:, row])
        mark_quiet(values, variance, settings.rejection_threshold, absolute, *scratch, passed_over[row])
    assert not (passed_over & jumps).any()
    assert passed_over.mean() > 0.7


def test_in_time_cpu_equals_reference_in_long_series():
    band = random_band(np.random.default_rng(9), 23, 4)
    settings = jump.JumpSettings(running_ints=7, rejection_threshold=3.0)
    expected, got = (run(backend, band, settings) for backend in ("reference", "cpu"))
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[2].method == jump.Method.RUNNING and got[2].primary == expected[2].primary > 100


@pytest.mark.parametrize(
    "settings",
    [
        jump.JumpSettings(minimum_sigclip_groups=200, min_diffs_single_pass=3, after_jump_groups1=1),
        jump.JumpSettings(minimum_sigclip_groups=50, rejection_threshold=3.0),
        jump.JumpSettings(minimum_sigclip_groups=50, rejection_threshold=3.0, only_use_ints=False),
        jump.JumpSettings(minimum_sigclip_groups=50, rejection_threshold=2.0, min_jump_to_flag_neighbors=3.0),
    ],
)
def test_very_many_differences_are_not_sorted(settings):
    band = random_band(np.random.default_rng(10), 107, 6, ny=3, nx=9)
    expected, got = (run(backend, band, settings) for backend in ("reference", "cpu"))
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[2].primary == expected[2].primary > 0


def test_medians_of_clipped_ramps_are_right_where_bounds_do_not_tell():
    """Infinite differences are left out of clipping, but count in the median that neighbours hang on."""
    rng = np.random.default_rng(11)
    data, *rest = random_band(rng, 60, 5, ny=3, nx=20)
    data[:, 1:, :, ::3] = np.where(rng.random((60, 1, 3, 7)) < 0.6, np.inf, data[:, 1:, :, ::3])
    settings = jump.JumpSettings(
        minimum_sigclip_groups=50,
        rejection_threshold=1.5,
        min_jump_to_flag_neighbors=1.0,
        max_jump_to_flag_neighbors=3.0,
    )
    with np.errstate(invalid="ignore"):
        expected, got = (run(backend, (data, *rest), settings) for backend in ("reference", "cpu"))
    np.testing.assert_array_equal(got[0], expected[0])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_blocks_with_a_halo_equal_the_whole(backend):
    rng = np.random.default_rng(8)
    band = random_band(rng, 2, 6, ny=11, nx=20)
    settings = SETTINGS["after"]
    whole, _, tally = run(backend, band, settings)
    frame, counted = Box(0, 11, 0, 20), 0
    for y0, x0 in itertools.product(range(0, 11, 4), range(0, 20, 7)):
        interior = Box(y0, min(y0 + 4, 11), x0, min(x0 + 7, 20))
        box = interior.grow(1, within=frame)
        part = tuple(np.ascontiguousarray(a[(..., *box.slices)]) for a in band)
        inner = interior.relative_to(box)
        dq, _, found = run(backend, part, settings, inner=inner)
        np.testing.assert_array_equal(dq[(..., *inner.slices)], whole[(..., *interior.slices)])
        counted += found.primary
    assert counted == tally.primary > 0
