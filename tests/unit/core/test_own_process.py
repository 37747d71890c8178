"""A process that is the command is set up to be quick; one that imports webbcal is left alone."""

import subprocess
import sys

import pytest

TELL = "import gc; print(gc.get_threshold()[0], gc.get_freeze_count())"


def _told(code: str) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    threshold, frozen = done.stdout.split()[-2:]
    return int(threshold), int(frozen)


def test_the_command_does_not_look_for_garbage_at_its_end():
    code = (
        "import sys, atexit; from webbcal.cli.main import program; sys.argv = ['webbcal', '--version']\n"
        f"@atexit.register\ndef tell():\n    {TELL}\nprogram()"
    )
    threshold, frozen = _told(code)
    assert threshold > _told(TELL)[0]
    assert frozen > 0


@pytest.mark.parametrize("words", ["['--version']", "['run', '--help']"])
def test_who_calls_it_keeps_python_as_it_was(words):
    assert _told(f"from webbcal.cli.main import main; main({words}); {TELL}") == _told(TELL)


def test_the_exit_code_is_that_of_the_command():
    done = subprocess.run([sys.executable, "-m", "webbcal", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown command" in done.stderr
