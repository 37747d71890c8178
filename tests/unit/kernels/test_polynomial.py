"""Linearity correction on values that can be followed by hand."""

import numpy as np
import pytest

from webbcal.core.dqflags import pixel
from webbcal.kernels.polynomial import cpu, reference

both = pytest.mark.parametrize("module", [reference, cpu])


def field(value, shape=(1, 3, 4, 5)):
    data = np.broadcast_to(np.asarray(value, np.float32)[:, None, None], shape).copy()
    return data, np.zeros(shape, np.uint8), np.zeros(shape[2:], np.uint32)


def constant(*coeffs, shape=(4, 5)):
    return np.broadcast_to(np.array(coeffs, np.float32)[:, None, None], (len(coeffs), *shape)).copy()


@both
def test_polynomial_and_exceptions(module):
    data, dq, pdq = field([100, 200, 400])
    c, cdq = constant(1, 1, 0.5), np.zeros((4, 5), np.uint32)
    dq[0, 2, 0, 0] = 2  # saturated: keeps its value
    c[2, 0, 1] = np.nan
    c[1, 0, 2] = 0
    cdq[0, 3] = pixel["NO_LIN_CORR"]
    cdq[0, 4] = 1
    module.linearize(data, dq, pdq, c, cdq)
    assert list(data[0, :, 3, 3]) == [1 + 100 + 5000, 1 + 200 + 20000, 1 + 400 + 80000]
    assert data[0, 2, 0, 0] == 400
    for x in (1, 2, 3):
        assert list(data[0, :, 0, x]) == [100, 200, 400]
        assert pdq[0, x] == pixel["NO_LIN_CORR"]
    assert pdq[0, 4] == 1
    assert not pdq[1:].any()


@both
def test_zeroframe_keeps_its_zeros(module):
    data, dq, pdq = field([100, 200, 400])
    zeroframe = np.array([[[10, 0, 10, 10, 10]] * 4], np.float32)
    module.linearize(data, dq, pdq, constant(1, 2), pdq.copy(), zeroframe=zeroframe)
    assert list(zeroframe[0, 0]) == [21, 0, 21, 21, 21]


@both
def test_by_frame_undoes_the_curvature_that_averaging_hides(module):
    """A detector m = s - a s², read in groups of 8 frames: by frame the ramp is straight, by group not."""
    a, nframes, ngroups = 2e-6, 8, 5
    signal = 40.0 * 37 * (1 + np.arange(ngroups * nframes)).reshape(ngroups, nframes)
    measured = (signal - a * signal**2).mean(axis=1)
    exact = [0.0, 1.0, a, 2 * a**2, 5 * a**3, 14 * a**4, 42 * a**5]  # the inverse series
    results = {}
    for name, inverse in (("group", None), ("frame", constant(0, 1, -a))):
        data, dq, pdq = field(measured, (1, ngroups, 4, 5))
        module.linearize(data, dq, pdq, constant(*exact), pdq.copy(), inverse=inverse, nframes=nframes)
        results[name] = np.abs(data[0, :, 2, 2] - signal.mean(axis=1)).max()
    assert results["frame"] < 0.5 * results["group"]


@both
def test_one_group_is_corrected_as_a_group(module):
    data, dq, pdq = field([100], (1, 1, 4, 5))
    inverse = constant(0, 1, -0.1)
    module.linearize(data, dq, pdq, constant(1, 1, 0.5), pdq.copy(), inverse=inverse, nframes=8)
    assert (data == 5101).all()
