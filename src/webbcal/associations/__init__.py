"""Associations: which exposures belong together, and what products they make."""

from webbcal.associations.asn_from_list import RULES, DMS_Level3_Base, DMSLevel2bBase, Rule, asn_from_list
from webbcal.associations.association import Association, Member, Product
from webbcal.associations.coerce import as_level2, as_level3
from webbcal.associations.reading import load_asn, load_association

__all__ = [
    "RULES",
    "Association",
    "DMSLevel2bBase",
    "DMS_Level3_Base",
    "Member",
    "Product",
    "Rule",
    "as_level2",
    "as_level3",
    "asn_from_list",
    "load_asn",
    "load_association",
]

# The function has its module's name; scripts for jwst import the module, and then call what is in it.
asn_from_list.asn_from_list = asn_from_list  # type: ignore[attr-defined]
