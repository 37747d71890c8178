"""Programmes whose driver or worker is killed at random moments.

``nice python tests/kills/programme_killing.py [KILLS] [SEED]`` kills as often as one likes.

Whatever was killed, files with the name of a product are whole, and the programme goes on where it was: in
the end its products are those of one that nobody disturbed, and each is there once. Moments are counted by
what has been done, so that kills hit on a busy machine, too.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from programme_under_test import Programme, alive, simulated, workers_of

#: Who is killed, in turn. Drivers of worker processes cost most: each starts two interpreters.
CYCLE = ["serial", "serial", "worker", "serial", "serial", "serial", "serial", "local", "serial", "serial"]


def kill_driver(programme: Programme, kind: str, moments: random.Random) -> bool:
    """Start a programme that is not done, and kill who drives it; tell whether that was in time."""
    driver = programme.start("out", kind)
    programme.wait_for(driver, moments)
    workers = list(workers_of(driver.pid))
    driver.kill()
    caught = driver.wait() == -signal.SIGKILL
    patience = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < patience:
        time.sleep(0.02)
    if any(map(alive, workers)):
        programme.problems.append("a worker has outlived its driver")
    programme.check_products("out", f"a driver ({kind}) was killed")
    return caught


def kill_worker(programme: Programme, moments: random.Random) -> bool:
    """Start a programme, kill one of its workers, and let it go on to its end."""
    driver, killed = programme.start("out", "local"), False
    while not list(workers_of(driver.pid)) and driver.poll() is None:
        time.sleep(0.02)
    programme.wait_for(driver, moments)
    workers = list(workers_of(driver.pid))
    if workers:
        with suppress(ProcessLookupError):
            os.kill(moments.choice(workers), signal.SIGKILL)
            killed = True
    if driver.wait():
        programme.problems.append(f"webbcal batch ended with {driver.poll()} after a worker was killed")
    return killed


def kill_often(programme: Programme, kinds: list[str], moments: random.Random) -> Counter[str]:
    """Kill who is named, one after another: ``serial`` or ``local`` (the driver), or ``worker``.

    A programme that was driven to its end is compared, and begun anew. Returns how many were killed in time.
    """
    killed: Counter[str] = Counter()
    for kind in kinds:
        print(f"{dict(killed)}: next is {kind}", file=sys.stderr, flush=True)
        if kind == "worker":
            killed[kind] += kill_worker(programme, moments)
        else:
            killed[kind] += kill_driver(programme, kind, moments)
        if kind == "worker" or not programme.left("out"):
            programme.finish_and_compare("out", f"after {killed.total()} kills")
    programme.finish_and_compare("out", "in the end")
    return killed


def main(kills: int = 60, seed: int = 1) -> int:
    """Kill that often; return how many things did not hold."""
    with tempfile.TemporaryDirectory() as name:
        programme = simulated(Path(name), count=2)
        kinds = [CYCLE[number % len(CYCLE)] for number in range(kills)]
        killed = kill_often(programme, kinds, random.Random(seed))
    told = ", ".join(f"{who} {times} of {kinds.count(who)}" for who, times in killed.items())
    print(f"killed before the end: {told}; {programme.resumed} resumed; {len(programme.problems)} problems")
    for problem in programme.problems:
        print(" ", problem)
    return len(programme.problems)


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
