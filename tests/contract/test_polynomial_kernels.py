"""The compiled linearity correction must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.core.dqflags import pixel
from webbcal.kernels.polynomial import cpu, reference


def coefficients(rng, n, ny, nx):
    c = np.zeros((n, ny, nx), np.float32)
    c[0], c[1] = rng.normal(0, 1, (ny, nx)), rng.normal(1, 0.01, (ny, nx))
    for order in range(2, n):
        c[order] = rng.normal(2e-6, 1e-6, (ny, nx)) / 3e4 ** (order - 2)
    c[-1][rng.random((ny, nx)) < 0.03] = np.nan
    c[1][rng.random((ny, nx)) < 0.03] = 0
    return c


@pytest.mark.parametrize("ncoeffs", [2, 3, 6])
@pytest.mark.parametrize("nframes, by_frame", [(1, False), (4, False), (4, True), (8, True)])
@pytest.mark.parametrize("shape", [(2, 5, 9, 33), (1, 1, 8, 8), (1, 2, 6, 17)])
def test_compiled_equals_reference(shape, nframes, by_frame, ncoeffs):
    rng = np.random.default_rng(ncoeffs)
    ny, nx = shape[2:]
    data = np.cumsum(rng.normal(3000, 3000, shape), axis=1).astype(np.float32)
    band = {
        "data": data,
        "groupdq": np.where(data > 12000, 2, rng.choice([0, 1], shape)).astype(np.uint8),
        "pixeldq": rng.choice(np.array([0, 1], np.uint32), (ny, nx)),
        "coeffs": coefficients(rng, ncoeffs, ny, nx),
        "coeffs_dq": rng.choice(np.array([0, pixel["NO_LIN_CORR"]], np.uint32), (ny, nx), p=[0.95, 0.05]),
        "zeroframe": data[:, 0] * rng.choice(np.array([0, 1], np.float32), (shape[0], ny, nx)),
    }
    if by_frame:
        band["inverse"] = coefficients(rng, 4, ny, nx)
    results = []
    for module in (reference, cpu):
        a = {k: v.copy() for k, v in band.items()}
        module.linearize(**a, nframes=nframes)
        results.append(a)
    for name in band:
        np.testing.assert_array_equal(results[1][name], results[0][name], err_msg=name)
    np.testing.assert_array_equal(results[1]["coeffs"], band["coeffs"])  # references are not changed


def test_a_polynomial_needs_a_linear_term():
    band = np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 4, 4), np.uint8), np.zeros((4, 4), np.uint32)
    for module in (reference, cpu):
        with pytest.raises(ValueError, match="at least 2"):
            module.linearize(*band, np.zeros((1, 4, 4), np.float32), np.zeros((4, 4), np.uint32))
