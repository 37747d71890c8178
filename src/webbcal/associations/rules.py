"""The rules that associations are built after, by name: those of jwst 3.0.0."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from webbcal.core.errors import ParameterError


@dataclass(frozen=True)
class Rule:
    """What an association is built after.

    Attributes
    ----------
    name : str
        Goes into ``asn_rule``.
    level : int
        2: each exposure makes a product. 3: all exposures make one product. 0: there are no products.
    """

    name: str
    level: int

    def rule_name(self) -> str:
        """Return its name, as scripts for jwst ask for it."""
        return self.name


#: What all associations have in common in jwst: members without products. No pipeline takes one.
BARE = Rule("Association", 0)
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
    if name == BARE.name:
        return BARE
    if name in RULES:
        return RULES[name]
    near = get_close_matches(name, RULES, n=1) or ["DMSLevel2bBase or DMS_Level3_Base"]
    raise ParameterError(f"there is no rule {name!r}; did you mean {near[0]}?")
