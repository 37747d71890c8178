"""Saturation flags against the peer: every flag must agree, whole and in bands."""

import numpy as np
import pytest
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.box import Box
from webbcal.core.dqflags import pixel
from webbcal.kernels import saturation
from webbcal.kernels.saturation import cpu, reference

pytestmark = needs_peer


def random_case(rng, nints, ngroups, ny, nx, nframes, grow):
    shape = (nints, ngroups, ny, nx)
    data = 10000 + np.cumsum(rng.normal(1500, 2500, shape), axis=1)
    stars = rng.random((ny, nx)) < 0.04
    data[:, :, stars] += np.cumsum(rng.random((nints, ngroups, stars.sum())) * 25000, axis=1)
    hits = (rng.random(shape) < 0.01) * rng.exponential(20000, shape)
    data = np.clip(np.rint(data + np.cumsum(hits, axis=1)), 0, 65535).astype(np.float32)
    data[rng.random(shape) < 0.002] = 0
    threshold = rng.normal(52000, 3000, (ny, nx)).astype(np.float32)
    threshold[rng.random((ny, nx)) < 0.01] = np.nan
    flags = np.array([0, pixel["NO_SAT_CHECK"], pixel["DEAD"]], np.uint32)
    case = {
        "data": data,
        "groupdq": rng.choice(np.array([0, 1, 2, 4], np.uint8), shape, p=[0.985, 0.01, 0.002, 0.003]),
        "pixeldq": rng.choice(np.array([0, 1, 1024], np.uint32), (ny, nx)),
        "threshold": threshold,
        "threshold_dq": rng.choice(flags, (ny, nx), p=[0.95, 0.03, 0.02]),
        "nframes": nframes,
        "grow": grow,
        "use_readpatt": bool(rng.random() < 0.85),
    }
    if rng.random() < 0.7:
        case["bias"] = rng.normal(9000, 500, (ny, nx)).astype(np.float32)
        case["bias"][rng.random((ny, nx)) < 0.01] = np.nan
    if rng.random() < 0.7:
        case["zeroframe"] = (data[:, 0] * rng.choice([0, 0.5, 1, 3], (nints, ny, nx))).astype(np.float32)
    return case


def ours(case, kernel, rows=None):
    a = {k: v.copy() for k, v in case.items() if isinstance(v, np.ndarray)}
    a.setdefault("bias", None)
    a.setdefault("zeroframe", None)
    box = Box.of_shape(a["data"].shape)
    result = {k: v.copy() for k, v in case.items() if isinstance(v, np.ndarray)}
    for band in box.bands(rows or box.y1):
        outer = band.grow(saturation.halo(case["grow"]), box)
        part = {k: None if v is None else v[..., outer.y0 : outer.y1, :].copy() for k, v in a.items()}
        kernel.flag_saturation(
            **part, grow=case["grow"], nframes=case["nframes"] if case["use_readpatt"] else None
        )
        inner = slice(band.y0 - outer.y0, band.y1 - outer.y0)
        for name in ("groupdq", "pixeldq", "zeroframe"):
            if part[name] is not None:
                result[name][..., band.y0 : band.y1, :] = part[name][..., inner, :]
    return result


def test_flags_agree_bit_for_bit(tmp_path):
    rng = np.random.default_rng(2)
    shapes = [(1, 1), (1, 2), (2, 3), (1, 5), (2, 8)]
    cases = [
        random_case(rng, *shapes[n % 5], *rng.integers(12, 40, 2), nframes, grow)
        for n, (nframes, grow) in enumerate([(1, 1), (2, 1), (4, 1), (8, 1), (4, 0), (4, 2), (8, 3)] * 5)
    ]
    theirs = run_peer("saturation_peer.py", cases, tmp_path)
    for n, (case, expected) in enumerate(zip(cases, theirs, strict=True)):
        assert_same(ours(case, reference), expected, f"reference, case {n}")
        assert_same(ours(case, cpu), expected, f"cpu, case {n}")
        assert_same(ours(case, cpu, rows=7), expected, f"cpu in bands, case {n}")
    flagged = [(e["groupdq"] & 2 > 0).mean() for e in theirs]
    assert 0.02 < np.mean(flagged) < 0.8  # the cases do exercise the flags
    lost = [((e["groupdq"] & 1) > (c["groupdq"] & 1)).mean() for c, e in zip(cases, theirs, strict=True)]
    assert pytest.approx(0, abs=1e-9) != max(lost)
