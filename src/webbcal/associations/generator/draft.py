"""An association in the making: it is offered rows, and takes those that fulfil its rule."""

from __future__ import annotations

from dataclasses import dataclass

from webbcal.associations.generator.columns import Candidate, Row
from webbcal.associations.generator.conditions import Notes
from webbcal.associations.generator.filenames import member_name
from webbcal.associations.generator.rule_tables import Recipe


@dataclass(frozen=True)
class Entry:
    """A member: the row that it comes from (none, if it is a product to come), its file and its role."""

    row: Row | None
    expname: str
    exptype: str

    def as_(self, exptype: str, expname: str | None = None) -> Entry:
        """Return it in another role, perhaps with another file."""
        return Entry(self.row, expname or self.expname, exptype)


@dataclass(frozen=True)
class Answer:
    """What became of an offer: whether the row belongs here, and when it wants to be offered once more."""

    belongs: bool
    again: frozenset[str] = frozenset()


_REFUSED = Answer(False)
_MEMBER = Answer(True)


class Draft:
    """An association in the making.

    Parameters
    ----------
    recipe : Recipe
        The rule.
    candidate : Candidate
        What it is made for.

    Attributes
    ----------
    members : list of Entry
        In the order in which they came.
    notes : Notes
        What members share, and values that go into names.
    has_science : bool
        Whether one of them is science.
    """

    def __init__(self, recipe: Recipe, candidate: Candidate) -> None:
        self.recipe = recipe
        self.candidate = candidate
        self.members: list[Entry] = []
        self.notes = Notes()
        self.has_science = False
        self._files: set[str] = set()
        self._before: str | None = None
        self._taken = 0
        #: Number of a signature -> how many rows had been taken when a row with it was refused.
        self._refused: dict[int, int] = {}
        self._apart = False

    @property
    def first(self) -> Row:
        """The row that it was made for."""
        row = self.members[0].row
        assert row is not None
        return row

    def offer(self, row: Row, signature: int | None = None) -> Answer:
        """Take a row, if it belongs here.

        Parameters
        ----------
        row : Row
        signature : int, optional
            Rows with the same one have the same values in all columns that count: as long as no other row is
            taken, all of them are refused if one is.
        """
        if signature is not None and self._refused.get(signature) == self._taken:
            return _REFUSED
        if row.filename in self._files:
            return _MEMBER
        notes = self.notes.copy()
        if not self.recipe.where.check(row, self, notes):
            if signature is not None:
                self._refused[signature] = self._taken
            return _REFUSED
        self._taken += 1
        self.notes = notes
        role = notes.role or self._role(row)
        self._take(row, role)
        self._apart = self._apart or notes.apart
        return Answer(not self._apart, notes.again)

    def _take(self, row: Row, role: str) -> None:
        by_integration = "t" in self.notes.found.get("tso", ())
        entry = Entry(row, member_name(self.recipe, row, role, by_integration), role)
        self._files.add(row.filename)
        if any(m.expname == entry.expname and m.exptype == role for m in self.members):
            return
        self.members.append(entry)
        self.has_science = self.has_science or role == "science"

    def _role(self, row: Row) -> str:
        self._before = row.values["$kind"]
        return self.recipe.role(row, self.has_science)

    def value(self, column: str, row: Row, notes: Notes) -> str | None:
        """Return the value of a column that depends on the association."""
        if column == "$role":
            return self._role(row)
        if column == "$has_science":
            return "t" if self.has_science else "f"
        if column == "$follows_imprint":
            return "t" if self._before == "imprint" else None
        if column == "$of_observation":
            return "t" if row.values.get("obs_num") in notes.found.get("obs_num", ()) else None
        assert column == "$other_position", column
        position = row.values.get("patt_num")
        own = notes.found.get("patt_num", ("none",))[0]
        return "t" if position is not None and position != own else None
