"""Progress of long work: silent by default; the command line installs a bar or plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What running code tells of its progress (thread-safe)."""

    def start(self, description: str, total: int) -> None:
        """Begin a stretch of `total` units."""

    def advance(self, units: int) -> None:
        """Some units are done."""

    def stop(self) -> None:
        """The stretch has ended."""


class Silent:
    """Says nothing."""

    def start(self, description: str, total: int) -> None:
        """Begin."""

    def advance(self, units: int) -> None:
        """Some units are done."""

    def stop(self) -> None:
        """The stretch has ended."""


_current: list[Progress] = [Silent()]


def current() -> Progress:
    """Return the progress display in use."""
    return _current[-1]


@contextmanager
def showing(progress: Progress) -> Iterator[Progress]:
    """Use `progress` for the work done within the block."""
    _current.append(progress)
    try:
        yield progress
    finally:
        progress.stop()
        _current.pop()
