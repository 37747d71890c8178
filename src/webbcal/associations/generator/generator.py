"""Associations from a pool: for each candidate, and what else belongs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from webbcal.associations.association import Association
from webbcal.associations.generator.columns import DISCOVERED, EMPTY, Candidate, Row, row_of
from webbcal.associations.generator.draft import Draft, Entry
from webbcal.associations.generator.finishing import Complete, finish
from webbcal.associations.generator.gathering import Gatherer, gather
from webbcal.associations.generator.pool import Pool
from webbcal.associations.generator.pruning import pruned
from webbcal.associations.generator.rule_tables import Recipe, recipes
from webbcal.core.errors import ParameterError
from webbcal.core.surface import SURFACE

_GOOD = "No known degraded exposures in association."
_BAD = (
    "One or more members have an error associated with them."
    "\nDetails can be found in the member.exposerr attribute."
)


def generate(
    pool: Pool,
    rules: Mapping[str, Recipe] | None = None,
    *,
    ids: Sequence[str] | None = None,
    all_candidates: bool = True,
    discover: bool = True,
    version_id: str | None = None,
    merge: bool = False,
) -> list[Association]:
    """Make associations from a pool.

    Parameters
    ----------
    pool : Pool
        The exposures; see `read_pool` and `pool_of`.
    rules : mapping, optional
        Rules by name, as `read_recipes` reads them; those of operations by default.
    ids : sequence of str, optional
        Make only associations of these candidates (``o001``, ``c1000``).
    all_candidates : bool
        Whether associations of candidates are made, if no `ids` are given.
    discover : bool
        Whether what belongs together without a candidate is made, too, if no `ids` are given.
    version_id : str, optional
        Goes into the names of association files.
    merge : bool
        Whether associations of level 2 of one candidate and type become one, with several products.

    Returns
    -------
    list of Association
        Those of level 2, then those of level 3 (merged ones come last). ``asn_name`` is what their file is
        called.

    Raises
    ------
    ParameterError
        If an id is not in the pool.
    """
    rows = [row_of(index, raw) for index, raw in enumerate(pool.rows)]
    by_candidate = _candidates(rows)
    gatherers = [Gatherer(recipe) for recipe in (recipes() if rules is None else rules).values()]
    drafts: list[Draft] = []
    if ids is None and discover:
        drafts += gather(rows, gatherers, DISCOVERED)
    if ids is not None or all_candidates:
        for candidate in _chosen(by_candidate, ids):
            drafts += gather(by_candidate[candidate], gatherers, candidate)
    complete = [made for draft in drafts for made in finish(draft)]
    second, third = (
        _numbered(pruned([made for made in complete if made.recipe.level == level]), pool.name, version_id)
        for level in (2, 3)
    )
    return [*third, *_merged(second)] if merge else [*second, *third]


def _candidates(rows: Iterable[Row]) -> dict[Candidate, list[Row]]:
    """Return the rows of each candidate; candidates are in the order of their types, then of rows."""
    by_type: dict[str, dict[Candidate, None]] = defaultdict(dict)
    by_id: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for candidate in dict.fromkeys(row.candidates):
            by_type[candidate.type][candidate] = None
            by_id[candidate.id].append(row)
    return {candidate: by_id[candidate.id] for group in by_type.values() for candidate in group}


def _chosen(known: Mapping[Candidate, list[Row]], ids: Sequence[str] | None) -> list[Candidate]:
    if ids is None:
        return list(known)
    by_id = {candidate.id: candidate for candidate in reversed(list(known))}
    missing = [name for name in ids if name.lower() not in by_id]
    if missing:
        raise ParameterError(
            f"the pool has no candidate {missing[0]!r}; it has {', '.join(sorted(by_id)) or 'none'}"
        )
    return [by_id[name.lower()] for name in ids]


def _numbered(complete: Iterable[Complete], pool: str, version_id: str | None) -> list[Association]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    results = []
    for made in complete:
        key = made.candidate.id, made.recipe.type
        counts[key] += 1
        results.append(_association(made, pool, version_id, counts[key]))
    return results


def _association(made: Complete, pool: str, version_id: str | None, number: int) -> Association:
    members = [_member(entry, made.recipe.level) for entry in made.members]
    degraded = any(m.get("exposerr") is not None and m["exposerr"] not in EMPTY for m in members)
    prefix = "discover" if made.candidate is DISCOVERED else "candidate"
    tree = {
        "asn_type": made.recipe.type,
        "asn_rule": f"{prefix}_{made.recipe.rule}",
        "version_id": version_id,
        "code_version": SURFACE,
        "degraded_status": _BAD if degraded else _GOOD,
        "program": made.program,
        "constraints": "\n".join(f"{column} = {value}" for column, value in sorted(made.shared.items())),
        "asn_id": made.candidate.id,
        "target": made.target,
        "asn_pool": pool,
        "products": [{"name": made.name, "members": members}],
    }
    return Association(tree, acid=made.candidate.id, number=number, stamp=version_id)


def _member(entry: Entry, level: int) -> dict[str, str | None]:
    member: dict[str, str | None] = {"expname": entry.expname, "exptype": entry.exptype}
    if entry.row is not None:
        member["exposerr"] = entry.row.raw.get("exposerr")
        if level == 3:
            member["asn_candidate"] = entry.row.raw.get("asn_candidate")
    return member


def _merged(associations: Iterable[Association]) -> list[Association]:
    """Return one association for each candidate and type; products of one name have the members of all."""
    merged: dict[tuple[str, str], Association] = {}
    for association in associations:
        into = merged.setdefault((association["asn_type"], association["asn_id"]), association)
        if into is association:
            continue
        for product in association["products"]:
            same = next((p for p in into["products"] if p["name"] == product["name"]), None)
            if same is None:
                into["products"].append(product)
                continue
            known = {member["expname"] for member in same["members"]}
            same["members"] += [member for member in product["members"] if member["expname"] not in known]
    return list(merged.values())
