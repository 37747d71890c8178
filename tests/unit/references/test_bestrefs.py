"""Best references: selection, agreement with crds, and errors that say what to set."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from webbcal.core.errors import ReferenceFileError
from webbcal.references.bestrefs import best_references, context

EXPOSURE = {
    "meta.instrument.name": "NIRCAM",
    "meta.instrument.detector": "NRCALONG",
    "meta.instrument.filter": "F444W",
    "meta.exposure.type": "NRC_IMAGE",
    "meta.exposure.ngroups": 10,
    "meta.observation.date": "2025-05-01",
    "meta.observation.time": "10:00:00.000",
}


def names(found):
    return {kind: Path(path).name for kind, path in found.items()}


def test_selects_by_detector_date_and_filter(make_cache):
    make_cache()
    types = ["gain", "flat", "ipc", "area", "pars-jumpstep", "pars-unknownstep"]
    found = best_references(EXPOSURE, types)
    assert found["gain"].endswith("/references/jwst/nircam/gain_new.fits")
    assert names(found)["flat"] == "flat_f444w.fits"
    assert [found[k] for k in types[2:]] == ["N/A"] * 4
    early = best_references(EXPOSURE | {"meta.observation.date": "2023-12-31"}, ["gain"])
    assert names(early) == {"gain": "gain_old.fits"}
    other = best_references(EXPOSURE | {"meta.instrument.detector": "NRCA2"}, ["gain"])
    assert names(other) == {"gain": "gain_short.fits"}
    series = best_references(EXPOSURE | {"meta.exposure.type": "NRC_TSIMAGE"}, ["pars-jumpstep"])
    assert names(series) == {"pars-jumpstep": "jump.asdf"}
    assert best_references(EXPOSURE, []) == {}


def test_agrees_with_crds_itself(make_cache):
    make_cache()
    import crds

    for changes in ({}, {"meta.observation.date": "2015-01-01"}, {"meta.instrument.detector": "NRCA1"}):
        types = (
            ["gain", "area"] if changes.get("meta.instrument.detector") else ["gain", "area", "flat", "ipc"]
        )
        # Ours first: it sees that the cache is another than that of the test before; crds would not look.
        ours = best_references(EXPOSURE | changes, types)
        theirs = crds.getreferences(EXPOSURE | changes, reftypes=types, observatory="jwst")
        assert ours == {k: "N/A" if "N/A" in v.upper() else v for k, v in theirs.items()}


def test_follows_the_environment_of_the_moment(make_cache, monkeypatch):
    cache = make_cache()
    assert context() == "jwst_0001.pmap"
    cache.finish("jwst_0002.pmap")
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0002.pmap")
    assert context() == "jwst_0002.pmap"
    monkeypatch.delenv("CRDS_CONTEXT")
    assert context() == "jwst_0002.pmap"  # the latest that the cache knows
    cache.finish("jwst_0003.pmap")
    monkeypatch.setenv("CRDS_CONTEXT", "jwst-latest")
    assert context() == "jwst_0003.pmap"


def test_threads_get_the_same_answers(make_cache):
    make_cache()
    found = [None] * 6

    def look(n):
        detector = "NRCA1" if n % 2 else "NRCALONG"
        found[n] = best_references(EXPOSURE | {"meta.instrument.detector": detector}, ["gain"])

    threads = [threading.Thread(target=look, args=(n,)) for n in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [names(f)["gain"] for f in found] == ["gain_new.fits", "gain_short.fits"] * 3


def test_no_rule_names_the_exposure_and_the_way_out(make_cache):
    make_cache()
    with pytest.raises(ReferenceFileError) as error:
        best_references(EXPOSURE | {"meta.instrument.detector": "NRCB4"}, ["gain"])
    for part in ("jwst_0001.pmap", "gain", "NIRCAM", "NRCB4", "F444W", "CRDS_CONTEXT", "override_gain"):
        assert part in str(error.value)
    with pytest.raises(ReferenceFileError, match="nonsense"):
        best_references(EXPOSURE, ["nonsense"])


def test_selected_file_that_is_missing(make_cache):
    make_cache()
    with pytest.raises(ReferenceFileError, match=r"mask_missing.fits.*CRDS_SERVER_URL.*override_mask"):
        best_references(EXPOSURE, ["gain", "mask"])


def test_incomplete_rules(make_cache):
    cache = make_cache()
    (cache.mappings / cache.types["flat"]).unlink()
    assert names(best_references(EXPOSURE, ["gain"])) == {"gain": "gain_new.fits"}  # does not need that one
    with pytest.raises(ReferenceFileError, match=r"jwst_nircam_flat_0001.rmap is missing.*CRDS_SERVER_URL"):
        best_references(EXPOSURE, ["flat"])


def test_context_not_in_the_cache(make_cache, monkeypatch):
    make_cache()
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_9999.pmap")
    with pytest.raises(ReferenceFileError, match=r"jwst_9999.pmap.*set CRDS_CONTEXT"):
        best_references(EXPOSURE, ["gain"])


def test_no_context(make_cache, monkeypatch):
    cache = make_cache()
    monkeypatch.delenv("CRDS_CONTEXT")
    (cache.root / "config" / "jwst" / "server_config").unlink()
    with pytest.raises(ReferenceFileError, match="set CRDS_CONTEXT"):
        context()
    monkeypatch.setenv("CRDS_CONTEXT", "nonsense")
    with pytest.raises(ReferenceFileError, match="CRDS_CONTEXT=nonsense"):
        context()


def test_no_cache(make_cache, monkeypatch, tmp_path):
    make_cache()
    monkeypatch.delenv("CRDS_PATH")
    with pytest.raises(ReferenceFileError, match="CRDS_PATH is not set"):
        best_references(EXPOSURE, ["gain"])
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ReferenceFileError, match=r"nowhere.*set CRDS_PATH.*CRDS_SERVER_URL"):
        best_references(EXPOSURE, ["gain"])


def test_other_observatory(make_cache, monkeypatch):
    make_cache()
    monkeypatch.setenv("CRDS_OBSERVATORY", "hst")
    with pytest.raises(ReferenceFileError, match="CRDS_OBSERVATORY"):
        best_references(EXPOSURE, ["gain"])


def test_withdrawn_files_are_refused(make_cache, monkeypatch):
    make_cache(bad=["gain_new.fits"])
    assert names(best_references(EXPOSURE, ["flat"])) == {"flat": "flat_f444w.fits"}
    with pytest.raises(ReferenceFileError, match=r"gain_new.fits.*invalid"):
        best_references(EXPOSURE, ["gain"])


SCRIPT = """
import json, sys
from webbcal.references.bestrefs import best_references, context
found = best_references(json.loads(sys.argv[1]), ["gain", "flat", "pars-jumpstep"])
name = context()
heavy = [m for m in ("crds", "astropy", "asdf", "requests", "stdatamodels") if m in sys.modules]
import crds
from crds.core import timestamp
from astropy.time import Time
stamp = str(timestamp.parse_date(Time("1999-12-21T05:42:35")))
print(json.dumps([found["gain"], name, heavy, stamp]))
"""


def in_a_new_process(exposure):
    command = [sys.executable, "-c", SCRIPT, json.dumps(exposure)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("named", [True, False])
def test_a_question_like_one_before_does_not_load_crds(make_cache, monkeypatch, named):
    make_cache()
    if not named:
        monkeypatch.delenv("CRDS_CONTEXT")
    first = in_a_new_process(EXPOSURE)
    gain, name, loaded, stamp = in_a_new_process(EXPOSURE | {"meta.observation.date": "2025-06-02"})
    assert (Path(gain).name, name, stamp) == ("gain_new.fits", "jwst_0001.pmap", "1999-12-21 05:42:35")
    assert "crds" in first[2]
    assert loaded == []


def test_what_crds_says_to_itself_is_not_shown(make_cache, monkeypatch, capfd):
    cache = make_cache()
    monkeypatch.delenv("CRDS_CONTEXT")
    (cache.root / "config" / "jwst" / "server_config").unlink()
    with pytest.raises(ReferenceFileError, match="set CRDS_CONTEXT"):
        best_references(EXPOSURE, ["gain"])
    assert "CRDS - " not in capfd.readouterr().err
