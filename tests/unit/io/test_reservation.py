"""Space for a file is there before it is written, or it is said that there is none."""

import os

import pytest

from webbcal.core.errors import OutputError
from webbcal.io.atomic import AtomicFile
from webbcal.io.reservation import reserve


def test_a_file_gets_its_length_and_keeps_what_it_holds(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"begun")
    with path.open("r+b") as file:
        reserve(file.fileno(), 100_000)
    assert path.read_bytes() == b"begun" + bytes(100_000 - 5)


def test_of_no_length(tmp_path):
    with (tmp_path / "a").open("w+b") as file:
        reserve(file.fileno(), 0)
        assert os.fstat(file.fileno()).st_size == 0


def test_without_the_function_of_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr("webbcal.io.reservation._fallocate", lambda: None)
    with (tmp_path / "a").open("w+b") as file:
        reserve(file.fileno(), 5000)
        assert os.fstat(file.fileno()).st_size == 5000


def test_a_file_system_that_sets_nothing_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("webbcal.io.reservation._fallocate", lambda: lambda *_: -1)
    monkeypatch.setattr("ctypes.get_errno", lambda: 95)  # not supported
    with (tmp_path / "a").open("w+b") as file:
        reserve(file.fileno(), 5000)
        assert os.fstat(file.fileno()).st_size == 5000


def test_more_than_there_can_be_is_said_and_leaves_nothing(tmp_path):
    file = AtomicFile(tmp_path / "a.fits")
    with pytest.raises(OutputError, match=r"a\.fits: cannot be written .* free some space"):
        file.reserve(1 << 62)
    file.abort()
    assert not list(tmp_path.iterdir())
