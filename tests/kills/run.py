"""Kill runs at random moments, as often as one likes: ``nice python tests/kills/run.py [KILLS] [SEED]``.

Says how many were killed before they had ended, and what did not hold after it.
"""

import random
import sys
import tempfile
from pathlib import Path

from killing import cases, kill_often

#: Kills of one case between two runs to the end; and how the kills are shared out, as short runs are cheap.
EACH, SHARES = 4, (0.3, 0.3, 0.25, 0.15)


def main(kills: int = 200, seed: int = 1) -> int:
    """Kill that many runs of four kinds; return how many things did not hold."""
    moments, problems = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        for case, share in zip(cases(Path(folder)), SHARES, strict=True):
            kill_often(case, round(kills * share), EACH, moments)
            print(
                f"{case.name}: {case.kills} kills, {case.caught} before the end of {case.seconds:.1f} s, "
                f"{case.left} temporary files left to be swept up, {len(case.problems)} problems"
            )
            for problem in case.problems:
                print(" ", problem)
            sys.stdout.flush()
            problems += len(case.problems)
    return problems


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
