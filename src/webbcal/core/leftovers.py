"""Temporary files that tell whose they are, so that those of a killed process can be swept up.

Their names hold a mark: the host (with its space of process numbers, for containers have their own), the
number of the process, and when it started, for numbers come again. A run sweeps its folder of output before
it works: what is marked by a process of this host that is no more goes. What other hosts write into a shared
folder, and runs beside this one, is let be.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shutil
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

ENDING = ".tmp"

_MARKED = re.compile(
    r"\..+\.(?P<host>[0-9a-f]{8})-(?P<process>\d{1,9})-(?P<start>\d{1,19})-\w+" + re.escape(ENDING)
)


def mark() -> str:
    """Return a mark of this process for the name of a temporary file or folder, another one each time.

    Names are made as ``.{what}.{mark}{ENDING}``.
    """
    process = os.getpid()
    return f"{_host()}-{process}-{_start(process)}-{secrets.token_hex(4)}"


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove temporary files and folders that dead processes of this host have left in a folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a folder may have many thousand files
    except OSError:
        return
    for name in names:
        if _is_left(name):
            path = Path(folder) / name
            log.info("removing %s, which a run that was killed has left", path)
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _is_left(name: str) -> bool:
    found = _MARKED.fullmatch(name)
    if found is None or found["host"] != _host():
        return False
    started = _start(int(found["process"]))
    return started is None or 0 < started != int(found["start"])


@cache
def _host() -> str:
    """Return digits that stand for this host and the process numbers that are seen on it."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it names no file
    except OSError:
        numbers = ""
    return hashlib.sha256(f"{os.uname().nodename} {numbers}".encode()).hexdigest()[:8]


def _start(process: int) -> int | None:
    """Return when a process started, in ticks; None if it is dead; 0 if the system does not tell."""
    try:
        # The second field is the name of the program, in parentheses, and may hold anything.
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0 if _answers(process) else None
    return None if state in "ZX" else int(fields[18])


def _answers(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
