"""How kernels are compiled (this module imports numba).

numba compiles a function when it is first called and keeps the result on disk. For all kernels of a pipeline
that is a matter of many seconds, once per installation. So one process compiles a kernel, and others that
need it wait and load the result; and who finds that there is something to compile says so, and lets other
processes (`warm_up`) begin at the other end of the work.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from webbcal.core.errors import ParameterError
from webbcal.core.resources import threads_here
from webbcal.kernels import expected

try:
    import fcntl
except ImportError:  # no locks for files on this system: kernels may be compiled more than once
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

# Options that numba uses itself but does not document: without the wrappers for calls from C and from Python,
# which take longer to compile than many a function; and without reference counting of arrays, which would
# cost more than the arithmetic.
_NOT_FROM_C: dict[str, Any] = {"no_cfunc_wrapper": True}
_BARE: dict[str, Any] = {"no_cpython_wrapper": True, "_nrt": False} | _NOT_FROM_C

#: For functions that only kernels call, often once a pixel. They cannot allocate arrays.
helper = njit(nogil=True, error_model="numpy", **_BARE)

#: Processes that help to compile, at most.
_MOST_HELPERS = 3

#: Module of kernels -> where numba keeps them, None: nowhere.
folders: dict[str, str | None] = {}

_locks: dict[str, threading.RLock] = {}
_held: set[str] = set()


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls: kept on disk after the first compilation, run without the GIL."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"} | _NOT_FROM_C
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # there is no place to keep it: a read-only installation, and no home folder
        compiled = njit(**options)(function)
    _depend_on_package(compiled, Path(function.__code__.co_filename).parent)
    folder = folders[function.__module__] = compiled.stats.cache_path

    @wraps(function)
    def call(*arguments: Any) -> Any:
        if compiled.overloads:
            return compiled(*arguments)
        with sole_compiler(folder):
            return compiled(*arguments)

    return call


def _depend_on_package(compiled: Any, folder: Path) -> None:
    """Let what is kept of a kernel go with any file that it is made of, not with its own file alone.

    numba asks whether the file of a kernel has changed. Its helpers lie in files beside it, and what all
    packages share above: with them changed (a newer version, say), it would run what they were before. numba
    has no place for that but this one; a test tells if it moves.
    """
    with contextlib.suppress(AttributeError):
        kept = compiled._cache._cache_file
        kept._source_stamp = kept._source_stamp, _digest(folder)


@lru_cache
def _digest(folder: Path) -> bytes:
    """Return the digest of the files of a package, and of those in the folder above."""
    digest = sha256()
    for path in sorted((*folder.glob("*.py"), *folder.parent.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.digest()


@contextlib.contextmanager
def sole_compiler(folder: str | None, wait: bool = True) -> Iterator[bool]:
    """Keep other threads and processes from compiling the kernels of a package.

    Parameters
    ----------
    folder : str or None
        Where numba keeps them; None: nowhere.
    wait : bool
        Wait until it is free.

    Yields
    ------
    bool
        False if it is not free and `wait` is false.
    """
    if folder is None:
        yield True
        return
    with _locks.setdefault(folder, threading.RLock()):
        if folder in _held:  # by this thread
            yield True
            return
        handle = _locked(folder, wait)
        if handle == _BUSY:
            yield False
            return
        _held.add(folder)
        try:
            yield True
        finally:
            _held.discard(folder)
            if handle is not None:
                os.close(handle)


_BUSY = -1


def _locked(folder: str, wait: bool) -> int | None:
    """Lock a folder; return its handle, None where that cannot be done, or `_BUSY`."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        return _BUSY
    except OSError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


class _Help(event.Listener):
    """Says, once a process, that kernels are being compiled, and starts the processes that help."""

    def __init__(self) -> None:
        self.wanted = True
        self._lock = threading.Lock()

    def on_start(self, event: event.Event) -> None:
        """Something is going to be compiled."""
        dispatcher = event.data["dispatcher"]
        if not self.wanted or not dispatcher.py_func.__module__.startswith("webbcal."):
            return
        with self._lock:
            first, self.wanted = self.wanted, False
        if first:
            log.info("compiling kernels, once per installation")
            if fcntl is not None and getattr(dispatcher, "stats", None) and dispatcher.stats.cache_path:
                _start_helpers()

    def on_end(self, event: event.Event) -> None:
        """Something is compiled."""


helping = _Help()
event.register("numba:compile", helping)


def _start_helpers() -> None:
    names = expected()
    if len(names) < 2 or not sys.executable:
        return
    command = [sys.executable, "-m", "webbcal.kernels.warm_up", *names]
    nothing = subprocess.DEVNULL
    with contextlib.suppress(OSError, ParameterError):  # a wrong number of threads is for others to tell
        for _ in range(min(threads_here() - 1, _MOST_HELPERS)):
            _end_with_us(subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing))


def _end_with_us(process: subprocess.Popen[bytes]) -> None:
    def end() -> None:
        process.kill()
        process.wait()

    atexit.register(end)
