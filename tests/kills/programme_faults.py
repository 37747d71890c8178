"""Programmes that meet what is not as it should be: no space, bad input, no reference, a second driver.

``nice python tests/kills/programme_faults.py`` tries them all, and prints what came of it. A full disk is a
small file system in memory where one can be mounted, else a limit on the size of files.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from programme_under_test import Programme, simulated

#: Says of a programme what happened.
Fault = Callable[[Programme], str]


def crds_file(kind: str) -> Path:
    """Return a reference of the simulated cache."""
    return next(Path(os.environ["CRDS_PATH"]).rglob(f"*_{kind}_*.fits"))


def expect(programme: Programme, code: int, wanted: int, words: str, when: str) -> None:
    """Note if a driver has not ended as it should, and said so."""
    said = programme.said("out").read_text()
    if code != wanted or words not in said:
        programme.problems.append(f"{when}: ended with {code}, and said: {said[-1500:]}")
    if "Traceback" in said:
        programme.problems.append(f"{when}: shows its inside: {said[-3000:]}")


def no_large_files(programme: Programme) -> str:
    """No file can grow beyond a size that some products have."""
    sizes = sorted(path.stat().st_size for path in (programme.folder / "expected").glob("*.fits"))
    for limit in (sizes[len(sizes) // 2], sizes[0] // 2, 200):
        code = programme.start("out", "serial", largest_file=limit).wait()
        expect(programme, code, 1, "File too large", f"files of at most {limit} bytes")
        programme.check_products("out", f"files of at most {limit} bytes")
    return "3 limits"


def full_disk(programme: Programme) -> str:
    """The disk is full at once, half-way, or shortly before the end."""
    whole = sum(p.stat().st_size for p in (programme.folder / "expected").rglob("*") if p.is_file())
    parts = (0.1, 0.4, 0.8)
    with small_disk(programme.folder / "out") as resize:
        for part in parts:
            resize(int(part * whole))
            code = programme.start("out", "serial").wait()
            expect(programme, code, 1, "No space left on device", f"a disk for {part} of the products")
            programme.check_products("out", f"a disk for {part} of the products")
        resize(10 * whole)
        shutil.copytree(programme.folder / "out", programme.folder / "saved")
    shutil.rmtree(programme.folder / "out")
    (programme.folder / "saved").rename(programme.folder / "out")
    return f"{len(parts)} sizes of disk"


@contextmanager
def small_disk(place: Path) -> Iterator[Callable[[int], None]]:
    """Mount a file system in memory; give what changes its size in bytes."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", place], check=True)


def unreadable_input(programme: Programme) -> str:
    """An exposure is cut off, is no FITS file, or has gone when the programme is resumed."""
    path = sorted(programme.raw.iterdir())[1]
    whole = path.read_bytes()
    name = path.name.replace("_uncal.fits", ".detector1 failed")
    for content in (whole[:-40_000], b"no FITS file", b""):
        path.write_bytes(content)
        code = programme.start("out", "serial").wait()
        expect(programme, code, 1, name, f"an input of {len(content)} bytes")
    path.write_bytes(whole)
    return "3 kinds of damage"


def missing_reference(programme: Programme) -> str:
    """References of stage 1 and of stage 2 are missing."""
    for kind in ("linearity", "area"):
        path = crds_file(kind)
        path.rename(path.with_suffix(".away"))
        code = programme.start("out", "serial").wait()
        expect(programme, code, 1, path.name, f"no {kind}")
        path.with_suffix(".away").rename(path)
    return "2 types"


def two_drivers(programme: Programme, pairs: int = 3) -> str:
    """A second programme is started in the folder."""
    for _ in range(pairs):
        drivers = [programme.start("out", "serial"), programme.start("out", "serial")]
        codes = sorted(driver.wait() for driver in drivers)
        if codes != [0, 1]:
            programme.problems.append(f"two drivers have ended with {codes}")
        programme.check_products("out", "two drivers")
        shutil.rmtree(programme.folder / "out" / ".webbcal" / "jobs")  # all is done again
    return f"{pairs} pairs"


def changed_reference(programme: Programme, times: int = 3) -> str:
    """A reference gets another content, and in the end its own again, while it is used."""
    moments = random.Random(3)
    path = crds_file("flat")
    whole, other = path.read_bytes(), path.with_suffix(".other")
    shutil.copy(path, other)
    with fits.open(other, mode="update") as file:
        file["SCI"].data *= 1.01
    for content in (other.read_bytes(), whole) * times:
        driver = programme.start("out", "serial", "--force")
        time.sleep(moments.uniform(0.1, 1.0) * programme.seconds * programme.jobs)
        path.write_bytes(content)
        if driver.wait() not in (0, 1):
            programme.problems.append(f"a changing reference: ended with {driver.poll()}")
    other.unlink()
    return f"{2 * times} changes"


FAULTS: dict[str, Fault] = {
    "files cannot grow": no_large_files,
    "full disk": full_disk,
    "unreadable input": unreadable_input,
    "missing reference": missing_reference,
    "two drivers at once": two_drivers,
    "reference that changes": changed_reference,
}


def tried(programme: Programme, *names: str) -> Iterator[str]:
    """Let a programme meet faults; resume and compare it after each; yield what to print."""
    for name in names or FAULTS:
        before = len(programme.problems)
        how = FAULTS[name](programme)
        programme.finish_and_compare("out", f"after {name}")
        yield f"| {name} | {how} | {len(programme.problems) - before} |"


def main(*names: str) -> int:
    """Try faults, all by default; return how many things did not hold."""
    with tempfile.TemporaryDirectory() as folder:
        programme = simulated(Path(folder))
        print("| fault | tried | problems |\n|---|---|---|")
        for line in tried(programme, *names):
            print(line, flush=True)
    for problem in programme.problems:
        print(" ", problem)
    return len(programme.problems)


if __name__ == "__main__":
    sys.exit(min(1, main(*sys.argv[1:])))
