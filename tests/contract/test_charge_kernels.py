"""The compiled charge-migration flags must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.kernels.charge import cpu, reference


@pytest.mark.parametrize("shape", [(2, 5, 9, 33), (1, 4, 1, 5), (1, 3, 6, 1), (3, 3, 12, 64)])
def test_compiled_equals_reference(shape):
    rng = np.random.default_rng(1)
    data = np.cumsum(rng.exponential(3000, shape), axis=1).astype(np.float32)
    data[rng.random(shape) < 0.01] = np.nan
    groupdq = rng.integers(0, 4, shape).astype(np.uint8)
    expected, found = groupdq.copy(), groupdq.copy()
    threshold = float(np.nanpercentile(data, 90))
    reference.flag_charge_migration(data, expected, threshold)
    cpu.flag_charge_migration(data, found, threshold)
    np.testing.assert_array_equal(found, expected)
    assert (found != groupdq).any()
