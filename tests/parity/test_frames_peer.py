"""Group scale, DQ initialisation, superbias, dark and gain scale against the peer: bit for bit."""

import numpy as np
from peer_process import assert_same, needs_peer, run_peer

from webbcal.core.dqmap import dynamic_mask
from webbcal.kernels.frames import arithmetic, cpu, dark, reference

pytestmark = needs_peer

BITS = np.array([0, 1, 2, 4, 64, 128], np.uint32)


def ramp(rng, nints=2, ngroups=4, ny=11, nx=17):
    shape = (nints, ngroups, ny, nx)
    data = rng.normal(12000, 500, shape).astype(np.float32)
    return {
        "data": data,
        "groupdq": rng.choice(np.array([0, 1, 2, 4], np.uint8), shape),
        "pixeldq": rng.choice(np.array([0, 1, 1024], np.uint32), (ny, nx)),
        "zeroframe": data[:, 0] * rng.choice(np.array([0, 1], np.float32), (nints, ny, nx)),
    }


def copied(case):
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in case.items()}


def test_group_scale(tmp_path):
    rng = np.random.default_rng(1)
    pairs = ((1, 1), (5, 4), (5, 8), (3, 4), (4, None), (5, None), (8, 16))
    cases = [ramp(rng) | {"step": "group_scale", "nframes": n, "frame_divisor": d} for n, d in pairs]
    for case, expected in zip(cases, run_peer("frames_peer.py", cases, tmp_path), strict=True):
        a = copied(case)
        skip = arithmetic.group_scale_skip_reason(a["nframes"], a["frame_divisor"])
        assert (skip is None) == bool(expected.pop("done"))
        if skip is None:
            arithmetic.scale_groups(a["data"], a["nframes"], a["frame_divisor"])
        assert_same(a, expected, str((case["nframes"], case["frame_divisor"])))


def test_dq_init_and_bit_definitions(tmp_path):
    rng = np.random.default_rng(2)
    names = ["DO_NOT_USE", "DEAD", "HOT", "NOT A FLAG", "LOW_QE", "REFERENCE_PIXEL"]
    values = np.array([1, 2, 4, 8, 64, 128], np.uint32)
    cases = []
    for n in range(4):
        case = ramp(rng) | {"step": "dq_init", "name": np.array(names, "S40"), "value": values}
        ny, nx = case["pixeldq"].shape
        case["mask"] = rng.choice(BITS, (ny, nx)) | rng.choice(BITS, (ny, nx))
        if n % 2:
            case["user_dq"] = rng.choice(np.array([0, 1, 4096]), (ny, nx)).astype(np.int32)
        cases.append(case)
    for case, expected in zip(cases, run_peer("frames_peer.py", cases, tmp_path), strict=True):
        a = copied(case)
        table = np.rec.fromarrays([a["value"], a["name"]], names="VALUE,NAME")
        mask, unknown = dynamic_mask(a["mask"], table)
        assert unknown == ("NOT A FLAG",)
        arithmetic.init_dq(a["pixeldq"], mask, a["groupdq"], a.get("user_dq"))
        assert_same(a, expected, "dq_init")


def test_superbias(tmp_path):
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(3):
        case = ramp(rng) | {"step": "superbias"}
        shape = case["pixeldq"].shape
        case["bias"] = rng.normal(10000, 400, shape).astype(np.float32)
        case["bias"][rng.random(shape) < 0.1] = np.nan
        case["bias_dq"] = rng.choice(BITS, shape)
        cases.append(case)
    for case, expected in zip(cases, run_peer("frames_peer.py", cases, tmp_path), strict=True):
        a = copied(case)
        arithmetic.subtract_bias(a["data"], a["pixeldq"], a["bias"], a["bias_dq"], a["zeroframe"])
        assert_same(a, expected, "superbias")


#: (ngroups, nframes, groupgap), (dark ngroups, nframes, groupgap)
PATTERNS = [
    ((5, 1, 0), (20, 1, 0)),
    ((5, 4, 1), (30, 1, 0)),
    ((4, 8, 2), (40, 1, 0)),
    ((3, 1, 1), (20, 1, 0)),
    ((4, 4, 1), (9, 4, 1)),
    ((6, 1, 0), (4, 1, 0)),
    ((5, 4, 1), (11, 1, 0)),
    ((5, 2, 3), (3, 1, 0)),
    ((5, 1, 2), (4, 1, 0)),
    ((6, 4, 1), (4, 4, 1)),
    ((3, 1, 0), (20, 4, 1)),
]


def dark_case(rng, science, calibration, parameter):
    case = ramp(rng, ngroups=science[0]) | {"step": "dark", "nframes": science[1], "groupgap": science[2]}
    frames = rng.normal(0, 3, (calibration[0], *case["pixeldq"].shape)).astype(np.float32)
    frames[rng.random(frames.shape) < 0.02] = np.nan
    case |= {"dark": frames, "dark_dq": rng.choice(BITS, case["pixeldq"].shape)}
    case |= {"dark_nframes": calibration[1], "dark_groupgap": calibration[2]}
    return case | {"parameter": parameter, "reference_value": 0.25 if science[0] == 5 else None}


def our_dark(case, frames, byteorder):
    a = copied(case)
    ngroups = a["data"].shape[1]
    plan = dark.plan_dark(
        ngroups, a["nframes"], a["groupgap"], len(a["dark"]), a["dark_nframes"], a["dark_groupgap"]
    )
    stored, asked = a["dark"].astype(byteorder + "f4"), set()

    def read(start, stop):
        asked.update(range(start, stop))
        assert 0 <= start < stop <= len(stored)
        return stored[start:stop].copy()

    if plan.skip is None:
        groups = dark.dark_groups(read, plan, frames)
        assert asked == set(plan.frames)
        arithmetic.subtract_dark(a["data"], a["pixeldq"], groups, a["dark_dq"])
    value, _ = dark.average_dark_current(a["parameter"], None, a["reference_value"], a["pixeldq"].shape)
    return a | {"current": value, "done": np.array([plan.skip is None])}


def test_dark(tmp_path):
    rng = np.random.default_rng(4)
    cases = [dark_case(rng, s, d, 0.5 if n % 3 == 0 else None) for n, (s, d) in enumerate(PATTERNS)]
    theirs = run_peer("frames_peer.py", cases, tmp_path)
    assert [bool(t["done"]) for t in theirs] == [True] * 10 + [False]
    for case, expected, pattern in zip(cases, theirs, PATTERNS, strict=True):
        assert_same(our_dark(case, reference, "="), expected, f"reference {pattern}")
        assert_same(our_dark(case, cpu, ">"), expected, f"cpu, big-endian {pattern}")


def test_gain_scale(tmp_path):
    rng = np.random.default_rng(5)
    names = ("data", "err", "var_poisson", "var_rnoise")
    case = {k: rng.normal(10, 3, (9, 9)).astype(np.float32) for k in names}
    case |= {"step": "gain_scale", "factor": 1.7}
    (expected,) = run_peer("frames_peer.py", [case], tmp_path)
    a = copied(case)
    arithmetic.scale_rates({k: a[k] for k in names}, a["factor"])
    assert_same(a, expected, "gain_scale")
