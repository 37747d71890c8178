"""What differs between the keywords of two products."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.io.cards import STRUCTURAL
from webbcal.io.opening import OpenedFile
from webbcal.report.comparison.arrays import Tolerance

#: When a file was written and what it is called; and what the accounts of both tell.
ALWAYS_IGNORED = (
    "COMMENT", "HISTORY", "", "END", "DATE", "FILENAME", "CAL_VER", "CAL_VCS", "CRDS_CTX", "CRDS_VER", "R_*",
    "S_*",
)  # fmt: skip
ALWAYS_IGNORED_IN_TREES = (
    "date",
    "filename",
    "run_record*",
    "cal_step*",
    "ref_file*",
    "calibration_software*",
)


@dataclass(frozen=True)
class KeywordDifference:
    """A keyword (or place in an ASDF tree) and its value in both; None where it is not there."""

    where: str
    name: str
    first: Any
    second: Any


def compare_keywords(
    a: OpenedFile, b: OpenedFile, ignored: Sequence[str], tolerance: Tolerance
) -> list[KeywordDifference]:
    """Return the keywords whose values differ, in the order of the first file."""
    skipped = [*ALWAYS_IGNORED, *(pattern.upper() for pattern in ignored)]
    places, others = _places(a, skipped), _places(b, skipped)
    found = []
    for key in dict.fromkeys([*places, *others]):
        one, other = places.get(key), others.get(key)
        if not _same(one, other, tolerance):
            found.append(KeywordDifference(*key, one, other))
    return found


def _places(file: OpenedFile, ignored: Sequence[str]) -> dict[tuple[str, str], Any]:
    """Return (HDU or "tree", keyword or path) -> value."""
    if file.tree is not None:
        return {("tree", path): value for path, value in _leaves(file.tree.get("meta", {}))}
    return {
        (f"{hdu.name},{hdu.version}", card.keyword): card.value
        for hdu in file.hdus
        if hdu.name != "ASDF"
        for card in hdu.header.cards
        if not STRUCTURAL.fullmatch(card.keyword)
        and not any(fnmatch.fnmatchcase(card.keyword, pattern) for pattern in ignored)
    }


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values in a tree."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            inner = f"{path}.{name}" if path else str(name)
            if not any(fnmatch.fnmatchcase(inner, pattern) for pattern in ALWAYS_IGNORED_IN_TREES):
                yield from _leaves(value, inner)
    elif isinstance(tree, (str, int, float, bool)):
        yield path, tree


def _same(a: Any, b: Any, tolerance: Tolerance) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a.rstrip() == b.rstrip()
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
    if numbers:
        return not tolerance.exceeded(np.array([a], np.float64), np.array([b], np.float64)).any()
    return bool(a == b and isinstance(a, bool) == isinstance(b, bool))
