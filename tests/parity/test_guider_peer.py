"""calwebb_guider on exposures of all six kinds: products bit-equal to those of jwst 3.0.0."""

import numpy as np
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from products import compare

from webbcal.pipeline.guider import GuiderPipeline
from webbcal.simulate.guide_star import KINDS, guide_star_universe

SIZES = {"FGS_ID-IMAGE": 96, "FGS_ID-STACK": 96}
STEPS = {name: {"save_results": True} for name in ("dq_init", "guider_cds", "flat_field")}
INVERSE = {"flat_field": {"save_results": True, "inverse": True}}


def job(path, folder, steps):
    """Return how to run the pipeline with everything saved."""
    folder.mkdir()
    parameters = {"save_results": True, "steps": STEPS | steps}
    return {
        "class": "GuiderPipeline",
        "input": str(path),
        "output_dir": str(folder),
        "parameters": parameters,
    }


@needs_peer
def test_products_are_bit_equal(tmp_path, monkeypatch):
    environment, theirs, ours = {}, [], []
    for k, kind in enumerate(KINDS):
        # One cache serves all: each kind has its own folder, and the peer's environment cannot change.
        made = guide_star_universe(tmp_path / f"sim{k}", kind, SIZES.get(kind))
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        overrides = {
            f"override_{t}": str(next((tmp_path / f"sim{k}/crds/references/jwst/fgs").glob(f"*_{t}_*")))
            for t in ("mask", "gain", "readnoise", "flat")
        }
        steps = {
            "dq_init": STEPS["dq_init"] | {"override_mask": overrides["override_mask"]},
            "guider_cds": STEPS["guider_cds"]
            | {n: overrides[n] for n in ("override_gain", "override_readnoise")},
            "flat_field": (INVERSE if kind == "FGS_ACQ2" else STEPS)["flat_field"]
            | {"override_flat": overrides["override_flat"]},
        }
        words = job(made.path, tmp_path / f"ours{k}", steps)
        GuiderPipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
        theirs.append(job(made.path, tmp_path / f"theirs{k}", steps))
        ours.append(tmp_path / f"ours{k}")
        environment = made.environment
    answers = finish_peer(start_peer(theirs, environment))
    problems = []
    for folder, answer in zip(ours, answers, strict=True):
        assert "error" not in answer, answer
        names = {p.name for p in folder.iterdir()}
        official = folder.parent / folder.name.replace("ours", "theirs")
        # A step that does not apply saves nothing in our pipelines, as everywhere.
        others = {p.name for p in official.iterdir()} - {
            "jw01234001001_gs-id-stack_2023056000000_flat_field.fits"
        }
        problems += [f"{n} is made by only one" for n in names ^ others]
        for name in sorted(names):
            found = compare(folder / name, official / name)
            problems += [f"{name}: {p}" for p in found.problems if "NAXIS1" not in p]  # docs/parity.md
            problems += _unequal(folder / name, official / name)
    assert not problems, "\n".join(problems)


def _unequal(ours, theirs):
    """Return the arrays that are not bit-equal."""
    with fits.open(ours) as a, fits.open(theirs) as b:
        return [
            f"{ours.name}: {hdu.name} is not bit-equal"
            for hdu in a
            if hdu.name in ("SCI", "ERR", "DQ")
            and not np.array_equal(hdu.data, b[hdu.name].data, equal_nan=hdu.name != "DQ")
        ]
