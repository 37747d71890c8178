"""Associations: which exposures belong together, and what products they make."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from webbcal.associations.asn_from_list import Main, asn_from_list
from webbcal.associations.association import Association, Member, Product
from webbcal.associations.coerce import as_level2, as_level3
from webbcal.associations.reading import load_asn, load_association
from webbcal.associations.registry import AssociationRegistry
from webbcal.associations.rules import RULES, DMS_Level3_Base, DMSLevel2bBase, Rule

if TYPE_CHECKING:
    from webbcal.associations.generator.exposures import pool_of_exposures
    from webbcal.associations.generator.generator import generate
    from webbcal.associations.generator.pool import Pool, pool_of, read_pool
    from webbcal.associations.generator.rule_tables import read_recipes

__all__ = [
    "RULES",
    "Association",
    "AssociationRegistry",
    "DMSLevel2bBase",
    "DMS_Level3_Base",
    "Member",
    "Pool",
    "Product",
    "Rule",
    "as_level2",
    "as_level3",
    "asn_from_list",
    "generate",
    "load_asn",
    "load_association",
    "pool_of",
    "pool_of_exposures",
    "read_pool",
    "read_recipes",
]

#: What makes associations from pools, and its file: loaded when asked for, as every command loads the rest.
_GENERATOR = {
    "Pool": "pool",
    "generate": "generator",
    "pool_of": "pool",
    "pool_of_exposures": "exposures",
    "read_pool": "pool",
    "read_recipes": "rule_tables",
}


def __getattr__(name: str) -> Any:
    if name not in _GENERATOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.generator.{_GENERATOR[name]}"), name)


# The function has its module's name; scripts for jwst import the module, and then call what is in it.
asn_from_list.asn_from_list = asn_from_list  # type: ignore[attr-defined]
asn_from_list.Main = Main  # type: ignore[attr-defined]
