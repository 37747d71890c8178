"""What a run may use of the machine: threads, memory, and a place for scratch files.

A run is handed its resources; nothing below it asks the machine.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from webbcal.core.errors import ParameterError

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run may use.

    Attributes
    ----------
    threads : int
        Threads that work at once.
    memory : int or None
        Most bytes that the process may take; None where neither the user nor the system says.
    scratch : Path
        Folder of files that live as long as a run.
    limited : bool
        Whether `memory` is a user's limit, and not what happens to be free.
    """

    threads: int
    memory: int | None
    scratch: Path
    limited: bool = False

    @classmethod
    def of_machine(cls, threads: int | str | None = None, memory: int | str | None = None) -> Resources:
        """Return what the user allows, else what the environment says, else what the machine has.

        Parameters
        ----------
        threads : int or str, optional
            Else WEBBCAL_THREADS, else the processors that this process may run on.
        memory : int or str, optional
            Bytes, or text such as ``"1.5GB"``; else WEBBCAL_MAX_MEMORY, else what is free.

        Raises
        ------
        ParameterError
            If one of them is no positive number, naming where it was given.
        """
        if memory is None:
            memory = os.environ.get("WEBBCAL_MAX_MEMORY") or None
            name = "WEBBCAL_MAX_MEMORY"
        else:
            name = "max_memory"
        return cls(
            threads=available_threads() if threads is None else positive(threads, "threads"),
            memory=available_memory() if memory is None else parse_size(memory, name),
            scratch=scratch_folder(),
            limited=memory is not None,
        )


def positive(value: int | str, name: str) -> int:
    """Return a number of threads.

    Raises
    ------
    ParameterError
        If it is no whole number above 0.
    """
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if number < 1:
        raise ParameterError(f"{name} = {value!r}: must be a whole number of 1 or more")
    return number


#: Parts of the processors that `maximum_cores` may name.
_PARTS = {"none": 0.0, "quarter": 0.25, "half": 0.5, "all": 1.0}


def cores(value: int | str, have: int, name: str = "maximum_cores") -> int:
    """Return how many of the processors a number, or ``none``, ``quarter``, ``half`` or ``all`` allow: at
    least one.

    Parameters
    ----------
    value : int or str
    have : int
        Processors that may be used.
    name : str
        Where it was given, for the message.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    word = str(value).strip().lower()
    if word in _PARTS:
        return max(1, int(_PARTS[word] * have))
    if not word.isdigit() or int(word) < 1:
        known = ", ".join(repr(part) for part in _PARTS)
        raise ParameterError(f"{name} = {value!r}: must be a number of 1 or more, or one of {known}")
    return min(int(word), have)


def parse_size(value: int | str, name: str = "size") -> int:
    """Return bytes from a number or a text such as ``"1GB"``, ``"800 MB"``, ``"2GiB"``.

    Raises
    ------
    ParameterError
        If it is no size above 0.
    """
    found = _SIZE.fullmatch(str(value))
    size = 0
    if found:
        unit = found[2].upper()
        base = 1024 ** "KMGT".index(unit) * 1024 if found[3] and unit else _UNITS[unit]
        size = int(float(found[1]) * base)
    if size < 1:
        raise ParameterError(f"{name} = {value!r}: must be a size such as 800MB or 1.5GB")
    return size


def available_threads() -> int:
    """Threads to use: WEBBCAL_THREADS, else the processors this process may run on.

    Raises
    ------
    ParameterError
        If WEBBCAL_THREADS is no whole number above 0.
    """
    text = os.environ.get("WEBBCAL_THREADS", "").strip()
    if text:
        return positive(text, "WEBBCAL_THREADS")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


_told: ContextVar[Callable[[], int] | None] = ContextVar("webbcal_threads", default=None)


@contextmanager
def using(threads: Callable[[], int]) -> Iterator[None]:
    """Tell all that is called within how many threads it may use."""
    token = _told.set(threads)
    try:
        yield
    finally:
        _told.reset(token)


def threads_here() -> int:
    """Return how many threads this code may use: as many as its run was told, else those of the machine.

    Raises
    ------
    ParameterError
        If WEBBCAL_THREADS is asked, and is no whole number above 0.
    """
    told = _told.get()
    return available_threads() if told is None else told()


def available_memory() -> int | None:
    """Return the bytes of memory that can still be used, or None where the system does not tell."""
    available = kilobytes("/proc/meminfo", "MemAvailable:")
    if available is not None:
        return available
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def kilobytes(file: str, field: str) -> int | None:
    """Return a size in bytes from a file of /proc that lists kilobytes, or None."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


def resident(process: int | str = "self") -> int:
    """Return the bytes of memory that a process has, as far as that is known."""
    return kilobytes(f"/proc/{process}/status", "VmRSS:") or 0


def scratch_folder() -> Path:
    """Where scratch files go: WEBBCAL_SCRATCH, else TMPDIR, else /var/tmp (/tmp is often memory)."""
    for text in (os.environ.get("WEBBCAL_SCRATCH"), os.environ.get("TMPDIR")):
        if text:
            return Path(text)
    lasting = Path("/var/tmp")
    return lasting if os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())
