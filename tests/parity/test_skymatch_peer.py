"""Sky levels against the peer's: the same files and parameters, the same levels to 1e-6."""

import numpy as np
import pytest
from peer_process import needs_peer, run_peer
from sky_scenes import DITHERS, Pointing, exposure, exposures

from webbcal.associations import asn_from_list
from webbcal.combine.sky.skymatch import SkyMatchStep

pytestmark = [needs_peer, pytest.mark.xdist_group("skymatch")]

SKIES = (0.42, 0.30, 0.35, 0.51)
METHODS = ("local", "global", "match", "global+match")
CASES = [{"skymethod": m, "skystat": s} for m in METHODS for s in ("mode", "median", "midpt", "mean")]
CASES += [{"skymethod": m, "subtract": True} for m in METHODS]
CASES += [
    {"match_down": False},
    {"stepsize": 40},
    {"dqbits": "0"},
    {"dqbits": None},
    {"dqbits": "~DO_NOT_USE"},
    {"lower": 0.32, "upper": 0.6, "skymethod": "local"},
    {"nclip": 0},
    {"nclip": 2, "lsigma": 2.0, "usigma": 1.5, "binwidth": 0.3},
    {"nclip": 8, "skystat": "midpt", "binwidth": 1.0, "skymethod": "global+match"},
]
FAR = Pointing((100.0, 0.0), sky=0.2)


def with_flags(model, number):
    """Give a model flagged pixels and holes."""
    model.data[20:23, 30:33] = np.nan
    model.dq[20:23, 30:33] = 1
    model.dq[60:70, 10 * number : 10 * number + 9] = 4
    return model


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return (label, our models, what the peer found) for each set of exposures and parameters."""
    folder = tmp_path_factory.mktemp("skymatch")
    plain = exposures(
        [Pointing(d, turn=0.3 * n, sky=s) for n, (d, s) in enumerate(zip(DITHERS, SKIES, strict=True))]
    )
    pairs = [
        exposure(1, Pointing(sky=0.4)),
        exposure(1, Pointing((0.0, 11.0), sky=0.45), detector="NRCBLONG"),
    ]
    pairs += [exposure(2, Pointing(DITHERS[1])), exposure(2, Pointing((1.0, 9.5)), detector="NRCBLONG")]
    sets = {"plain": plain, "pairs": pairs, "far": [*plain[:2], exposure(5, FAR)]}
    asked, ours = [], []
    for name, models in sets.items():
        (folder / name).mkdir()
        for n, model in enumerate(models):
            with_flags(model, n).save(folder / name / model.meta.filename)
        association = folder / name / "asn.json"
        asn_from_list([m.meta.filename for m in models], product_name="mosaic").save(association)
        # The peer cannot tell the lowest level where one of them is not known.
        cases = CASES if name != "far" else [c for c in CASES if c.get("skymethod") != "global"]
        for parameters in cases:
            corner = np.zeros(1)
            asked.append({"step": "skymatch", "association": str(association), "parameters": parameters})
            asked[-1] |= {"x": corner, "y": corner, "label": f"{name} {parameters}"}
            ours.append(SkyMatchStep(**parameters).run(str(association)))
    theirs = run_peer("combine_peer.py", asked, folder)
    yield [(a["label"], o, t) for a, o, t in zip(asked, ours, theirs, strict=True)]
    for path in folder.rglob("*.fits"):
        path.unlink()


def test_same_levels(results):
    for label, models, peer in results:
        levels = np.array(
            [np.nan if m.meta.background.level is None else m.meta.background.level for m in models]
        )
        np.testing.assert_allclose(levels, peer["level"], rtol=1e-6, atol=3e-7, err_msg=label)


def test_same_status(results):
    for label, models, peer in results:
        assert [m.meta.cal_step.skymatch for m in models] == list(peer["status"]), label


def test_same_pixels(results):
    for label, models, peer in results:
        for model, theirs in zip(models, peer["data"], strict=True):
            np.testing.assert_allclose(model.data, theirs, rtol=2e-7, atol=3e-7, err_msg=label)
