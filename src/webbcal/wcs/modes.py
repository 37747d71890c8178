"""Which kind of WCS an exposure type has."""

from __future__ import annotations

from webbcal.core.errors import PlanError
from webbcal.core.modes import mode_of, table


def why_no_wcs(exp_type: str) -> str | None:
    """Return why exposures of a type have no WCS, or None if they have one."""
    return f"EXP_TYPE {exp_type} has no WCS" if mode_of(exp_type).has("internal") else None


def check_imaging(exp_type: str) -> None:
    """Refuse exposure types that are not imaging.

    Raises
    ------
    PlanError
        Naming the type.
    """
    if not mode_of(exp_type).is_image:
        imaging = ", ".join(sorted(name for name, mode in table().items() if mode.is_image))
        raise PlanError(f"the WCS of EXP_TYPE {exp_type} is not available yet; imaging is ({imaging})")
