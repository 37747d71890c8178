"""What dead processes have left is swept up; what anybody may still work on is not."""

import os
import subprocess
import sys

import pytest

from webbcal.associations import asn_from_list
from webbcal.core import leftovers
from webbcal.core.leftovers import ENDING, mark, sweep

#: Writes a temporary file and a folder, tells their names, and is killed when its input ends.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from webbcal.core.leftovers import ENDING, mark
from webbcal.io.atomic import AtomicFile
file = AtomicFile("a b (1).fits")
file.write_at(b"half a product", 0)
folder = Path(f".image.{mark()}{ENDING}")
folder.mkdir()
(folder / "x.fits").write_text("half")
print(file.temporary.name, flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has begun to write into the working directory."""
    command = [sys.executable, "-c", SCRIPT]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith(".a b (1).fits.")
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def left() -> list[str]:
    return sorted(os.listdir())  # noqa: PTH208


def test_what_a_process_writes_stays_until_it_is_dead(writer):
    assert len(left()) == 2
    sweep(".")
    assert len(left()) == 2
    writer.stdin.close()
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # dead, though its parent did not ask for it yet
    sweep(".")
    assert left() == []


def test_a_number_that_another_process_has_now(tmp_path):
    """Numbers come again: of two files with that of this process, one is of another that had it before."""
    own = mark()
    host, process, start, token = own.split("-")
    (tmp_path / f".a.fits.{own}{ENDING}").touch()
    (tmp_path / f".a.fits.{host}-{process}-{int(start) + 1}-{token}{ENDING}").touch()
    sweep(tmp_path)
    assert left() == [f".a.fits.{own}{ENDING}"]


def test_what_is_not_known_to_be_left_stays(tmp_path):
    dead = mark().replace(f"-{os.getpid()}-", "-999999999-", 1)
    other = ("0" if dead[0] != "0" else "1") + dead[1:]
    names = [
        f".a.{other}{ENDING}",
        f"a.{dead}{ENDING}",
        f".a.{dead}",
        f".{dead}{ENDING}",
        f".a{ENDING}",
        "a.fits",
    ]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".a.{dead}{ENDING}").touch()
    sweep(tmp_path)
    assert left() == sorted(names)


def test_a_process_that_cannot_be_looked_at_lives(tmp_path, monkeypatch):
    """Where processes of others are hidden, and where there is no /proc."""
    monkeypatch.setattr(
        leftovers, "Path", lambda name: tmp_path / "nowhere" if "/proc" in str(name) else tmp_path
    )
    assert mark().split("-")[2] == "0"
    monkeypatch.setattr(os, "kill", lambda process, number: (_ for _ in ()).throw(PermissionError()))
    name = f".a.{mark()}{ENDING}"
    (tmp_path / name).touch()
    sweep(tmp_path)
    assert left() == [name]


def test_no_folder():
    sweep("is not there")


def test_an_association_is_marked_too(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: seen.append(self.name))
    asn_from_list(["a_cal.fits"], product_name="a").save(tmp_path / "a_asn.json")
    assert leftovers._MARKED.fullmatch(seen[0])
