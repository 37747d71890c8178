"""Tables of an exposure that tell when its integrations and groups were taken: INT_TIMES and GROUP.

Both are carried to products as they stand, as is MIRI's reference output (REFOUT). What contradicts the
data is said here, before any work.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from webbcal.core.errors import InputError

log = logging.getLogger(__name__)

_CARRIED = "the table is carried to products as it stands"


def integration_times(model: Any, name: str, nints: int) -> np.ndarray | None:
    """Return the INT_TIMES rows of the integrations in the science array, in order; None without a table.

    A table of a segment may be that of the whole exposure; then integrations are found by their numbers.

    Raises
    ------
    InputError
        If it has fewer rows than there are integrations.
    """
    table = model.int_times if model.has("int_times") else None
    if table is None or len(table) == 0:
        return None
    if len(table) < nints:
        if getattr(model.meta.subarray, "num_superstripe", None):
            return None  # times of stripes have a table of their own
        raise InputError(
            f"{name}: the INT_TIMES table has {len(table)} rows, but the SCI array has {nints} integrations; "
            "correct the table, or take it out (del model.int_times)"
        )
    rows = np.asarray(table)
    numbers = rows["integration_number"]
    first = getattr(model.meta.exposure, "integration_start", None)
    at = np.flatnonzero(numbers == first)
    start = int(at[0]) if len(at) and at[0] + nints <= len(rows) else 0
    return rows[start : start + nints]


def check_tables(model: Any, name: str, shape: tuple[int, ...]) -> None:
    """Warn if the tables tell of other integrations or groups than the data have.

    Few steps compute with them: those that do refuse them. Users cut ramps, and put them together, by hand.

    Parameters
    ----------
    model : DataModel
    name : str
        The exposure, for the message.
    shape : tuple of int
        Of the science array, (nints, ngroups, ny, nx).
    """
    nints, ngroups = shape[:2]
    _check_reference_output(model, name, shape)
    striped = getattr(model.meta.subarray, "num_superstripe", None)
    times = model.int_times if model.has("int_times") and not striped else ()
    if times is not None and 0 < len(times) < nints:
        log.warning(
            "%s: the INT_TIMES table has %d rows, but the SCI array has %d integrations; %s",
            name, len(times), nints, _CARRIED,
        )  # fmt: skip
    table = model.group if model.has("group") else None
    if table is None or len(table) == 0:
        return
    groups, ints = (int(np.max(table[column])) for column in ("group_number", "integration_number"))
    exposure = model.meta.exposure
    last = max(getattr(exposure, "integration_end", None) or 0, getattr(exposure, "nints", None) or 0, nints)
    if groups != ngroups or (ints > last and not striped):
        log.warning(
            "%s: the GROUP table goes to integration %d and group %d, but the SCI array has %d integrations "
            "of %d groups; %s", name, ints, groups, nints, ngroups, _CARRIED,
        )  # fmt: skip
    elif not striped and (problem := _counted(table, nints * ngroups)):
        log.warning("%s: the GROUP table %s; %s", name, problem, _CARRIED)


def _check_reference_output(model: Any, name: str, shape: tuple[int, ...]) -> None:
    """Warn if MIRI's fifth output is not that of the ramps; no step computes with it."""
    if model.has("refout"):
        found = tuple(model.source("refout").shape)
        if found[:3] != shape[:3]:
            log.warning("%s: REFOUT has shape %s, which does not go with data of shape %s; it is carried to "
                        "products as it stands", name, found, shape)  # fmt: skip
    elif model.meta.instrument.name == "MIRI" and model.meta.cal_step.dq_init is None:
        log.warning("%s: a raw exposure of MIRI without its reference output (REFOUT): no step needs it, and "
                    "products will not have it", name)  # fmt: skip


def _counted(table: Any, samples: int) -> str:
    """Return what is wrong with how groups are counted in the GROUP table, or nothing."""
    numbers = np.stack([np.asarray(table[c], int) for c in ("integration_number", "group_number")])
    if numbers.min() < 1:
        return "counts integrations or groups from below 1"
    if len(table) < samples:
        return f"has {len(table)} rows, but the SCI array has {samples} groups in all integrations"
    if np.unique(numbers, axis=1).shape[1] < len(table):
        return "has several rows for a group"
    return ""
