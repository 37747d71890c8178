"""What is shown while a programme runs: a table on a terminal, lines elsewhere."""

import io
import sys
from pathlib import Path

import pytest

from webbcal.cli.batch_display import Count, Lines, Table, make_display
from webbcal.programme.job import Input, Job

JOBS = [Job(f"e{n}.detector1", "calwebb_detector1", 1, (Input(Path(f"/e{n}_uncal.fits")),)) for n in range(4)]
DONE = {"state": "done", "seconds": 2.0, "threads": 1}


class Terminal(io.StringIO):
    """Remembers what is drawn."""

    def isatty(self) -> bool:
        return True


def told(display: Lines | Table) -> None:
    """Let two jobs be done, and one fail while another runs."""
    for job in JOBS[:3]:
        display.began(job, "it is new")
    display.ended(JOBS[0], "done", DONE, "")
    display.ended(JOBS[1], "failed", {"state": "failed", "error": "it is bad"}, "it is bad")


def test_a_terminal_has_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with make_display(JOBS) as display:
        assert isinstance(display, Table)
        told(display)
    shown = screen.getvalue()
    assert "e1.detector1: failed: it is bad" in shown and "e2.detector1" in shown
    assert "2 of 4 jobs: 1 done, 1 failed, about " in shown


def test_elsewhere_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with make_display(JOBS) as display:
        told(display)
    assert capsys.readouterr().err.splitlines() == [
        "1/4 e0.detector1: done: 2.0 s (it is new)",
        "2/4 e1.detector1: failed: it is bad",
    ]


def test_the_time_left_is_that_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0])
    monkeypatch.setattr("webbcal.cli.batch_display.time.monotonic", lambda: next(clock))
    count = Count(JOBS)
    count.ended_one(JOBS[0], "done", DONE)
    assert count.time_left() == ", about 30 s left"  # 3 of 4, of which one took 10 s of the clock
