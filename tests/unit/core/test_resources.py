"""Threads and memory of a run, and what is said of those that are none."""

import pytest

from webbcal.core.errors import ParameterError
from webbcal.core.resources import Resources, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GB", 10**9), ("1.5 gb", 1_500_000_000), ("800M", 800_000_000), ("2GiB", 2 * 1024**3), (4096, 4096)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "many", "-1GB", "0", "1 GBit", "nan"])
def test_sizes_that_are_none(text):
    with pytest.raises(ParameterError, match=r"max_memory = .*800MB"):
        parse_size(text, "max_memory")


def test_the_user_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("WEBBCAL_THREADS", "3")
    monkeypatch.setenv("WEBBCAL_MAX_MEMORY", "1GB")
    assert Resources.of_machine().threads == 3
    assert Resources.of_machine().memory == 10**9
    assert Resources.of_machine(threads="5", memory="2GB").threads == 5
    assert Resources.of_machine(threads="5", memory="2GB").memory == 2 * 10**9


@pytest.mark.parametrize("text", ["abc", "0", "-2", "1.5"])
def test_threads_that_are_none_are_named(monkeypatch, text):
    monkeypatch.setenv("WEBBCAL_THREADS", text)
    with pytest.raises(ParameterError, match="WEBBCAL_THREADS"):
        Resources.of_machine()
    with pytest.raises(ParameterError, match="threads"):
        Resources.of_machine(threads=text)
