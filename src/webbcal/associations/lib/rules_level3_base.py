"""The rule by which all exposures make one product."""

from webbcal.associations.asn_from_list import DMS_Level3_Base

__all__ = ["DMS_Level3_Base"]
