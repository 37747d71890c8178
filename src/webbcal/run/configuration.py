"""Where parameters come from: defaults, CRDS parameter references, a user's file, the user's own words.

Later layers win: (1) defaults in the code; (2) CRDS parameter references of the single steps, then of the
pipeline; (3) the user's parameter file; (4) keywords or command-line options. Each value remembers its layer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from webbcal import datamodels
from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.core.wording import dashed
from webbcal.run.protocols import StepLike
from webbcal.run.registry import step_class

log = logging.getLogger(__name__)

#: How names of parameter files end.
_ENDINGS = (".asdf", ".cfg")


class Configurable(StepLike, Protocol):
    """A step or pipeline, whose parameters come in layers."""

    @property
    def step_defs(self) -> Mapping[str, type]:
        """Names of its steps, if it is a pipeline."""

    def parameter_infos(self) -> Mapping[str, Any]:
        """Return what is known of its parameters, by name."""

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open an input."""


@dataclass
class Arguments:
    """A parsed command line of `webbcal run`, `webbcal plan` or `strun`."""

    target: str
    positional: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)


FLAGS = {"--verbose": "verbose", "-v": "verbose", "--debug": "debug", "--help": "help", "-h": "help"}
FLAGS |= {"--disable-crds-steppars": "disable-crds-steppars"}
OPTIONS = ("save-parameters", "logcfg", "log-level", "log-file", "log-stream")


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Parse ``<class, alias or file> [input] [--param=value] [--steps.step.param=value]``.

    Dashes and underscores are the same in the names of options.

    Raises
    ------
    ParameterError
        For an option without a value, or no target.
    """
    result = Arguments(target="")
    words = list(words)
    while words:
        word = words.pop(0)
        if dashed(word) in FLAGS:
            result.flags.add(FLAGS[dashed(word)])
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals:
                if not words:
                    raise ParameterError(f"option --{name} needs a value: --{name}=VALUE")
                value = words.pop(0)
            if dashed(name) in OPTIONS:
                result.options[dashed(name)] = value
            else:
                _nest(result.parameters, name.replace("-", "_").split("."), value)
        elif not result.target:
            result.target = word
        else:
            result.positional.append(word)
    return result


def _nest(tree: dict[str, Any], path: list[str], value: str) -> None:
    for number, part in enumerate(path[:-1], 1):
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            whole = ".".join(path[:number])
            raise ParameterError(
                f"--{whole} is given a value, and has parameters of its own (--{'.'.join(path)})"
            )
    if isinstance(tree.get(path[-1]), dict):
        raise ParameterError(f"--{'.'.join(path)} is given a value, and has parameters of its own")
    tree[path[-1]] = value


def class_named(target: str) -> Any:
    """Return the class of a step that a command line names: by its name, or by a parameter file.

    Raises
    ------
    ParameterError
        If there is none, or the file cannot be read or names none.
    """
    name = _read(target).class_name if _is_file_of_parameters(target) else target
    if not name:
        raise ParameterError(
            f"{target} does not say of which step it is: add a line such as class = jwst.step.JumpStep"
        )
    return step_class(name)


def _is_file_of_parameters(target: str) -> bool:
    return target.endswith(_ENDINGS) or Path(target).is_file()


def build_from_arguments(arguments: Arguments) -> Any:
    """Make the step that a command line describes, with all layers of parameters applied.

    Raises
    ------
    ParameterError
        If the step, a parameter or a value is not known.
    """
    config_file = arguments.target if _is_file_of_parameters(arguments.target) else None
    cls = class_named(arguments.target)
    init = arguments.positional[0] if arguments.positional else None
    if init is not None and "input_dir" in arguments.parameters:
        init = str(Path(arguments.parameters["input_dir"]) / init)
        arguments.positional[0] = init
    step = build_step(
        cls,
        init,
        config_file=config_file,
        disable_crds="disable-crds-steppars" in arguments.flags,
        **arguments.parameters,
    )
    if init is not None:
        step.set_parameter("save_results", True, "command line")
    return step


def build_step(
    cls: type,
    init: Any,
    *,
    config_file: Any = None,
    disable_crds: bool = False,
    name: str | None = None,
    **parameters: Any,
) -> Any:
    """Make a step with the layers of parameters that apply to an input.

    Parameters
    ----------
    cls : class of step or pipeline
    init : path, model or None
        The input: it decides which CRDS parameter references apply. None: no such layer.
    config_file : path, optional
        The user's parameter file.
    disable_crds : bool
        Leave out the CRDS layer (so does the environment variable STPIPE_DISABLE_CRDS_STEPPARS).
    **parameters
        The user's parameters; ``steps`` holds those of a pipeline's steps.

    Raises
    ------
    ParameterError
        For an unknown parameter or a value that is not allowed, in any layer.
    """
    user_file = None if config_file is None else _read(config_file)
    step = cls(name or (user_file.name if user_file else None), config_file=config_file)
    if init is not None and not (disable_crds or _is_disabled()):
        for target, file, origin in _crds_layers(step, init):
            apply(target, _as_tree(file), origin)
    if user_file is not None:
        apply_file(step, config_file, user_file)
    apply(step, parameters, "user")
    return step


def _is_disabled() -> bool:
    """Tell whether the environment says that CRDS is not asked for parameters."""
    return os.environ.get("STPIPE_DISABLE_CRDS_STEPPARS", "").lower() in ("true", "t", "1", "yes", "y")


def apply(step: Configurable, parameters: Mapping[str, Any], origin: str, folder: Path | None = None) -> None:
    """Set parameters of a step, and under "steps" those of its steps, remembering the origin.

    Files that a parameter file names are looked for in its `folder`.
    """
    for name, value in parameters.items():
        if name == "steps":
            apply(step, parameters_of_step(name, value), origin, folder)
        elif name in step.step_defs:
            nested = parameters_of_step(name, value)
            file = nested.pop("config_file", None)
            if file:
                apply_file(getattr(step, name), file, _read(file))
            apply(getattr(step, name), nested, origin, folder)
        elif name in ("class", "name") or (isinstance(value, Mapping) and not value):
            continue
        else:
            info = step.parameter_infos().get(name)
            named = info is not None and info.kind == "input_file" and value not in (None, "None")
            step.set_parameter(name, str(folder / value) if folder and named else value, origin)


def parameters_of_step(name: str, given: Any) -> dict[str, Any]:
    """Return what is given as the parameters of a pipeline's step, or of all steps.

    Raises
    ------
    ParameterError
        If it is no dictionary.
    """
    if not isinstance(given, Mapping):
        raise ParameterError(
            f"{name} = {given!r}: give a dictionary of parameters, such as "
            'steps={"jump": {"rejection_threshold": 5}}'
        )
    return dict(given)


def apply_file(step: Configurable, path: Any, file: Any) -> None:
    """Set the parameters that a user's file has."""
    apply(step, _as_tree(file), f"file {path}", Path(path).parent)


def _crds_layers(step: Configurable, init: Any) -> Iterator[tuple[Configurable, Any, str]]:
    """Yield (step, parameter file, origin) for the CRDS parameter references of a step and its steps."""
    steps: list[Configurable] = [*(getattr(step, name) for name in step.step_defs), step]
    kinds = {parameters_type(type(s)): s for s in steps}
    try:
        several = hasattr(init, "get_crds_parameters") and not hasattr(init, "meta")
        with nullcontext(init) if several else step.open_model(init) as model:
            from webbcal.references.bestrefs import best_references

            found = best_references(model.get_crds_parameters(), list(kinds))
    except TypeError:  # users' steps take anything: that is no exposure
        return
    except WebbcalError as error:
        # Without CRDS the step still runs if all its references are given; if not, that lookup will say so.
        log.debug("no parameter references from CRDS: %s", error)
        return
    for kind, path in found.items():
        if path != "N/A":
            yield kinds[kind], _read(path), f"CRDS {Path(path).name}"
        else:
            log.debug("%s: No parameters found", kind.upper())


def parameters_type(cls: type) -> str:
    """Return the type of the references that have a step's parameters, as CRDS knows it."""
    return f"pars-{cls.__name__.lower()}"


def crds_parameters(cls: type, dataset: Any, disable: bool | None = None) -> dict[str, Any]:
    """Return the parameters that CRDS has for a step and an input; see `Step.get_config_from_reference`."""
    from webbcal.references.bestrefs import best_references

    kind = parameters_type(cls)
    if _is_disabled() if disable is None else disable:
        return {}
    try:
        metadata = dataset if isinstance(dataset, Mapping) else _selecting(dataset)
        path = best_references(metadata, [kind])[kind]
    except (WebbcalError, TypeError) as error:
        log.warning("no %s from CRDS: %s", kind, error)
        return {}
    return {} if path == "N/A" else _as_tree(_read(path))


def _selecting(dataset: Any) -> Mapping[str, Any]:
    """Return the metadata of an input, or of the first of several, that select references."""
    first = dataset
    if isinstance(dataset, (list, tuple)) and dataset:
        first = dataset[0]
    with datamodels.open(first) if isinstance(first, (str, os.PathLike)) else nullcontext(first) as model:
        if not hasattr(model, "get_crds_parameters"):
            raise TypeError(f"{type(dataset).__name__} is no exposure, and has no metadata")
        parameters: Mapping[str, Any] = model.get_crds_parameters()
        return parameters


def _read(path: Any) -> Any:
    from webbcal.references.parameter_file import ParameterFile

    return ParameterFile.read(path)


def _as_tree(file: Any) -> dict[str, Any]:
    return (
        {**file.parameters, "steps": {s.name: _as_tree(s) for s in file.steps}}
        if file.steps
        else dict(file.parameters)
    )


def step_from_file(cls: type, path: Any, parent: Any, name: str | None) -> Any:
    """Make a step from a parameter file alone, which may name a subclass of `cls`.

    Raises
    ------
    ParameterError
        If it is for another step.
    """
    file = _read(path)
    actual = step_class(file.class_name) if file.class_name else cls
    if not issubclass(actual, cls):
        raise ParameterError(f"{path} is for {actual.__name__}, not {cls.__name__}")
    step = actual(name or file.name, parent=parent, config_file=path)
    apply_file(step, path, file)
    return step


def parameter_file_of(step: Configurable) -> Any:
    """Return the parameters of a step as a parameter file."""
    from webbcal.references.parameter_file import ParameterFile

    parameters = {k: v for k, v in step.get_pars().items() if k != "steps" and not step.is_unset_beyond(k)}
    sub_steps = [parameter_file_of(getattr(step, name)) for name in step.step_defs]
    return ParameterFile(_class_name(step), step.name, parameters, sub_steps)


def _class_name(step: Configurable) -> str:
    """Return the name of a class in a parameter file: as jwst names it, so that either package reads it."""
    module = type(step).__module__
    if module.startswith("webbcal."):
        module = "jwst.pipeline" if step.step_defs else "jwst.step"
    return f"{module}.{type(step).__name__}"
