"""What is read is compared with what PyYAML makes of the same text."""

import pytest
import yaml

from webbcal.io.yaml_reader import load
from webbcal.io.yaml_writer import NotPlain

DOCUMENTS = [
    "a: 1\nb: [1, 2.5, .inf, -1.5e+3, 1e5, yes, ~, 0x1F, 0o7, 010, 1_000]\nc: {d: 'x', e: \"y\\n\"}\n",
    "- 2020-01-01\n- 2020-01-01T01:02:03\n- 12:30\n- |\n  lines\n  of text\n- >\n  folded\n  text\n",
    "base: &x {a: [1, 2]}\nagain: *x\nlist: [*x, &y text, *y]\n",
    "!!str 5: !!int '7'\n? key\n: value\n",
    "--- only text\n",
    "a: !!omap [x: 1, y: {z: 2}]\nb: 1\n",
    "",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_plain_documents(text):
    expected = yaml.safe_load(text)
    if isinstance(expected, dict):
        ordered = expected.get("a")  # PyYAML makes a list of pairs of an ordered mapping
        expected = {str(key): value for key, value in expected.items()}
        if isinstance(ordered, list):
            expected["a"] = dict(ordered)
    assert load(text.encode(), lambda tag, value: value, lambda made: made) == expected


def test_the_same_is_the_same_object():
    read = load(b"a: &x {n: 1}\nb: [*x, *x]\nc: &y !t {self: *y, x: *x}\n", lambda t, v: [t, v], lambda m: m)
    assert read["a"] is read["b"][0] is read["b"][1] is read["c"][1]["x"]
    assert read["c"][1]["self"] is read["c"] and read["c"][0] == "!t"


def test_finished_values_take_the_place_of_begun_ones():
    text = b"a: &x !pair [1, 2]\nb: *x\nc: !one 5\n"
    read = load(text, lambda tag, value: (tag, value), lambda made: f"{made[0]}{made[1]}")
    assert read == {"a": "!pair[1, 2]", "b": "!pair[1, 2]", "c": "!one5"}


@pytest.mark.parametrize(
    "text", ["a: !!set {x}", "a: !!omap {x: 1}", "a: *nothing", "a: 2020-13-45", "!!int x", "<<: {a: 1}"]
)
def test_what_is_rare_is_refused(text):
    with pytest.raises((NotPlain, yaml.YAMLError)):
        load(text.encode(), lambda tag, value: value, lambda made: made)


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x", "{a: 1}}"])
def test_what_is_no_yaml_is_refused(text):
    with pytest.raises(yaml.YAMLError):
        load(text.encode(), lambda tag, value: value, lambda made: made)
