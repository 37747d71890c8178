"""The rules by which each exposure makes a product: ``Asn_Lv2Image``, …"""

from webbcal.associations.rules import RULES, Rule

_NAMES = sorted(name for name, rule in RULES.items() if rule.level == 2 and name.startswith("Asn_"))


def __getattr__(name: str) -> Rule:
    if name not in _NAMES:
        raise AttributeError(f"there is no rule {name!r} of level 2")
    return RULES[name]


def __dir__() -> list[str]:
    return list(_NAMES)
