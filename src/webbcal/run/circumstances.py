"""What a run record says of a run as a whole: how it was started, on what, by which versions, at what cost.

All of it is at hand when a product is recorded; nothing is computed or read for it but one line of ``/proc``.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webbcal.associations.containers import is_container
from webbcal.run.naming import name_of_input
from webbcal.run.run import Run

#: Libraries whose version may show in pixels; those that the process has not loaded are not asked.
_LIBRARIES = ("numpy", "scipy", "numba", "astropy", "gwcs", "photutils", "drizzle", "tweakwcs", "skimage")


def circumstances(run: Run) -> dict[str, Any]:
    """Return what is known of the whole that a run is a part of.

    Returns
    -------
    dict
        ``call``: target (alias of the step or pipeline, or dotted path of a user's class), inputs and the
        parameters that are not the defaults of the code, by dotted name, each with its origin;
        ``seconds`` since it began; ``threads``; ``libraries`` and their versions.
    """
    *_, whole = run.upwards()
    if whole.call is None:  # once: a step may record many products
        whole.call = {
            "target": target_of(whole.step),
            "inputs": whole.inputs,
            "parameters": dict(_set_parameters(whole.step)),
        }
    return {
        "call": whole.call,
        "seconds": round(time.perf_counter() - whole.started, 4),
        "threads": run.resources.threads,
        "libraries": {"python": platform.python_version(), **_versions()},
    }


def target_of(step: Any) -> str:
    """Return the name by which `webbcal run` finds the class of a step."""
    cls = type(step)
    if cls.__module__.startswith("webbcal.") and step.class_alias:
        return str(step.class_alias)
    return f"{cls.__module__}.{cls.__qualname__}"


def described_inputs(args: Sequence[Any]) -> list[dict[str, str]]:
    """Return what a run was given: ``{"file": path}``, or a model in memory by its name and class."""
    described: list[dict[str, str]] = []
    for init in args:
        if isinstance(init, (str, os.PathLike)):
            path = os.fsdecode(init).encode("utf-8", "backslashreplace").decode("utf-8")
            described.append({"file": path})
        elif type(init) in (list, tuple):
            described += described_inputs(init)
        else:
            known = is_container(init) or hasattr(init, "meta")
            name = name_of_input(init) if known else None
            described.append({"model": name or type(init).__name__, "class": type(init).__name__})
    return described


def _set_parameters(step: Any, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the parameters that somebody has set, here and in the steps of a pipeline."""
    infos = step.parameter_infos()
    for name, value in step.get_pars().items():
        # To the lists of hooks users append.
        grown = isinstance(value, list) and value != infos[name].default
        if name != "steps" and (grown or step.origin(name) != "default"):
            yield prefix + name, {"value": value, "origin": step.origin(name)}
    for name in step.step_defs:
        yield from _set_parameters(getattr(step, name), f"{prefix}steps.{name}.")


def _versions() -> dict[str, str]:
    loaded = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    return {name: str(getattr(module, "__version__", "unknown")) for name, module in loaded.items()}
