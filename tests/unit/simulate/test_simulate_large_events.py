"""Snowballs and showers of the simulator."""

import numpy as np
import pytest

from webbcal import simulate
from webbcal.simulate.large_events import LargeEvents


def test_a_snowball_fills_a_disc_spills_and_glows():
    rng = np.random.default_rng(1)
    large = LargeEvents(1.0, 0.0, (300, 300))
    deposit, rows = large.arrive(rng, 30.0)
    assert len(rows) >= 1 and not rows["shower"].any()
    y, x = np.divmod(deposit.index, 300)
    row = rows[np.argmax(rows["electrons"])]
    distance = np.hypot(y - row["y"], x - row["x"]) / row["radius"]
    assert (deposit.electrons[distance < 0.9] >= 2.5e5).all()
    halo = [deposit.electrons[(distance > a) & (distance < a + 0.3)].min() for a in (1.1, 2.0, 3.5)]
    assert halo[0] > 1000 > halo[1] > 60 > halo[2] > 0
    charge, dark = np.zeros((300, 300), np.float32), np.zeros((300, 300), bool)
    dark[:, : int(row["x"])] = True
    large.come(rng, 10.0, charge, dark)
    assert not charge[dark].any()
    assert charge.max() > 20_000  # beside the core
    later = np.zeros_like(charge)
    large.come(rng, 1000.0, later, dark)
    later[:] = 0
    large.come(rng, 10.0, later, dark)
    inside = np.hypot(*(np.mgrid[:300, :300] - np.reshape([row["y"], row["x"]], (2, 1, 1)))) < row["radius"]
    assert 1 < later[inside & ~dark].mean() < 20 and not later[~inside].sum() > later[inside].sum()


def test_a_shower_comes_within_seconds():
    rng = np.random.default_rng(2)
    large = LargeEvents(0.0, 10.0, (200, 200))
    deposit, rows = large.arrive(rng, 10.0)
    assert rows["shower"].all() and len(deposit.index) == 0
    came = []
    for _ in range(12):
        charge = np.zeros((200, 200), np.float32)
        large.come(rng, 6.0, charge, np.zeros((200, 200), bool))
        came.append(charge.sum())
    assert came[1] == pytest.approx(came[0] / np.e, rel=0.05)
    assert sum(came) == pytest.approx(rows["electrons"].sum(), rel=0.02)
    assert came[-1] == 0


def test_none_come_where_none_are_asked_for():
    deposit, rows = LargeEvents(0.0, 0.0, (64, 64)).arrive(np.random.default_rng(3), 1e4)
    assert len(deposit.index) == len(rows) == 0


def test_truth_lists_them(tmp_path):
    config = simulate.ExposureConfig(
        detector="NRCALONG",
        subarray="SUB64P",
        readpatt="RAPID",
        ngroups=6,
        nints=2,
        snowballs=9000.0,
        showers=900.0,
    )
    made = simulate.expose(config)
    events = made.truth.events
    assert events["shower"].any() and not events["shower"].all()
    assert set(events["integration"]) == {0, 1} and events["group"].max() <= 5
    assert made.truth.hits["snowball"].any()
    _, path = made.save(tmp_path)
    read = simulate.Truth.load(path)
    np.testing.assert_array_equal(read.events, events)
