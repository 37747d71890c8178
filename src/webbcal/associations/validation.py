"""What must hold for a tree to be an association; which entry is wrong, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from webbcal.associations.sources import UNDEFINED, is_model, is_name, name_of
from webbcal.core.errors import InputError

log = logging.getLogger(__name__)

#: Roles that a member can have (those that jwst 3.0.0 makes or reads, and what its documentation calls one).
EXPTYPES = (
    *("science", "background", "psf", "imprint", "selfcal", "sourcecat", "segmap", "direct_image"),
    *("target_acquisition", "target_acq", "dark", "flat", "autoflat", "autowave", "engineering"),
)


#: Roles that no exposure can have at once.
_NOT_BOTH = ("science", "background")


def validate(data: Any, where: str, *, twice: bool = False) -> None:
    """Check the tree of an association; `where` names it in errors.

    What only holds models may have one `twice`; of what is worked on it would count doubly.

    Raises
    ------
    InputError
        If a key is missing or has the wrong type, an exptype unknown, or a member or product is listed twice.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: not an association: it must be an object with the key 'products'")
    products = _list(data, "products", where)
    outputs: set[tuple[str, bool]] = set()
    for number, product in enumerate(products, start=1):
        place = f"{where}: product {number}"
        _check_product(product, place, twice)
        # Products of rates and of rateints may have one name: their results differ in the suffix.
        science = [m for m in product["members"] if m["exptype"].lower() == "science"]
        name = product.get("name")
        if not science or name in (None, UNDEFINED):
            continue
        output = (name, _has_integrations(science[0]["expname"]))
        if output in outputs:
            raise InputError(f"{place}: the name {name!r} is taken by another; give each its own name")
        outputs.add(output)


def check_exptype(exptype: Any, place: str) -> str:
    """Return an exptype; warn if it is not known, as nothing will be done with such a member.

    Raises
    ------
    InputError
        If it is no text, or a slip of the pen: says what might be meant.
    """
    if isinstance(exptype, str) and exptype.lower() in EXPTYPES:
        return exptype
    near = get_close_matches(str(exptype).lower(), EXPTYPES, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]!r}?" if near else f"it is the role of a member: {', '.join(EXPTYPES)}"
    if near or not isinstance(exptype, str):
        raise InputError(f"{place}: unknown exptype {exptype!r}; {hint}")
    log.warning("%s: unknown exptype %r: nothing is done with it; %s", place, exptype, hint)
    return exptype


def is_bare(data: Any) -> bool:
    """Tell whether a tree is a list of members without products, which can be kept but not worked on."""
    return isinstance(data, Mapping) and "products" not in data and isinstance(data.get("members"), list)


def _check_product(product: Any, place: str, twice: bool) -> None:
    if not isinstance(product, Mapping):
        raise InputError(f"{place}: must be an object with 'name' and 'members'")
    name = product.get("name")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{place}: its name must be text, not {name!r}")
    place += f" ({name})" if name else ""
    seen: set[tuple[Any, str]] = set()
    for number, member in enumerate(_list(product, "members", place), start=1):
        _check_member(member, f"{place}, member {number}")
        source = member["expname"]
        # Models that were opened from one another are one: they share what they hold.
        one = name_of(source) if is_name(source) else id(getattr(source, "contents", source))
        key = (one, member["exptype"].lower())
        if key in seen and not twice:
            raise InputError(f"{place}: {name_of(source)} is there twice as {key[1]}; remove one of them")
        if not twice and key[1] in _NOT_BOTH and any((key[0], role) in seen for role in _NOT_BOTH):
            raise InputError(f"{place}: {name_of(source)} is its own background; nothing would be left of it")
        seen.add(key)


def _check_member(member: Any, place: str) -> None:
    if not isinstance(member, Mapping):
        raise InputError(f"{place}: must be an object with 'expname' and 'exptype'")
    for key in ("expname", "exptype"):
        if key not in member:
            raise InputError(f"{place}: has no {key!r}; add it")
    source = member["expname"]
    if not (is_name(source) or is_model(source)) or source == "":
        raise InputError(f"{place}: expname must be the name of a file, not {source!r}")
    check_exptype(member["exptype"], f"{place} ({name_of(source)})")


def _list(data: Mapping[str, Any], key: str, place: str) -> list[Any]:
    if key not in data:
        raise InputError(f"{place}: has no {key!r}; is it an association?")
    value = data[key]
    if not isinstance(value, list) or not value:
        raise InputError(f"{place}: {key!r} must be a list with at least one entry")
    return value


def _has_integrations(source: Any) -> bool:
    return PurePath(name_of(source)).stem.endswith("ints")
