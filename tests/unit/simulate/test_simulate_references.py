import ast
import hashlib
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.box import Box
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import ParameterError, ReferenceFileError
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.personality import ipc_inverse_kernel, ipc_kernel, personality

SMALL = simulate.ReferenceOptions(subarray_only=True)
CONFIG = simulate.ExposureConfig(subarray="SUB64P", readpatt="SHALLOW4", ngroups=3)
TYPES = ("mask", "gain", "readnoise", "saturation", "superbias", "linearity", "dark")


def where(cache, reftype, **match):
    """Return the path of the file of a type whose match has these values."""
    found = [
        e for e in cache.entries if e.reftype == reftype and set(match.values()) <= {v for _, v in e.match}
    ]
    assert len(found) == 1, found
    return cache.root / "references" / "jwst" / found[0].instrument.lower() / found[0].file


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    made = CrdsCache(tmp_path_factory.mktemp("crds"))
    niriss = simulate.ExposureConfig(
        detector="NIS", subarray="SUB64", readpatt="NISRAPID", filter="F200W", ngroups=2
    )
    longer = replace(CONFIG, readpatt="RAPID", ngroups=20)
    other = replace(CONFIG, detector="NRCBLONG", ipc=True)
    simulate.write_references(made, [CONFIG, longer, other, niriss], SMALL)
    return made


@pytest.mark.parametrize("reftype", TYPES)
def test_reference_files_say_what_they_are_for(cache, reftype):
    with datamodels.open(where(cache, reftype, d="NRCALONG")) as model:
        meta = model.meta
        assert (meta.reftype, meta.instrument.name, meta.instrument.detector) == (
            reftype.upper(),
            "NIRCAM",
            "NRCALONG",
        )
        assert (meta.useafter, meta.pedigree, meta.author) == (
            "2014-01-01T00:00:00",
            "DUMMY",
            "webbcal simulator",
        )
        box = CONFIG.aperture.box
        assert (meta.subarray.name, meta.subarray.xstart, meta.subarray.ystart) == (
            "SUB64P",
            box.x0 + 1,
            box.y0 + 1,
        )
        assert (meta.subarray.xsize, meta.subarray.ysize) == (64, 64)
        assert (meta.subarray.fastaxis, meta.subarray.slowaxis) == (-1, 2)


def test_reference_files_hold_the_character_of_the_detector(cache):
    person = personality("NRCALONG", CONFIG.aperture.box)

    def read(reftype, array="data"):
        with datamodels.open(where(cache, reftype, d="NRCALONG")) as model:
            return np.array(getattr(model, array))

    np.testing.assert_array_equal(read("gain"), person.gain)
    np.testing.assert_array_equal(read("superbias"), person.superbias)
    np.testing.assert_array_equal(read("saturation"), person.saturation)
    np.testing.assert_array_equal(read("linearity", "coeffs"), person.linearity)
    np.testing.assert_array_equal(read("mask", "dq"), person.mask)
    np.testing.assert_array_equal(read("saturation", "dq"), person.saturation_dq)
    np.testing.assert_array_equal(read("linearity", "dq"), person.linearity_dq)
    np.testing.assert_array_equal(read("dark", "dq"), person.dark_dq)
    left = CONFIG.electronics.one_over_f_left
    np.testing.assert_allclose(read("readnoise"), np.sqrt(2 * (person.read_noise**2 + left**2)), rtol=1e-6)


def test_flags_are_numbered_by_their_table_in_the_file(cache):
    from astropy.io import fits

    with fits.open(where(cache, "mask", d="NRCALONG")) as hdus:
        table, stored = hdus["DQ_DEF"].data, hdus["DQ"].data
        bits = {row["NAME"].strip(): int(row["VALUE"]) for row in table}
    person = personality("NRCALONG", CONFIG.aperture.box)
    assert set(bits.values()) == {1 << k for k in range(len(bits))}  # compact, unlike the standard ones
    for name, bit in bits.items():
        np.testing.assert_array_equal(stored & bit != 0, person.mask & DQ[name] != 0)


def test_a_dark_covers_the_longest_exposure_frame_by_frame(cache):
    person = personality("NRCALONG", CONFIG.aperture.box)
    with datamodels.open(where(cache, "dark", d="NRCALONG")) as model:
        dark = np.array(model.data)
        assert (model.meta.exposure.nframes, model.meta.exposure.groupgap) == (1, 0)
        assert (model.meta.exposure.readpatt, model.meta.exposure.ngroups) == ("RAPID", 20)
    assert dark.shape == (20, 64, 64)
    times = (np.arange(20) + 1) * CONFIG.aperture.frame_time
    np.testing.assert_allclose(dark, times[:, None, None] * person.dark / person.gain, rtol=1e-6)


def test_a_grouped_dark_is_the_mean_of_the_frames(cache, tmp_path):
    grouped = CrdsCache(tmp_path)
    simulate.write_references(
        grouped, [CONFIG], simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
    )
    with datamodels.open(where(cache, "dark", d="NRCALONG")) as model:
        frames = np.array(model.data)
    with datamodels.open(where(grouped, "dark")) as model:
        groups = np.array(model.data)
        assert (model.meta.exposure.readpatt, model.meta.exposure.nframes) == ("SHALLOW4", 4)
    expected = [frames[list(CONFIG.readout.frames_of_group(g))].mean(axis=0) for g in range(3)]
    np.testing.assert_allclose(groups, expected, rtol=1e-5)


def test_dark_length_can_be_chosen(tmp_path):
    cache = CrdsCache(tmp_path)
    simulate.write_references(cache, [CONFIG], simulate.ReferenceOptions(subarray_only=True, dark_frames=5))
    with datamodels.open(where(cache, "dark")) as model:
        assert model.shape == (5, 64, 64)
    with pytest.raises(ParameterError):
        simulate.ReferenceOptions(dark_frames=0)


def test_any_part_of_a_detector_has_the_properties_of_the_whole():
    whole = personality("NRCB2", Box(100, 400, 0, 2048), seed=4)
    part = personality("NRCB2", Box(190, 331, 700, 900), seed=4)
    cut = (slice(90, 231), slice(700, 900))
    for name in ("gain", "read_noise", "superbias", "dark", "full_well", "saturation", "mask", "sensitivity"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[cut])
    np.testing.assert_array_equal(part.linearity, whole.linearity[(slice(None), *cut)])
    other = personality("NRCB2", Box(190, 331, 700, 900), seed=5)
    assert not np.array_equal(part.gain, other.gain)
    assert not np.array_equal(part.gain, personality("NRCB1", Box(190, 331, 700, 900), seed=4).gain)


def test_the_character_is_physical():
    p = personality("NRCALONG", Box(0, 256, 0, 256))
    assert p.gain.min() > 1.6 and p.read_noise.min() > 2 and p.full_well.min() > 5e4
    assert (p.saturation < 65535).all() and (p.saturation > p.superbias + 3e4).all()
    dead = p.mask & DQ["DEAD"] != 0
    assert dead.any() and (p.sensitivity[dead] == 0).all()
    assert (p.dark[p.mask & DQ["HOT"] != 0] > 5).all()
    assert (p.mask[p.reference] == DQ["REFERENCE_PIXEL"]).all() and (p.dark[p.reference] == 0).all()


def test_the_inverse_coupling_kernel_undoes_the_coupling():
    from scipy.ndimage import convolve

    delta = np.zeros((21, 21))
    delta[10, 10] = 1.0
    back = convolve(convolve(delta, ipc_kernel()), ipc_inverse_kernel())
    np.testing.assert_allclose(back, delta, atol=1e-5)
    assert ipc_inverse_kernel().sum() == pytest.approx(1.0) and ipc_kernel().sum() == pytest.approx(1.0)


def test_capacitance_has_a_reference_only_where_it_is_simulated(cache):
    assert {dict(e.match)["META.INSTRUMENT.DETECTOR"] for e in cache.entries if e.reftype == "ipc"} == {
        "NRCBLONG"
    }


def test_exposures_that_contradict_each_other_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="differ"):
        simulate.write_references(CrdsCache(tmp_path), [CONFIG, replace(CONFIG, detector_seed=3)], SMALL)


# The CRDS cache


def test_mappings_carry_their_checksum(cache):
    mappings = sorted((cache.root / "mappings" / "jwst").iterdir())
    assert {p.suffix for p in mappings} == {".pmap", ".imap", ".rmap"}
    for path in mappings:
        lines = path.read_text().splitlines(True)
        stated = re.search(r"'sha1sum': '(\w+)'", "".join(lines))[1]
        body = "".join(line for line in lines if "sha1sum" not in line)
        assert stated == hashlib.sha1(body.encode()).hexdigest(), path


def test_types_without_a_file_are_not_applicable(cache):
    text = (cache.root / "mappings/jwst/jwst_nircam_0001.imap").read_text()
    selector = ast.literal_eval(text.split("selector = ")[1])
    assert selector["dark"] == "jwst_nircam_dark_0001.rmap"
    for name in ("flat", "distortion", "pars-detector1pipeline", "pars-dqinitstep", "refpix", "persat"):
        assert selector[name] == "N/A"


def query(**parameters):
    return {
        "META.INSTRUMENT.NAME": "NIRCAM",
        "META.INSTRUMENT.DETECTOR": "NRCALONG",
        "META.SUBARRAY.NAME": "SUB64P",
        "META.EXPOSURE.READPATT": "SHALLOW4",
        "META.OBSERVATION.DATE": "2023-03-01",
        "META.OBSERVATION.TIME": "00:00:00",
    } | parameters


def answers(cache, queries, python):
    """Ask crds in a process of its own (it keeps state) for the files of (parameters, types)."""
    script = (
        "import json, sys, os\n"
        "sys.path[:0] = json.loads(os.environ['TEST_PATH'])\n"
        "try:\n"
        "    import crds.jwst.locate, crds\n"
        "except ImportError:\n"
        "    from webbcal.references.crds_package import load_crds\n"
        "    crds = load_crds()\n"
        "q = json.loads(sys.stdin.read())\n"
        "print(json.dumps([crds.getreferences(p, reftypes=t, observatory='jwst') for p, t in q]))\n"
    )
    import webbcal

    source = str(Path(webbcal.__file__).parents[1])
    env = os.environ | cache.environment | {"TEST_PATH": json.dumps([source])}
    done = subprocess.run(
        [python, "-c", script], input=json.dumps(queries), env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_crds_selects_the_files(cache):
    import sys

    python = os.environ.get("WEBBCAL_PEER_PYTHON", sys.executable)
    b = {"META.INSTRUMENT.DETECTOR": "NRCBLONG"}
    niriss = {
        "META.INSTRUMENT.NAME": "NIRISS",
        "META.INSTRUMENT.DETECTOR": "NIS",
        "META.SUBARRAY.NAME": "SUB64",
    }
    found = answers(
        cache,
        [
            (query(), [*TYPES, "flat", "pars-jumpstep", "ipc"]),
            (query(**b), ["gain", "ipc"]),
            (query(**niriss), ["dark", "flat"]),
        ],
        python,
    )
    for reftype in TYPES:
        assert found[0][reftype] == str(where(cache, reftype, d="NRCALONG"))
    for reftype in ("flat", "pars-jumpstep"):
        assert found[0][reftype].upper() in ("NOT FOUND N/A", "N/A")
    assert found[1]["gain"] == str(where(cache, "gain", d="NRCBLONG"))
    assert found[1]["ipc"] == str(where(cache, "ipc", d="NRCBLONG"))
    assert found[2]["dark"] == str(where(cache, "dark", d="NIS"))


def test_the_file_that_matches_more_wins_and_others_serve_any_subarray(tmp_path):
    import sys

    cache = CrdsCache(tmp_path)
    detector = {"META.INSTRUMENT.DETECTOR": "NRCALONG"}
    paths = {}
    for name, match in (("any", detector), ("sub", detector | {"META.SUBARRAY.NAME": "SUB160"})):
        paths[name] = cache.path_for("NIRCAM", "gain", match)
        paths[name].write_text("x")
        cache.add(paths[name], "NIRCAM", "gain", match)
    python = os.environ.get("WEBBCAL_PEER_PYTHON", sys.executable)
    asked = [(query(**{"META.SUBARRAY.NAME": s}), ["gain"]) for s in ("FULL", "SUB160", "SUB64P")]
    assert [a["gain"] for a in answers(cache, asked, python)] == [
        str(paths[n]) for n in ("any", "sub", "any")
    ]


def test_a_cache_is_continued_and_files_are_replaced(tmp_path):
    first = CrdsCache(tmp_path)
    match = {"META.INSTRUMENT.DETECTOR": "NRCA1"}
    path = first.path_for("NIRCAM", "flat", match)
    path.write_text("x")
    first.add(path, "NIRCAM", "flat", match)
    again = CrdsCache(tmp_path)
    assert again.entries == first.entries
    assert again.path_for("NIRCAM", "flat", match) == path
    again.add(path, "NIRCAM", "flat", match)
    assert len(again.entries) == 1
    other = again.path_for("NIRCAM", "flat", {"META.INSTRUMENT.DETECTOR": "NRCA2"})
    assert other.name == "jwst_nircam_flat_0002.fits"
    with pytest.raises(ReferenceFileError, match="not in the cache"):
        again.add(tmp_path / "elsewhere.fits", "NIRCAM", "flat", match)


def test_a_damaged_index_is_reported(tmp_path):
    (tmp_path / "references.json").write_text("[{]")
    with pytest.raises(ReferenceFileError, match="damaged"):
        CrdsCache(tmp_path)
