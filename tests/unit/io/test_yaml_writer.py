"""What is written is compared with what PyYAML, a parser of others, reads of it."""

import datetime
import math

import numpy as np
import pytest
import yaml

from webbcal.io import asdf_text
from webbcal.io.asdf_text import NotPlain, Tagged
from webbcal.io.yaml_writer import dump

TEXTS = [
    *("", "plain", "two words", " leading", "trailing ", "yes", "No", "null", "~", "true", "y", "=", "<<"),
    *("1", "1e5", "1_000", "0x1F", "0o7", ".5", "-1", "+1", "12:30:45", "2020-01-01", ".inf", ".nan", "nan"),
    *("a: b", "a:b", "a #b", "#a", "- a", "-", "? a", "[a]", "{a}", "a, b", "&a", "*a", "!a", "|", ">", "%a"),
    *("'", '"', 'a"b', "a\\b", "a\nb", "a\tb", "\x00", "\x7f", "\x85", "é", "\u2028", "\ufeff", "\U0001f600"),
    *(
        "@a",
        "`a",
        "...",
        "---",
        "a" * 300,
        "\\ud83d",
        "x" * 50 + " " * 50,
        "http://a.b/c?d=e&f#g",
        "Nov 5, 1",
    ),
]
NUMBERS = [0, -5, 2**70, True, False, None, 1.5, 1e22, 1e-5, -1.5e-300, 1e100, math.inf, -math.inf, 53.16]


def refuse(array):
    raise NotPlain("array")


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_a_parser_reads_what_was_written(loader):
    when = datetime.datetime(2026, 1, 2, 3, 4, 5)
    values = [*TEXTS, *NUMBERS, when, when.date(), [], {}, [[]], [1, [2, {"a": []}]], [[1, 2], ["a", "b: c"]]]
    tree = {"list": values, "nested": {f"k{n}": value for n, value in enumerate(values)}, "last": {"": {}}}
    tree["keys"] = {text: 1 for text in TEXTS if text}
    assert yaml.load(dump(tree, refuse), loader) == tree
    assert math.isnan(yaml.load(dump({"x": math.nan}, refuse), loader)["x"])


def test_what_is_the_same_is_written_once():
    shared = {"long": "words " * 20}
    text = dump({"a": shared, "b": [shared, {"c": shared}], "d": dict(shared)}, refuse)
    assert text.count("long") == 2
    read = yaml.safe_load(text)
    assert read["a"] is read["b"][0] is read["b"][1]["c"] and read["d"] == read["a"] is not read["d"]


def test_a_value_may_hold_itself():
    loop = Tagged("tag:stsci.edu:asdf/transform/shift-1.2.0", {"offset": 1.5})
    loop.value["inverse"] = Tagged("tag:example.org:a/b c-1.0.0", [loop, "text"])
    read = asdf_text.read(asdf_text.write({"wcs": loop}))["wcs"]
    assert read.tag == loop.tag and read.value["inverse"].tag == loop.value["inverse"].tag
    assert read.value["inverse"].value[0] is read and read.value["offset"] == 1.5


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u8", "?", "U5", "S3"])
def test_small_arrays_keep_type_and_values(dtype):
    array = np.array([[1, 0, 2], [3, 4, 1]]).astype(dtype)
    if array.dtype.kind == "f":
        array[0] = np.nan, np.inf, 1e-30
    read = asdf_text.read(asdf_text.write({"a": array, "b": array[:0]}))
    np.testing.assert_array_equal(read["a"], array)
    assert read["a"].dtype == array.dtype and read["b"].shape == (0, 3)


@pytest.mark.parametrize("value", [object(), 1j, b"bytes", {1, 2}, np.zeros(2, [("a", "f4")])])
def test_other_values_are_left_to_the_library(value):
    with pytest.raises(NotPlain):
        asdf_text.write({"a": value})
    with pytest.raises(NotPlain):
        asdf_text.write({"k" * 600: 1})
