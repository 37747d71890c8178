"""Pre- and post-hooks: functions, Step classes or instances, import paths, or command lines."""

from __future__ import annotations

import importlib
import inspect
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError
from webbcal.run.step import Step


def run_pre_hooks(step: Step, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Call the pre-hooks in order; a result that is not None replaces the input of what follows."""
    for number, hook in enumerate(step.pre_hooks):
        result = _callable(step, hook, f"pre_hook{number}")(*args)
        if result is not None:
            args = (result,)
    return args


def run_post_hooks(step: Step, result: Any) -> Any:
    """Call the post-hooks in order on the result; one that is not None replaces it."""
    for number, hook in enumerate(step.post_hooks):
        new = _callable(step, hook, f"post_hook{number}")(result)
        result = result if new is None else new
    return result


def _callable(step: Step, hook: Any, name: str) -> Callable[..., Any]:
    if isinstance(hook, str):
        hook = _imported(hook) or hook
    if isinstance(hook, Step):
        hook.parent = hook.parent or step
        return hook.run
    if inspect.isclass(hook) and issubclass(hook, Step):
        return hook(hook.class_alias or name, parent=step).run
    if callable(hook):
        return hook
    if isinstance(hook, str):
        return lambda model: run_command(hook, model)
    raise ParameterError(
        f"{type(step).__name__}: hook {hook!r} is not a function, Step, import path or command"
    )


def _imported(path: str) -> Any:
    module, _, attribute = path.partition("(")[0].rpartition(".")
    if not module or any(c in path.partition("(")[0] for c in " /"):
        return None
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return None
    arguments = path.partition("(")[2].rstrip(")")
    return found(**_keywords(arguments)) if arguments else found


def _keywords(text: str) -> dict[str, Any]:
    import ast

    call = ast.parse(f"dict({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}


def run_command(command: str, model: Any) -> Any:
    """Run a command with ``{0}`` replaced by a file of the model; take the model it prints, if any.

    Raises
    ------
    ParameterError
        If the command fails.
    """
    from webbcal import datamodels

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(model.meta.filename or "model.fits").name)
        model.save(path)
        line = command.format(str(path)) if "{0}" in command else f"{command} {shlex.quote(str(path))}"
        done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ParameterError(
                f"hook {line!r} failed with exit code {done.returncode}: {done.stderr.strip()}"
            )
        output = done.stdout.strip()
        return datamodels.open(output).copy() if output and Path(output).is_file() else None
