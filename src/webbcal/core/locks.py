"""Locks that tell whose they are, and are free as soon as their owner is dead.

The operating system keeps them (`flock`): whoever is killed lets go, on other hosts of a shared file system,
too. On systems without them, nothing is locked.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from webbcal.core.errors import OutputError

try:
    import fcntl
except ImportError:  # not on this system
    fcntl = None  # type: ignore[assignment]

#: Seconds for which somebody who asks whose a lock is may hold it.
_MOMENT = 0.05


@contextmanager
def held(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a lock.

    Parameters
    ----------
    path : Path
        Its file, which stays.
    wait : bool
        Wait until it is free.

    Yields
    ------
    bool
        False if somebody else holds it, and `wait` is false.

    Raises
    ------
    OutputError
        If its file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        if not _lock(handle, wait, tries=3):
            yield False
            return
        owner = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(owner).encode(), 0)
        yield True
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def owner_of(path: Path) -> str | None:
    """Return who holds a lock, in words; None if nobody does.

    Those who ask need not be allowed to write, and do not take each other for the owner.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _lock(handle, wait=False, shared=True):
            return None
        owner = json.loads(os.pread(handle, 1000, 0) or b"{}")
        process, host, since = (owner.get(key, "?") for key in ("process", "host", "since"))
        return f"process {process} on {host}, since {since}"
    except (OSError, ValueError):
        return "somebody"
    finally:
        os.close(handle)


def _lock(handle: int, wait: bool, tries: int = 1, shared: bool = False) -> bool:
    if fcntl is None:
        return True
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    for number in range(tries):
        try:
            fcntl.flock(handle, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            time.sleep(_MOMENT * (number < tries - 1))
        else:
            return True
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
