"""Conditions of rules: whether a row may join an association, and what its further members must then share.

How they are written: ``../tables/conditions.toml``. A condition is asked twice. `possible` tells what a row
can never fulfil, whatever the association: most rows are out of question for most rules, and rows with the
same values in the columns that a rule reads are judged once. `check` asks for an association, and notes what
its members share from now on; notes of a row that is refused in the end are thrown away by who asks, as a
whole. Conditions stand in order: the first that is not fulfilled ends the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from webbcal.associations.generator.columns import Row

Fixed = tuple[str, str]


@dataclass
class Notes:
    """What is known of the members of an association.

    Attributes
    ----------
    fixed : dict
        Column and value that all members must have, by condition.
    found : dict
        Values that members have, by label.
    again : set
        ``again`` and ``late``: when the row wants to be offered once more.
    role : str or None
        Role that a condition gives to the row.
    apart : bool
        Whether the row makes an association of its own nevertheless.
    """

    fixed: dict[int, Fixed] = field(default_factory=dict)
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    again: frozenset[str] = frozenset()
    role: str | None = None
    apart: bool = False

    def copy(self) -> Notes:
        """Return notes to write what a row brings into."""
        return Notes(dict(self.fixed), dict(self.found))


class Context(Protocol):
    """What knows the columns that depend on the association."""

    def value(self, column: str, row: Row, notes: Notes) -> str | None:
        """Return the value of such a column, None if it is not defined."""


class Condition(Protocol):
    """A condition."""

    @property
    def exact(self) -> bool:
        """Whether `possible` says all: a row that can fulfil it does."""

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it; `known` are columns of the association that are known."""

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association; write what follows into `notes`."""


#: Columns of an association whose value is known before it is asked, and those that are not.
KNOWN = ("$role", "$has_science")
OPEN = ("$follows_imprint", "$of_observation", "$other_position")


@dataclass(frozen=True, eq=False)
class Columns:
    """A condition on the first of some columns that is defined."""

    label: str | None
    columns: tuple[str, ...]
    value: re.Pattern[str] | None
    optional: bool
    varies: bool
    absent: bool

    @property
    def exact(self) -> bool:
        """Whether it depends on the row alone."""
        return (self.varies or self.absent) and not any(c in OPEN for c in self.columns)

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it."""
        if any(column in OPEN for column in self.columns):
            return True
        for column in self.columns:
            value = known.get(column) if column in KNOWN else row.values.get(column)
            if value is not None:
                return not self.absent and (self.value is None or self.value.fullmatch(value) is not None)
        return self.absent or self.optional

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association."""
        fixed = notes.fixed.get(id(self))
        found = self._found(row, context, notes) if fixed is None else _defined(fixed[0], row)
        if found is None:
            return self.absent or self.optional
        if self.absent:
            return False
        if fixed is not None:
            return found == fixed
        if self.value is not None and not self.value.fullmatch(found[1]):
            return False
        if not self.varies:
            notes.fixed[id(self)] = found
        if self.label is not None and found[1] not in (known := notes.found.get(self.label, ())):
            notes.found[self.label] = (*known, found[1])
        return True

    def _found(self, row: Row, context: Context, notes: Notes) -> Fixed | None:
        for column in self.columns:
            if column in KNOWN or column in OPEN:
                value = context.value(column, row, notes)
            else:
                value = row.values.get(column)
            if value is not None:
                return column, value
        return None


@dataclass(frozen=True, eq=False)
class Among:
    """The values of some columns stand together in a table."""

    columns: tuple[str, ...]
    rows: frozenset[tuple[str | None, ...]]
    exact: bool = True

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row fulfils it."""
        return tuple(row.values.get(column) for column in self.columns) in self.rows

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it."""
        return self.possible(row, {})


@dataclass(frozen=True, eq=False)
class All:
    """All of some conditions; `role` and `apart` are for the row that comes in by it."""

    parts: tuple[Condition, ...]
    role: str | None = None
    apart: bool = False

    @property
    def exact(self) -> bool:
        """Whether all are."""
        return all(part.exact for part in self.parts)

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it."""
        return all(part.possible(row, known) for part in self.parts)

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association."""
        before = notes.again
        for part in self.parts:
            if not part.check(row, context, notes):
                notes.again = before
                return False
        if self.role is not None:
            notes.role = self.role
        notes.apart = notes.apart or self.apart
        return True


@dataclass(frozen=True, eq=False)
class Any:
    """The first of some conditions that is fulfilled counts."""

    parts: tuple[Condition, ...]

    @property
    def exact(self) -> bool:
        """Whether all are."""
        return all(part.exact for part in self.parts)

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it."""
        return any(part.possible(row, known) for part in self.parts)

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association."""
        return any(part.check(row, context, notes) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Not:
    """A condition is not fulfilled; what it would have noted does not count."""

    part: Condition

    @property
    def exact(self) -> bool:
        """Whether the condition is."""
        return self.part.exact

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it."""
        return not (self.part.exact and self.part.possible(row, known))

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association."""
        return not self.part.check(row, context, notes if self.part.exact else notes.copy())


@dataclass(frozen=True, eq=False)
class Again:
    """Who fulfils a condition is offered once more (`when`: ``again`` or ``late``)."""

    part: Condition
    when: str

    @property
    def exact(self) -> bool:
        """Whether the condition is."""
        return self.part.exact

    def possible(self, row: Row, known: Mapping[str, str]) -> bool:
        """Tell whether a row can fulfil it."""
        return self.part.possible(row, known)

    def check(self, row: Row, context: Context, notes: Notes) -> bool:
        """Tell whether a row fulfils it for an association."""
        if not self.part.check(row, context, notes):
            return False
        notes.again |= {self.when}
        return True


def _defined(column: str, row: Row) -> Fixed | None:
    value = row.values.get(column)
    return None if value is None else (column, value)
