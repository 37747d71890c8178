"""How many pixels have which flag."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.html import Markup, paragraph
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import cell, section, table

_PRODUCTS = ("ramp", "rate", "rateints", "cal", "calints", "crf", "crfints")
_BAND_BYTES = 1 << 26


def flags(family: Family) -> Markup | None:
    """Return the section on flags: a column for each product that has any."""
    counted = {suffix: found for suffix in _PRODUCTS if (found := _counts(family, suffix)) is not None}
    if not counted:
        return None
    names = [name for name in dqflags.pixel if any(name in counts for counts, _ in counted.values())]
    rows = [
        [name, *(_cell(counts.get(name, 0), size) for counts, size in counted.values())] for name in names
    ]
    columns = [f"_{suffix}{' (samples)' if suffix == 'ramp' else ''}" for suffix in counted]
    told = "Pixels that have a flag, and their share. A pixel may have several; of integrations all count."
    return section(
        "Flags",
        paragraph(told),
        table(["flag", *columns], rows, numbers=range(1, len(columns) + 1)),
        id_="flags",
    )


def share_unusable(family: Family) -> float | None:
    """Return the share of pixels of the last image that must not be used, or None if there is none."""
    for suffix in ("crf", "cal", "rate", "calints", "rateints"):
        found = _counts(family, suffix)
        if found is not None and found[1]:
            return found[0].get("DO_NOT_USE", 0) / found[1]
    return None


def _counts(family: Family, suffix: str) -> tuple[dict[str, int], int] | None:
    """Return flag -> pixels, and how many pixels there are; GOOD are those without any flag."""
    model = family.open(suffix)
    if model is None:
        return None
    with model:
        source = model.source("groupdq" if suffix == "ramp" else "dq")
        if source is None or not source.shape:
            return None
        return counts_of(source), int(np.prod(source.shape, dtype=np.int64))


def counts_of(source: Any) -> dict[str, int]:
    """Return flag -> number of values that have it (GOOD: none); it is read in bands."""
    total: dict[str, int] = {}
    rows = max(1, _BAND_BYTES // max(1, int(np.prod(source.shape[1:], dtype=np.int64)) * 8))
    for first in range(0, source.shape[0], rows):
        band = source.read(slice(first, min(first + rows, source.shape[0])))
        some = int(np.bitwise_or.reduce(band, axis=None))
        for name, bit in dqflags.pixel.items():
            if not bit or some & bit:
                count = np.count_nonzero(band & band.dtype.type(bit) if bit else band == 0)
                total[name] = total.get(name, 0) + int(count)
    return {name: count for name, count in total.items() if count}


def _cell(count: int, size: int) -> Markup:
    share = 100 * count / max(size, 1)
    return cell(f"{count:,} ({share:.3g} %)".replace(",", " ") if count else "–", count, "number")
