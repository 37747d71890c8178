"""Names of products."""

import json
import os
import subprocess

import pytest

from webbcal.run.naming import KNOWN_SUFFIXES, name_to_start_from, output_folder, output_name, remove_suffix

UNCAL = "jw98765001001_01101_00003_nrcb5_uncal.fits"
BASE = "jw98765001001_01101_00003_nrcb5"

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")


@pytest.mark.parametrize(
    ("start", "suffix", "components", "expected"),
    [
        (UNCAL, "rate", {}, f"{BASE}_rate.fits"),
        (UNCAL, "rateints", {}, f"{BASE}_rateints.fits"),
        (UNCAL, "ramp", {}, f"{BASE}_ramp.fits"),
        (UNCAL, "fitopt", {}, f"{BASE}_fitopt.fits"),
        (UNCAL, "linearity", {}, f"{BASE}_linearity.fits"),
        (f"{BASE}_superbiasstep.fits", "linearitystep", {}, f"{BASE}_linearitystep.fits"),
        (f"{BASE}_jumpstep.fits", "rampfitstep", {"idx": 0}, f"{BASE}_0_rampfitstep.fits"),
        (f"{BASE}_jumpstep.fits", "rampfitstep", {"idx": 1}, f"{BASE}_1_rampfitstep.fits"),
        (f"{BASE}_rate.fits", "cal", {"asn_id": "a3001", "idx": None}, f"{BASE}_a3001_cal.fits"),
        ("refpix_test_no_side_pixels", "refpixstep", {}, "refpix_test_no_side_pixels_refpixstep.fits"),
        ("/some/folder/x_linearity.asdf", "refpixstep", {}, "x_refpixstep.fits"),
        ("jw1-uncal.fits", "rate", {}, "jw1-rate.fits"),
        (UNCAL, False, {}, f"{BASE}_uncal.fits"),
        (UNCAL, None, {"idx": 2}, f"{BASE}_uncal_2.fits"),
    ],
)
def test_output_name(start, suffix, components, expected):
    assert output_name(start, suffix, ".fits", **components) == expected
    assert output_name(start, suffix, "fits", **components) == expected


def test_extension_of_the_name_counts_if_no_other_is_given():
    assert output_name("a_uncal.asdf", "rate") == "a_rate.asdf"


def test_one_known_suffix_is_removed():
    assert remove_suffix("a_rate_cal") == ("a_rate", "_")
    assert remove_suffix("a_charge_migration") == ("a_charge_migration", "_")  # not in the field's list
    assert remove_suffix("a-oi_ami-oi") == ("a-oi", "_")
    assert remove_suffix("uncal") == ("uncal", "_")
    assert remove_suffix("a_RATE") == ("a_RATE", "_")


def test_what_the_name_is_made_from():
    def start(**given):
        defaults = dict.fromkeys(("output_file", "model_filename", "input_filename", "inherited_output_file"))
        return name_to_start_from(**(defaults | {"step_name": "jump", "output_ext": ".fits"} | given))

    assert start() == ("step_jump.fits", True)
    assert start(input_filename="a_uncal.fits") == ("a_uncal.fits", True)
    assert start(input_filename="a.fits", output_file="b") == ("b", True)
    assert start(input_filename="a.fits", inherited_output_file="b") == ("b", True)
    assert start(output_file="b", model_filename="m.fits", use_model=True) == ("m.fits", False)
    assert start(model_filename="m.fits", search_output_file=False, inherited_output_file="b") == (
        "m.fits",
        False,
    )
    assert start(output_file="b", model_filename="m.fits", search_output_file=False) == ("b", True)


def test_output_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("RUN", "7")
    assert output_folder("~/out/$RUN") == "/home/x/out/7"
    assert output_folder(None) == ""


PEER_SCRIPT = """
import json, logging, sys
from jwst.lib.suffix import KNOW_SUFFIXES, remove_suffix
from jwst.jump import JumpStep
step = JumpStep()
cases = json.loads(sys.argv[1])
names = []
for start, suffix, components in cases:
    step.output_file = start
    names.append(step.make_output_path(suffix=suffix, **components))
print(json.dumps([sorted(KNOW_SUFFIXES), names, [remove_suffix(c[0]) for c in cases]]))
"""


@pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")
def test_names_are_those_of_the_peer():
    cases = [
        [start, suffix, components]
        for start in (UNCAL, "x_0_rampfitstep.fits", "a-rate", "jump", "c_fitopt.fits", "d_.fits")
        for suffix in ("rate", "refpixstep", False)
        for components in ({}, {"idx": 0}, {"asn_id": None, "idx": 3})
    ]
    done = subprocess.run(
        [PEER, "-c", PEER_SCRIPT, json.dumps(cases)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    suffixes, names, removed = json.loads(done.stdout.splitlines()[-1])
    assert sorted(KNOWN_SUFFIXES) == suffixes
    assert [output_name(s, x, ".fits", **c) for s, x, c in cases] == names
    assert [list(remove_suffix(s)) for s, _, _ in cases] == removed
