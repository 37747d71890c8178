"""What is said of two products that were compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from webbcal.report.comparison.arrays import ArrayDifference
from webbcal.report.comparison.products import Comparison

_MOST = 30  # differences of a kind that are listed


def words(comparison: Comparison) -> list[str]:
    """Return what differs, as lines."""
    lines = [f"A: {comparison.first}", f"B: {comparison.second}"]
    for part in comparison.settings.parts:
        if part == "pixels":
            lines += ["", "pixels:", *_pixels(comparison.arrays)]
        elif part == "keywords":
            found = comparison.keywords
            told = [f"{k.where:14s}{k.name:10s} {_shown(k.first)} | {_shown(k.second)}" for k in found]
            lines += ["", f"keywords: {_count(told)}", *_first(told)]
        else:
            told = [f"{d.name:32s} {d.first} | {d.second}" for d in comparison.processing[part]]
            lines += ["", f"{part}: {_count(told)}", *_first(told)]
    same = "the products differ" if comparison else "no differences"
    return [*lines, "", f"{same}{_tolerance(comparison)}"]


def _count(told: Sequence[str]) -> str:
    return f"{len(told)} differ (A | B)" if told else "the same"


def _first(told: Sequence[str]) -> list[str]:
    more = [f"  … and {len(told) - _MOST} more"] if len(told) > _MOST else []
    return [*(f"  {line}" for line in told[:_MOST]), *more]


def _pixels(arrays: Sequence[ArrayDifference]) -> Iterator[str]:
    if not arrays:
        yield "  no arrays to compare"
    for found in arrays:
        yield f"  {found.name:18s}{_said(found)}"
        for index, a, b in found.examples:
            yield f"      at {list(index)}: {_shown(a)} | {_shown(b)}"
        for flag, (first, second) in found.flags.items():
            yield f"      {flag}: {first} in A alone, {second} in B alone"


def _said(found: ArrayDifference) -> str:
    if found.why:
        return found.why
    if not found.different:
        return f"the same ({found.size} values)"
    share = 100 * found.different / max(found.size, 1)
    return (
        f"{found.different} of {found.size} values differ ({share:.3g} %): by {found.largest:.4g} at most, "
        f"{found.largest_relative:.3g} relative"
    )


def _tolerance(comparison: Comparison) -> str:
    allowed = comparison.settings.tolerance
    if not (allowed.relative or allowed.absolute):
        return ""
    return f" (allowed: {allowed.absolute:g} + {allowed.relative:g} of the value)"


def _shown(value: Any) -> str:
    if value is None:
        return "(not there)"
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value) if isinstance(value, str) else str(value)
