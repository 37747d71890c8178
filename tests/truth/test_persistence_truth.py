"""Persistence from a known trap state is removed, and the trap model finds the state of the simulator."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from stage1 import QUIET

from webbcal import datamodels, simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

FIRST = simulate.ExposureConfig(
    subarray="SUB160", readpatt="RAPID", ngroups=60, nints=2, cosmic_rays=False, traps=True, electronics=QUIET
)
#: Begins a minute and a half after the end of the first.
SECOND = replace(FIRST, exposure=2, seed=2, ngroups=100, start_mjd=FIRST.start_mjd + 125.0 / 86400.0)


@dataclass(frozen=True)
class Pair:
    """A bright exposure and one of the dark sky after it; where their references and true traps are."""

    folder: Path
    first: simulate.Simulated
    second: simulate.Simulated
    environment: dict[str, str]

    def calibrate(self, made: simulate.Simulated, **persistence: object) -> datamodels.ImageModel:
        """Return the rate of an exposure."""
        words = {"output_dir": str(self.folder), "steps": {"persistence": persistence}}
        with mock.patch.dict(os.environ, self.environment):
            return Detector1Pipeline.call(str(self.path(made, "uncal")), save_results=True, **words)

    def path(self, made: simulate.Simulated, suffix: str) -> Path:
        """Return a file of an exposure."""
        return self.folder / f"{made.config.rootname}_{suffix}.fits"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Stripes of a lamp of 10 to 16,000 e-/s, and then darkness."""
    folder = tmp_path_factory.mktemp("persistence")
    y, x = np.mgrid[:160, :160]
    lamp = np.where((x // 16) % 2 == 0, 10.0 ** (1.0 + 3.2 * y / 160.0), 1.0)
    first = simulate.expose(FIRST, lamp.astype(np.float32))
    second = simulate.expose(SECOND, np.full((160, 160), 0.5, np.float32), before=first.traps)
    cache = simulate.CrdsCache(folder / "crds")
    simulate.write_references(cache, [FIRST, SECOND], simulate.ReferenceOptions(subarray_only=True))
    simulate.write_trap_references(cache, [FIRST], subarray_only=True)
    for made in (first, second):
        made.save(folder)
    return Pair(folder, first, second, cache.environment)


def offsets(pair, rate):
    """Return mean error (DN/s), mean and width of pulls of pixels with many filled traps, and with few."""
    held = pair.first.traps.filled.sum(axis=0)
    found = {}
    for name, select in (("many", held > 30.0), ("few", held < 1.0)):
        good = select & (rate.dq == 0)
        assert good.sum() > 2000
        error = (rate.data - pair.second.truth.rate_dn)[good]
        pulls = error / rate.err[good]
        found[name] = np.array([error.mean(), pulls.mean(), pulls.std()])
    return found


def test_persistence_of_a_known_state_is_removed(pair):
    left = offsets(pair, pair.calibrate(pair.second))
    state = str(pair.path(pair.first, "truetraps"))
    known = offsets(pair, pair.calibrate(pair.second, input_trapsfilled=state))
    assert left["many"][1] > 5.0, "there is hardly any persistence"
    assert abs(known["many"][0] - known["few"][0]) < 0.005 * left["many"][0]
    assert abs(known["many"][1] - known["few"][1]) < 0.05
    # charge that traps gave back is no signal any more, but its noise is there, and errors do not know it
    assert known["many"][2] < known["few"][2] + 0.3


def test_errors_include_the_noise_of_what_was_subtracted_where_that_is_asked_for(pair):
    state = str(pair.path(pair.first, "truetraps"))
    known = offsets(pair, pair.calibrate(pair.second, input_trapsfilled=state, include_noise=True))
    assert abs(known["many"][2] - 1.0) < 0.1 and abs(known["many"][1]) < 0.1


def test_the_state_is_that_of_the_simulator(pair):
    pair.calibrate(pair.first, save_trapsfilled=True)
    with datamodels.open(pair.path(pair.first, "trapsfilled")) as model:
        found = model.data[(..., *FIRST.aperture.box.slices)]
    for true, ours in zip(pair.first.traps.filled, found, strict=True):
        exposed = true > 0.05
        assert exposed.sum() > 3000
        ratio = ours[exposed] / true[exposed]
        assert abs(np.median(ratio) - 1.0) < 0.05
        assert np.quantile(abs(ratio - 1.0), 0.9) < 0.2


def test_the_state_that_was_found_removes_persistence(pair):
    left = offsets(pair, pair.calibrate(pair.second))
    pair.calibrate(pair.first, save_trapsfilled=True)
    state = str(pair.path(pair.first, "trapsfilled"))
    found = offsets(pair, pair.calibrate(pair.second, input_trapsfilled=state))
    assert abs(found["many"][0] - found["few"][0]) < 0.15 * left["many"][0]
