"""Saturation flags on ramps that can be followed by hand."""

import numpy as np
import pytest

from webbcal.core.dqflags import group, pixel
from webbcal.kernels import saturation
from webbcal.kernels.saturation import cpu, reference

SAT, DNU, FLOOR = group["SATURATED"], group["DO_NOT_USE"], group["AD_FLOOR"] | group["DO_NOT_USE"]
both = pytest.mark.parametrize("module", [reference, cpu])


def flag(module, ramp, limit=50000.0, **options):
    """Put one ramp in the middle of a 7 x 7 field of faint ones; return flags and pixel DQ."""
    data = np.full((1, len(ramp), 7, 7), 12000, np.float32)
    data[0, :, 3, 3] = ramp
    groupdq, pixeldq = np.zeros(data.shape, np.uint8), np.zeros((7, 7), np.uint32)
    threshold = np.full((7, 7), 50000, np.float32)
    threshold[3, 3] = limit
    module.flag_saturation(data, groupdq, pixeldq, threshold, np.zeros((7, 7), np.uint32), **options)
    return groupdq[0], pixeldq


@both
@pytest.mark.parametrize("grow", [0, 1, 2])
def test_flags_stay_set_and_grow(module, grow):
    dq, _ = flag(module, [20000, 50000, 30000], grow=grow)
    assert (dq[0] == 0).all()
    for later in dq[1:]:
        assert (later == SAT).sum() == (2 * grow + 1) ** 2
        assert (later[3 - grow : 4 + grow, 3 - grow : 4 + grow] == SAT).all()


@both
def test_floor_is_flagged_in_its_group_only(module):
    dq, _ = flag(module, [20000, 0, 30000])
    assert list(dq[:, 3, 3]) == [0, FLOOR, 0]
    assert (dq != 0).sum() == 1


@both
def test_without_threshold_nothing_saturates(module):
    dq, pixeldq = flag(module, [20000, 65535, 65535], limit=np.nan)
    assert not dq.any()
    assert pixeldq[3, 3] == pixel["NO_SAT_CHECK"]
    assert pixeldq.sum() == pixel["NO_SAT_CHECK"]


@both
def test_group_before_saturation_is_rejected_if_its_last_frame_may_have_saturated(module):
    # 4 frames a group: group 1 holds frames 5 to 8, mean 6.5, so its limit is 50000 × 6.5 / 8 = 40625
    assert list(flag(module, [20000, 40625, 60000], nframes=4, grow=0)[0][:, 3, 3]) == [0, DNU, SAT]
    assert list(flag(module, [20000, 40624, 60000], nframes=4, grow=0)[0][:, 3, 3]) == [0, 0, SAT]
    assert list(flag(module, [20000, 40625, 60000], nframes=None)[0][:, 3, 3]) == [0, 0, SAT]
    assert list(flag(module, [20000, 40625, 49000], nframes=4)[0][:, 3, 3]) == [0, 0, 0]


@both
def test_second_group_is_rejected_if_a_hit_in_its_last_frame_saturated(module):
    # from 10000 to 21000 in group 1 is more than (50000 - 10000) / 4, and group 2 saturates unexpectedly
    bias = np.full((7, 7), 9000, np.float32)
    assert list(flag(module, [10000, 21000, 60000], nframes=4, bias=bias)[0][:, 3, 3]) == [0, DNU, SAT]
    assert list(flag(module, [10000, 19000, 60000], nframes=4, bias=bias)[0][:, 3, 3]) == [0, 0, SAT]
    # a bright source: the first group predicts saturation
    assert list(flag(module, [29000, 40000, 60000], nframes=4, bias=bias)[0][:, 3, 3])[1:] == [0, SAT]


@both
def test_zeroframe_loses_flagged_values(module):
    zeroframe = np.full((1, 7, 7), 9000, np.float32)
    zeroframe[0, 0, 0], zeroframe[0, 3, 3] = -5, 60000
    flag(module, [20000, 30000, 30000], zeroframe=zeroframe)
    assert zeroframe[0, 0, 0] == 0
    assert (zeroframe[0, 2:5, 2:5] == 0).all()
    assert (zeroframe != 0).sum() == 49 - 10


def test_halo():
    assert saturation.halo(0) == 0
    assert saturation.halo(2) == 4
