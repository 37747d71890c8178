"""Names of products, of what the members of an association share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from webbcal.associations.generator.columns import EMPTY, Row
from webbcal.associations.generator.draft import Draft
from webbcal.core.suffixes import remove_suffix

#: The name of a product of level 3, if its rule does not say otherwise.
TEMPLATE = "jw{program}-{candidate}_{target}_{instrument}_{elements}{slit}{subarray}"


def program_of(row: Row) -> str:
    """Return the programme with five digits."""
    return row.raw.get("program", "noprogram").rjust(5, "0")


def target_of(draft: Draft) -> str:
    """Return the target as it goes into names: ``t001``; ``t000`` where targets are not told apart."""
    found = draft.notes.found
    return "t" + "-".join(found.get("no_target") or found.get("target", ())).rjust(3, "0")


def level3_name(draft: Draft, template: str | None = None, elements: str | None = None) -> str:
    """Return the name of the product of level 3.

    Parameters
    ----------
    draft : Draft
        The association.
    template : str, optional
        Instead of that of its rule.
    elements : str, optional
        Optical elements, if they are not those of the members.
    """
    found = draft.notes.found
    subarray = "-".join(found.get("subarray", ()))
    return (
        (template or draft.recipe.name)
        .format(
            program=program_of(draft.first),
            candidate=draft.candidate.id,
            target=target_of(draft),
            instrument="-".join(found.get("instrument", ())),
            elements=elements or optical_elements(found.get(k, ()) for k in ("opt_elem", "opt_elem2")),
            slit=_slit(draft),
            subarray=f"-{subarray}" if subarray not in ("", "full") else "",
            detector="-".join(found.get("detector", ())),
            activity="-".join(found.get("act_id", ())).rjust(2, "0"),
        )
        .lower()
    )


def optical_elements(values: Iterable[Iterable[str]]) -> str:
    """Return optical elements as they go into names: sorted, or ``clear`` if there are none."""
    elements = ["-".join(sorted(found)) for found in values]
    return "-".join(sorted(element for element in elements if element not in EMPTY)) or "clear"


def _slit(draft: Draft) -> str:
    values = ["-".join(sorted(draft.notes.found.get(label, ()))) for label in ("fxd_slit", "fxd_slit2")]
    return "".join(f"-{value}" for value in sorted({value for value in values if value}))


def level2_name(expname: str) -> str:
    """Return the name of the product of a science member: its file's, without suffix and extension."""
    path = PurePath(expname)
    return remove_suffix(str(path.parent / path.stem))[0]
