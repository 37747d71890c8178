"""The command lines that make a product again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import webbcal
from webbcal.report.account import Account, Call, ParameterValue, RunAccount
from webbcal.report.inputs import are_found, found_inputs, made_inputs

#: Parameters that say where things are, not what they are.
_PLACES = ("output_dir", "input_dir")


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes
    ----------
    words : tuple of str
    environment : dict
        Variables that it needs to be set.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        set_first = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*set_first, shlex.join(self.words)])


@dataclass(frozen=True)
class Recipe:
    """How a product is made again: commands, in order, and what is to be said of them."""

    commands: tuple[Command, ...] = ()
    notes: tuple[str, ...] = ()


def recipe_of(account: Account, output_dir: str, from_start: bool = False) -> Recipe:
    """Return the commands that make a product again.

    The last run is repeated on its input. Where that is not on disk (it was in memory, or is gone), the runs
    that made it are repeated, too.

    Parameters
    ----------
    account : Account
    output_dir : str
        Where the commands write.
    from_start : bool
        Repeat all runs, from the first that is recorded.
    """
    calls = [run.call for run in account.runs]
    if not calls or not any(calls):
        return Recipe(notes=(_why_not(account),))
    folder = account.path.parent
    first = _first_to_repeat(calls, folder, from_start)
    commands, notes = [], list(_of_versions(account.runs[first:]))
    before = None
    for number, call in enumerate(calls[first:], first):
        if call is None:
            return Recipe(notes=(_why_not(account, number + 1),))
        if before is None:
            places = list(found_inputs(call, folder))
            notes += _of_models(call, places)
        else:
            places = list(made_inputs(call, before, folder, output_dir))
        inputs, missing = _inputs(places)
        notes += missing
        values, left_out = _values(call.parameters)
        notes += left_out
        words = ("webbcal", "run", call.target, *inputs, f"--output_dir={output_dir}", *values)
        context = _context(account, number)
        variables = {"CRDS_CONTEXT": context} if context else {}
        commands.append(Command((*words, "--disable-crds-steppars"), variables))
        before = call
    return Recipe(tuple(commands), tuple(dict.fromkeys(notes)))


def _context(account: Account, number: int) -> str:
    """Return the context of a run; of one that names none, that of the runs before."""
    return next((run.context for run in reversed(account.runs[: number + 1]) if run.context), "")


def _first_to_repeat(calls: Sequence[Call | None], folder: Path, from_start: bool) -> int:
    """Return the first run to repeat: the last whose inputs are on disk, if those before are known."""
    first = len(calls) - 1
    while first > 0:
        call = calls[first]
        if calls[first - 1] is None or (not from_start and call is not None and are_found(call, folder)):
            break
        first -= 1
    return first


def _why_not(account: Account, number: int | None = None) -> str:
    if not account.has_record:
        return (
            "the file has no run record (it was not made by webbcal, or the record was lost): what its "
            "keywords tell is not enough to make it again"
        )
    which = "its run" if number is None else f"run {number}"
    return (
        f"{which} was recorded without how it was started (by an older version, or from a user's own script)"
    )


def _of_versions(runs: Iterable[RunAccount]) -> list[str]:
    others = {f"{run.software} {run.version}" for run in runs} - {f"webbcal {webbcal.__version__}"}
    return [f"it was made by {other}; this is webbcal {webbcal.__version__}" for other in sorted(others)]


def _inputs(places: Iterable[tuple[str, bool]]) -> tuple[list[str], list[str]]:
    """Return the inputs of a command, and what is to be said of those that are not there."""
    inputs, notes = [], []
    for name, there in places:
        inputs.append(name)
        if not there:
            notes.append(f"its input {name} is not here: put it beside the product, or change the command")
    if not inputs:
        notes.append("it is not recorded what it was given")
    return inputs, notes


def _of_models(call: Call, places: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield what is to be said of inputs that were models in memory."""
    for (name, there), given in zip(places, call.inputs, strict=True):
        if there and "model" in given:
            yield f"it was given {name} as a model in memory: the file of that name is taken for it"


def _values(parameters: Sequence[ParameterValue]) -> tuple[list[str], list[str]]:
    """Return parameters as words of a command line, and which cannot be."""
    words, notes = [], []
    for parameter in parameters:
        *_, name = parameter.name.split(".")
        if name in _PLACES or parameter.name == "save_results":  # set for what is run from the command line
            continue
        text = _as_text(parameter.value)
        if text is None:
            notes.append(f"{parameter.name} was an object in memory ({parameter.value}): it is left out")
        else:
            words.append(f"--{parameter.name}={text}")
    return words, notes


def _as_text(value: Any) -> str | None:
    """Return a value as the command line takes it, or None if it is an object that only Python can give."""
    if isinstance(value, list):
        parts = [_as_text(part) for part in value]
        return None if None in parts else f"[{','.join(part or '' for part in parts)}]"
    text = str(value)
    in_memory = text.startswith("override://") or (text.startswith("<") and text.endswith(">"))
    return None if in_memory else text
