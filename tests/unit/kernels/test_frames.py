import numpy as np
import pytest

from webbcal.kernels.frames import arithmetic, cpu, dark


def test_group_scale():
    reason = arithmetic.group_scale_skip_reason
    assert reason(5, 4) is None
    assert "equal" in reason(4, 4)
    assert "power of 2" in reason(8, None)
    assert "missing" in reason(5, None)
    assert "missing" in reason(None, 4)
    data = np.full((1, 1, 2, 2), 100, np.float32)
    arithmetic.scale_groups(data, 5, 4)
    np.testing.assert_allclose(data, 80)


def test_init_dq_keeps_flags_of_the_input():
    pixeldq, groupdq = np.full((2, 2), 4, np.uint32), np.full((1, 3, 2, 2), 2, np.uint8)
    mask = np.array([[0, 1], [1024, 1025]], np.uint32)
    arithmetic.init_dq(pixeldq, mask, groupdq, user_dq=np.array([[8, 0], [0, 0]]))
    np.testing.assert_array_equal(pixeldq, [[12, 5], [1028, 1029]])
    for plane in groupdq[0]:
        np.testing.assert_array_equal(plane, [[2, 3], [2, 3]])
    with pytest.raises(ValueError, match="user_supplied_dq has shape"):
        arithmetic.init_dq(pixeldq, mask, None, np.zeros((3, 3), int))


def test_subtract_bias():
    data, zeroframe = np.full((1, 2, 1, 3), 10, np.float32), np.array([[[10, 0, 10]]], np.float32)
    pixeldq = np.zeros((1, 3), np.uint32)
    bias = np.array([[3, 3, np.nan]], np.float32)
    arithmetic.subtract_bias(data, pixeldq, bias, np.array([[0, 0, 8]], np.uint32), zeroframe)
    np.testing.assert_array_equal(data[0, 1, 0], [7, 7, 10])
    np.testing.assert_array_equal(zeroframe[0, 0], [7, 0, 10])
    np.testing.assert_array_equal(pixeldq, [[0, 0, 8]])
    assert np.isnan(bias[0, 2])  # the reference is not changed


def test_scale_rates():
    a = {k: np.ones((2, 2), np.float32) for k in ("data", "err", "var_poisson", "var_rnoise", "dq")}
    arithmetic.scale_rates(a | {"var_flat": None}, 3.0)
    assert [a[k][0, 0] for k in a] == [3, 3, 9, 9, 1]


class TestDarkPlan:
    def test_frames_of_groups(self):
        plan = dark.plan_dark(3, 4, 1, 60)  # SHALLOW4: four frames averaged, one dropped
        assert plan.groups == (range(0, 4), range(5, 9), range(10, 14))
        assert plan.frames == (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13)
        assert not plan.extrapolated
        assert plan.skip is None

    def test_same_pattern_takes_groups_as_they_are(self):
        plan = dark.plan_dark(3, 4, 1, 10, 4, 1)
        assert plan.matched
        assert plan.frames == (0, 1, 2)

    @pytest.mark.parametrize(
        "science, calibration, text",
        [
            ((5, 1, 0), (10, 4, 0), "more coarsely"),
            ((5, 4, 0), (10, 1, 2), "more coarsely"),
            ((5, 8, 0), (10, 4, 0), "averaged frames"),
            ((5, 1, 0), (1, 1, 0), "single frame"),
        ],
    )
    def test_reasons_to_skip(self, science, calibration, text):
        assert text in dark.plan_dark(*science, *calibration).skip

    @pytest.mark.parametrize("nframes, gap, expected", [(1, 0, [0, 1, 2, 3, 4]), (2, 1, [0.5, 3.5, 6.5])])
    def test_a_short_dark_goes_on(self, nframes, gap, expected):
        frames = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
        plan = dark.plan_dark(len(expected), nframes, gap, 3)
        assert plan.extrapolated
        groups = dark.dark_groups(lambda a, b: frames[a:b], plan, cpu)
        np.testing.assert_allclose(groups[:, 1, 1], expected)


def test_average_dark_current_in_order_of_priority():
    shape = (2, 3)
    field = np.full(shape, 0.3)
    value, origin = dark.average_dark_current(0.7, field, 0.1, shape)
    assert (value == np.float32(0.7)).all() and "parameter" in origin
    value, origin = dark.average_dark_current(None, field, 0.1, shape)
    assert (value == np.float32(0.3)).all() and "map" in origin
    value, origin = dark.average_dark_current(None, np.zeros(shape), 0.1, shape)
    assert (value == np.float32(0.1)).all()
    assert dark.average_dark_current(None, np.ones((5, 5)), 0.1, shape)[0] is None
    assert not dark.average_dark_current(None, None, None, shape)[0].any()
