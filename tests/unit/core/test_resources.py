"""Threads and memory of a run, and what is said of those that are none."""

import pytest

from webbcal.core import resources
from webbcal.core.errors import ParameterError
from webbcal.core.resources import Resources, cores, parse_size
from webbcal.core.threads import run_on_threads


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


@pytest.mark.parametrize(
    ("asked", "have", "number"),
    [("none", 8, 1), ("quarter", 8, 2), ("half", 8, 4), ("all", 8, 8), ("quarter", 2, 1), ("3", 8, 3),
     (12, 8, 8), (" Half ", 5, 2)],
)  # fmt: skip
def test_cores(asked, have, number):
    assert cores(asked, have) == number


@pytest.mark.parametrize("asked", ["some", "0", "-1", "1.5", ""])
def test_cores_that_are_none_are_named(asked):
    with pytest.raises(ParameterError, match=r"jump.maximum_cores = .*'half'"):
        cores(asked, 4, "jump.maximum_cores")


def test_what_is_called_within_a_run_is_told_its_threads(monkeypatch):
    monkeypatch.setenv("WEBBCAL_THREADS", "7")
    assert resources.threads_here() == 7
    with resources.using(lambda: 2):
        assert resources.threads_here() == 2
        with resources.using(lambda: 1):
            found = run_on_threads(lambda _: resources.threads_here(), range(4), 2)
        assert found == [1] * 4 and resources.threads_here() == 2
    assert resources.threads_here() == 7
