"""What executors have in common: a programme gives them tasks, and waits for what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

Needs = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Share:
    """What a task may use.

    Attributes
    ----------
    threads : int
    memory : int or None
        Most bytes; None: as the worker has.
    needs : int
        Bytes that it is going to take, as far as that was asked and is known.
    """

    threads: int = 1
    memory: int | None = None
    needs: int = 0


@dataclass(frozen=True)
class Task:
    """Something to be done in whichever process.

    Attributes
    ----------
    name : str
        No two that are waited for have one name.
    function : str
        ``package.module:name`` of a function of the argument and a `Share`; it returns plain values.
    argument : mapping
        Plain values.
    """

    name: str
    function: str
    argument: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes
    ----------
    name : str
    result : object
        What its function has returned; None if it did not come to that.
    error : str
        Why not.
    lost : bool
        Whether its worker went away while it was done: it may be tried again.
    """

    name: str
    result: Any = None
    error: str = ""
    lost: bool = False


class Executor(Protocol):
    """Does tasks, some at a time."""

    def offer(self, waiting: int, needs: Needs) -> Share | None:
        """Return what the next task may use, None if it must wait.

        Parameters
        ----------
        waiting : int
            How many tasks could be done now: fewer tasks have more threads each.
        needs : callable
            Tells how many bytes the next one is going to take on a number of threads; None if that is not
            known. It is asked where tasks share the memory of a machine.
        """

    def submit(self, task: Task, share: Share) -> None:
        """Begin a task, with what was offered."""

    def wait(self) -> list[Outcome]:
        """Wait until at least one task has ended; return what came of all that have. None runs: none."""

    def close(self) -> None:
        """End all workers, and what they do."""


def called(task: Task, share: Share) -> Any:
    """Call the function of a task, here."""
    module, _, name = task.function.partition(":")
    return getattr(import_module(module), name)(task.argument, share)


def tried(task: Task, share: Share) -> Outcome:
    """Call the function of a task, here; errors are told."""
    try:
        return Outcome(task.name, called(task, share))
    except Exception as error:
        return Outcome(task.name, error=f"{type(error).__name__}: {error}")
