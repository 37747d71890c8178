"""Rows of a pool as rules see them: what is defined, and columns that are computed.

=====================  =================================================================================
``$kind``              what kind of exposure it is, whatever the rule: science, background, psf, imprint,
                       target_acquisition, …
``$candidate``         type of the candidate that associations are made for
``$direct``            defined where that candidate is of direct images of a parallel grism exposure
``$no_target``         000, the target of those
``$role``              what kind of member the rule makes of it
``$has_science``       whether the association has a science member
``$follows_imprint``   defined where the exposure looked at before was an imprint
``$of_observation``    defined where the row is of an observation that the association has
``$other_position``    defined where it is at another position of the pattern than the science member
=====================  =================================================================================

The last five depend on the association; `webbcal.associations.generator.draft` knows them.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass

from webbcal.associations.generator.exposure_types import KIND_OF_FLAG, KIND_OF_TYPE

#: What columns of pools hold where nothing is known, or the answer is no.
EMPTY = frozenset(
    ("", "NULL", "Null", "null", "--", "N", "n", "F", "f", "FALSE", "false", "False", "N/A", "n/a")
)

_DIRECT = re.compile(r"\[\('c\d{4}', 'direct_image'\)\]")


@dataclass(frozen=True)
class Candidate:
    """What associations are made for: an observation, a group that was planned, or (``a3001``) none."""

    id: str
    type: str

    @property
    def text(self) -> str:
        """As it stands in a pool."""
        return f"[('{self.id}', '{self.type}')]"


#: No candidate: whatever belongs together.
DISCOVERED = Candidate("a3001", "discovered")


@dataclass(frozen=True, eq=False)
class Row:
    """An exposure of a pool.

    Attributes
    ----------
    index : int
        Place in the pool.
    raw : dict
        All columns, by name in lower case; values are in lower case.
    values : dict
        Those that are defined, and the computed ones.
    """

    index: int
    raw: Mapping[str, str]
    values: Mapping[str, str]

    @property
    def filename(self) -> str:
        """Name of the raw exposure."""
        return self.raw["filename"]

    @property
    def exp_type(self) -> str:
        """Exposure type."""
        return self.values.get("exp_type", "")

    @property
    def candidates(self) -> list[Candidate]:
        """What it is planned to be associated for."""
        try:
            listed = literal_eval(self.raw.get("asn_candidate", ""))
        except (ValueError, SyntaxError):
            return []
        if isinstance(listed, int):
            return [Candidate(str(listed), "unknown")]
        pairs = [entry for entry in listed if isinstance(entry, tuple) and len(entry) == 2]
        return [Candidate(str(name), str(kind)) for name, kind in pairs]

    @property
    def is_acquisition(self) -> bool:
        """Whether it shows how a target was acquired."""
        return self.values["$kind"] == "target_acquisition"

    def of(self, candidate: Candidate) -> Row:
        """Return the row as a member of a candidate."""
        values = {**self.values, "$candidate": candidate.type}
        raw = self.raw
        if candidate is not DISCOVERED:
            raw = {**raw, "asn_candidate": candidate.text}
        if _DIRECT.fullmatch(raw.get("asn_candidate", "")):
            values["$direct"] = "t"
        return Row(self.index, raw, values)


def row_of(index: int, raw: Mapping[str, str]) -> Row:
    """Return a row with the columns that are computed from it."""
    values = {column: value for column, value in raw.items() if value not in EMPTY}
    values["$kind"] = _kind(values)
    values["$no_target"] = "000"
    return Row(index, raw, values)


def _kind(values: Mapping[str, str]) -> str:
    pointing = values.get("pntgtype", "science")
    if pointing != "science":
        return pointing
    kind = KIND_OF_TYPE.get(values.get("exp_type", ""), "science")
    if kind != "science":
        return kind
    return next((kind for column, kind in KIND_OF_FLAG.items() if column in values), "science")
