"""Answers of CRDS that are remembered on disk: right or not given."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from webbcal.core.errors import ReferenceFileError
from webbcal.references import bestrefs, remembered
from webbcal.references.bestrefs import best_references, context

EXPOSURE = {
    "meta.instrument.name": "NIRCAM",
    "meta.instrument.detector": "NRCALONG",
    "meta.instrument.filter": "F444W",
    "meta.exposure.type": "NRC_IMAGE",
    "meta.observation.date": "2025-05-01",
    "meta.observation.time": "10:00:00.000",
}
TYPES = ["gain", "flat", "area", "pars-jumpstep"]


@pytest.fixture
def folder():
    return remembered.user_cache.folder() / "references"


@pytest.fixture
def asked(monkeypatch):
    """How often crds is asked."""
    calls = []
    ask = bestrefs._ask
    monkeypatch.setattr(bestrefs, "_ask", lambda *a: calls.append(a) or ask(*a))
    return calls


def name_of(kind, **changes):
    return Path(best_references(EXPOSURE | changes, TYPES)[kind]).name


def on(date, time="10:00:00.000"):
    return {"meta.observation.date": date, "meta.observation.time": time}


def test_only_what_the_rules_mention_counts(make_cache, asked):
    make_cache()
    first = best_references(EXPOSURE, TYPES)
    others = [{"meta.filename": "other.fits"}, on("2024-01-02", "00:00:00"), {"meta.exposure.ngroups": 7}]
    for changes in others:
        assert best_references(EXPOSURE | changes, TYPES) == first
    assert best_references(EXPOSURE, TYPES[::-1]) == first
    assert best_references(EXPOSURE, ["PARS-JumpStep", *TYPES[:3]])["PARS-JumpStep"] == "N/A"
    assert len(asked) == 1
    assert name_of("gain", **on("2023-12-31")) == "gain_old.fits"
    assert name_of("pars-jumpstep", **{"meta.exposure.type": "NRC_TSIMAGE"}) == "jump.asdf"
    assert len(asked) == 3


def test_limits_of_the_rules_and_dates_of_no_usual_form(make_cache, asked):
    make_cache()
    assert name_of("gain", **on("2025-01-01")) == "gain_new.fits"
    assert name_of("gain", **on("2023-12-31", "23:59:59.999")) == "gain_old.fits"
    assert name_of("gain", **on("2024-01-01", "00:00:00")) == "gain_new.fits"
    assert name_of("gain", **on("2024-01-01", "00:00:00.001")) == "gain_new.fits"
    assert len(asked) == 4
    for wrong in (on("2025-13-01"), on("yesterday"), on("2025-01-01", "25:00:00"), on("1999-01-01")):
        with pytest.raises(ReferenceFileError, match="has no gain reference"):
            best_references(EXPOSURE | wrong, TYPES)
    assert len(asked) == 8


def test_rules_that_changed_under_their_name(make_cache, asked):
    cache = make_cache()
    assert name_of("gain") == "gain_new.fits"
    cache.rule("gain", "Match({('NRCALONG',): UseAfter({'2014-01-01 00:00:00': 'gain_old.fits'})})")
    assert name_of("gain") == "gain_old.fits"
    assert name_of("gain") == "gain_old.fits"
    assert len(asked) == 2


def test_a_reference_that_has_gone(make_cache):
    cache = make_cache()
    path = Path(best_references(EXPOSURE, TYPES)["gain"])
    path.unlink()
    with pytest.raises(ReferenceFileError, match=r"gain_new.fits.*CRDS_SERVER_URL"):
        best_references(EXPOSURE, TYPES)
    cache.file("gain_new.fits")
    assert best_references(EXPOSURE, TYPES)["gain"] == str(path)


def test_files_that_are_withdrawn_later(make_cache):
    cache = make_cache()
    assert name_of("gain") == "gain_new.fits"
    cache.finish(bad=["gain_new.fits"])
    with pytest.raises(ReferenceFileError, match=r"gain_new.fits.*invalid"):
        name_of("gain")


def test_a_warning_is_not_forgotten(make_cache, asked, monkeypatch, caplog):
    make_cache(bad=["gain_new.fits"])
    monkeypatch.setenv("CRDS_ALLOW_BAD_REFERENCES", "1")
    for _ in range(2):
        caplog.clear()
        assert name_of("gain") == "gain_new.fits"
        assert "gain_new.fits is designated as scientifically invalid" in caplog.text
    assert len(asked) == 2


def test_settings_are_part_of_the_question(make_cache, asked, monkeypatch, tmp_path):
    cache = make_cache()
    first = best_references(EXPOSURE, TYPES)
    moved = cache.root.rename(tmp_path / "moved")
    monkeypatch.setenv("CRDS_PATH", str(moved))
    assert best_references(EXPOSURE, TYPES)["gain"] == first["gain"].replace("/crds/", "/moved/")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRDS_PATH", "moved")
    for _ in range(2):  # a path that depends on the working directory is not remembered
        assert name_of("gain") == "gain_new.fits"
    assert len(asked) == 4


def test_a_context_that_a_server_names_is_asked_for_each_time(make_cache, asked, monkeypatch):
    make_cache()
    monkeypatch.delenv("CRDS_CONTEXT")
    monkeypatch.setenv("CRDS_SERVER_URL", "https://localhost:1")
    for _ in range(2):  # it does not answer; crds takes what it said last, from the cache
        assert name_of("gain") == "gain_new.fits"
    assert len(asked) == 2
    assert remembered.recall_context() is None


def test_the_context_follows_the_cache(make_cache, monkeypatch):
    cache = make_cache()
    monkeypatch.delenv("CRDS_CONTEXT")
    for name in ("jwst_0001.pmap", "jwst_0001.pmap", "jwst_0002.pmap"):
        cache.finish(name)
        assert context() == name
        assert remembered.recall_context() == name


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", "null", '{"config": 3}', "\0", '{"answers": []}', "a" * 99]
)
def test_damaged_entries_are_replaced(make_cache, asked, folder, monkeypatch, content):
    make_cache()
    monkeypatch.delenv("CRDS_CONTEXT")
    best_references(EXPOSURE, TYPES)
    context()
    entries = list(folder.iterdir())
    assert len(entries) == 2
    for entry in entries:
        entry.write_text(content)
    assert name_of("gain") == "gain_new.fits"
    assert context() == "jwst_0001.pmap"
    assert name_of("gain") == "gain_new.fits"
    assert len(asked) == 2


@pytest.mark.parametrize("part", ["rules", "config", "names", "limits", "answers"])
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}])
def test_entries_with_a_part_of_another_kind(make_cache, folder, part, value):
    make_cache()
    first = best_references(EXPOSURE, TYPES)
    (entry,) = folder.iterdir()
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {part: value}))
    assert best_references(EXPOSURE, TYPES) == first


def test_what_is_kept_is_bounded(make_cache, folder, monkeypatch):
    make_cache()
    monkeypatch.setattr(remembered, "_MOST_ANSWERS", 2)
    monkeypatch.setattr(remembered, "_MOST_ENTRIES", 3)
    for band in ("F444W", "F444W ", "f444w", "F444w"):
        best_references(EXPOSURE | {"meta.instrument.filter": band}, TYPES)
    (entry,) = folder.iterdir()
    assert len(json.loads(entry.read_text())["answers"]) == 2
    for kinds in (["gain"], ["flat"], ["area"], ["ipc"]):
        best_references(EXPOSURE, kinds)
    assert len(list(folder.iterdir())) == 3


def test_a_cache_folder_that_cannot_be_used(make_cache, monkeypatch, tmp_path):
    make_cache()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "crds" / "config" / "jwst" / "server_config"))
    for _ in range(2):
        assert name_of("gain") == "gain_new.fits"


def test_processes_side_by_side(make_cache):
    make_cache()
    script = (
        "import json, sys\n"
        "from webbcal.references.bestrefs import best_references\n"
        "exposure, types, n = json.loads(sys.argv[1])\n"
        "for k in range(20):\n"
        "    exposure['meta.instrument.filter'] = 'F444W' + ' ' * (20 * n + k)\n"
        "    assert best_references(exposure, types)['gain'].endswith('gain_new.fits')\n"
    )
    commands = [[sys.executable, "-c", script, json.dumps([EXPOSURE, TYPES, n])] for n in range(3)]
    for process in [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0


RULES_THAT_USE_DATES_OTHERWISE = {
    "relevance": {"rmap_relevance": "(META_OBSERVATION_DATE < '2025-06-01')"},
    "relevance of a keyword": {"parkey_relevance": {"meta_exposure_type": "(META_OBSERVATION_TIME > '12')"}},
}


@pytest.mark.parametrize("rule", RULES_THAT_USE_DATES_OTHERWISE)
def test_rules_that_use_dates_in_another_way(make_cache, asked, rule):
    cache = make_cache()
    selector = "Match({('NRC_IMAGE',): UseAfter({'2014-01-01 00:00:00': 'gain_old.fits'})})"
    cache.rule("gain", selector, ("META.EXPOSURE.TYPE",), **RULES_THAT_USE_DATES_OTHERWISE[rule])
    cache.finish()
    days = [on("2025-05-01"), on("2025-07-01"), on("2025-05-02", "13:00:00"), on("2025-07-02", "13:00:00")]
    found = [best_references(EXPOSURE | day, ["gain"])["gain"] for day in days]
    assert len(asked) == len(days)
    assert [best_references(EXPOSURE | day, ["gain"])["gain"] for day in days] == found
    assert len(asked) == len(days)
    if rule == "relevance":
        assert [path == "N/A" for path in found] == [False, True] * 2


def test_random_exposures_get_what_crds_says(make_cache, monkeypatch, asked):
    cache = make_cache()
    chance = random.Random(5)
    bands, detectors = ("F444W", "F200W", "CLEAR"), ("NRCALONG", "NRCA1", "NRCB4")
    rows = []
    for band in bands:
        limits = sorted(f"20{chance.randint(14, 26)}-{chance.randint(1, 12):02}-01" for _ in range(4))
        limits = ["2013-01-01", *dict.fromkeys(limits)]
        names = [f"flat_{band.lower()}_{k}.fits" for k in range(len(limits))]
        for name in names:
            cache.file(name)
        rows.append(
            (f"    ('{'|'.join(chance.sample(detectors, 2))}', {band!r}): UseAfter({{", limits, names)
        )
    text = "".join(
        head + "".join(f"'{d} 00:00:00': {n!r}, " for d, n in zip(limits, names, strict=True)) + "}),\n"
        for head, limits, names in rows
    )
    cache.rule("flat", f"Match({{\n{text}}})", ("META.INSTRUMENT.DETECTOR", "META.INSTRUMENT.FILTER"))
    cache.finish()

    def answer(exposure):
        try:
            return best_references(exposure, ["flat", "area", "pars-jumpstep"])
        except ReferenceFileError as error:
            return str(error)

    exposures = [
        EXPOSURE
        | on(f"20{chance.randint(14, 26)}-{chance.randint(1, 12):02}-{chance.choice((1, 1, 15)):02}",
             chance.choice(("00:00:00", "00:00:00.000", "00:00:00.5", "12:30:00")))
        | {"meta.instrument.filter": chance.choice(bands),
           "meta.instrument.detector": chance.choice(detectors),
           "meta.exposure.type": chance.choice(("NRC_IMAGE", "NRC_TSIMAGE")), "meta.exposure.ngroups": n}
        for n in range(300)
    ]  # fmt: skip
    ours = [answer(exposure) for exposure in exposures]
    remembered_ones = len(exposures) - len(asked)
    monkeypatch.setattr(remembered, "recall", lambda *_: None)
    assert ours == [answer(exposure) for exposure in exposures]
    assert remembered_ones > 50
