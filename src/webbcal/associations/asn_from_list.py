"""Associations made from lists of exposures, as ``asn_from_list`` of the field makes them."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from webbcal.associations.association import Association
from webbcal.associations.rules import BARE, DMS_Level3_Base, Rule, rule_named
from webbcal.associations.sources import UNDEFINED, is_model, is_name, name_of
from webbcal.associations.validation import check_exptype, validate
from webbcal.core.errors import InputError, ParameterError
from webbcal.core.suffixes import remove_suffix
from webbcal.core.surface import SURFACE

log = logging.getLogger(__name__)


def asn_from_list(
    items: Iterable[Any],
    rule: Rule | type[Association] | str = DMS_Level3_Base,
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
        Its level says what is made: at level 3 one product of all items, at level 2 a product of each. The
        class `Association` makes a list of the items without products, which no pipeline takes.
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
    rule = BARE if not isinstance(rule, Rule) else rule
    items = list(items)
    if rule.level == 0:
        return Association(new_tree(rule) | {"members": items} | dict(meta or {}), acid=acid)
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
        "code_version": SURFACE,
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


class Main:
    """The command line of `asn_from_list`, as scripts for jwst call it.

    Parameters
    ----------
    args : sequence of str or str, optional
        The words of the command line; those of the process by default.

    Attributes
    ----------
    asn : Association
        What `asn_from_list` has made.
    """

    def __init__(self, args: Sequence[str] | str | None = None) -> None:
        words = args.split() if isinstance(args, str) else args
        self.parsed = command_line().parse_args(words)
        self.rule = rule_named(self.parsed.rule)
        self.asn: Association

    def asn_from_list(self) -> None:
        """Make the association."""
        given = self.parsed
        self.asn = asn_from_list(
            given.files, rule=self.rule, product_name=given.product_name, acid=given.acid
        )
        for product in self.asn.get("products", ()):
            product["members"] += [{"expname": name, "exptype": kind} for kind, name in given.members]

    def save(self) -> None:
        """Write it."""
        self.asn.path = self.asn.save(self.parsed.output_file, self.parsed.format)

    @classmethod
    def cli(cls, args: Sequence[str] | str | None = None) -> Main:
        """Make and write an association; return what has done it."""
        made = cls(args)
        made.asn_from_list()
        made.save()
        return made


def command_line() -> argparse.ArgumentParser:
    """Return what reads the words of ``webbcal asn from-list``."""
    parser = argparse.ArgumentParser(
        prog="webbcal asn from-list",
        description="Make an association of files: at level 3 one product of all, at level 2 one of each.",
        epilog="examples: webbcal asn from-list -o l3_asn.json --product-name mosaic *_cal.fits; "
        "webbcal asn from-list -o l2_asn.json -r DMSLevel2bBase *_rate.fits",
    )
    parser.add_argument("-o", "--output-file", required=True, help="association file to write")
    parser.add_argument("-f", "--format", choices=("json", "yaml"), help="default: by the name of the file")
    parser.add_argument("--product-name", help="name of the product, at level 3")
    parser.add_argument(
        "-r", "--rule", default="DMS_Level3_Base", help="rule to follow (default: %(default)s)"
    )
    parser.add_argument(
        "-i", "--id", "--acid", dest="acid", default="o999", help="candidate id, oXXX or cXXXX (%(default)s)"
    )
    parser.add_argument(
        "--member",
        action="append",
        nargs=2,
        default=[],
        metavar=("TYPE", "FILE"),
        dest="members",
        help="member of each product that is not science: background, psf, sourcecat, …",
    )
    parser.add_argument(
        "--background",
        action="append",
        type=lambda name: ["background", name],
        metavar="FILE",
        dest="members",
        help="the same as --member background FILE",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="science members")
    return parser
