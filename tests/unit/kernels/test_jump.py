"""Jump detection on ramps small enough to work out by hand."""

import numpy as np
import pytest

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.kernels import jump

DNU, SATURATED, JUMP = (dqflags.group[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))
BACKENDS = pytest.mark.parametrize("backend", ["cpu", "reference"])


def detect(backend, ramp, groupdq=None, gain=1.0, readnoise=10.0, shape=(3, 3), **settings):
    """Put `ramp` in the middle of an image of flat ramps; return the flags and the tally."""
    ngroups = len(ramp)
    data = np.zeros((1, ngroups, *shape), np.float32)
    data[0, :, 1, 1] = ramp
    dq = np.zeros(data.shape, np.uint8)
    if groupdq is not None:
        dq[0, :, 1, 1] = groupdq
    pixeldq = np.zeros(shape, np.uint32)
    gain, readnoise = (np.full(shape, value, np.float32) for value in (gain, readnoise))
    no_dnu = np.zeros((1, ngroups), bool)
    parameters = jump.JumpSettings(**settings)
    tally = kernels.get("jump", backend).detect_jumps(data, dq, pixeldq, gain, readnoise, parameters, no_dnu)
    return dq[0], pixeldq, tally


@BACKENDS
def test_one_jump_and_its_four_neighbours(backend):
    # differences 0 0 500 0 0: 50 sigma of read noise
    dq, _, tally = detect(backend, [0, 0, 0, 500, 500, 500])
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]) * JUMP
    np.testing.assert_array_equal(dq[3], cross)
    assert not dq[[0, 1, 2, 4, 5]].any()
    assert tally.primary == 1 and tally.method == jump.Method.ITERATIVE


@BACKENDS
@pytest.mark.parametrize("size, flagged", [(40.0, False), (40.1, True)])
def test_threshold_is_exclusive(backend, size, flagged):
    # median 0 and read noise 10, so sigma is 10
    dq, _, _ = detect(backend, [0, 0, 0, size, size, size], flag_4_neighbors=False)
    assert bool(dq.any()) is flagged


@BACKENDS
def test_averaged_frames_reduce_the_noise(backend):
    dq, _, _ = detect(backend, [0, 0, 0, 30, 30, 30], nframes=4, flag_4_neighbors=False)
    assert dq[3, 1, 1] == JUMP


@BACKENDS
def test_gain_scales_data_and_read_noise(backend):
    # 41 DN: 82 electrons over 20 electrons of noise
    dq, _, _ = detect(backend, [0, 0, 0, 41, 41, 41], gain=2.0, flag_4_neighbors=False)
    assert dq[3, 1, 1] == JUMP


@BACKENDS
@pytest.mark.parametrize("name", ["three", "four"])
def test_short_ramps_have_their_own_thresholds(backend, name):
    ramp = {"three": [0, 0, 55], "four": [0, 0, 0, 45]}[name]
    assert not detect(backend, ramp)[0].any()
    threshold = {f"{name}_group_rejection_threshold": 4.0}
    assert detect(backend, ramp, **threshold)[0][-1, 1, 1] == JUMP


@BACKENDS
def test_flags_follow_a_large_jump(backend):
    settings = {"after_jump_electrons1": 100.0, "after_jump_groups1": 2, "flag_4_neighbors": False}
    dq, _, tally = detect(backend, [0, 0, 500, 500, 500, 500, 500], **settings)
    np.testing.assert_array_equal(dq[:, 1, 1], np.array([0, 0, 1, 1, 1, 0, 0]) * JUMP)
    assert tally.primary == 1
    settings["after_jump_electrons1"] = 501.0
    dq, _, _ = detect(backend, [0, 0, 500, 500, 500, 500, 500], **settings)
    np.testing.assert_array_equal(dq[:, 1, 1], np.array([0, 0, 1, 0, 0, 0, 0]) * JUMP)


@BACKENDS
def test_saturated_and_unused_groups_take_no_part(backend):
    flags = [0, 0, DNU, 0, 0, 0, SATURATED, SATURATED]
    dq, _, _ = detect(backend, [0, 0, 9000, 0, 0, 0, 9000, 9000], flags)
    np.testing.assert_array_equal(dq[:, 1, 1], flags)


@BACKENDS
def test_redundant_jump_flags_go(backend):
    flags = [0, JUMP | DNU, JUMP | SATURATED, SATURATED]
    dq, _, _ = detect(backend, [0, 0, 0, 0], flags)
    np.testing.assert_array_equal(dq[:, 1, 1], [0, DNU, SATURATED, SATURATED])


@BACKENDS
@pytest.mark.parametrize("gain", [np.nan, 0.0, -1.0])
def test_bad_gain_is_flagged(backend, gain):
    dq, pixeldq, _ = detect(backend, [0, 0, 0, 0, 0], gain=gain)
    assert (pixeldq == (dqflags.pixel["NO_GAIN_VALUE"] | dqflags.pixel["DO_NOT_USE"])).all()
    assert not dq.any()


@BACKENDS
@pytest.mark.parametrize("readnoise", [np.nan, 0.0])
def test_no_read_noise_no_jumps(backend, readnoise):
    dq, _, _ = detect(backend, [0, 0, 0, 500, 500, 500], readnoise=readnoise)
    assert not dq.any()


def test_methods():
    usable = np.zeros((2, 12), bool)
    assert jump.choose_method(jump.JumpSettings(), usable) == jump.Method.SINGLE_PASS
    assert jump.choose_method(jump.JumpSettings(min_diffs_single_pass=12), usable) == jump.Method.ITERATIVE
    clip = jump.JumpSettings(only_use_ints=False, minimum_sigclip_groups=24)
    assert jump.choose_method(clip, usable) == jump.Method.SIGMA_CLIP
    usable[1, 2:] = True
    assert jump.choose_method(clip, usable) == jump.Method.NONE


def test_after_jump_threshold_is_in_electrons_of_the_median_gain():
    gain = np.array([[1.8, 2.0, np.nan, 7.0]], np.float32)
    assert jump.after_jump_electrons(10.0, gain) == pytest.approx(20.0)


def test_wrong_arrays_are_refused():
    data, dq = np.zeros((1, 4, 2, 2), np.float32), np.zeros((1, 4, 2, 2), np.uint8)
    image, flags, dnu = np.ones((2, 2), np.float32), np.zeros((2, 2), np.uint32), np.zeros((1, 4), bool)
    with pytest.raises(ValueError, match="readnoise must be"):
        kernels.get("jump").detect_jumps(
            data, dq, flags, image, image.astype(float), jump.JumpSettings(), dnu
        )
    with pytest.raises(ValueError, match="unknown backend"):
        kernels.get("jump", "cuda")
