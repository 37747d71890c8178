"""Compare a product with the same product of the official pipeline: every HDU, every value, every keyword."""

from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits

#: Keywords that tell who made the file and when, and the layout of the file itself.
VOLATILE = {
    "DATE", "CAL_VER", "CAL_VCS", "CRDS_VER", "CRDS_CTX", "PRD_VER", "OSS_VER", "CHECKSUM", "DATASUM",
    "EXTEND", "EXTVER", "PCOUNT", "GCOUNT", "", "COMMENT", "HISTORY",
}  # fmt: skip
#: The table of the members' headers: a column each keyword.
HEADERS = "HDRTAB"
#: Column -> that of its error, which has one of these names.
_ERRORS = {"FLUX": ("FLUX_ERROR", "ERROR"), "SURF_BRIGHT": ("SB_ERROR",), "BACKGROUND": ("BKGD_ERROR",)}


@dataclass
class Difference:
    """How far two products are from each other.

    Attributes
    ----------
    problems : list of str
        What is outside the limits.
    worst : dict
        For each floating-point array, the largest deviation in units of the allowed one, and the share of
        values that are not identical.
    """

    problems: list = field(default_factory=list)
    worst: dict = field(default_factory=dict)


def compare(ours, theirs, floor=None):
    """Return the differences of two files.

    Whole numbers, and with them all data quality, must be identical. Real numbers may differ by 1e-5 of the
    value, a hundredth of their stated error (products with ERR), or `floor` (DN) for ramps, which have none.
    """
    found = Difference()
    with fits.open(ours) as a, fits.open(theirs) as b:
        names = [[(h.name, h.ver) for h in hdus if h.name != "ASDF"] for hdus in (a, b)]
        if sorted(names[0]) != sorted(names[1]):
            found.problems.append(f"HDUs {names[0]} instead of {names[1]}")
        for key in sorted(set(names[0]) & set(names[1])):
            _compare_headers(found, key[0], a[key].header, b[key].header)
            if isinstance(a[key], fits.BinTableHDU):
                _compare_tables(
                    found, f"{key[0]},{key[1]}" if key[1] > 1 else key[0], a[key].data, b[key].data
                )
            elif a[key].data is not None:
                beside = ("ERR", key[1])
                error = b[beside].data if beside in b and key[0] in ("SCI", "ERR") else None
                _compare_arrays(found, key[0], a[key].data, b[key].data, error, floor)
    return found


def _compare_headers(found, name, ours, theirs):
    layout = {"NAXIS1", "TFIELDS"} if name == HEADERS else set()  # as wide as what is volatile
    for key in sorted((set(ours) | set(theirs)) - VOLATILE - layout):
        a, b = ours.get(key, "(none)"), theirs.get(key, "(none)")
        if key.startswith(("TTYPE", "TFORM", "TUNIT", "TDIM", "TZERO", "TSCAL")) or a == b:
            continue
        if isinstance(a, float) and isinstance(b, (int, float)) and np.isclose(a, b, rtol=1e-9, atol=0):
            continue
        found.problems.append(f"{name}: {key} is {a!r} instead of {b!r}")


def _compare_tables(found, name, ours, theirs):
    volatile = {*VOLATILE, "FILENAME"} if name == HEADERS else set()
    columns, others = ([c for c in data.dtype.names if c not in volatile] for data in (ours, theirs))
    if columns != others or len(ours) != len(theirs):
        found.problems.append(f"{name}: columns or rows differ")
        return
    for column in columns:
        a, b = ours[column], theirs[column]
        if a.dtype.kind == "f" and a.dtype == b.dtype and a.shape == b.shape:
            errors = [theirs[error] for error in _ERRORS.get(column, ()) if error in theirs.dtype.names]
            _compare_arrays(found, f"{name}.{column}", a, b, errors[0] if errors else None, None)
        elif not np.array_equal(a, b):
            found.problems.append(f"{name}: column {column} differs")


def _compare_arrays(found, name, ours, theirs, error, floor):
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        found.problems.append(f"{name}: {ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}")
        return
    if ours.dtype.kind != "f":
        wrong = int(np.count_nonzero(ours != theirs))
        if wrong:
            where = tuple(np.argwhere(ours != theirs)[0])
            found.problems.append(
                f"{name}: {wrong} of {ours.size} differ; at {where} {ours[where]} instead of {theirs[where]}"
            )
        return
    identical = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    found.worst[name] = (0.0, 0.0)
    if identical.all():
        return
    at = np.nonzero(~identical)
    a, b = ours[at].astype(float), theirs[at].astype(float)
    allowed = 1e-5 * np.abs(b)
    for other in (floor, None if error is None else 0.01 * error[at]):
        if other is not None:
            allowed = np.fmax(allowed, other)
    excess = np.where(np.isfinite(a) & np.isfinite(b), np.abs(a - b) / np.fmax(allowed, 1e-30), np.inf)
    found.worst[name] = (float(excess.max()), len(a) / ours.size)
    if excess.max() > 1:
        worst = tuple(axis[int(np.argmax(excess))] for axis in at)
        found.problems.append(
            f"{name}: {int((excess > 1).sum())} of {ours.size} values too far off; worst at {worst}: "
            f"{ours[worst]} instead of {theirs[worst]}"
        )
