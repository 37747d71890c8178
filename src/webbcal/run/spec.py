"""Parameters from a `spec` string, as steps written for `jwst` declare them.

A line is ``name = check(arguments) # help``, in the language of ConfigObj's validation::

    factor = float(min=0, default=2.0) # What to multiply by
    mode = option('a', 'b', default='a')
    boxes = int_list(default=None)

Made of it is the same as what steps of webbcal declare: a frozen dataclass of `param(...)`.
"""

from __future__ import annotations

import ast
import dataclasses
from itertools import takewhile
from typing import Any, Literal

from webbcal.core.errors import ParameterError
from webbcal.run.parameters import StepParameters, param, parameter_table

#: Check -> type of the values.
_CHECKS: dict[str, Any] = {
    "float": float,
    "integer": int,
    "boolean": bool,
    "string": str,
    "output_file": str,
    "input_file": str,
    "list": list,
    "force_list": list,
    "mixed_list": list,
    "tuple": list,
    "float_list": list[float],
    "int_list": list[int],
    "string_list": list[str],
    "bool_list": list[bool],
    "any": object,
    "is_datamodel": object,
    "is_string_or_datamodel": object,
}


def parameters_of_spec(spec: str, base: type[StepParameters], owner: str) -> type[StepParameters]:
    """Return the parameters that a `spec` declares, added to those of the class that a step derives from.

    Raises
    ------
    ParameterError
        If a line cannot be understood.
    """
    lines = [line.strip() for line in spec.splitlines() if _code(line)]
    lines = list(
        takewhile(lambda line: not line.startswith("["), lines)
    )  # a section has no parameters of ours
    fields = [_field(line, owner) for line in lines]
    names = [name for name, *_ in fields]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ParameterError(f"{owner}.spec: {sorted(twice)[0]!r} is there twice; remove one of its lines")
    made = dataclasses.make_dataclass(
        f"{owner}Parameters", fields, bases=(base,), frozen=True, namespace={"__doc__": f"Of `{owner}`."}
    )
    table = parameter_table(made)
    for info in (table[name] for name in names):
        if info.default is not None:
            info.check(info.default, f"{owner}.spec: the default of {owner}")
    return made


def _field(line: str, owner: str) -> tuple[str, Any, Any]:
    """Return name, type and declaration of the parameter of a line."""
    code = _code(line)
    name, equals, check = (part.strip() for part in code.partition("="))
    try:
        call = ast.parse(check, mode="eval").body
        kind = call.func.id if isinstance(call, ast.Call) else call.id  # type: ignore[attr-defined]
        arguments = [_value(a) for a in call.args] if isinstance(call, ast.Call) else []
        keywords = {k.arg: _value(k.value) for k in call.keywords} if isinstance(call, ast.Call) else {}
    except (SyntaxError, ValueError, AttributeError):
        raise ParameterError(f"{owner}.spec: the line {line!r} cannot be understood") from None
    if not equals or not name.isidentifier() or (kind != "option" and kind not in _CHECKS):
        raise ParameterError(f"{owner}.spec: {line!r} is not of the form name = check(…); known checks are "
                             f"option, {', '.join(_CHECKS)}")  # fmt: skip
    try:
        return name, *_declared(kind, arguments, keywords, line[len(code) :].lstrip(" #"))
    except (TypeError, ValueError, SyntaxError):
        raise ParameterError(f"{owner}.spec: the default in {line!r} is no {kind}") from None


def _declared(kind: str, arguments: list[Any], keywords: dict[Any, Any], help_: str) -> tuple[Any, Any]:
    """Return the type of a parameter, and its declaration."""
    required = "default" not in keywords
    default = keywords.get("default")
    bounds = dict(zip(("min", "max"), arguments, strict=False)) | keywords
    if kind == "option":
        hint: Any = Literal[tuple(arguments)]
        bounds = {}
    else:
        hint = _CHECKS[kind]
    if default is not None and hint in (float, int, bool, str):
        default = hint(default) if not isinstance(default, str) or hint is str else default
    if isinstance(default, str) and hint in (float, int, bool):
        default = ast.literal_eval(default)
    made = param(default, help_, ge=bounds.get("min"), le=bounds.get("max"), kind=kind, required=required)
    return (hint | None if default is None else hint), made


def _value(node: ast.AST) -> Any:
    """Return a value in a specification: a literal, a word, or ``list(…)``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("list", "tuple"):
        return [_value(argument) for argument in node.args]
    return ast.literal_eval(node)


def _code(line: str) -> str:
    """Return a line without its comment."""
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#":
            return line[:place].strip()
    return line.strip()
