"""The likelihood fit against stcal's on the same arrays.

Data quality must agree bit for bit; rates to 1e-5 of the value or a hundredth of the stated error. Left out
are ramps of two usable differences that differ: stcal's choice between them is one of rounding
(docs/parity.md).
"""

import json

import numpy as np
from peer_process import Script, needs_peer
from test_ramp_fit_peer import random_band

from webbcal import kernels
from webbcal.kernels import likelihood

JUMP = 4
pytestmark = needs_peer


def random_case(rng):
    return {
        "shape": (int(rng.integers(1, 4)), int(rng.integers(4, 13))),
        "frame_time": 10.73677,
        "groupgap": int(rng.choice([0, 1, 12])),
        "nframes": int(rng.choice([1, 2, 8])),
        "dark": bool(rng.random() < 0.5),
        "zero": bool(rng.random() < 0.5),
    }


def fit(case, band):
    ngroups = case["shape"][1]
    times = likelihood.read_times(ngroups, case["nframes"], case["groupgap"], case["frame_time"])
    plan = likelihood.sampling(times, case["zero"])
    arrays = [band[name] for name in ("data", "groupdq", "pixeldq", "gain", "readnoise")]
    dark, zero = (
        band[name] if case[key] else None for key, name in (("dark", "dark"), ("zero", "zeroframe"))
    )
    return kernels.get("likelihood").fit_integrations(*arrays, dark, zero, plan, likelihood.JumpThresholds())


def run_peer(folder, cases, bands):
    arrays = {f"{n}_{name}": value for n, band in enumerate(bands) for name, value in band.items()}
    np.savez(folder / "in.npz", cases=json.dumps(cases), **arrays)
    Script("likelihood_peer.py", folder / "in.npz", folder / "out.npz").finish()
    return np.load(folder / "out.npz")


def undecided(case, band):
    """Return which ramps have few usable differences, of which stcal drops one or two by rounding."""
    dq = band["groupdq"]
    if case["zero"] and case["nframes"] > 1:
        dq = np.concatenate((dq[:, :1], dq), axis=1)
    used = ((dq[:, 1:] == 0) & (dq[:, :-1] == 0)).sum(axis=1)
    return (used == 2) | ((used == 3) & (case["nframes"] > 1))


def differs(got, expected, error):
    """Return where two arrays differ by more than the tolerance."""
    if got.dtype == np.uint32:
        return got != expected
    with np.errstate(invalid="ignore"):
        near = np.abs(got - expected) <= np.maximum(1e-5 * np.abs(expected), 0.01 * np.nan_to_num(error))
    return ~(near | (got == expected) | (np.isnan(got) & np.isnan(expected)))


def test_fits_agree_with_stcal(tmp_path):
    rng = np.random.default_rng(20240806)
    cases = [random_case(rng) for _ in range(60)]
    bands = [random_band(rng, *case["shape"], 12, 70) for case in cases]
    for band in bands:  # nothing below zero has a covariance
        band["gain"] = np.where(band["gain"] < 0, np.float32(1.5), band["gain"])
        band["dark"] = np.abs(band["dark"])
    peer = run_peer(tmp_path, cases, bands)
    ramps = jumps = chosen = undefined = 0
    for n, (case, band) in enumerate(zip(cases, bands, strict=True)):
        result = fit(case, band)
        broken, doubtful = peer[f"{n}_undefined"], undecided(case, band)
        others = np.zeros(broken.shape, bool)
        for kind, fits in (("rateints", result), ("rate", likelihood.combine(result))):
            for name, got in fits._asdict().items():
                expected = peer[f"{n}_{kind}_{name}"]
                assert got.dtype == expected.dtype, name
                bad = differs(got, expected, {"slope": fits.err, "chisq": 1e-3}.get(name, 0.0))
                left_out = broken | (doubtful & (name != "dq"))
                if kind == "rate":
                    left_out = left_out.any(axis=0)
                else:
                    others |= bad
                wrong = bad & ~left_out
                assert not wrong.any(), (
                    f"{n} {kind} {name}: {got[wrong][:4]}, not {expected[wrong][:4]}; {case}"
                )
        ramps, jumps = ramps + broken.size, jumps + np.count_nonzero(result.dq & JUMP)
        chosen += np.count_nonzero(others & ~broken)
        undefined += np.count_nonzero(others & broken)
    assert jumps > 0.2 * ramps
    assert chosen < 0.01 * ramps
    assert undefined < 0.01 * ramps
