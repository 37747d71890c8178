import numpy as np
import pytest

from webbcal.core.dqflags import group
from webbcal.kernels import charge
from webbcal.kernels.charge import cpu, reference

LOST = group["CHARGELOSS"] | group["DO_NOT_USE"]


@pytest.mark.parametrize("module", [reference, cpu])
def test_cross_from_the_first_bright_group_on(module):
    data = np.zeros((1, 4, 5, 5), np.float32)
    data[0, 1, 2, 2] = 26000
    data[0, 2, 0, 4] = 26000
    dq = np.zeros(data.shape, np.uint8)
    dq[0, 2, 0, 4] = group["DO_NOT_USE"]  # already out: starts nothing
    module.flag_charge_migration(data, dq, 25000.0)
    cross = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
    assert not dq[0, 0].any()
    for g in (1, 2, 3):
        np.testing.assert_array_equal(dq[0, g] == LOST, cross == 1)


def test_short_ramps_are_skipped():
    assert "too few groups" in charge.skip_reason(2)
    assert charge.skip_reason(3) is None
