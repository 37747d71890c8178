"""Charge-migration flags against the peer: bit for bit, whole and in bands."""

import numpy as np
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.box import Box
from webbcal.kernels import charge
from webbcal.kernels.charge import cpu, reference

pytestmark = needs_peer


def ours(case, module, rows):
    whole = Box.of_shape(case["data"].shape)
    out = case["groupdq"].copy()
    for band in whole.bands(rows):
        outer = band.grow(charge.HALO, whole)
        dq = case["groupdq"][..., outer.y0 : outer.y1, :].copy()
        module.flag_charge_migration(case["data"][..., outer.y0 : outer.y1, :], dq, case["threshold"])
        out[..., band.y0 : band.y1, :] = dq[..., band.y0 - outer.y0 : band.y1 - outer.y0, :]
    return {"groupdq": out}


def test_flags_agree_bit_for_bit(tmp_path):
    rng = np.random.default_rng(6)
    cases = []
    for nints, ngroups, ny, nx in ((1, 3, 9, 9), (2, 5, 20, 31), (1, 10, 16, 8), (3, 3, 4, 40)):
        shape = (nints, ngroups, ny, nx)
        data = np.cumsum(rng.exponential(3000, shape), axis=1).astype(np.float32)
        data[rng.random(shape) < 0.01] = np.nan
        groupdq = rng.choice(np.array([0, 1, 2, 3], np.uint8), shape)
        cases.append({"data": data, "groupdq": groupdq, "threshold": float(np.nanpercentile(data, 93))})
    theirs = run_peer("charge_peer.py", cases, tmp_path)
    for n, (case, expected) in enumerate(zip(cases, theirs, strict=True)):
        assert_same(ours(case, reference, 100), expected, f"reference, case {n}")
        assert_same(ours(case, cpu, 100), expected, f"cpu, case {n}")
        assert_same(ours(case, cpu, 5), expected, f"cpu in bands, case {n}")
        assert ((expected["groupdq"] & 128) > 0).any()
        assert ((expected["groupdq"] & 128) == 0).any()
