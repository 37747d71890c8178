"""Ramps of many integrations and groups: their blocks have enough rows, and they are worked on once."""

from dataclasses import dataclass

import numpy as np
import pytest

from webbcal.detector.jump import JumpsFound, JumpStep
from webbcal.kernels.jump.settings import JumpSettings
from webbcal.run.engine.tiling import TILE_BYTES, cut_rows

INTS, GROUPS = 120, 8


@pytest.mark.parametrize(
    "shape", [(500, 60, 256, 256), (1300, 6, 256, 2048), (580, 10, 400, 400), (120, 60, 256, 256)]
)
def test_a_halo_is_no_larger_than_half_of_the_rows(shape):
    halo = 3
    cut = cut_rows(shape, halo, threads=2)
    assert cut.rows >= 4 * halo
    tile = 4 * shape[0] * shape[1] * (cut.rows + 2) * (cut.columns + 2)
    assert tile <= 4 * TILE_BYTES


@dataclass(frozen=True)
class State:
    """What jump has measured before a run."""

    settings: JumpSettings
    unused_groups: np.ndarray
    cleared_groups: np.ndarray | None = None


def groups(*numbers):
    """Return these groups of all integrations."""
    chosen = np.zeros((INTS, GROUPS), bool)
    chosen[:, list(numbers)] = True
    return chosen


@pytest.mark.parametrize(
    ("unused", "full", "cleared"),
    [
        ((0, 7), (0, 7), None),  # nothing is kept where no pixel is used
        ((0, 7), (0, 3, 7), groups(3)),  # group 3 is rejected in all pixels that are used
        ((0,), (0,), None),  # the look at a few pixels was wrong of group 7, but clipping it remains
    ],
)
def test_only_groups_that_pixels_use_are_kept_in_another_run(unused, full, cleared):
    state = State(JumpSettings(minimum_sigclip_groups=100), groups(0, 7))
    revised = JumpStep().revised(JumpsFound(0, groups(*full), groups(*unused)), state)
    if cleared is None:
        assert revised is None
    else:
        np.testing.assert_array_equal(revised.cleared_groups, cleared)
        assert JumpStep().revised(JumpsFound(0, groups(*full), groups(*unused)), revised) is None


def test_another_method_needs_another_run():
    """All groups but two seemed to be unused; with more of them there is something to compare."""
    state = State(JumpSettings(minimum_sigclip_groups=10_000), groups(*range(GROUPS)))
    revised = JumpStep().revised(JumpsFound(0, groups(), groups(0)), state)
    np.testing.assert_array_equal(revised.unused_groups, groups(0))
