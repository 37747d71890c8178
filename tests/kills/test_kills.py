"""Some runs killed at random moments; ``run.py`` in this folder kills more."""

import random

from killing import cases, kill_often


def test_no_kill_leaves_a_partial_product_and_the_next_run_sweeps_up(tmp_path):
    for case, kills in zip(cases(tmp_path, exposures=2), (2, 2, 1, 1), strict=True):
        kill_often(case, kills, kills, random.Random(7))
        assert case.problems == [] and case.kills == kills
