"""World coordinates of images against the peer's: the same references, keywords and pixels."""

import json

import numpy as np
import pytest
from peer_process import needs_peer, run_peer
from wcs_cases import CASES, OFFSETS, image

from webbcal import datamodels
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate import CrdsCache, write_image_references

pytestmark = needs_peer

FITS_WCS = ("cd", "cr", "a_", "b_", "ap_", "bp_", "ctype", "pc", "cdelt")
ARCSEC = 1e-6  # the largest distance allowed, on the whole frame


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return our model and the peer's samples for each case, and the peer's samples of our files."""
    folder = tmp_path_factory.mktemp("wcs")
    cache = CrdsCache(folder / "crds")
    write_image_references(cache, {c.detector for c in CASES}, OFFSETS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        ours = [AssignWcsStep.call(image(case)) for case in CASES]
    asked = []
    for case, model in zip(CASES, ours, strict=True):
        x, y = grid(model)
        rate, cal = folder / f"{case.name}_rate.fits", folder / f"{case.name}_wcs.fits"
        image(case).save(rate)
        model.save(cal)
        shared = {"x": x, "y": y, "environment": cache.environment}
        asked.append(shared | {"rate": str(rate), "save": str(folder / f"{case.name}_peer.fits")})
        asked.append(shared | {"ours": str(cal)})
    answers = run_peer("assign_wcs_peer.py", asked, folder)
    yield list(zip(CASES, ours, asked[::2], answers[::2], answers[1::2], strict=True))
    for path in folder.glob("*.fits"):
        path.unlink()


def grid(model):
    """Return pixels over the whole frame, its outer edges included."""
    ny, nx = model.shape
    return tuple(
        v.ravel() for v in np.meshgrid(np.linspace(-0.5, nx - 0.5, 41), np.linspace(-0.5, ny - 0.5, 41))
    )


def distance(ra, dec, theirs):
    """Return angular distances in arcsec."""
    east = ((ra - theirs["ra"] + 180) % 360 - 180) * np.cos(np.radians(dec))
    return np.hypot(east, dec - theirs["dec"]) * 3600


def test_sky_positions(results):
    for case, model, asked, peer, _ in results:
        ra, dec = model.meta.wcs(asked["x"], asked["y"], with_bounding_box=False)
        assert distance(ra, dec, peer).max() < ARCSEC, case.name
        assert ((ra >= 0) & (ra < 360)).all()


def test_telescope_positions_frames_and_bounds(results):
    for case, model, asked, peer, _ in results:
        wcs = model.meta.wcs
        v2, v3 = wcs.get_transform("detector", "v2v3")(asked["x"], asked["y"], with_bounding_box=False)
        assert np.hypot(v2 - peer["v2"], v3 - peer["v3"]).max() < ARCSEC, case.name
        assert list(peer["frames"]) == wcs.available_frames == ["detector", "v2v3", "v2v3vacorr", "world"]
        np.testing.assert_array_equal(wcs.bounding_box.bounding_box(order="F"), peer["bounds"], case.name)


def test_back_to_pixels(results):
    for case, model, _, peer, _ in results:
        x, y = model.meta.wcs.invert(peer["ra"], peer["dec"], with_bounding_box=False)
        np.testing.assert_allclose(x, peer["x"], rtol=0, atol=1e-6, err_msg=case.name)
        np.testing.assert_allclose(y, peer["y"], rtol=0, atol=1e-6, err_msg=case.name)


def test_header_keywords(results):
    """S_REGION to its last digit; the SIP terms as far as they change a pixel."""
    for case, model, _, peer, _ in results:
        theirs = json.loads(str(peer["header"]))
        ours = model.meta.wcsinfo.instance
        assert ours["s_region"] == theirs["s_region"], case.name
        keys = {k for k in theirs if k.startswith(FITS_WCS)}
        assert keys == {k for k in ours if k.startswith(FITS_WCS)}
        assert len(keys) > 20
        for key in keys:
            if key.endswith("order") or "type" in key:
                assert ours[key] == theirs[key], (case.name, key)
            else:
                reach = (max(model.shape) / 2) ** _power(key)
                assert ours[key] == pytest.approx(theirs[key], rel=1e-10, abs=1e-7 / reach), (case.name, key)
        for error in ("sipmxerr", "sipiverr"):
            assert ours[error] == pytest.approx(theirs[error], rel=0.1, abs=1e-6), (case.name, error)


def _power(key):
    """Return the degree of a SIP term: what it changes grows with that power of the distance."""
    return sum(map(int, key.split("_")[1:])) if key[0] in "ab" else np.inf


def test_the_peer_reads_our_files(results):
    for case, _, _, peer, reading in results:
        assert distance(reading["ra"], reading["dec"], peer).max() < ARCSEC, case.name
        np.testing.assert_allclose(reading["x"], peer["x"], rtol=0, atol=1e-6)
        assert list(reading["frames"]) == list(peer["frames"])


def test_we_read_the_peers_files(results):
    for case, _, asked, peer, _ in results:
        with datamodels.open(asked["save"]) as model:
            ra, dec = model.meta.wcs(asked["x"], asked["y"], with_bounding_box=False)
        assert distance(ra, dec, peer).max() < ARCSEC, case.name
