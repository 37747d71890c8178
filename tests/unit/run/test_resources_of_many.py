"""Many products, runs and members in one process: memory and open files do not grow with their number.

Each test is a process of its own without a garbage collector, so that no file waits for it to come.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sky_scenes
from field_files import association, make_calibrated

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")

#: What may stay of one product or run (kB): pages that malloc keeps, and nothing that was read.
PER_PRODUCT, PER_RUN, PER_MEMBER = 4, 40, 40
WARM_UP = 20

_BEGIN = """
import gc, json, os, re, resource, sys
from pathlib import Path
gc.disable()

def files():
    return len(os.listdir("/proc/self/fd"))

def state():
    opened = files()
    gc.collect()  # steps and their pipeline refer to each other
    memory = re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
    return {"kB": int(memory), "files": opened}

def tell(*states):
    print("STATES", json.dumps(states))
"""


def states_of(script: str, *words: object, **environment: str) -> list[dict[str, int]]:
    """Run a script; return the states that it tells of."""
    command = [sys.executable, "-c", _BEGIN + script, *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("STATES"))
    return json.loads(line.removeprefix("STATES"))


def test_five_hundred_products(tmp_path):
    product = make_calibrated(sky_scenes.exposure(1, sky_scenes.Pointing()))
    product.save(tmp_path / "a_cal.fits")
    script = """
from webbcal import datamodels
for number in range(int(sys.argv[2]) + 500):
    if number == int(sys.argv[2]):
        before = state()
    model = datamodels.open(sys.argv[1])
    assert model.data.shape == model.shape and model.meta.wcsinfo.roll_ref is not None
    assert dict(model.items()) and model.meta.instance["wcs"] is not None
    model.save("again_cal.fits")
    if number % 2:  # the others go without being closed
        model.close()
tell(before, state())
"""
    before, after = states_of(script, tmp_path / "a_cal.fits", WARM_UP)
    assert after["files"] <= before["files"] + 1  # the last is not gone yet
    assert after["kB"] - before["kB"] < 500 * PER_PRODUCT


def test_stage_1_a_hundred_times(crds):
    """In turn saved, in memory, and ended by an error of a hook."""
    script = """
from webbcal.pipeline.detector1 import Detector1Pipeline

def fail(model):
    raise RuntimeError("a hook fails")

def once(number):
    hooks = {"post_hooks": [fail]} if number % 3 == 2 else {}
    try:
        Detector1Pipeline.call(sys.argv[1], save_results=number % 3 == 0, steps={"jump": hooks})
    except RuntimeError as error:
        assert number % 3 == 2 and "a hook fails" in str(error)

for number in range(int(sys.argv[2])):
    once(number)
before, most = state(), 0
for number in range(100):
    once(number)
    most = max(most, files())
tell(before, state(), {"files": most})
"""
    before, after, most = states_of(script, crds.uncal[0], WARM_UP)
    assert most["files"] == after["files"] == before["files"]
    assert after["kB"] - before["kB"] < 100 * PER_RUN


def test_two_thousand_members_and_256_descriptors(tmp_path, monkeypatch):
    """All are opened, then resampled twice: for their median, and to the mosaic."""
    monkeypatch.setattr(sky_scenes, "SIZE", 24)
    one = make_calibrated(sky_scenes.exposure(1, sky_scenes.Pointing())).save(tmp_path / "one_cal.fits")
    names = [f"m{number:05d}_cal.fits" for number in range(2000)]
    for name in names:  # links would be one exposure many times, which is refused
        (tmp_path / name).write_bytes(Path(one).read_bytes())
    script = """
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from webbcal.associations import as_level3
from webbcal.combine.members.opening import open_members
from webbcal.pipeline.image3 import Image3Pipeline
association = as_level3(sys.argv[1])
before = state()
members = open_members(association.products[0], association)
opened = state()
assert len({member.meta.filename for member in members}) == 2000
assert sum(int(member.source("data").read().size) for member in members) == 2000 * 24 * 24
touched = state()
del members
left_out = {name: {"skip": True} for name in ("tweakreg", "skymatch", "source_catalog")}
mosaic = Image3Pipeline.call(sys.argv[1], save_results=False, steps=left_out)
assert mosaic.wht.max() > 0
tell(before, opened, touched, state())
"""
    before, opened, touched, after = states_of(script, association(tmp_path / "x_asn.json", names))
    assert opened["files"] == before["files"] and touched["files"] <= before["files"] + 128
    assert opened["kB"] - before["kB"] < 2000 * PER_MEMBER
    # From Python 3.14 on, a lock of crds has a process with a pipe.
    assert after["files"] <= before["files"] + 1
