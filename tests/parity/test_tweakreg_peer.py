"""Alignment against the peer's: the same files and parameters, the same sky positions to 0.1 mas.

To the sky, webbcal lists a source that several images show once, at its mean position; of all, the peer takes
the one lowest in y. Without that, positions are the same; with it, they are nearer to the truth.
"""

from unittest import mock

import numpy as np
import pytest
from astropy.table import Table
from peer_process import needs_peer, run_peer
from sky_scenes import DITHERS, ROLL, SIZE, Pointing, exposures, stars, wcs_at

from webbcal.associations import asn_from_list
from webbcal.combine.alignment import groups as alignment
from webbcal.combine.alignment.tweakreg import TweakRegStep

pytestmark = needs_peer

ERRORS = ((0.0, 0.0), (0.12, -0.07), (-0.2, 0.11), (0.05, 0.16))
CASES = {
    "defaults": {},
    "dao": {"starfinder": "dao", "roundlo": -1.0, "roundhi": 1.0, "sharplo": 0.2, "sharphi": 1.0},
    "segmentation": {"starfinder": "segmentation", "snr_threshold": 8.0, "npixels": 6},
    "faint, many": {"snr_threshold": 4.0, "brightest": 1000, "minsep_fwhm": 1.5, "peakmax": 12.0},
    "kernel": {"kernel_fwhm": 3.1, "sigma_radius": 2.5, "bkg_boxsize": 37},
    "expanding": {"expand_refcat": True},
    "ordered": {"expand_refcat": True, "enforce_user_order": True},
    "shift": {"fitgeometry": "shift", "use2dhist": False, "xoffset": 0.1},
    "general": {"fitgeometry": "general", "nclip": 5, "sigma": 2.0},
    "rscale": {"fitgeometry": "rscale", "tolerance": 0.3, "separation": 0.5, "searchrad": 1.0},
    "to the sky": {"abs_refcat": "SKY"},
    "to the sky, shift": {
        "abs_refcat": "SKY",
        "abs_fitgeometry": "shift",
        "abs_nclip": 0,
        "abs_searchrad": 2.0,
    },
    "too few": {"minobj": 500},
    "confusing": {"separation": 0.5},
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Return the folder of four exposures, their association, and a catalogue of the sky."""
    folder = tmp_path_factory.mktemp("tweakreg")
    pointings = [Pointing(d, e, 0.01 * n) for n, (d, e) in enumerate(zip(DITHERS, ERRORS, strict=True))]
    models = exposures(pointings)
    for model in models:
        model.data[20:23, 30:33] = np.nan
        model.dq[20:23, 30:33] = 1
        model.dq[:, :4] |= 512  # NON_SCIENCE
        model.save(folder / model.meta.filename)
    asn_from_list([m.meta.filename for m in models], product_name="mosaic").save(folder / "asn.json")
    ra, dec, _ = stars()
    Table({"RA": ra, "DEC": dec}).write(folder / "sky.ecsv", format="ascii.ecsv")
    return folder


@pytest.fixture(scope="module")
def results(scene):
    """Return (our models, what the peer found) for each case."""
    y, x = (v.ravel().astype(float) for v in np.mgrid[0 : SIZE : SIZE // 4, 0 : SIZE : SIZE // 4])
    given = [{k: str(scene / "sky.ecsv") if v == "SKY" else v for k, v in c.items()} for c in CASES.values()]
    asked = [
        {"step": "tweakreg", "association": str(scene / "asn.json"), "parameters": p, "x": x, "y": y}
        for p in given
    ]
    theirs = run_peer("combine_peer.py", asked, scene)
    with mock.patch.object(alignment, "_list_once"):
        ours = [TweakRegStep(**p).run(str(scene / "asn.json")) for p in given]
    yield {name: pair for name, *pair in zip(CASES, ours, theirs, strict=True)} | {"pixels": (x, y)}
    for path in scene.glob("*.fits"):
        path.unlink()


@pytest.mark.parametrize("name", CASES)
def test_same_positions(results, name):
    models, peer = results[name]
    for n, model in enumerate(models):
        ra, dec = model.meta.wcs(*results["pixels"])
        distance = 3.6e6 * np.hypot((ra - peer["ra"][n]) * np.cos(np.radians(dec)), dec - peer["dec"][n])
        assert distance.max() < 0.1, f"{name}: image {n}"
        assert "/".join(model.meta.wcs.available_frames) == peer["frames"][n]


def test_sources_listed_once_are_nearer_to_the_truth(results, scene):
    x, y = results["pixels"]
    _, peer = results["to the sky"]
    models = TweakRegStep(abs_refcat=str(scene / "sky.ecsv")).run(str(scene / "asn.json"))
    ours, theirs = [], []
    for n, (model, dither) in enumerate(zip(models, DITHERS, strict=True)):
        ra, dec = wcs_at(*dither, ROLL)(x, y)
        for found, position in ((ours, model.meta.wcs(x, y)), (theirs, (peer["ra"][n], peer["dec"][n]))):
            found.append(
                3.6e6 * np.hypot((position[0] - ra) * np.cos(np.radians(dec)), position[1] - dec).mean()
            )
    assert np.mean(ours) < 0.5 * np.mean(theirs) and np.mean(theirs) > 1.5


@pytest.mark.parametrize("name", CASES)
def test_same_status(results, name):
    models, peer = results[name]
    ours = [m.meta.cal_step.tweakreg for m in models]
    if name == "too few":
        # The peer says COMPLETE of images that it could not align.
        assert list(peer["status"]) == ["COMPLETE"] * 4
        assert ours == ["COMPLETE", "FAILED", "FAILED", "FAILED"]
    else:
        assert ours == list(peer["status"])
