"""World coordinates of dispersed exposures against the peer's: the same references, keywords and points."""

import json

import numpy as np
import pytest
from dispersed_cases import CASES, LRS, SOSS, TSGRISM, WFSS, along_the_trace, cache_of, disperses_rows, rate
from peer_process import needs_peer, run_peer

from webbcal import datamodels
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.wcs.of_model import wcs_of

pytestmark = needs_peer

CLOSE = 1e-9  # degrees, µm; pixels 1e-6
FITS_WCS = ("cd", "cr", "a_", "b_", "ap_", "bp_", "ctype", "sip")


def inputs(case):
    """Return points: pixels (with sources and orders) that light of the mode may fall on."""
    rng, (ny, nx), n = np.random.default_rng(5), case.shape, 24
    x, y = rng.uniform(-0.4, nx - 0.6, n), rng.uniform(-0.4, ny - 0.6, n)
    if case in LRS:
        return (rng.uniform(305, 345, n), rng.uniform(1, 375, n)) if case == LRS[0] else (x, y)
    if case in WFSS:
        order = rng.integers(1, 3, n).astype(float) if case.instrument != "MIRI" else np.ones(n)
        x0, y0 = rng.uniform(0, nx, n), rng.uniform(0, ny, n)
        along, across = along_the_trace(case, order, rng), rng.uniform(-4, 4, n)
        dx, dy = (along, across) if disperses_rows(case) else (across, along)
        return x0 + dx, y0 + dy, x0, y0, order
    order = rng.integers(1, 4 if case in SOSS else 3, n).astype(float)
    return x, y, order


def steps(case):
    first = "detector" if case in LRS + SOSS else "grism_detector"
    back = [] if case in SOSS else [("world", first)]
    return [(first, "world"), *back]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return for each case: our model, what was asked of the peer, its answers, and those on our file."""
    folder = tmp_path_factory.mktemp("dispersed")
    cache = cache_of(folder / "crds", CASES)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        ours = [AssignWcsStep.call(rate(case)) for case in CASES]
    asked = []
    for case, model in zip(CASES, ours, strict=True):
        path, mine = folder / f"{case.name}_rate.fits", folder / f"{case.name}_ours.fits"
        rate(case).save(path)
        model.save(mine)
        shared = {"steps": steps(case), "environment": cache.environment}
        shared |= {f"in{k}": values for k, values in enumerate(inputs(case))}
        asked.append(shared | {"rate": str(path), "save": str(folder / f"{case.name}_peer.fits")})
        asked.append(shared | {"ours": str(mine)})
    answers = run_peer("dispersed_wcs_peer.py", asked, folder)
    yield list(zip(CASES, ours, asked[::2], answers[::2], answers[1::2], strict=True))
    for path in folder.glob("*.fits"):
        path.unlink()


def sampled(wcs, case):
    """Return what a WCS makes of the points, step by step, as the peer's script."""
    values, found = inputs(case), {}
    for n, (first, last) in enumerate(steps(case)):
        values = wcs.between(first, last, *values)
        found |= {f"{n}_{k}": v for k, v in enumerate(values)}
    return found


def compare(found, peer, label):
    """Compare points: sky and wavelengths of the first step, pixels of the second."""
    names = {key for key in peer if key[0] in "01" and key[1] == "_"}
    assert names and names == set(found), label
    for name in sorted(names):
        ours, theirs = found[name], peer[name]
        tolerance = 1e-6 if name[0] == "1" else CLOSE
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=f"{label} {name}")
        assert np.isfinite(theirs).any() or name[0] == "1", (label, name)


def test_forward_and_backward(results):
    for case, model, _, peer, _ in results:
        compare(sampled(wcs_of(model), case), peer, case.name)


def test_the_peer_reads_our_files(results):
    for case, _, _, peer, reading in results:
        compare({k: v for k, v in reading.items() if k[1] == "_"}, peer, case.name)
        assert list(reading["frames"]) == list(peer["frames"])


def test_we_read_the_peers_files(results):
    for case, _, asked, peer, _ in results:
        with datamodels.open(asked["save"]) as model:
            compare(sampled(wcs_of(model), case), peer, case.name)


def test_frames_and_bounds(results):
    for case, model, _, peer, _ in results:
        wcs = wcs_of(model)
        assert wcs.frames == list(peer["frames"]), case.name
        bounds = [] if wcs.bounding_box is None else wcs.bounding_box
        np.testing.assert_array_equal(np.array(bounds), peer["bounds"], case.name)


def test_wavelengths_of_pixels(results):
    """LRS products hold them; float32, NaN outside the bounding box."""
    for case, model, _, peer, _ in results:
        assert model.has("wavelength") == ("wavelength" in peer) == (case in LRS)
        if case in LRS:
            assert model.wavelength.dtype == np.float32
            np.testing.assert_allclose(model.wavelength, peer["wavelength"], rtol=0, atol=1e-6)


def test_header_keywords(results):
    for case, model, _, peer, _ in results:
        theirs = {k.removeprefix("meta.wcsinfo."): v for k, v in json.loads(str(peer["header"])).items()}
        ours = model.meta.wcsinfo.instance
        for key in ("s_region", "specsys", "dispersion_direction"):
            assert ours.get(key) == theirs.get(key), (case.name, key)
        for key in ("dithered_ra", "dithered_dec"):
            expected = theirs.get(f"meta.dither.{key}")
            assert getattr(model.meta.dither, key) == pytest.approx(expected, abs=1e-10), (case.name, key)
        keys = {k for k in theirs if k.startswith(FITS_WCS)}
        assert keys == {k for k in ours if k.startswith(FITS_WCS)}, case.name
        assert len(keys) > 20 or case not in WFSS


def test_the_direct_image_in_the_header(results):
    """The SIP terms as far as they change a pixel."""
    for case, model, _, peer, _ in results:
        theirs, ours = json.loads(str(peer["header"])), model.meta.wcsinfo.instance
        if case not in WFSS:
            continue
        for key in (k for k in ours if k.startswith(FITS_WCS) and not k.startswith(("sip", "ctype"))):
            powers = sum(map(int, key.split("_")[1:])) if key[0] in "ab" and "order" not in key else 0
            reach = (max(case.shape) / 2) ** powers
            expected = theirs[f"meta.wcsinfo.{key}"]
            assert ours[key] == pytest.approx(expected, rel=1e-10, abs=1e-7 / reach), (case.name, key)


def test_there_is_a_case_of_each_mode():
    assert len({case.name for case in CASES}) == len(CASES) == len(LRS + WFSS + TSGRISM + SOSS)
