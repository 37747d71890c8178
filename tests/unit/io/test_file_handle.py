"""Few files are open at a time, and what is being read stays open."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from webbcal.io import file_handle
from webbcal.io.file_handle import FileHandle

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")


def open_below(folder) -> set[str]:
    links = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        except OSError:  # the listing itself
            continue
    return {Path(link).name for link in links if link.startswith(str(folder))}


def read(handle, length=4) -> bytes:
    buffer = bytearray(length)
    handle.read_at(memoryview(buffer), 0)
    return bytes(buffer)


@pytest.fixture
def handles(tmp_path):
    for number in range(12):
        (tmp_path / f"{number}.bin").write_bytes(b"%04d" % number)
    return [FileHandle(tmp_path / f"{number}.bin") for number in range(12)]


def test_those_opened_first_are_closed_and_open_again(handles, tmp_path, monkeypatch):
    monkeypatch.setattr(file_handle, "MOST", 4)
    for _ in range(2):
        assert [read(handle) for handle in handles] == [b"%04d" % number for number in range(12)]
        assert open_below(tmp_path) == {"8.bin", "9.bin", "10.bin", "11.bin"}
    assert handles[0].size == 4 and "0.bin" in open_below(tmp_path)
    for handle in handles:
        handle.close()
    assert not open_below(tmp_path)


def test_many_threads_and_few_files(handles, tmp_path, monkeypatch):
    monkeypatch.setattr(file_handle, "MOST", 2)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: read(handles[number % 12]), range(2000)))
    assert found == [b"%04d" % (number % 12) for number in range(2000)]
    assert len(open_below(tmp_path)) <= 2


def test_a_file_that_is_read_is_closed_after_that(handles, tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    original = os.preadv

    def slow(fd, buffers, offset):
        begun.set()
        assert go_on.wait(10)
        return original(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", slow)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, handles[3])
        assert begun.wait(10)
        handles[3].close()
        assert not handles[3].close_if_idle() and open_below(tmp_path) == {"3.bin"}
        go_on.set()
        assert reading.result() == b"0003"
    assert not open_below(tmp_path)


def test_more_models_than_a_process_may_open_files(tmp_path):
    script = (
        "import resource, sys; from webbcal import datamodels\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "path = datamodels.ImageModel((8, 8)).save(sys.argv[1])\n"
        "models = [datamodels.open(path) for _ in range(300)]\n"
        "print(sum(int(model.data.size) for model in models), len({m.meta.filename for m in models}))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a_cal.fits")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["19200", "1"], done.stderr
