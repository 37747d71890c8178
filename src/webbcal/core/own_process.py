"""What a process of ours does to be quick; where webbcal is imported, the process is left as it is."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable

#: New objects after which Python looks for cycles among them (its own figure, 700, suits small programs).
_NEW_OBJECTS = 50_000

#: Numbers by which the C library (glibc's <malloc.h>) knows its settings, and what they are set to.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT, _LARGEST = 1 << 29, 1 << 25


def begin() -> None:
    """Keep memory that is freed for the next block, look for cycles rarely, and let libraries use one thread.

    Blocks of some megabytes come and go all the time. Given back to the system and asked for again, their
    memory has to be cleared each time: a tenth of the processor time of a series. And to look for garbage in
    everything that libraries have loaded takes a tenth of a short run, and finds nothing. Our own threads
    share the work; threads below them would only wait for each other. They take memory from one pool: of
    blocks as large as ours there are few, and a pool of each thread would keep what others could use.
    """
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    gc.set_threshold(_NEW_OBJECTS)
    setting = _of_glibc("mallopt")
    setting(_M_MMAP_THRESHOLD, _LARGEST)
    setting(_M_TRIM_THRESHOLD, _KEPT)
    setting(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give memory that is free back to the system: what comes next may be in another process (3 ms)."""
    _of_glibc("malloc_trim")(0)


def _of_glibc(name: str) -> Callable[..., object]:
    """Return a function of the C library; where that is another than glibc, one that does nothing."""
    try:
        found: Callable[..., object] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):
        return lambda *_: None
    return found


def start_numba() -> None:
    """Import numba without scipy.linalg, which it loads (0.25 s) only to know whether np.dot can be compiled.

    No kernel of ours uses np.dot, and this process is ours; where webbcal is imported, numba is left alone.
    """
    if "numba.np.arraymath" in sys.modules or "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules["scipy.linalg"]


def end() -> None:
    """Do not look for garbage when Python ends: the system takes all memory back at once."""
    gc.freeze()
