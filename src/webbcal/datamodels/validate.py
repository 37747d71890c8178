"""Checks of values against the keyword table."""

from __future__ import annotations

import datetime
import os
import warnings
from dataclasses import dataclass
from typing import Any

from webbcal.core.errors import ParameterError
from webbcal.datamodels.table import Schema, is_array


class ValidationWarning(Warning):
    """A value does not fit the keyword table and was not taken."""


class ValidationError(ParameterError):
    """A value does not fit the keyword table, and validation is strict."""


# Each refusal is of interest, also the second one from the same line.
warnings.filterwarnings("always", category=ValidationWarning, append=True)


def flag_from_environment(name: str, default: bool) -> bool:
    """Return a boolean environment variable: 1/0, true/false, t/f, yes/no, y/n in any case.

    Raises
    ------
    ParameterError
        For any other text.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    word = text.strip().lower()
    if word in ("true", "t", "yes", "y"):
        return True
    if word in ("false", "f", "no", "n"):
        return False
    try:
        return bool(int(word))
    except ValueError:
        raise ParameterError(f"environment variable {name}={text!r}: use true or false") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPE_CHECKS = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: not isinstance(value, (str, bool, int, float, list, tuple)),
    "array": lambda value: not isinstance(value, (str, bool, int, float, dict)),
}


def problem_with(value: Any, schema: Schema, path: str) -> str | None:
    """Return what is wrong with a value (plain, or a tree of plain values), or None if it fits.

    None always fits: it stands for a value that is absent.
    """
    if value is None or is_array(schema):
        return None
    expected = schema.get("type")
    if expected in _TYPE_CHECKS and not _TYPE_CHECKS[expected](value):
        found = "a time" if isinstance(value, datetime.date) else f"{value!r}"
        return f"{path}: {found} is not of type '{expected}'"
    if "enum" in schema and value not in schema["enum"]:
        return f"{path}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, dict):
        members = schema.get("properties", {})
        for name, member in value.items():
            if name in members and (problem := problem_with(member, members[name], f"{path}.{name}")):
                return problem
    elif isinstance(value, (list, tuple)) and "items" in schema:
        for number, item in enumerate(value):
            if problem := problem_with(item, schema["items"], f"{path}.{number}"):
                return problem
    return None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a model does with a value that does not fit the keyword table.

    Attributes
    ----------
    strict : bool
        Raise, instead of a warning.
    keep_invalid : bool
        Take it all the same, after the warning.
    on_assignment : bool
        Look at values as they are set and read.
    """

    strict: bool = False
    keep_invalid: bool = False
    on_assignment: bool = True

    @classmethod
    def given(cls, strict: bool | None, keep_invalid: bool | None, on_assignment: bool | None) -> Rules:
        """Return the rules that are given, or where they are None, those of environment variables."""
        return cls(
            _flag("STRICT_VALIDATION", strict, False),
            _flag("PASS_INVALID_VALUES", keep_invalid, False),
            _flag("VALIDATE_ON_ASSIGNMENT", on_assignment, True),
        )

    def accepts(self, value: Any, schema: Schema, path: str) -> bool:
        """Tell whether a value may be taken; warn (or, if strict, raise) if it does not fit.

        Raises
        ------
        ValidationError
            If the value does not fit and `strict` is set.
        """
        if not self.on_assignment:
            return True
        problem = problem_with(value, schema, path)
        if problem is None:
            return True
        self.object_to(f"{problem} ({'kept' if self.keep_invalid else 'not set'})", problem)
        return self.keep_invalid

    def check(self, value: Any, schema: Schema, path: str) -> None:
        """Warn (or, if strict, raise) if a value that is there does not fit.

        Raises
        ------
        ValidationError
            If the value does not fit and `strict` is set.
        """
        problem = problem_with(value, schema, path)
        if problem is not None:
            self.object_to(f"{problem} (kept)", problem)

    def object_to(self, warning: str, problem: str | None = None) -> None:
        """Warn, or if strict, raise.

        Raises
        ------
        ValidationError
            If `strict` is set.
        """
        if self.strict:
            raise ValidationError(problem or warning)
        warnings.warn(warning, ValidationWarning, stacklevel=4)


def _flag(name: str, given: bool | None, default: bool) -> bool:
    return flag_from_environment(name, default) if given is None else given
