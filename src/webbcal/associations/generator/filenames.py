"""Names of members: what an exposure's file is called when the association is processed."""

from __future__ import annotations

import re

from webbcal.associations.generator.columns import Row
from webbcal.associations.generator.exposure_types import (
    BY_INTEGRATION,
    CALIBRATED,
    CORONAGRAPHY,
    NEVER_BY_INTEGRATION,
    UNMASKED,
)
from webbcal.associations.generator.rule_tables import Recipe

_RAW = re.compile(r"(.+)_uncal(\..+)")


def member_name(recipe: Recipe, row: Row, role: str, time_series: bool) -> str:
    """Return the name of the file that a row is as a member.

    Parameters
    ----------
    recipe : Recipe
        The rule of the association.
    row : Row
        A row whose ``filename`` is that of raw data (``…_uncal.fits``); other names stay as they are.
    role : str
        What kind of member it is.
    time_series : bool
        Whether the association is of a time series, whatever the row says.
    """
    match = _RAW.match(row.filename)
    if match is None:
        return row.filename
    ints = "ints" if by_integration(recipe, row, time_series) else ""
    if recipe.level == 2:
        suffix = "rate"
    elif role == "background":
        suffix = "x1d"
    else:
        suffix = "cal" if row.exp_type in CALIBRATED else "rate"
    return f"{match[1]}_{suffix}{ints}{match[2]}"


def by_integration(recipe: Recipe, row: Row, time_series: bool) -> bool:
    """Tell whether the file with a result for each integration is used."""
    if row.values.get("pntgtype", "science") != "science" or row.exp_type in NEVER_BY_INTEGRATION:
        return False
    return (
        (recipe.integrations_of_coronagraphs and _behind_a_mask(row))
        or time_series
        or row.values.get("tsovisit") == "t"
        or row.exp_type in BY_INTEGRATION
    )


def _behind_a_mask(row: Row) -> bool:
    if row.exp_type not in CORONAGRAPHY:
        return False
    if row.exp_type != "nrc_coron" or row.values.get("subarray") != "full":
        return True
    # In full frames, NIRCam's other detectors have no mask.
    return row.values.get("detector") not in UNMASKED.get(row.values.get("pupil", ""), ())
