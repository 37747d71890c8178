"""Associations from whatever a pipeline may be given."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from webbcal.associations.asn_from_list import asn_from_list, new_tree, science_root
from webbcal.associations.association import SINGLETON, Association, copied
from webbcal.associations.containers import association_of, is_container, models_of
from webbcal.associations.reading import load_association
from webbcal.associations.rules import DMSLevel2bBase
from webbcal.associations.sources import is_association_name, is_model, is_name, name_of
from webbcal.associations.validation import validate
from webbcal.core.errors import InputError
from webbcal.core.suffixes import remove_suffix

log = logging.getLogger(__name__)

EXPOSURE_SUFFIXES = (".fits", ".asdf", ".gz")


def as_level2(
    init: Any, exptypes: tuple[str, ...] = ("science", "background"), tell: bool = True
) -> Association:
    """Return a level-2 association: a product for each exposure.

    Parameters
    ----------
    init : path, data model, list of these, association, mapping
        A path is an exposure or an association, by its extension.
    exptypes : tuple of str
        Roles of members that will be opened: their files must be there.
    tell : bool
        Whether to warn of members that are not used.

    Raises
    ------
    InputError
        If it is none of these, a product has no science member, or files are missing.
    """
    init = models_of(init) if is_container(init) else init  # each makes a product
    association = _given(init)
    if association is None:
        meta = {"asn_pool": SINGLETON}
        if not is_name(init):
            meta |= {"program": SINGLETON, "target": SINGLETON}
        association = asn_from_list(
            _exposures(init), DMSLevel2bBase, meta=meta, product_name_func=_model_root
        )
    for key, value in new_tree(DMSLevel2bBase).items():
        association.setdefault(key, value)
    for product, view in zip(association["products"], association.products, strict=True):
        if not view.science:
            raise InputError(
                f"{association.filename}: product {view.name} has no science member; "
                "add the exposure that it is made from, or remove the product"
            )
        if not view.name:
            product["name"] = science_root(view.science[0].entry())
    association.require_files(*exptypes)
    if tell:
        tell_of_unused(association)
    return association


def tell_of_unused(association: Association) -> None:
    """Warn of science members of level-2 products that nothing is made of."""
    for product in association.products:
        if len(product.science) > 1:
            log.warning(
                "product %s has %d science members; only the first is used",
                product.name,
                len(product.science),
            )


def as_level3(init: Any, exptypes: tuple[str, ...] = ("science",)) -> Association:
    """Return a level-3 association: a product of all exposures.

    Takes what `as_level2` takes and raises what it raises. A list, or an exposure alone, makes a product that
    is named after the first; a model has the role that its ``meta.asn.exptype`` says. The product of an
    association may have no name: the pipeline finds one.
    """
    association = _given(init)
    if association is None:
        items = _exposures(init)
        members = [{"expname": item, "exptype": _exptype(item)} for item in items]
        name = remove_suffix(PurePath(name_of(items[0])).stem)[0]
        data = {"products": [{"name": name, "members": members}]}
        validate(data, SINGLETON)
        association = Association(data)
    if not association.products[0].science:
        raise InputError(
            f"{association.filename}: no member is science; a product is made of science members"
        )
    association.require_files(*exptypes)
    return association


def _given(init: Any) -> Association | None:
    """Return the association that the input is or names, None if it is something else."""
    if is_container(init):
        association = association_of(init)
        validate(association.data, str(association.path or "the models"))
        return association
    if isinstance(init, Mapping):
        path = getattr(init, "path", None)
        validate(dict(init), path or "the association")
        return Association(copied(init), path=path)
    if is_name(init) and is_association_name(init):
        return load_association(init)
    return None


def _exposures(init: Any) -> list[Any]:
    """Return exposures, one or several, as names and models."""
    items = init if isinstance(init, (list, tuple)) else [init]
    if not items:
        raise InputError("no exposures given: the list is empty")
    for item in items:
        if is_name(item) and PurePath(item).suffix.lower() not in EXPOSURE_SUFFIXES:
            raise InputError(
                f"{os.fspath(item)}: not an exposure (.fits, .asdf); give an association (.json) alone"
            )
        if not is_name(item) and not is_model(item):
            raise InputError(
                f"{item!r}: neither a file nor a data model; give files, models, or an association"
            )
    return [os.fspath(item) if is_name(item) else item for item in items]


def _exptype(item: Any) -> str:
    return getattr(getattr(getattr(item, "meta", None), "asn", None), "exptype", None) or "science"


def _model_root(item: Any, number: int) -> str:
    # Files have their names from the usual rule; this one raises for them.
    return PurePath(item.meta.filename).stem
