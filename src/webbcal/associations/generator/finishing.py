"""From drafts to complete associations: which are valid, and what is made of those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from webbcal.associations.generator.catalogs import with_catalogs, with_catalogs_of_long
from webbcal.associations.generator.columns import Candidate
from webbcal.associations.generator.draft import Draft, Entry
from webbcal.associations.generator.imprints import without_other_imprints
from webbcal.associations.generator.nods import nod_backgrounds, overlaps
from webbcal.associations.generator.product_names import level2_name, level3_name, program_of, target_of
from webbcal.associations.generator.rule_tables import Recipe

#: Candidates that are groups of observations.
_GROUPS = ("group", "background", "mosaic")


@dataclass(frozen=True, eq=False)
class Complete:
    """A complete association, of one product.

    Attributes
    ----------
    recipe, candidate
        What it was made by, and for.
    name : str
        Of the product.
    members : tuple of Entry
        In order.
    program, target : str
        As they go into the file.
    shared : dict
        Column -> value that all members have.
    """

    recipe: Recipe
    candidate: Candidate
    name: str
    members: tuple[Entry, ...]
    program: str
    target: str
    shared: dict[str, str]


def finish(draft: Draft) -> list[Complete]:
    """Return what a draft becomes: nothing, if it is not valid; several, if its exposures are nods."""
    if not _is_valid(draft):
        return []
    results = [_complete(draft)]
    for name in draft.recipe.finish:
        results = [after for before in results for after in _FINISHERS[name](draft, before)]
    return results


def _is_valid(draft: Draft) -> bool:
    recipe, roles = draft.recipe, {member.exptype for member in draft.members}
    several = len(draft.notes.found.get("obs_num", ())) > 1
    return (
        roles.issuperset(recipe.needs)
        and len(draft.members) >= recipe.members
        and not (recipe.several_observations and draft.candidate.type in _GROUPS and not several)
        and not (recipe.candidates and draft.candidate.type == "background" and "background" not in roles)
    )


def _complete(draft: Draft) -> Complete:
    if draft.recipe.level == 3:
        name, target = level3_name(draft), target_of(draft)
    else:
        science = next(member for member in draft.members if member.exptype == "science")
        name, target = level2_name(science.expname), draft.first.raw.get("targetid", "none")
    shared = dict(draft.notes.fixed.values())
    return Complete(
        draft.recipe, draft.candidate, name, tuple(draft.members), program_of(draft.first), target, shared
    )


def _imprints(draft: Draft, before: Complete) -> list[Complete]:
    return [replace(before, members=tuple(without_other_imprints(before.members)))]


def _nods(draft: Draft, before: Complete) -> list[Complete]:
    """Make each science member one of its own, with those at other positions as its background."""
    science = [member for member in before.members if member.exptype == "science"]
    others = [member for member in before.members if member.exptype != "science"]
    results = []
    for own in science:
        backgrounds = [
            other.as_("background")
            for other in science
            if other.expname != own.expname and not overlaps(own.row, other.row)
        ]
        name = level2_name(own.expname.rpartition("/")[2])
        results.append(replace(before, name=name, members=(own, *backgrounds, *others)))
    return results


def _catalogs(draft: Draft, before: Complete) -> list[Complete]:
    members = with_catalogs(draft, before.members)
    return [replace(before, members=members)] if members else []


def _catalogs_long(draft: Draft, before: Complete) -> list[Complete]:
    members = with_catalogs_of_long(draft, before.members)
    return [replace(before, members=members)] if members else []


def _nod_spectra(draft: Draft, before: Complete) -> list[Complete]:
    return [replace(before, members=nod_backgrounds(before.members))]


_FINISHERS: dict[str, Callable[[Draft, Complete], list[Complete]]] = {
    "imprints": _imprints,
    "nods": _nods,
    "catalogs": _catalogs,
    "catalogs_long": _catalogs_long,
    "nod_spectra": _nod_spectra,
}
