"""The compiled saturation flags must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.core.dqflags import pixel
from webbcal.kernels.saturation import cpu, reference


def random_band(rng, nints, ngroups, ny, nx):
    shape = (nints, ngroups, ny, nx)
    data = 10000 + np.cumsum(rng.normal(2500, 3000, shape), axis=1)
    data[:, :, rng.random((ny, nx)) < 0.1] *= 5
    data = np.clip(np.rint(data), 0, 65535).astype(np.float32)
    threshold = rng.normal(50000, 4000, (ny, nx)).astype(np.float32)
    threshold[rng.random((ny, nx)) < 0.02] = np.nan
    flags = np.array([0, pixel["NO_SAT_CHECK"], pixel["DEAD"]], np.uint32)
    return {
        "data": data,
        "groupdq": rng.choice(np.array([0, 1, 2], np.uint8), shape, p=[0.98, 0.015, 0.005]),
        "pixeldq": rng.choice(np.array([0, 1], np.uint32), (ny, nx)),
        "threshold": threshold,
        "threshold_dq": rng.choice(flags, (ny, nx), p=[0.94, 0.03, 0.03]),
        "bias": rng.normal(9000, 300, (ny, nx)).astype(np.float32),
        "zeroframe": (data[:, 0] * rng.choice([0, 1, 3], (nints, ny, nx))).astype(np.float32),
    }


@pytest.mark.parametrize("grow", [0, 1, 2])
@pytest.mark.parametrize("nframes", [None, 1, 4, 8])
@pytest.mark.parametrize("shape", [(2, 5, 20, 33), (1, 2, 9, 7), (1, 1, 8, 8), (1, 3, 5, 64)])
def test_compiled_equals_reference(shape, nframes, grow):
    band = random_band(np.random.default_rng(sum(shape)), *shape)
    results = []
    for module in (reference, cpu):
        a = {k: v.copy() for k, v in band.items()}
        module.flag_saturation(**a, nframes=nframes, grow=grow)
        results.append(a)
    for name in band:
        np.testing.assert_array_equal(results[1][name], results[0][name], err_msg=name)
    assert (results[0]["groupdq"] != band["groupdq"]).any()


def test_result_may_not_be_lost_in_a_copy():
    band = random_band(np.random.default_rng(1), 1, 3, 8, 8)
    band["groupdq"] = np.asfortranarray(band["groupdq"])
    with pytest.raises(TypeError, match="groupdq must be"):
        cpu.flag_saturation(**band)
