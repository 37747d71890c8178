"""What a programme is told: its inputs, parameters and executor, from a TOML file, from words, or both."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError, unreadable
from webbcal.core.modes import table
from webbcal.programme.named_files import check_overrides, located
from webbcal.run.configuration import build_step
from webbcal.run.parameters import suggestion
from webbcal.run.registry import step_class

#: Pipelines that jobs run, and so those that parameters may be given for.
PIPELINES = (
    "calwebb_detector1", "calwebb_dark", "calwebb_guider",
    "calwebb_image2", "calwebb_spec2", "calwebb_image3", "calwebb_spec3",
)  # fmt: skip
EXECUTORS = ("local", "serial", "dask")
#: What says where a Dask cluster is.
_PLACES = ("scheduler", "scheduler_file", "jobqueue")
#: Parameters that are the programme's to choose: each job must find what the one before it made.
_OWN = (
    "output_dir", "output_file", "output_ext", "suffix", "save_results", "input_dir", "skip",
    "threads", "max_memory",
)  # fmt: skip
#: Keys of a TOML file, and what they hold.
_KEYS: dict[str, type] = {
    "inputs": list, "output_dir": str, "executor": dict, "parameters": dict, "modes": dict,
    "allow_missing": bool, "disable_crds_steppars": bool,
}  # fmt: skip
_WORDS = {dict: "a table", list: "a list of texts", str: "a text", bool: "true or false"}


@dataclass(frozen=True)
class ExecutorSettings:
    """Who does the work, and with what.

    Attributes
    ----------
    kind : str
        One of `EXECUTORS`; by default ``dask`` where it is said where its cluster is, else ``local``.
    threads, max_memory : str or None
        Of all jobs together; of the machine by default. For Dask, of one job.
    scheduler, scheduler_file : str
        Address of a Dask scheduler, or the file that holds it.
    jobqueue : mapping
        A cluster of `dask_jobqueue`: ``kind`` (slurm, pbs, …), ``jobs``, and what its class takes.
    """

    kind: str = "local"
    threads: str | None = None
    max_memory: str | None = None
    scheduler: str = ""
    scheduler_file: str = ""
    jobqueue: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """All that a programme is told.

    Attributes
    ----------
    inputs : tuple of str
        Files, folders and associations.
    output_dir : Path
        Absolute.
    executor : ExecutorSettings
    parameters : mapping
        Pipeline -> its parameters, those of a step under its name.
    modes : mapping
        EXP_TYPE -> pipeline -> parameters that hold for exposures of that type.
    allow_missing, force, disable_crds : bool
    """

    inputs: tuple[str, ...]
    output_dir: Path
    executor: ExecutorSettings = ExecutorSettings()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    modes: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    allow_missing: bool = False
    force: bool = False
    disable_crds: bool = False

    def parameters_of(self, pipeline: str, mode: str) -> dict[str, Any]:
        """Return the parameters of a pipeline for exposures of a mode."""
        return merged(self.parameters.get(pipeline, {}), self.modes.get(mode, {}).get(pipeline, {}))


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file that describes a programme; its paths are those from its folder.

    Raises
    ------
    ParameterError
        If it cannot be read, or has a key that is not known.
    """
    where = Path(path)
    try:
        tree = tomllib.loads(where.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise unreadable(ParameterError, f"{where}: cannot be read as TOML: {error}", error) from error
    if isinstance(tree.get("inputs"), str):
        tree["inputs"] = [tree["inputs"]]
    for key, value in tree.items():
        if key not in _KEYS:
            raise ParameterError(f"{where}: {key!r} is not known{suggestion(key, _KEYS)}")
        _check_kind(f"{where}: {key}", value, _KEYS[key])
    tree["inputs"] = [_from(where.parent, name) for name in tree.get("inputs", [])]
    if "output_dir" in tree:
        tree["output_dir"] = _from(where.parent, tree["output_dir"])
    file = tree.get("executor", {}).get("scheduler_file")
    if isinstance(file, str):
        tree["executor"]["scheduler_file"] = _from(where.parent, file)
    for part in ("parameters", "modes"):
        tree[part] = located(tree.get(part, {}), where.parent)
    return tree


def _check_kind(name: str, value: Any, kind: type) -> None:
    """Refuse a value of another kind; the members of a list are texts."""
    members = value if isinstance(value, list) else []
    if not isinstance(value, kind) or not all(isinstance(one, str) for one in members):
        raise ParameterError(f"{name} is {value!r}: must be {_WORDS[kind]}")


def _from(folder: Path, name: str) -> str:
    return str(folder / Path(name).expanduser())


def settings_of(tree: Mapping[str, Any], *, force: bool = False) -> Settings:
    """Return settings of a tree such as `read_settings` returns, after a look at all of them.

    Raises
    ------
    ParameterError
        If something is missing, not known, or not allowed.
    """
    if not tree.get("inputs"):
        raise ParameterError("no input given: name exposures, folders of them, or associations")
    if not tree.get("output_dir"):
        raise ParameterError("the products have no place: --output-dir=FOLDER")
    executor = _executor(tree.get("executor", {}))
    for mode, words in tree.get("modes", {}).items():
        _check_kind(f"modes.{mode}", words, dict)
    here = Path.cwd()
    modes = {
        str(mode).upper(): _by_pipeline(located(words, here)) for mode, words in tree.get("modes", {}).items()
    }
    for mode in modes:
        if mode not in table():
            raise ParameterError(f"modes: there is no EXP_TYPE {mode!r}{suggestion(mode, table())}")
    parameters = _by_pipeline(located(tree.get("parameters", {}), here))
    for words in (parameters, *modes.values()):
        check_parameters(words)
    return Settings(
        tuple(tree["inputs"]),
        Path(os.path.abspath(os.path.expanduser(tree["output_dir"]))),  # noqa: PTH100, PTH111
        executor,
        parameters,
        modes,
        bool(tree.get("allow_missing", False)),
        force,
        bool(tree.get("disable_crds_steppars", False)),
    )


def _executor(words: Mapping[str, Any]) -> ExecutorSettings:
    known = ExecutorSettings.__dataclass_fields__
    for name in words:
        if name not in known:
            raise ParameterError(f"executor.{name} is not known{suggestion(name, known)}")
        if name not in ("threads", "max_memory"):
            _check_kind(f"executor.{name}", words[name], dict if name == "jobqueue" else str)
    numbers = {name: str(words[name]) for name in ("threads", "max_memory") if words.get(name) is not None}
    # Who says where a cluster is wants it.
    kind = "dask" if any(words.get(place) for place in _PLACES) else "local"
    made = ExecutorSettings(**{"kind": kind, **words, **numbers})
    if made.kind not in EXECUTORS:
        raise ParameterError(
            f"there is no executor {made.kind!r}{suggestion(made.kind, EXECUTORS)}; "
            f"known: {', '.join(EXECUTORS)}"
        )
    return made


def _by_pipeline(words: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return parameters by the alias of their pipeline, which may be given without ``calwebb_``."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, values in words.items():
        alias = name if name in PIPELINES else f"calwebb_{name}"
        if alias not in PIPELINES or not isinstance(values, Mapping):
            known = [pipeline.removeprefix("calwebb_") for pipeline in PIPELINES]
            raise ParameterError(
                f"{name!r} is no pipeline of a programme{suggestion(name, known)}; parameters are given as "
                "detector1.STEP.PARAMETER, image2.… and so on"
            )
        steps = values.get("steps", {})
        own = {name: value for name, value in values.items() if name != "steps"}
        _check_kind(f"{name}.steps", steps, dict)
        found[alias] = merged(found.get(alias, {}), merged(own, steps))
    return found


def check_parameters(words: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse parameters that pipelines do not have, and those that are the programme's own.

    Raises
    ------
    ParameterError
        Naming the first.
    """
    for alias, values in words.items():
        for name in _OWN:
            if name in values:
                raise ParameterError(
                    f"{alias}.{name} cannot be set: jobs follow one another in one folder (output_dir), and "
                    "share threads and memory; use webbcal run to name products yourself"
                )
        check_overrides(flat(build_step(step_class(alias), None, **values).get_pars()), alias)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two trees of parameters as one; where both have a value, that of the second."""
    both = dict(first)
    for name, value in second.items():
        inner = both.get(name)
        nested = isinstance(inner, Mapping) and isinstance(value, Mapping)
        both[name] = merged(inner, value) if nested else value  # type: ignore[arg-type]
    return both


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a tree of parameters by dotted name."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def words_of(values: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """Return parameters as text, as they are compared: 5 in a file is "5" on the command line."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values}
