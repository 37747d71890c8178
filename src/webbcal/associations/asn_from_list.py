"""Associations made from lists of exposures, as ``asn_from_list`` of the field makes them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from webbcal import __version__
from webbcal.associations.association import Association
from webbcal.associations.sources import UNDEFINED, is_model, is_name, name_of
from webbcal.associations.validation import check_exptype, validate
from webbcal.core.errors import InputError, ParameterError
from webbcal.core.suffixes import remove_suffix

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """What an association is built after.

    Attributes
    ----------
    name : str
        Goes into ``asn_rule``.
    level : int
        2: each exposure makes a product. 3: all exposures make one product.
    """

    name: str
    level: int


DMSLevel2bBase = Rule("DMSLevel2bBase", 2)
DMS_Level3_Base = Rule("DMS_Level3_Base", 3)

_LEVEL2 = """
CoronAsRate FGS Image ImageNonScience ImageSpecial ImageTSO MIRLRSFixedSlitNod NRSFSS NRSIFUNod NRSLAMPImage
NRSLAMPSpectral NRSMSA Spec SpecImprint SpecSpecial SpecTSO WFSC WFSSMIR WFSSNIS WFSSNRC WFSSParallel
"""
_LEVEL3 = """
ACQ_Reprocess AMI Image ImageBackground ImageMosaic MIRCoron MIRMRS MIRMRSBackground NRCCoron NRCCoronImage
NRSFSS NRSIFU NRSIFUBackground SlitlessSpectral SpecAux SpectralSource SpectralTarget TSO WFSCMB WFSSMIR
WFSSNIS WFSSNRC
"""
#: Rules by name (those of jwst 3.0.0).
RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        DMSLevel2bBase,
        DMS_Level3_Base,
        Rule("Asn_MIRLRSTAConfirm", 2),
        *(Rule(f"Asn_Lv2{name}", 2) for name in _LEVEL2.split()),
        *(Rule(f"Asn_Lv3{name}", 3) for name in _LEVEL3.split()),
    )
}


def rule_named(name: str) -> Rule:
    """Return a rule by its name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if name in RULES:
        return RULES[name]
    near = get_close_matches(name, RULES, n=1) or ["DMSLevel2bBase or DMS_Level3_Base"]
    raise ParameterError(f"there is no rule {name!r}; did you mean {near[0]}?")


def asn_from_list(
    items: Iterable[Any],
    rule: Rule | str = DMS_Level3_Base,
    product_name: str | None = None,
    with_exptype: bool = False,
    meta: Mapping[str, Any] | None = None,
    product_name_func: Callable[[Any, int], str] | None = None,
    acid: str = "o999",
) -> Association:
    """Make an association of exposures.

    Parameters
    ----------
    items : iterable of path or data model, or of pairs
        The exposures, in the order that they shall have.
    rule : Rule or str
        Its level says what is made: at level 3 one product of all items, at level 2 a product of each.
    product_name : str
        Name of the level-3 product. A level-2 product is named after its science member, without suffix.
    with_exptype : bool
        Items are pairs of an exposure and its exptype; else all are science. Where each exposure makes a
        product, they may be pairs all the same: the exptype does not count then, as in jwst.
    meta : mapping, optional
        Keys to set in the association.
    product_name_func : callable, optional
        ``product_name_func(item, number)`` names a level-2 product; if it fails, the usual name is taken.
    acid : str
        Candidate id, for the suggested file name: ``oXXX`` for an observation, ``cXXXX`` with backgrounds.

    Raises
    ------
    InputError
        If there are no items or one twice, a level-3 product has no name, or an exptype is unknown.
    ParameterError
        If the rule or the id is not one.
    """
    rule = rule_named(rule) if isinstance(rule, str) else rule
    items = list(items)
    if rule.level == 2 and not with_exptype:
        items = _without_exptypes(items)
    members = [_member(item, with_exptype) for item in items]
    if not members:
        raise InputError("an association needs at least one exposure")
    data = new_tree(rule)
    if rule.level == 3:
        if not product_name:
            raise InputError(
                f"{rule.name}: the product has no name; give one (--product-name, product_name=)"
            )
        acid = data["asn_id"]  # that of a group that was found, not planned, as jwst has it
        data["products"] = [{"name": product_name, "members": members}]
    else:
        if acid[:1] not in ("o", "c"):
            raise ParameterError(f"the id {acid!r} is not one of an association; give oXXX or cXXXX")
        data["products"] = [
            {"name": _product_name(member, item, number, product_name_func), "members": [member]}
            for number, (item, member) in enumerate(zip(items, members, strict=True), start=1)
        ]
    data.update(meta or {})
    validate(data, "the new association")
    return Association(data, acid=acid)


def new_tree(rule: Rule) -> dict[str, Any]:
    """Return the keys of an association of which nothing is known."""
    return {
        "asn_type": "None",
        "asn_rule": rule.name,
        "version_id": None,
        "code_version": __version__,
        "degraded_status": "No known degraded exposures in association.",
        "program": "noprogram",
        "constraints": "No constraints",
        "asn_id": "a3001",
        **({"target": "none"} if rule.level == 3 else {}),
        "asn_pool": "none",
    }


def science_root(member: Mapping[str, Any]) -> str:
    """Return the name of the level-2 product of a member: its path without suffix and extension."""
    source = member["expname"]
    if member["exptype"].lower() != "science" or not is_name(source):
        return UNDEFINED
    path = PurePath(source)
    return remove_suffix(str(path.parent / path.stem))[0]


def _without_exptypes(items: list[Any]) -> list[Any]:
    """Return the exposures of what may be pairs; say so if an exptype is left out."""
    pairs = [item for item in items if isinstance(item, tuple) and len(item) == 2]
    left_out = sorted({str(exptype) for _, exptype in pairs if exptype not in ("science", "", None)})
    if left_out:
        log.warning("all members are science: %s counts with with_exptype=True only", ", ".join(left_out))
    return [item[0] if isinstance(item, tuple) and len(item) == 2 else item for item in items]


def _member(item: Any, with_exptype: bool) -> dict[str, Any]:
    exptype = None
    if with_exptype:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise InputError(f"with_exptype=True needs pairs of a file and its exptype, not {item!r}")
        item, exptype = item
    if not is_name(item) and not is_model(item):
        raise InputError(f"{item!r} is neither a file nor a data model (pairs need with_exptype=True)")
    source = os.fspath(item) if is_name(item) else item
    return {"expname": source, "exptype": check_exptype(exptype or "science", name_of(item))}


def _product_name(
    member: Mapping[str, Any], item: Any, number: int, function: Callable[[Any, int], str] | None
) -> str:
    if function is not None:
        # Whatever a user's function does, there is a name to fall back on.
        with suppress(Exception):
            return function(item, number)
    return science_root(member)
