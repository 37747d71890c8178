"""The ramp fit against stcal's OLS_C on the same arrays.

Data quality must agree bit for bit; rates to 1e-5 of the value or a hundredth of the stated error.
"""

import json

import numpy as np
from peer_process import Script, needs_peer

from webbcal import kernels
from webbcal.kernels import ramp_fit

pytestmark = needs_peer

DNU, SATURATED, JUMP, PERSISTENCE, CHARGELOSS = 1, 2, 4, 32, 128


def random_band(rng, nints, ngroups, ny, nx):
    """Ramps from clean to hopeless, with NaN and strange gains and read noises."""
    shape = (nints, ngroups, ny, nx)
    rate = rng.choice([0.0, 1.0, 30.0, 1000.0, 10000.0], (ny, nx))
    data = np.cumsum(rng.poisson(np.broadcast_to(rate, shape)), axis=1) + rng.normal(0, 8, shape)
    data += np.cumsum((rng.random(shape) < 0.05) * rng.exponential(400, shape), axis=1)
    data = data.astype(np.float32)
    flat = rng.random((nints, 1, ny, nx)) < 0.01
    data[np.broadcast_to(flat, shape)] = 7.0
    data[rng.random(shape) < 0.002] = np.nan
    groupdq = np.zeros(shape, np.uint8)
    clean = rng.random((ny, nx)) < 0.2
    busy = rng.choice([0.02, 0.1, 0.5], (ny, nx)) * ~clean
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx)) + 9 * ngroups * clean
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] |= SATURATED
    for flag in (DNU, JUMP, JUMP, PERSISTENCE, CHARGELOSS | DNU, CHARGELOSS, 8):
        groupdq[rng.random(shape) < busy * rng.random()] |= np.uint8(flag)
    gain = rng.uniform(1.5, 2.5, (ny, nx)).astype(np.float32)
    readnoise = rng.uniform(4, 12, (ny, nx)).astype(np.float32)
    for array, values in ((gain, (np.nan, 0, -1.5)), (readnoise, (np.nan, 0, 1e-3, np.inf))):
        for value in values:
            array[rng.random((ny, nx)) < 0.005] = value
    return {
        "data": data,
        "groupdq": groupdq,
        "pixeldq": rng.choice([0] * 9 + [1, 2, 4, 1024], (ny, nx)).astype(np.uint32),
        "gain": gain,
        "readnoise": readnoise,
        "dark": rng.normal(0.02, 0.02, (ny, nx)).astype(np.float32),
        "zeroframe": (data[:, 0] * rng.choice([0.0, 0.5], (nints, ny, nx))).astype(np.float32),
    }


def random_case(rng):
    return {
        "shape": (int(rng.integers(1, 4)), int(rng.integers(1, 13))),
        "frame_time": 10.73677,
        "group_time": float(rng.choice([10.73677, 21.47354, 107.3677])),
        "groupgap": int(rng.choice([0, 1, 12])),
        "nframes": int(rng.choice([1, 2, 8])),
        "drop_frames1": int(rng.choice([0, 3])),
        "suppress": bool(rng.random() < 0.5),
        "dark": bool(rng.random() < 0.5),
        "zero": bool(rng.random() < 0.5),
    }


def fit(case, band):
    names = ("frame_time", "group_time", "groupgap", "nframes", "drop_frames1")
    settings = ramp_fit.RampFitSettings(
        **{name: case[name] for name in names}, suppress_one_group=case["suppress"], save_opt=True
    )
    arrays = [band[name] for name in ("data", "groupdq", "pixeldq", "gain", "readnoise")]
    dark = band["dark"] if case["dark"] else None
    return kernels.get("ramp_fit").fit_ramps(
        *arrays, dark, band["zeroframe"] if case["zero"] else None, settings
    )


def flagged(band):
    """Return what stcal has to be told to do as webbcal does by itself: that a NaN is no sample."""
    return band | {"groupdq": band["groupdq"] | np.where(np.isnan(band["data"]), np.uint8(DNU), np.uint8(0))}


def run_peer(tmp_path, cases, bands):
    told = map(flagged, bands)
    arrays = {f"{n}_{name}": value for n, band in enumerate(told) for name, value in band.items()}
    np.savez(tmp_path / "in.npz", cases=json.dumps(cases), **arrays)
    Script("ramp_fit_peer.py", tmp_path / "in.npz", tmp_path / "out.npz").finish()
    return np.load(tmp_path / "out.npz")


def assert_agrees(got, expected, error, what):
    assert got.shape == expected.shape, what
    assert got.dtype == expected.dtype, what
    if got.dtype == np.uint32:
        wrong = np.count_nonzero(got != expected)
        assert wrong == 0, f"{what}: {wrong} of {got.size} differ"
        return
    with np.errstate(invalid="ignore"):
        tolerance = np.maximum(1e-5 * np.abs(expected), 0.01 * np.nan_to_num(error))
        near = np.abs(got - expected) <= tolerance + 1e-12  # exactly flat ramps: rounding only
    same = near | (got == expected) | (np.isnan(got) & np.isnan(expected))
    assert same.all(), f"{what}: {got[~same][:5]} is not {expected[~same][:5]}"


def test_fits_agree_with_stcal(tmp_path):
    rng = np.random.default_rng(20240806)
    cases = [random_case(rng) for _ in range(150)]
    bands = [random_band(rng, *case["shape"], 20, 70) for case in cases]
    # nothing but saturation: stcal makes no product
    cases.append(random_case(rng) | {"shape": (2, 3)})
    bands.append(random_band(rng, 2, 3, 4, 5))
    bands[-1]["groupdq"][:, 0] |= SATURATED
    peer = run_peer(tmp_path, cases, bands)
    for n, (case, band) in enumerate(zip(cases, bands, strict=True)):
        result = fit(case, band)
        assert result.all_saturated == (f"{n}_rate_dq" not in peer)
        if result.all_saturated:
            continue
        for kind in ("rate", "rateints", "segments"):
            fits = getattr(result, kind)
            for name, got in fits._asdict().items():
                error = 0.0
                if name == "slope":
                    error = fits.sigslope / case["group_time"] if kind == "segments" else fits.err
                elif name == "yint":
                    error = fits.sigyint
                elif name == "pedestal":
                    error = result.rateints.err
                assert_agrees(got, peer[f"{n}_{kind}_{name}"], error, f"case {n} {kind} {name} {case}")
    assert result.all_saturated
