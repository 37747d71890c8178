"""Interruptions (Ctrl-C, termination) that are not lost.

They are raised wherever the process is. Where that is a finalizer or a callback of a library, Python drops
them; who works for long looks now and then whether that has happened.
"""

from __future__ import annotations

import signal
from types import FrameType

_asked: list[int] = []


def listen() -> None:
    """Raise KeyboardInterrupt when the process is to end, so that temporary files are removed."""
    _asked.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, _interrupt)


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt if the process was to end.

    Raises
    ------
    KeyboardInterrupt
    """
    if _asked:
        raise KeyboardInterrupt


def _interrupt(signum: int, frame: FrameType | None) -> None:
    _asked.append(signum)
    raise KeyboardInterrupt
