"""Progress of long work: silent by default; the command line installs a bar or plain lines."""

from __future__ import annotations

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
