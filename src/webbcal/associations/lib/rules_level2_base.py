"""The rule by which each exposure makes a product."""

from webbcal.associations.asn_from_list import DMSLevel2bBase

__all__ = ["DMSLevel2bBase"]
