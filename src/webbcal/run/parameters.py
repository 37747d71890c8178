"""Parameters: declared once, typed, checked at birth.

A step declares its parameters as a frozen dataclass derived from `StepParameters`, one `param(...)` a field.
From that one declaration come validation, `Step.spec`, the command line, parameter reference files, the
documentation, and the object that the step's function receives.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from weakref import WeakKeyDictionary

from webbcal.core.errors import ParameterError

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def param(
    default: Any,
    help: str = "",
    *,
    ge: float | None = None,
    le: float | None = None,
    unit: str = "",
    kind: str | None = None,
    synonyms: Mapping[str, str] | None = None,
    of_run: bool = False,
    required: bool = False,
    beyond: bool = False,
) -> Any:
    """Declare one parameter: default, help, bounds, unit; `kind` overrides the type's name in the spec.

    `synonyms` are other names of options, which are taken for these. What is `of_run` says how a run goes
    about its work, changes no result, and is in no parameter file. What is `required` has no default. What is
    `beyond` the parameters of jwst 3.0.0 is in a parameter file only where it was set: jwst reads them too.
    """
    metadata = {"help": help, "ge": ge, "le": le, "unit": unit, "kind": kind, "synonyms": synonyms or {}}
    metadata |= {"of_run": of_run, "required": required, "beyond": beyond}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ParameterInfo:
    """What is known of one parameter: name, types it accepts, default, help, bounds and unit."""

    name: str
    types: tuple[type, ...]
    options: tuple[Any, ...]
    optional: bool
    default: Any
    help: str = ""
    ge: float | None = None
    le: float | None = None
    unit: str = ""
    kind: str | None = None
    synonyms: Mapping[str, str] = dataclasses.field(default_factory=dict)
    of_run: bool = False
    required: bool = False
    beyond: bool = False
    #: Of a list: the type of its elements.
    element: type | None = None

    def check(self, value: Any, owner: str) -> Any:
        """Return `value` converted to this parameter's type.

        Raises
        ------
        ParameterError
            Naming the owner, the parameter, the value, and what is allowed.
        """
        if value is None or (isinstance(value, str) and value == "None"):
            if self.optional:
                return None
            raise ParameterError(f"{owner}.{self.name} must not be None (expected {self.expected})")
        try:
            converted = self._convert(value)
        except (TypeError, ValueError):
            raise ParameterError(f"{owner}.{self.name} = {value!r}: expected {self.expected}") from None
        size = len(converted) if isinstance(converted, (str, list)) else converted
        parts = [v for v in converted if isinstance(v, float)] if isinstance(converted, list) else []
        fits = not isinstance(size, (int, float)) or self._within(size)
        if not (fits and all(map(math.isfinite, parts))):
            raise ParameterError(f"{owner}.{self.name} = {value!r}: expected {self.expected}")
        return converted

    def _within(self, value: float) -> bool:
        if not math.isfinite(value) and value != self.default:
            return False
        return (self.ge is None or value >= self.ge) and (self.le is None or value <= self.le)

    def _convert(self, value: Any) -> Any:
        if self.options:
            value = self.synonyms.get(str(value), value)
            for option in self.options:
                if value == option or str(value) == str(option):
                    return option
            raise ValueError
        for kind in self.types:
            if kind is object:
                return value
            try:
                converted = _CONVERTERS[kind](value)
                return converted if kind is not list else [self._element(each) for each in converted]
            except (TypeError, ValueError):
                continue
        raise ValueError

    def _element(self, value: Any) -> Any:
        if self.element is None or value is None or value == "None":
            return value
        return _CONVERTERS[self.element](value)

    @property
    def expected(self) -> str:
        """Human description of the allowed values."""
        if self.options:
            text = "one of " + ", ".join(repr(o) for o in self.options)
        else:
            text = " or ".join("any value" if t is object else t.__name__ for t in self.types)
            text += f" of {self.element.__name__}" if self.element else ""
        bounds = [f"{sign} {b:g}" for sign, b in ((">=", self.ge), ("<=", self.le)) if b is not None]
        if bounds and list in self.types:
            bounds = [f"with a length {bounds[0]}", *bounds[1:]]
        return " ".join([text, " and ".join(bounds), "or None" if self.optional else ""]).strip()

    @property
    def spec(self) -> str:
        """This parameter as a line of a ConfigObj specification, as the field writes it."""
        name = self.kind or ("option" if self.options else _SPEC_NAMES.get(self.types[0], "string"))
        arguments = [repr(o) for o in self.options] + [f"default={_spec_value(self.default)}"]
        arguments += [f"{k}={b:g}" for k, b in (("min", self.ge), ("max", self.le)) if b is not None]
        comment = f" # {self.help}" + (f" [{self.unit}]" if self.unit else "") if self.help else ""
        return f"{self.name} = {name}({', '.join(arguments)}){comment}"


def _to_bool(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        raise ValueError(value)
    if value in (0, 1):
        return bool(value)
    raise ValueError(value)


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value)


def _to_str(value: Any) -> str:
    if isinstance(value, bool) or not (isinstance(value, (str, int, float)) or hasattr(value, "__fspath__")):
        raise TypeError(value)
    return str(value)


def _to_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.strip("[]()").split(",") if part.strip()]
    if isinstance(value, Iterable):
        return list(value)
    return [value]


_CONVERTERS: dict[type, Any] = {bool: _to_bool, int: _to_int, float: _to_float, str: _to_str, list: _to_list}
_SPEC_NAMES = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list"}


def _spec_value(value: Any) -> str:
    if isinstance(value, list):
        return f"list({', '.join(repr(v) for v in value)})"
    return repr(value)


@dataclass(frozen=True)
class StepParameters:
    """The parameters that every step and pipeline has."""

    pre_hooks: list = param([], "Functions, Step classes or command lines to run before the step")
    post_hooks: list = param([], "Functions, Step classes or command lines to run after the step")
    output_file: str | None = param(None, "File to save the result to", kind="output_file")
    output_dir: str | None = param(None, "Folder for output files (created if missing)")
    output_ext: str = param(".fits", "Extension of output files")
    output_use_model: bool = param(False, "Name output after the model's own file name")
    output_use_index: bool = param(True, "Number the outputs of a step that returns several")
    save_results: bool = param(False, "Save the result")
    skip: bool = param(False, "Skip this step")
    suffix: str | None = param(None, "Suffix of output files")
    search_output_file: bool = param(True, "Use the output file name of the enclosing pipeline")
    input_dir: str | None = param(None, "Folder of the input")
    threads: int | None = param(None, "Threads that work at once; None: all processors", ge=1, of_run=True)
    max_memory: str | None = param(
        None, "Most memory of the process, such as 1GB; None: what is free", of_run=True
    )


def parameter_table(cls: type[StepParameters]) -> Mapping[str, ParameterInfo]:
    """Return name -> `ParameterInfo` for a parameter class, in order of declaration."""
    if cls not in _tables:
        hints = typing.get_type_hints(cls)
        _tables[cls] = {f.name: _info(f, hints[f.name]) for f in dataclasses.fields(cls)}
    return _tables[cls]


#: By class, as long as the class lives: users may make theirs by the hundred.
_tables: WeakKeyDictionary[type[StepParameters], Mapping[str, ParameterInfo]] = WeakKeyDictionary()


def _info(field: dataclasses.Field, hint: Any) -> ParameterInfo:
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    options = tuple(o for m in members if get_origin(m) is Literal for o in get_args(m))
    elements = [get_args(m)[0] for m in members if get_origin(m) is list and get_args(m)]
    types = tuple(get_origin(m) or m for m in members if m is not NoneType and get_origin(m) is not Literal)
    factory = field.default_factory
    default = field.default if factory is dataclasses.MISSING else factory()
    return ParameterInfo(
        name=field.name,
        types=types or (str,),
        options=options,
        optional=NoneType in members,
        default=default,
        element=elements[0] if elements else None,
        **field.metadata,
    )


def override_info(reference_type: str) -> ParameterInfo:
    """Return the parameter ``override_<type>`` of a step that uses references of this type."""
    help_ = f"Override the {reference_type} reference file (path or model)"
    name = f"override_{reference_type.replace('-', '_')}"
    return ParameterInfo(name, (object,), (), True, None, help_, None, None, "", "is_string_or_datamodel")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` when a known name is close, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
