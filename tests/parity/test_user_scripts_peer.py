"""Scripts as people write them for `jwst` run unchanged on webbcal, and make the same products."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from products import compare
from spectral_cases import SLITLESS, lrs_slitless

import webbcal
from webbcal import simulate

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
SCRIPTS = Path(__file__).parent / "user_scripts"
pytestmark = [
    pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set"),
    pytest.mark.xdist_group("user scripts"),  # one after the other: they make what the next ones take
]
#: How a script is run: by `jwst` itself, and by webbcal in its place.
RUNNERS = {"theirs": [str(PEER)], "ours": [sys.executable, "-m", "webbcal.as_jwst"]}
#: Variables that scripts do not get: they find compiled kernels where users have them.
_OF_THIS_PROCESS = ("PYTHONPATH", "XDG_CACHE_HOME")
LOGGING = "[*]\nhandler = file:pipeline.log\nlevel = INFO\n"
#: What docs/parity.md explains: steps that say that they were skipped, for jwst says nothing of them; and
#: that what is saved within a pipeline knows its association; and which keywords of SIP are written.
EXPLAINED = (
    re.compile(r"PRIMARY: S_\w+ is 'SKIPPED' instead of '\(none\)'"),
    re.compile(r"PRIMARY: S_REFPIX is 'SKIPPED' instead of 'COMPLETE'"),
    re.compile(r"_flat_field\.fits: PRIMARY: ASN(POOL|TABLE) is 'singleton' instead of '\(none\)'"),
    re.compile(r"PRIMARY: R_(REFPIX|SIRSKL) is 'N/A' instead of '\(none\)'"),
    # terms of SIP are within 1e-7 pixel at the edge; linear terms of the inverse and errors are written
    re.compile(r"_adjusted\.fits: SCI: ([AB]P?_\d_\d|SIPMXERR|SIPIVERR) is"),
)


@dataclass(frozen=True)
class Place:
    """Two folders, of webbcal and of `jwst`, in which scripts are run with one set of references."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, *patterns: str | Path) -> dict[str, str]:
        """Run a script with files as arguments (patterns: of what was made before); return what it prints."""
        printed = {}
        for who, runner in RUNNERS.items():
            here = self.folder / who
            here.mkdir(exist_ok=True)
            (here / "log.cfg").write_text(LOGGING)
            words = [str(p) for pattern in patterns for p in _files(here, pattern)]
            own = {"PYTHONPATH": str(Path(webbcal.__file__).parents[1])} if who == "ours" else {}
            environment = {k: v for k, v in os.environ.items() if k not in _OF_THIS_PROCESS}
            done = subprocess.run(
                [*runner, str(SCRIPTS / f"{script}.py"), *words], cwd=here, capture_output=True, text=True,
                env=environment | self.environment | own, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (who, done.stderr[-3000:])
            printed[who] = done.stdout
        return printed

    def differences(self, pattern: str) -> list[str]:
        """Return what is not explained of the differences of products."""
        ours, theirs = (sorted((self.folder / who / "out").glob(pattern)) for who in ("ours", "theirs"))
        assert ours and [p.name for p in ours] == [p.name for p in theirs]
        found = [
            f"{a.name}: {problem}"
            for a, b in zip(ours, theirs, strict=True)
            for problem in compare(a, b, 0.01).problems
        ]
        return [line for line in found if not any(known.search(line) for known in EXPLAINED)]


def _files(here: Path, pattern: str | Path) -> list[Path]:
    return [pattern] if isinstance(pattern, Path) else sorted((here / "out").glob(pattern))


@pytest.fixture(scope="module")
def imaging(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, tuple[Path, ...]]:
    """Two dithered exposures on a small subarray."""
    first = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=5, seed=3,
        cosmic_rays=100.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("scripts")
    configs = simulate.dithered(first, [(0.0, 0.0), (0.3, 0.2)])
    made = simulate.universe(folder / "sim", configs, simulate.ReferenceOptions(subarray_only=True))
    return Place(folder, made.environment), made.uncal


@pytest.fixture(scope="module")
def rates(imaging: tuple[Place, tuple[Path, ...]]) -> Place:
    """What the script of stage 1 makes."""
    place, uncal = imaging
    place.run("detector1", *uncal)
    return place


@pytest.fixture(scope="module")
def images(rates: Place) -> Place:
    """What the script of stage 2 makes."""
    rates.run("image2", "*_rate.fits")
    return rates


def test_stage_1_with_own_steps_and_a_parameter_file(rates: Place) -> None:
    assert not rates.differences("*_rate*.fits") and not rates.differences("*_jump.fits")
    for who in RUNNERS:  # of the run with `logcfg`
        assert "INFO" in (rates.folder / who / "pipeline.log").read_text()


def test_stage_2_with_an_association_and_hooks(images: Place) -> None:
    assert not images.differences("*_cal.fits") and not images.differences("*_flat*.fits")


def test_pointing_roll_and_scale_set_by_hand(images: Place) -> None:
    images.run("astrometry", "*_cal.fits")
    assert not images.differences("*_adjusted.fits")


def test_stage_3_with_containers(images: Place) -> None:
    images.run("image3", "*_cal.fits")
    assert not images.differences("*_crf.fits")
    ours, theirs = (
        json.loads((images.folder / who / "out" / "levels.json").read_text()) for who in ("ours", "theirs")
    )
    assert ours.keys() == theirs.keys() and len(ours) == 4
    np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-5, atol=1e-8)
    mosaics = [webbcal.datamodels.open(images.folder / who / "out" / "mosaic_i2d.fits") for who in RUNNERS]
    middle = [mosaic.data[30:60, 30:60] for mosaic in mosaics]
    np.testing.assert_allclose(*middle, rtol=1e-3, atol=float(0.01 * np.nanmedian(mosaics[0].err)))


def test_spectra_with_a_pipeline_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("spectra")
    case = lrs_slitless(folder / "sim", replace(SLITLESS, ngroups=10, nints=2))
    place = Place(folder, case.environment)
    printed = place.run("spec2", next(case.folder.glob("*_rateints.fits")))
    for pattern in ("*_calints.fits", "*_flat*.fits", "*_x1dints.fits"):
        assert not place.differences(pattern)
    lines = [text.splitlines()[-1] for text in printed.values()]
    assert lines[0] == lines[1] and lines[0].startswith("median flux")
