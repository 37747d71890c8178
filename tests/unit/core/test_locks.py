"""Locks tell whose they are, and are free when their owner is killed."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from webbcal.core.locks import held, owner_of

HOLD = """
import sys, time
from pathlib import Path
from webbcal.core.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_one_holds_it_and_says_who_it_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert owner_of(lock) is None
    with held(lock) as first, held(lock, wait=False) as second:
        assert (first, second) == (True, False)
        assert f"process {os.getpid()} on " in str(owner_of(lock))
    assert owner_of(lock) is None
    with held(lock, wait=False) as again:
        assert again


def test_it_is_free_when_its_owner_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    owner = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE)
    assert owner.stdout is not None and owner.stdout.readline() == b"held\n"
    assert f"process {owner.pid} on " in str(owner_of(lock))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    with held(lock, wait=False) as ours:
        assert ours


def test_those_who_ask_are_not_taken_for_the_owner(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held(lock):
        pass
    with lock.open() as other:  # somebody who looks on, and may only read
        fcntl.flock(other, fcntl.LOCK_SH)
        assert owner_of(lock) is None
    with held(lock):
        lock.chmod(0o444)
        assert f"process {os.getpid()} on " in str(owner_of(lock))
