"""Pre- and post-hooks: functions, Step classes or instances, import paths, or command lines."""

from __future__ import annotations

import copy
import inspect
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from webbcal.core.errors import ParameterError
from webbcal.core.leftovers import ENDING, mark, sweep
from webbcal.run.registry import imported


class Hooked(Protocol):
    """A step with hooks."""

    @property
    def pre_hooks(self) -> Sequence[Any]:
        """Run before the step."""

    @property
    def post_hooks(self) -> Sequence[Any]:
        """Run after it."""


def check(*steps: Hooked) -> None:
    """Make sure, before any work, that the hooks of steps can be run.

    Raises
    ------
    ParameterError
        Naming one that is no function, step, import path or command that is there.
    """
    for step in steps:
        for hook in (*step.pre_hooks, *step.post_hooks):
            if isinstance(hook, str) and _imported(hook) is None:
                _program(hook)
            else:
                _callable(step, hook, "hook")


def run_pre_hooks(step: Hooked, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Call the pre-hooks in order; a result that is not None replaces the input of what follows."""
    for number, hook in enumerate(step.pre_hooks):
        result = _callable(step, hook, f"pre_hook{number}")(*args)
        if result is not None:
            args = (result, *args[1:])
    return args


def run_post_hooks(step: Hooked, result: Any) -> Any:
    """Call the post-hooks in order on the result; one that is not None replaces it.

    Of a step that makes several products (a tuple), they get one after the other.
    """
    if isinstance(result, tuple):
        return tuple(run_post_hooks(step, product) for product in result)
    for number, hook in enumerate(step.post_hooks):
        new = _callable(step, hook, f"post_hook{number}")(result)
        result = result if new is None else new
    return result


def _callable(step: Hooked, hook: Any, name: str) -> Callable[..., Any]:
    if isinstance(hook, str):
        hook = _imported(hook) or hook
    if inspect.isclass(hook) and hasattr(hook, "class_alias"):
        make: Any = hook
        made: Callable[..., Any] = make(make.class_alias or name, parent=step).run
        return made
    if hasattr(hook, "class_alias"):  # a step: it runs as a part of this one, and stays as it is
        part = copy.copy(hook)
        part.parent = hook.parent or step
        run: Callable[..., Any] = part.run
        return run
    if callable(hook):
        called: Callable[..., Any] = hook
        return called
    if isinstance(hook, str):
        return lambda model: run_command(hook, model)
    raise ParameterError(
        f"{type(step).__name__}: hook {hook!r} is not a function, Step, import path or command"
    )


def _imported(path: str) -> Any:
    name = path.partition("(")[0]
    if "." not in name.lstrip(".") or any(c in name for c in " /"):
        return None
    try:
        found = imported(name)
    except (ImportError, AttributeError):
        return None
    arguments = path.partition("(")[2].rstrip(")")
    return found(**_keywords(arguments)) if arguments else found


def _keywords(text: str) -> dict[str, Any]:
    import ast

    call = ast.parse(f"dict({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}


def _program(command: str) -> None:
    """Make sure that the program of a command is there."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ParameterError(f"hook {command!r} is no command: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise ParameterError(f"hook {command!r}: there is no such command, function or class; check the name")


def run_command(command: str, model: Any) -> Any:
    """Run a command with ``{0}`` replaced by a file of the model; take the model it prints, if any.

    Raises
    ------
    ParameterError
        If the command fails.
    """
    from webbcal import datamodels

    _program(command)
    sweep(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(ENDING, f".webbcal.{mark()}") as folder:
        path = Path(folder) / (Path(model.meta.filename or "model.fits").name)
        model.save(path)
        file = shlex.quote(str(path))
        line = command.replace("{0}", file) if "{0}" in command else f"{command} {file}"
        try:
            done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
        except OSError as error:
            raise ParameterError(f"hook {command!r} cannot be run: {error.strerror}") from error
        if done.returncode:
            raise ParameterError(
                f"hook {line!r} failed with exit code {done.returncode}: {done.stderr.strip()}"
            )
        output = done.stdout.strip()
        return datamodels.open(output).copy() if output and Path(output).is_file() else None
