"""Linearity correction against the peer: floats and flags must agree bit for bit."""

import numpy as np
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.dqflags import pixel
from webbcal.kernels.polynomial import cpu, reference

pytestmark = needs_peer


def coefficients(rng, n, ny, nx, sign):
    c = np.zeros((n, ny, nx), np.float32)
    c[0], c[1] = rng.normal(0, 1, (ny, nx)), rng.normal(1, 0.01, (ny, nx))
    for order in range(2, n):
        c[order] = sign * rng.normal(3e-6, 1e-6, (ny, nx)) / 3e4 ** (order - 2)
    c[rng.integers(n)][rng.random((ny, nx)) < 0.02] = np.nan
    c[1][rng.random((ny, nx)) < 0.02] = 0
    return c


def random_case(rng, nints, ngroups, nframes, ncoeffs):
    ny, nx = rng.integers(9, 30, 2)
    shape = (nints, ngroups, ny, nx)
    data = np.cumsum(rng.normal(2500, 2500, shape), axis=1).astype(np.float32)
    case = {
        "data": data,
        "groupdq": np.where(data > 15000, 2, rng.choice([0, 1, 4], shape)).astype(np.uint8),
        "pixeldq": rng.choice(np.array([0, 1, 1024], np.uint32), (ny, nx)),
        "coeffs": coefficients(rng, ncoeffs, ny, nx, 1),
        "coeffs_dq": rng.choice(
            np.array([0, pixel["NO_LIN_CORR"], 4096], np.uint32), (ny, nx), p=[0.94, 0.03, 0.03]
        ),
        "nframes": nframes,
    }
    if rng.random() < 0.6 and ngroups > 1:
        case["inverse"] = coefficients(rng, int(rng.integers(2, 6)), ny, nx, -1)
    if rng.random() < 0.6:
        case["zeroframe"] = data[:, 0] * rng.choice(np.array([0, 1, 0.5], np.float32), (nints, ny, nx))
    return case


def ours(case, kernel):
    a = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in case.items()}
    with np.errstate(all="ignore"):
        kernel.linearize(**a)
    return a


def test_floats_and_flags_agree_bit_for_bit(tmp_path):
    rng = np.random.default_rng(4)
    settings = [(1, 1, 1, 4), (2, 2, 4, 2), (2, 5, 1, 3), (1, 8, 8, 5), (2, 4, 4, 6), (1, 10, 2, 4)]
    cases = [random_case(rng, *s) for s in settings * 5]
    assert sum("inverse" in c and c["nframes"] > 1 for c in cases) > 4
    theirs = run_peer("polynomial_peer.py", cases, tmp_path)
    for n, (case, expected) in enumerate(zip(cases, theirs, strict=True)):
        assert_same(ours(case, reference), expected, f"reference, case {n}")
        assert_same(ours(case, cpu), expected, f"cpu, case {n}")
        assert not np.array_equal(expected["data"], case["data"])
