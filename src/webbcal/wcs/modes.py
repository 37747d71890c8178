"""Which kind of WCS an exposure type has."""

from __future__ import annotations

from webbcal.core.errors import PlanError


def _types(**by_instrument: str) -> frozenset[str]:
    return frozenset(f"{prefix}_{name}" for prefix, names in by_instrument.items() for name in names.split())


#: Exposure types of undispersed images on the sky.
IMAGING = _types(
    NRC="IMAGE TACQ TACONFIRM CORON FOCUS TSIMAGE",
    NIS="IMAGE AMI TACQ TACONFIRM FOCUS",
    MIR="IMAGE TACQ TACONFIRM LYOT 4QPM CORONCAL",
    FGS="IMAGE FOCUS",
)
#: Exposure types that do not look at the sky, or whose WCS nobody defines.
_WITHOUT_WCS = _types(
    NRC="LED DARK FLAT GRISM",
    NIS="DARK LAMP",
    MIR="DARK DARKALL DARKIMG DARKMRS FLATIMAGE FLATMRS FLAT-IMAGE FLAT-MRS FLATIMAGE-EXT FLATMRS-EXT",
    NRS="DARK",
    FGS="DARK SKYFLAT INTFLAT",
)


def why_no_wcs(exp_type: str) -> str | None:
    """Return why exposures of a type have no WCS, or None if they have one."""
    return f"EXP_TYPE {exp_type} has no WCS" if exp_type.upper() in _WITHOUT_WCS else None


def check_imaging(exp_type: str) -> None:
    """Refuse exposure types that are not imaging.

    Raises
    ------
    PlanError
        Naming the type.
    """
    if exp_type.upper() not in IMAGING:
        raise PlanError(
            f"the WCS of EXP_TYPE {exp_type} is not available yet; imaging is ({', '.join(sorted(IMAGING))})"
        )
