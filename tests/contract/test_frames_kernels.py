"""Compiled decoding and averaging must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.kernels.frames import cpu, reference


@pytest.mark.parametrize("module", [reference, cpu])
def test_decode_gives_the_unsigned_values(module):
    values = np.append(np.arange(0, 65536, 35), [65535, 32768, 1]).reshape(2, -1).astype(np.uint16)
    stored = (values.astype(np.int32) - 32768).astype(">i2")
    for raw in (stored, np.frombuffer(stored.tobytes(), np.uint8), stored.view(np.int16)):
        out = np.full(values.shape, np.nan, np.float32)
        module.decode_uint16(raw, out)
        np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("nframes", [1, 2, 3, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_average_equals_reference(nframes, order):
    rng = np.random.default_rng(nframes)
    frames = rng.normal(0, 3, (nframes, 10, 23)).astype(np.float32)
    frames[rng.random(frames.shape) < 0.05] = np.nan
    frames[0, 0, :2] = np.inf, -np.inf
    expected, found = np.empty((10, 23), np.float32), np.empty((10, 23), np.float32)
    reference.average_frames(frames, expected)
    cpu.average_frames(frames.astype(order + "f4"), found)
    np.testing.assert_array_equal(found, expected)
    clean = np.where(np.isnan(frames), 0, frames)
    np.testing.assert_array_equal(found, clean.mean(axis=0, dtype=np.float32))


@pytest.mark.parametrize("shape", [(3, 5, 17), (4, 9), (0, 3)], ids=str)
@pytest.mark.parametrize("order", ["<", ">"])
def test_zero_for_nan_equals_reference(shape, order):
    rng = np.random.default_rng(5)
    values = rng.normal(0, 3, shape).astype(np.float32)
    values[rng.random(shape) < 0.2] = np.nan
    stored = values.astype(order + "f4")
    expected = reference.zero_for_nan(stored.copy())
    found = cpu.zero_for_nan(stored.copy())
    assert found.dtype == expected.dtype == np.dtype("f4")
    np.testing.assert_array_equal(found, np.where(np.isnan(values), 0, values))
    np.testing.assert_array_equal(expected, found)


def test_sizes_must_match():
    with pytest.raises(ValueError, match="do not fill"):
        cpu.decode_uint16(np.zeros(5, np.int16), np.zeros(4, np.float32))
    with pytest.raises(TypeError, match="cannot average"):
        cpu.average_frames(np.zeros((2, 3, 3), np.float64), np.zeros((3, 3), np.float32))
    with pytest.raises(TypeError, match="cannot take"):
        cpu.zero_for_nan(np.zeros((2, 3)))
