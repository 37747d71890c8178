"""Snowballs and showers against the truth: what is found, what is left in the slopes, what is not there."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from stage1 import DO_NOT_USE, JUMP, QUIET, SATURATED, Ready, Run, calibrate

from webbcal import simulate

SNOWY = simulate.ExposureConfig(
    detector="NRCALONG", subarray="SUB320", readpatt="SHALLOW4", ngroups=8, nints=3, snowballs=2.0,
    electronics=QUIET, seed=3,
)  # fmt: skip
SHOWERY = simulate.ExposureConfig(
    detector="NRCALONG",
    subarray="SUB320",
    readpatt="BRIGHT1",
    ngroups=20,
    showers=1.5,
    electronics=QUIET,
    seed=4,
)
#: Groups of 2.8 s. Showers of more than about 80 electrons in a pixel stand out in one, and of those of more
#: than 211 (max_shower_amplitude, 4 e-/s, in all groups but the first) the core is taken for a source.
MIRI = simulate.ExposureConfig(
    detector="MIRIMAGE", filter="F770W", readpatt="FASTR1", ngroups=20, showers=0.5,
    electronics=replace(QUIET, interference=0.0), seed=4,
)  # fmt: skip


def run(folder: Any, config: simulate.ExposureConfig, **jump: Any) -> Run:
    """Calibrate an exposure of a faint lamp, with parameters of the jump step."""
    light = np.full(config.aperture.shape, 2.0, np.float32)
    return calibrate(folder, config, light, {"jump": jump})


@dataclass(frozen=True)
class Around:
    """What is left around events, in pixels between some of their radii that can be used.

    Attributes
    ----------
    excess : ndarray
        Mean of (rate - truth) of each event, DN/s.
    flagged : ndarray
        Share of these pixels that are flagged in its group or the two after.
    """

    excess: np.ndarray
    flagged: np.ndarray


def around(made: Run, inner: float, outer: float, later: int = 0) -> Around:
    """Measure around events that have their centre on the detector and a group before them.

    `later`: integrations after that of the event.
    """
    y, x = np.mgrid[tuple(slice(n) for n in made.truth.rate.shape)]
    rates = np.asarray(made.rate.data) if later == 0 else None
    dq, flags = np.asarray(made.rate.dq), np.asarray(made.ramp.groupdq)
    rows = []
    for e in events(made):
        integration = e["integration"] + later
        if integration >= made.config.nints:
            continue
        distance = np.hypot(y - e["y"], x - e["x"]) / e["radius"]
        there = (distance >= inner) & (distance < outer) & (dq & DO_NOT_USE == 0)
        late = flags[integration][e["group"] : e["group"] + 3, there] & (JUMP | SATURATED) != 0
        seen = late.any(axis=0)  # what falls between averaged frames shows in the next group, too
        excess = np.nanmean((rates - made.truth.rate_dn)[there]) if rates is not None else np.nan
        rows.append((excess, seen.mean()))
    return Around(*np.transpose(rows))


def events(made: Run) -> np.ndarray:
    """Return the events that can be judged: on the detector, and not in the first or the last group."""
    e, last = made.truth.events, made.config.ngroups - 1
    ny, nx = made.truth.rate.shape
    inside = (e["y"] > 0) & (e["y"] < ny) & (e["x"] > 0) & (e["x"] < nx)
    return e[inside & (e["group"] > 0) & (e["group"] < last - e["shower"])]


def found(made: Run) -> float:
    """Return how many large events the product says there were."""
    c = made.config
    seconds = c.readout.tgroup * (c.nints * (c.ngroups - 1))
    return made.rate.meta.exposure.extended_emission_events * seconds * made.truth.rate.size / 1e6


@pytest.fixture(scope="module")
def snowy(tmp_path_factory):
    """The same exposure without and with the search for snowballs."""
    folder = tmp_path_factory.mktemp("snowballs")
    return [run(folder / str(on), SNOWY, expand_large_events=on) for on in (False, True)]


def test_snowballs_are_found_and_their_halos_leave_the_slopes(snowy):
    before, after = snowy
    assert len(events(after)) >= 4
    assert (around(after, 1.4, 3.0).flagged > 0.98).all()
    assert (around(before, 1.4, 3.0).flagged < 0.98).all()
    excess = [around(made, 2.0, 5.0).excess.mean() for made in snowy]
    assert excess[0] > 0.02 and abs(excess[1]) < excess[0] / 8, excess


def test_cores_are_flagged_in_the_next_integration(snowy):
    before, after = snowy
    assert (around(after, 0.0, 0.8, later=1).flagged > 0.98).all()
    assert (around(before, 0.0, 0.8, later=1).flagged < 0.5).all()


def test_no_snowballs_where_there_are_none(tmp_path):
    clear = run(tmp_path, replace(SNOWY, snowballs=0.0), expand_large_events=True, edge_size=0)
    assert found(clear) == 0 and (np.asarray(clear.ramp.groupdq) & JUMP).any()


def test_showers_are_found_and_leave_the_slopes(tmp_path):
    before, after = (run(tmp_path / str(on), SHOWERY, find_showers=on) for on in (False, True))
    all_of_them = events(after)
    bright = all_of_them["electrons"] > 500 * all_of_them["radius"] ** 2
    flagged = around(after, 0.0, 0.7).flagged > 0.8
    assert bright.sum() >= 2 and flagged[bright].all() and not (around(before, 0.0, 0.7).flagged > 0.2).any()
    excess = [around(made, 0.0, 1.5).excess[flagged].mean() for made in (before, after)]
    assert excess[0] > 0.3 and abs(excess[1]) < excess[0] / 2, excess


def test_showers_of_miri_are_found_and_leave_the_slopes(tmp_path):
    ready = Ready.in_folder(tmp_path, MIRI, np.full(MIRI.aperture.shape, 2.0, np.float32))
    before, after = (
        ready.calibrated(tmp_path / str(on), {"jump": {"find_showers": on}}) for on in (False, True)
    )
    events_of = events(after)
    peak = events_of["electrons"] / (2.0 * np.pi * 0.75 * events_of["radius"] ** 2)
    bright = (peak > 100.0) & (peak < 200.0)
    flagged = around(after, 0.0, 0.7).flagged > 0.8
    assert bright.sum() >= 5 and flagged[bright].mean() > 0.7 and not flagged[peak < 60.0].any()
    assert not (around(before, 0.0, 0.7).flagged[bright] > 0.2).any()
    excess = [around(made, 0.0, 1.5).excess[flagged & bright].mean() for made in (before, after)]
    assert excess[0] > 0.3 and excess[1] < excess[0] / 2, excess


def test_no_showers_where_there_are_none(tmp_path):
    clear = run(tmp_path, replace(SHOWERY, showers=0.0), find_showers=True)
    assert found(clear) == 0
