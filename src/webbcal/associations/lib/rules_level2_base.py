"""The rule by which each exposure makes a product."""

from webbcal.associations.rules import DMSLevel2bBase

__all__ = ["DMSLevel2bBase"]
