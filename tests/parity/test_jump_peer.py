"""Jump detection against stcal on the same arrays: data quality must agree bit for bit."""

import json
from dataclasses import replace

import numpy as np
from peer_process import Script, needs_peer

from webbcal import kernels
from webbcal.kernels import jump

pytestmark = needs_peer

DNU, SATURATED, JUMP, PERSISTENCE, CHARGELOSS = 1, 2, 4, 32, 128


def random_band(rng, nints, ngroups, ny, nx):
    """Ramps with jumps, saturation, odd flags, NaN, and strange gains and read noises."""
    shape = (nints, ngroups, ny, nx)
    # whole numbers of DN with a few levels make ties, on which the order of operations shows
    rate = rng.choice([0.0, 1.0, 30.0, 1000.0], (ny, nx))
    steps = rng.poisson(np.broadcast_to(rate, shape)).astype(float)
    steps += (rng.random(shape) < 0.08) * rng.exponential(400, shape)
    steps -= (rng.random(shape) < 0.01) * rng.exponential(400, shape)
    noise = rng.normal(0, 8, shape)
    data = np.cumsum(steps, axis=1) + np.where(rng.random((ny, nx)) < 0.3, np.rint(noise), noise)
    data = data.astype(np.float32)
    data[rng.random(shape) < 0.003] = np.nan
    groupdq = np.zeros(shape, np.uint8)
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx))
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] |= SATURATED
    for flag, share in ((DNU, 0.03), (JUMP, 0.01), (PERSISTENCE, 0.01), (CHARGELOSS | DNU, 0.01), (8, 0.01)):
        groupdq[rng.random(shape) < share] |= flag
    if ngroups > 4 and rng.random() < 0.4:
        groupdq[rng.integers(nints), rng.integers(ngroups)] |= DNU
    gain = rng.uniform(1.5, 2.5, (ny, nx)).astype(np.float32)
    readnoise = rng.uniform(4, 12, (ny, nx)).astype(np.float32)
    for array, values in ((gain, (np.nan, 0, -1.5, 1)), (readnoise, (np.nan, 0, 1e-3))):
        for value in values:
            array[rng.random((ny, nx)) < 0.01] = value
    pixeldq = rng.choice([0, 0, 0, 1, 1024], (ny, nx)).astype(np.uint32)
    return {"data": data, "groupdq": groupdq, "pixeldq": pixeldq, "gain": gain, "readnoise": readnoise}


def random_case(rng):
    nints, ngroups = int(rng.integers(1, 4)), int(rng.integers(3, 13))
    after = bool(rng.random() < 0.5)
    return {
        "shape": (nints, ngroups),
        "nframes": int(rng.choice([1, 4, 8])),
        "rejection": float(rng.choice([0.0, 2.5, 4.0, 6.0])),
        "three": float(rng.choice([2.0, 6.0])),
        "four": float(rng.choice([2.0, 5.0])),
        "neighbours": bool(rng.random() < 0.7),
        "min_jump": float(rng.choice([0.0, 10.0])),
        "max_jump": float(rng.choice([50.0, 1000.0])),
        "dn1": float(rng.choice([0, 10, 57.3])) if after else 0.0,
        "n1": int(rng.integers(0, 4)) if after else 0,
        "dn2": float(rng.choice([100, 1000])) if after else 0.0,
        "n2": int(rng.integers(0, 30)) if after else 0,
        "single_pass": int(rng.choice([2, 6, 10, 100])),
        "sigclip": 1000,
        "only_ints": bool(rng.random() < 0.5),
    }


def sigma_clip_case(rng, only_ints):
    case = random_case(rng)
    nints = 12 if only_ints else int(rng.integers(1, 5))
    sigclip = 12 if only_ints else 3
    return case | {"shape": (nints, case["shape"][1]), "sigclip": sigclip, "only_ints": only_ints}


def settings_of(case, gain):
    return jump.JumpSettings(
        rejection_threshold=case["rejection"],
        three_group_rejection_threshold=case["three"],
        four_group_rejection_threshold=case["four"],
        flag_4_neighbors=case["neighbours"],
        max_jump_to_flag_neighbors=case["max_jump"],
        min_jump_to_flag_neighbors=case["min_jump"],
        after_jump_electrons1=jump.after_jump_electrons(case["dn1"], gain),
        after_jump_groups1=case["n1"],
        after_jump_electrons2=jump.after_jump_electrons(case["dn2"], gain),
        after_jump_groups2=case["n2"],
        min_diffs_single_pass=case["single_pass"],
        minimum_sigclip_groups=case["sigclip"],
        only_use_ints=case["only_ints"],
        nframes=case["nframes"],
    )


def detect(backend, case, band):
    groupdq, pixeldq = band["groupdq"].copy(), band["pixeldq"].copy()
    dnu = (groupdq & DNU != 0).all(axis=(2, 3))
    args = (band["data"], groupdq, pixeldq, band["gain"], band["readnoise"], settings_of(case, band["gain"]))
    detect_jumps = kernels.get("jump", backend).detect_jumps
    tally = detect_jumps(*args, dnu)
    full = tally.full_groups
    if full.any():
        groupdq[:], pixeldq[:] = band["groupdq"], band["pixeldq"]
        tally = detect_jumps(*args, dnu, cleared_groups=full)
    return groupdq, pixeldq, replace(tally, full_groups=full)


def run_peer(tmp_path, cases, bands):
    arrays = {f"{n}_{name}": value for n, band in enumerate(bands) for name, value in band.items()}
    np.savez(tmp_path / "in.npz", cases=json.dumps(cases), **arrays)
    Script("jump_peer.py", tmp_path / "in.npz", tmp_path / "out.npz").finish()
    return np.load(tmp_path / "out.npz")


def test_jump_flags_equal_stcal(tmp_path):
    rng = np.random.default_rng(20240806)
    cases = [random_case(rng) for _ in range(150)]
    cases += [sigma_clip_case(rng, only_ints) for only_ints in (True, False) for _ in range(15)]
    # every pixel of the frame jumps in the same group: stcal takes the flags back
    bands = [random_band(rng, *case["shape"], 20, 70) for case in cases]
    cases.append(sigma_clip_case(rng, True) | {"shape": (30, 5), "rejection": 2.5})
    bands.append(random_band(rng, 30, 5, 6, 7) | {"groupdq": np.zeros((30, 5, 6, 7), np.uint8)})
    bands[-1]["data"][3, 2:] += 1e5
    bands[-1] |= {"gain": np.full((6, 7), 2, np.float32), "data": np.nan_to_num(bands[-1]["data"])}
    # as many integrations, or groups, as it takes by default
    for shape, only_ints in (((110, 4), True), ((2, 55), False)):
        cases.append(sigma_clip_case(rng, only_ints) | {"shape": shape, "sigclip": 100})
        bands.append(random_band(rng, *shape, 20, 70))
    # only two usable groups: nothing is looked for, redundant flags still go
    cases.append(random_case(rng) | {"shape": (2, 5)})
    bands.append(random_band(rng, 2, 5, 20, 70))
    bands[-1]["groupdq"][1, [0, 2, 3]] |= DNU
    peer = run_peer(tmp_path, cases, bands)
    methods, cleared = set(), False
    for n, (case, band) in enumerate(zip(cases, bands, strict=True)):
        groupdq, pixeldq, tally = detect("cpu", case, band)
        methods.add(tally.method)
        cleared |= bool(tally.full_groups.any())
        wrong = np.count_nonzero(groupdq != peer[f"{n}_groupdq"])
        assert wrong == 0, f"case {n}: {wrong} of {groupdq.size} samples differ: {tally.method!r} {case}"
        np.testing.assert_array_equal(pixeldq, peer[f"{n}_pixeldq"])
        crs = int(peer[f"{n}_crs"])
        assert tally.primary == (0 if tally.method == jump.Method.NONE else crs), (n, case)
        assert (crs == -99) == (tally.method == jump.Method.NONE)
    assert cleared and methods == set(jump.Method) - {jump.Method.RUNNING}  # which jwst does not have
