"""Rules read from tables: what there is to say about each, and its conditions.

A file of rules (TOML) has, as the tables of this package do, ``[conditions]`` with a name each (what the
package has can be used, too), ``[defaults]`` for its rules, and a table ``[rules.NAME]`` for each rule with
the attributes of `Recipe`, of which ``level``, ``type`` and ``where``, a list of conditions, must be there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any as Anything

from webbcal.associations.generator.columns import Row
from webbcal.associations.generator.conditions import (
    KNOWN,
    OPEN,
    Again,
    All,
    Among,
    Any,
    Columns,
    Condition,
    Not,
)
from webbcal.associations.generator.exposure_types import DIRECT_IMAGES
from webbcal.core.errors import InputError

FOLDER = Path(__file__).parent.parent / "tables"

_COLUMNS = re.compile(
    r"(?P<absent>!)?(?:(?P<label>\w+):\s*)?(?P<columns>[\w$|]+)(?P<optional>\?)?(?P<varies>\*)?"
    r"(?:\s*=\s*(?P<value>.+))?"
)


@dataclass(frozen=True, eq=False)
class Recipe:
    """A rule: which exposures belong together, and what is made of them.

    Attributes
    ----------
    rule : str
        Its name, as ``Asn_Lv3Image``.
    level : int
        2: from count rates, a product for each science exposure. 3: one product of what level 2 made.
    type : str
        Goes into ``asn_type``: the pipeline, as ``image3``.
    where : Condition
        What a row must fulfil to join.
    name : str
        Template of the product's name; at level 2 a product is named after its science member.
    candidates, not_candidates : sequence of str
        Types of candidates for which it makes associations (all, if empty), and for which it does not.
    needs : sequence of str
        Roles of which an association must have a member.
    members : int
        How many members it must have.
    several_observations : bool
        Whether an association of a group must have exposures of several observations.
    psf_is_science, special, auxiliary, direct_images : bool
        What is a science member: reference stars; everything (but imprints beside a science member);
        everything but target acquisitions; images are direct images of grisms.
    remembers : bool
        Whether it matters which exposure was looked at before (``$follows_imprint``).
    integrations_of_coronagraphs : bool
        Whether members with a coronagraph are used by integration.
    keys : sequence of str
        Columns that all members but target acquisitions share: associations are looked up by them.
    columns : sequence of str
        Columns of a row that decide whether it can join at all.
    finish : sequence of str
        What is done with complete associations (`webbcal.associations.generator.finishing`).
    """

    rule: str
    level: int
    type: str
    where: Condition
    name: str = ""
    candidates: Sequence[str] = ()
    not_candidates: Sequence[str] = ()
    needs: Sequence[str] = ("science",)
    members: int = 1
    several_observations: bool = False
    psf_is_science: bool = False
    special: bool = False
    auxiliary: bool = False
    direct_images: bool = False
    integrations_of_coronagraphs: bool = True
    remembers: bool = False
    finish: Sequence[str] = ()
    keys: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def role(self, row: Row, has_science: bool) -> str:
        """Return what kind of member a row is in an association with or without a science member."""
        kind = row.values["$kind"]
        if self.special:
            return "imprint" if has_science and kind == "imprint" else "science"
        if self.auxiliary:
            return kind if kind == "target_acquisition" else "science"
        if self.psf_is_science and kind == "psf":
            kind = "science"
        if self.direct_images and kind == "science" and row.exp_type in DIRECT_IMAGES:
            return "direct_image"
        return kind


@cache
def recipes() -> dict[str, Recipe]:
    """Return the rules of operations, those of jwst 3.0.0, by name."""
    return {**read_recipes(FOLDER / "level2.toml"), **read_recipes(FOLDER / "level3.toml")}


def read_recipes(path: str | Path) -> dict[str, Recipe]:
    """Return the rules of a file by name, in the order of names.

    Raises
    ------
    InputError
        If it cannot be read, or a rule is not understood; says which, and what is wrong.
    """
    table = _table(Path(path))
    conditions = {**_shared(), **table.get("conditions", {})}
    rules = {}
    for name, entry in sorted(table.get("rules", {}).items()):
        try:
            rules[name] = _recipe(name, {**table.get("defaults", {}), **entry}, conditions)
        except (KeyError, TypeError, ValueError, re.error) as error:
            raise InputError(f"{path}: the rule {name} is not understood: {error}") from error
    if not rules:
        raise InputError(f"{path}: has no rules; each is a table [rules.NAME]")
    return rules


@cache
def _shared() -> dict[str, Anything]:
    return dict(_table(FOLDER / "conditions.toml")["conditions"])


def _table(path: Path) -> dict[str, Anything]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table of rules in TOML: {error}") from error


def _recipe(name: str, entry: Mapping[str, Anything], conditions: Mapping[str, Anything]) -> Recipe:
    known = {f.name for f in fields(Recipe)} - {"rule", "keys", "columns"}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ValueError(f"it has no key {unknown[0]!r}; keys are {', '.join(sorted(known))}")
    missing = sorted({"level", "type", "where"} - set(entry))
    if missing:
        raise ValueError(f"the key {missing[0]!r} is missing")
    own = All(tuple(condition(part, conditions) for part in entry["where"]))
    where = _with_acquisitions(own) if entry["level"] == 3 else own
    columns = tuple(sorted({"$kind", "exp_type", *columns_of(where)} - {*KNOWN, *OPEN}))
    return Recipe(name, **{**entry, "where": where, "keys": _keys(own), "columns": columns})


def _keys(part: Condition) -> tuple[str, ...]:
    """Return the columns that a condition wants to be defined, and the same in all members."""
    if isinstance(part, All):
        return tuple(dict.fromkeys(column for inner in part.parts for column in _keys(inner)))
    if not isinstance(part, Columns) or len(part.columns) > 1 or part.columns[0].startswith("$"):
        return ()
    return () if part.varies or part.optional or part.absent else part.columns


def _with_acquisitions(where: Condition) -> Condition:
    """Return the conditions of level 3: acquisitions of the targets of an association join it."""
    condition_of = _shared()["level3"], _shared()["acquisition"]
    head, acquisition = (condition({"all": parts}, _shared()) for parts in condition_of)
    observation = condition("obs_num: obs_num?*", {})
    return All((head, Any((All((where, observation)), acquisition))))


def condition(entry: Anything, named: Mapping[str, Anything]) -> Condition:
    """Return the condition that an entry of a table is; `named` are those that it may refer to."""
    if isinstance(entry, str):
        return _named(entry[1:], named) if entry.startswith("@") else _columns(entry)
    if "among" in entry:
        return _among(entry["columns"], entry["among"])
    for when in ("again", "late"):
        if when in entry:
            return Again(condition(entry[when], named), when)
    kind = next((k for k in ("any", "all", "none", "not_all") if k in entry), None)
    if kind is None:
        raise ValueError(f"{entry!r} is no condition")
    parts = tuple(condition(part, named) for part in entry[kind])
    if kind == "any":
        return Any(parts)
    if kind == "none":
        return All(tuple(Not(part) for part in parts))
    every = All(parts, entry.get("role"), bool(entry.get("apart")))
    return every if kind == "all" else Not(every)


def _named(name: str, named: Mapping[str, Anything]) -> Condition:
    if name not in named:
        raise ValueError(f"there are no conditions {name!r}")
    return All(tuple(condition(part, named) for part in named[name]))


def _columns(text: str) -> Columns:
    match = _COLUMNS.fullmatch(text)
    if match is None:
        raise ValueError(f"the condition {text!r} is not understood")
    value = match["value"]
    return Columns(
        label=match["label"],
        columns=tuple(match["columns"].split("|")),
        value=None if value is None else re.compile(value, re.IGNORECASE),
        optional=match["optional"] is not None,
        varies=match["varies"] is not None,
        absent=match["absent"] is not None,
    )


def _among(columns: Sequence[str], text: str) -> Among:
    return Among(tuple(columns), frozenset(tuple(line.split()) for line in text.strip().splitlines()))


def columns_of(part: Condition) -> Iterable[str]:
    """Return the columns that a condition reads."""
    if isinstance(part, (Columns, Among)):
        yield from part.columns
    elif isinstance(part, (All, Any)):
        for inner in part.parts:
            yield from columns_of(inner)
    elif isinstance(part, (Not, Again)):
        yield from columns_of(part.part)
