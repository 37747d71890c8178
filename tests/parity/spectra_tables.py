"""Compare products of spectra: headers, and tables column by column."""

import numpy as np
from astropy.io import fits
from products import VOLATILE

#: Keywords of columns, which are compared by column; and what names a file.
_OF_COLUMNS = ("TTYPE", "TFORM", "TDIM", "TZERO", "TSCAL")
_FILES = {"FILENAME", "NAXIS1"}


def compare_tables(ours, theirs, rtol=1e-5, skip=()):
    """Return what differs: whole numbers and text exactly, real numbers beyond `rtol`, keywords, units."""
    problems = []
    with fits.open(ours) as a, fits.open(theirs) as b:
        names = [[(h.name, h.ver) for h in hdus if h.name != "ASDF"] for hdus in (a, b)]
        if names[0] != names[1]:
            problems.append(f"HDUs {names[0]} instead of {names[1]}")
        for key in [key for key in names[1] if key in names[0]]:
            problems += _headers(key, a[key].header, b[key].header, skip)
            if isinstance(b[key], fits.BinTableHDU):
                problems += _tables(key, a[key].data, b[key].data, rtol)
            elif b[key].data is not None:
                problems += _arrays(key, a[key].data, b[key].data, rtol)
    return problems


def _headers(name, ours, theirs, skip):
    problems = []
    for key in sorted((set(ours) | set(theirs)) - VOLATILE - _FILES - set(skip)):
        a, b = ours.get(key, "(none)"), theirs.get(key, "(none)")
        if key.startswith(_OF_COLUMNS) or a == b:
            continue
        if isinstance(a, float) and isinstance(b, (int, float)) and np.isclose(a, b, rtol=1e-9, atol=1e-12):
            continue
        problems.append(f"{name}: {key} is {a!r} instead of {b!r}")
    return problems


def _tables(name, ours, theirs, rtol):
    if ours.dtype.names != theirs.dtype.names or len(ours) != len(theirs):
        return [f"{name}: columns or rows are {ours.dtype}({len(ours)}), not {theirs.dtype}({len(theirs)})"]
    problems = []
    for column in theirs.dtype.names:
        problems += _arrays(f"{name}.{column}", np.asarray(ours[column]), np.asarray(theirs[column]), rtol)
    return problems


def _arrays(name, a, b, rtol):
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return [f"{name}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}"]
    if a.dtype.kind != "f":
        wrong = np.flatnonzero((a != b).ravel())
        return [f"{name}: {len(wrong)} of {a.size} differ, first {a.ravel()[wrong[0]]!r} instead of "
                f"{b.ravel()[wrong[0]]!r}"] if len(wrong) else []  # fmt: skip
    same = np.isclose(a, b, rtol=rtol, atol=0, equal_nan=True)
    if same.all():
        return []
    first = np.flatnonzero(~same.ravel())[0]
    return [f"{name}: {(~same).sum()} of {a.size} differ, first at {first}: {a.ravel()[first]!r} instead of "
            f"{b.ravel()[first]!r}"]  # fmt: skip
