"""What the command line shows of long work: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from typing import Any

from webbcal.run.progress import Progress

#: Logger of what takes long for a reason that users should know.
NEWS = "webbcal.kernels.compiling"


class Bar:
    """A progress bar on a terminal (rich)."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
        self._bar: Any = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._task: Any = None

    def start(self, description: str, total: int) -> None:
        """Show a new bar."""
        self._bar.start()
        self._task = self._bar.add_task(description, total=total)

    def advance(self, units: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, units)

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def note(self, text: str) -> None:
        """Show a line above the bar."""
        self._bar.console.print(text)


class Lines:
    """Plain lines on stderr, at most one every ten seconds."""

    INTERVAL = 10.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._next = 0.0
        self._description = ""

    def start(self, description: str, total: int) -> None:
        """Begin a stretch."""
        self._description, self._done, self._total = description, 0, total
        self._next = time.monotonic() + self.INTERVAL

    def advance(self, units: int) -> None:
        """Print how far the work is, if it is time."""
        with self._lock:
            self._done += units
            if time.monotonic() >= self._next and self._done < self._total:
                self._next = time.monotonic() + self.INTERVAL
                print(f"{self._description}: {100 * self._done // self._total}%", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """End the stretch."""

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)


class _News(logging.Handler):
    """Shows what is logged on a display, as long as there is that."""

    def __init__(self, display: Bar | Lines) -> None:
        super().__init__(logging.INFO)
        self._display = weakref.ref(display)

    def emit(self, record: logging.LogRecord) -> None:
        display = self._display()
        if display is not None:
            display.note(f"{record.getMessage()} …")


def make() -> Progress:
    """Return the display that fits where stderr goes; it also tells that kernels are being compiled."""
    display = Bar() if sys.stderr.isatty() else Lines()
    logger = logging.getLogger(NEWS)
    for handler in [h for h in logger.handlers if isinstance(h, _News)]:
        logger.removeHandler(handler)
    logger.addHandler(_News(display))
    logger.setLevel(logging.INFO)
    return display
