"""From rows to drafts: each rule goes over the rows, looking up where a row could belong.

A row joins every association of a rule that takes it, or, if none does, makes its own. What belongs to all
of them (backgrounds, reference stars, imprints) is offered once more when all rows have been seen; direct
images and target acquisitions after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from webbcal.associations.generator.columns import Candidate, Row
from webbcal.associations.generator.draft import Draft
from webbcal.associations.generator.rule_tables import Recipe

#: What is known of an association without and with a science member.
_OPEN, _CLOSED = "f", "t"
#: Columns that count beside those of a rule: what depends on an association looks at them.
_BESIDE = ("obs_num", "patt_num", "pntgtype")


class Gatherer:
    """A rule, and what it has learned of rows: those with the same values are judged once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._judged: dict[tuple[str | None, ...], tuple[bool, bool]] = {}
        self._numbers: dict[tuple[str | None, ...], int] = {}

    def serves(self, candidate: Candidate) -> bool:
        """Tell whether associations of the rule are valid for a candidate."""
        recipe = self.recipe
        return candidate.type not in recipe.not_candidates and (
            not recipe.candidates or candidate.type in recipe.candidates
        )

    def gather(self, rows: Sequence[Row], candidate: Candidate) -> list[Draft]:
        """Return the drafts that rows of a candidate make, in the order of the rows."""
        shelf = _Shelf(self.recipe)
        waiting: dict[str, list[Row]] = {"again": [], "late": []}
        for row in rows:
            without, with_science = self._possible(row)
            if not (without or with_science):
                continue
            if row.is_acquisition:
                waiting["late"].append(row)
            belongs = False
            wishes: frozenset[str] = frozenset()
            number = self._number(row)
            for draft in shelf.drafts_for(row, with_science):
                answer = draft.offer(row, number)
                belongs = belongs or answer.belongs
                wishes |= answer.again
            if not belongs:
                draft = Draft(self.recipe, candidate)
                answer = draft.offer(row)
                if draft.members:
                    shelf.add(draft, row)
                    wishes |= answer.again
            for wish in wishes:
                waiting[wish].append(row)
        for row in (*waiting["again"], *waiting["late"]):
            for draft in shelf.drafts_for(row, self._possible(row)[1]):
                draft.offer(row)
        return shelf.drafts

    def _possible(self, row: Row) -> tuple[bool, bool]:
        """Tell whether a row can join associations without, and with, a science member."""
        signature = tuple(map(row.values.get, self.recipe.columns))
        judged = self._judged.get(signature)
        if judged is None:
            judged = self._judged[signature] = self._judge(row, _OPEN), self._judge(row, _CLOSED)
        return judged

    def _number(self, row: Row) -> int | None:
        """Return the number of a row's signature; None where it matters what was looked at before."""
        if self.recipe.remembers:
            return None
        signature = tuple(map(row.values.get, (*self.recipe.columns, *_BESIDE)))
        return self._numbers.setdefault(signature, len(self._numbers))

    def _judge(self, row: Row, has_science: str) -> bool:
        role = self.recipe.role(row, has_science == _CLOSED)
        known: Mapping[str, str] = {"$has_science": has_science, "$role": role}
        return self.recipe.where.possible(row, known)


def gather(rows: Sequence[Row], recipes: Iterable[Gatherer], candidate: Candidate) -> list[Draft]:
    """Return the drafts of all rules, in the order of the rows that they were made for."""
    own = [row.of(candidate) for row in rows]
    drafts = [
        draft for recipe in recipes if recipe.serves(candidate) for draft in recipe.gather(own, candidate)
    ]
    return sorted(drafts, key=lambda draft: draft.first.index)


class _Shelf:
    """The drafts of a rule, by what their members share."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.drafts: list[Draft] = []
        self._by_key: dict[tuple[str | None, ...], list[Draft]] = {}
        self._without_science: dict[tuple[str | None, ...], list[Draft]] = {}

    def _key(self, row: Row) -> tuple[str | None, ...]:
        return tuple(map(row.values.get, self.recipe.keys))

    def add(self, draft: Draft, row: Row) -> None:
        """Put a draft that was made for a row."""
        self.drafts.append(draft)
        self._by_key.setdefault(self._key(row), []).append(draft)
        self._without_science.setdefault(self._key(row), []).append(draft)

    def drafts_for(self, row: Row, with_science: bool) -> list[Draft]:
        """Return the drafts that may take a row."""
        if row.is_acquisition and with_science:
            return list(self.drafts)
        key = self._key(row)
        if with_science or self.recipe.remembers:
            return self._by_key.get(key, [])
        open_ones = [draft for draft in self._without_science.get(key, ()) if not draft.has_science]
        self._without_science[key] = open_ones
        return open_ones
