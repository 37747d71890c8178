"""The rule by which all exposures make one product."""

from webbcal.associations.rules import DMS_Level3_Base

__all__ = ["DMS_Level3_Base"]
