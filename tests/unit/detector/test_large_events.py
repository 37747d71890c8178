"""Snowballs and showers in the jump step: hand-made cases, blocks of any size, parameters."""

import logging
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import ParameterError, PlanError
from webbcal.detector.jump import JumpStep
from webbcal.detector.jump_parameters import JumpParameters
from webbcal.detector.snowballs import Snowballs
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.engine import tiling

DNU, SATURATED, JUMP = 1, 2, 4


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


@pytest.fixture
def ramp(crds: Any) -> Any:
    """Ramps of two integrations, with a snowball in the fourth group of the first, and quiet elsewhere."""
    model = datamodels.RampModel(datamodels.open(crds.uncal[0]))
    nints, ngroups, ny, nx = 2, 8, *model.data.shape[2:]
    rng = np.random.default_rng(5)
    steps = rng.poisson(400.0, (nints, ngroups, ny, nx)).astype(np.float32)
    ring, core = disc((ny, nx), (31, 30), 9.0), disc((ny, nx), (31, 30), 4.0)
    steps[0, 3][ring] += 5000
    model.data = np.cumsum(steps, axis=1)
    model.groupdq = np.zeros(model.data.shape, np.uint8)
    model.groupdq[0, 3:, core] = SATURATED
    model.meta.exposure.nints, model.meta.exposure.ngroups = nints, ngroups
    return model


def test_a_snowball_is_flagged_with_its_halo_and_its_core(ramp: Any) -> None:
    plain = JumpStep().run(ramp)
    step = JumpStep(expand_large_events=True)
    found = step.run(ramp)
    ny, nx = ramp.data.shape[2:]
    wide, core = disc((ny, nx), (31, 30), 16.0), disc((ny, nx), (31, 30), 4.0)
    assert ((found.groupdq[0, 3][wide] & (JUMP | SATURATED)) != 0).all()
    assert ((plain.groupdq[0, 3][wide] & (JUMP | SATURATED)) == 0).any()
    grown = disc((ny, nx), (31, 30), 4.5)
    assert (found.groupdq[0, 3:, grown] == SATURATED).all() and (plain.groupdq[0, 3:, grown] == 0).any()
    assert not (found.groupdq[0, 2][wide] & JUMP).all()
    assert ((found.groupdq[1, 1:, disc((ny, nx), (31, 30), 2.9)] & JUMP) != 0).all()
    assert not (found.groupdq[1, 0] & JUMP).any() and not (plain.groupdq[1, 1:, core] & JUMP).all()
    assert found.meta.exposure.extended_emission_events > 0
    assert plain.meta.exposure.extended_emission_events == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_of_any_size_give_the_same(ramp: Any, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {
        "expand_large_events": True,
        "find_showers": True,
        "extend_min_area": 20,
        "maximum_cores": str(threads),
    }
    whole = JumpStep(**words).run(ramp)
    monkeypatch.setattr(tiling, "BLOCK_BYTES", 4 * 64 * 8 * 3)
    monkeypatch.setattr(tiling, "TILE_BYTES", 1 << 16)
    small = JumpStep(**words).run(ramp)
    np.testing.assert_array_equal(small.groupdq, whole.groupdq)
    for name in ("primary_cosmic_rays", "extended_emission_events"):
        assert getattr(small.meta.exposure, name) == getattr(whole.meta.exposure, name)


def test_snowballs_are_looked_for_again_when_jump_detection_runs_again(ramp: Any) -> None:
    """Groups that seemed to be unused everywhere are not: jumps are looked for twice, and snowballs, too."""
    words = {"expand_large_events": True}
    expected = JumpStep(**words).run(ramp)
    measured: list[int] = []

    class Misled(JumpStep):
        def measure(self, *args: Any) -> Any:
            state = super().measure(*args)
            state.unused_groups[:] = True
            return state

        def parts(self, p: JumpParameters) -> Any:
            class Counted(Snowballs):
                def measure(self, *args: Any) -> Any:
                    measured.append(1)
                    return super().measure(*args)

            return [self, Counted()]

    found = Misled(**words).run(ramp)
    assert len(measured) == 2
    np.testing.assert_array_equal(found.groupdq, expected.groupdq)


def test_the_edge_of_columns_is_theirs() -> None:
    """In a wide frame, what lies in the middle needs a core (jwst takes the number of rows for both)."""
    from types import SimpleNamespace

    flags = np.zeros((1, 3, 60, 200), np.uint8)
    flags[0, 1, 28:32, 98:102] = JUMP
    flags[0, 1, 28:32, 190:194] = JUMP

    def look(integration: int, group: int) -> np.ndarray:
        return flags[integration, group].copy()

    frame = SimpleNamespace(shape=(60, 200))
    survey = SimpleNamespace(
        flags=look,
        ints=range(1),
        groups=range(3),
        frame=frame,
        map=lambda work, items: [work(i) for i in items],
    )
    exposure = SimpleNamespace(readout=SimpleNamespace(tgroup=10.0))
    found = Snowballs().measure(exposure, {}, JumpParameters(edge_size=20), survey)
    assert found.number == 1 and found.halos.ellipses.pixels[0, 1] > 180


def test_the_plan_says_that_frames_are_read(crds: Any) -> None:
    pipeline = Detector1Pipeline(steps={"jump": {"expand_large_events": True}})
    text = "\n".join(pipeline.plan(crds.uncal[0]).passes)
    assert "measure jump (snowballs): reads all frames" in text and "jump (snowballs) → " in text


def test_parameters_that_do_nothing_say_so(ramp: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        JumpStep(use_ellipses=True).run(ramp)
    assert "use_ellipses does nothing" in caplog.text
    with pytest.raises(PlanError, match="running_median_ints is 2"):
        JumpStep(running_median_ints=2).run(ramp)


def test_cores(ramp: Any) -> None:
    assert JumpStep(maximum_cores="1").plan(ramp).threads == 1
    for word in ("some", "0"):
        with pytest.raises(ParameterError, match=f"maximum_cores = '{word}'"):
            JumpStep(maximum_cores=word).plan(ramp)


def test_time_series_are_compared_in_time(ramp: Any) -> None:
    """Light that falls by a third is no jump for the median of its neighbours in time."""
    rng = np.random.default_rng(6)
    light = np.where(np.arange(24) < 12, 3000.0, 2000.0)[:, None, None, None]
    steps = rng.poisson(np.broadcast_to(light, (24, 5, *ramp.data.shape[2:]))).astype(np.float32)
    steps[7, 2, 20, 20] += 2000
    model = ramp.copy()
    model.data, model.groupdq = np.cumsum(steps, axis=1), np.zeros(steps.shape, np.uint8)
    model.meta.exposure.nints, model.meta.exposure.ngroups = 24, 5
    words = {"flag_4_neighbors": False, "rejection_threshold": 5.0}
    found = JumpStep(running_median_ints=7, **words).run(model).groupdq
    assert found[7, 2, 20, 20] & JUMP
    assert np.count_nonzero(JumpStep(**words).run(model).groupdq) > 20 * np.count_nonzero(found)
