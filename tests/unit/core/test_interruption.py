"""Interruptions are not lost, whoever swallows them."""

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from webbcal.core.interruption import listen, raise_if_asked

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
def test_one_that_was_swallowed_is_raised_again(number: signal.Signals) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    listen()
    raise_if_asked()
    with suppress(KeyboardInterrupt):
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        raise_if_asked()
    listen()  # for another command
    raise_if_asked()


def test_what_is_to_be_ignored_is_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen()
    signal.raise_signal(signal.SIGINT)
    raise_if_asked()
