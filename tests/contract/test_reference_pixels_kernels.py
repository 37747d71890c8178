"""The compiled loops of the reference-pixel correction must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.kernels.reference_pixels import cpu, reference
from webbcal.kernels.reference_pixels.geometry import Geometry, cut_border
from webbcal.kernels.reference_pixels.measure import Options, apply, measure

SINGLE = np.array([True, False, True, False, True, True])


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 100, 128, 129, 300, 1001, 4099])
def test_clipped_means(n):
    rng = np.random.default_rng(n)
    values = rng.normal(50, 20, (6, n)).astype(np.float32)
    values[rng.random(values.shape) < 0.02] *= 10
    values[4] = 3.3  # no variance
    values[5, 0] = np.nan
    expected = reference.clipped_means(values, SINGLE, 3.0)
    np.testing.assert_array_equal(cpu.clipped_means(values, SINGLE, 3.0), expected)
    assert expected[4] == np.float32(3.3)
    assert np.isnan(expected[5])


@pytest.mark.parametrize("n, length", [(40, 11), (40, 4), (64, 1), (30, 12), (9, 15)])
def test_running_medians(n, length):
    rng = np.random.default_rng(n)
    side = np.rint(rng.normal(0, 5, (6, n, 4))).astype(np.float32)
    side[3, 4, 2] = np.nan
    good = rng.random((n, 4)) < 0.7
    good[n // 3 : 2 * n // 3] = False
    offsets = rng.normal(0, 3, (6, 4))
    expected = reference.running_medians(side, good, offsets, SINGLE, length)
    np.testing.assert_array_equal(cpu.running_medians(side, good, offsets, SINGLE, length), expected)


@pytest.mark.parametrize("fast_is_x", [True, False])
@pytest.mark.parametrize("channels", [1, 4])
def test_subtract(fast_is_x, channels):
    rng = np.random.default_rng(2)
    data = rng.normal(1000, 100, (2, 3, 8, 12)).astype(np.float32)
    nfast, nslow = (12, 8) if fast_is_x else (8, 12)
    fast, slow = rng.normal(0, 5, (2, 3, nfast)), rng.normal(0, 5, (2, 3, channels, nslow))
    channel, single = rng.integers(0, channels, nfast), rng.random((2, 3)) < 0.5
    expected, found = data.copy(), data.copy()
    reference.subtract(expected, fast, slow, channel, single, fast_is_x)
    cpu.subtract(found, fast, slow, channel, single, fast_is_x)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("y0", "x0"), [(0, 0), (3, 0), (2, 5)])
def test_subtract_outputs(y0, x0):
    rng = np.random.default_rng(y0)
    data = rng.normal(9000, 300, (2, 5, 7, 26)).astype(np.float32)
    drift = rng.normal(0, 3, (2, 5, 2, 4)).astype(np.float32)
    ours, theirs = data.copy(), data.copy()
    cpu.subtract_outputs(ours, drift, y0, x0)
    reference.subtract_outputs(theirs, drift, y0, x0)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(ours[:, 0], data[:, 0])
    change = ours[1, 4, 2, 3] - data[1, 4, 2, 3]
    np.testing.assert_allclose(change, -drift[1, 4, (2 + y0) % 2, (3 + x0) % 4], atol=2e-3)
    with pytest.raises(ValueError, match="do not go with data"):
        cpu.subtract_outputs(ours, drift[:, :3], y0, x0)


@pytest.mark.parametrize("axes", [(-1, 2), (1, -2), (-2, -1), (2, 1)])
@pytest.mark.parametrize("noutputs", [1, 4])
def test_whole_correction_on_a_small_detector(axes, noutputs):
    rng = np.random.default_rng(8)
    size = 64
    data = rng.normal(0, 10, (2, 2, size, 40)).astype(np.float32)
    dq = np.zeros((size, 40), np.uint32)
    dq[:4] = dq[-4:] = 1 << 31
    dq[rng.random(dq.shape) < 0.05] |= 1
    geometry = Geometry(Box(0, size, 20, 60), *axes, noutputs, size=size)
    results = []
    for module in (reference, cpu):
        correction = measure(
            cut_border(data, geometry), cut_border(dq, geometry), geometry, Options(), module
        )
        assert correction.reason is None
        out = data.copy()
        apply(out, correction, Box(0, size, 0, 40), module)
        results.append(out)
    np.testing.assert_array_equal(results[1], results[0])
    assert (results[0] != data).mean() > 0.5
