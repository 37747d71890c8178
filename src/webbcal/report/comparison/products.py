"""Two products beside each other, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io.arrays import in_file
from webbcal.io.opening import OpenedFile, open_file
from webbcal.report.account import Account, account_of
from webbcal.report.comparison.arrays import ArrayDifference, Tolerance, compare_arrays
from webbcal.report.comparison.keywords import KeywordDifference, compare_keywords
from webbcal.report.comparison.processing import (
    ProcessingDifference,
    compare_parameters,
    compare_references,
    compare_steps,
    compare_versions,
)

#: The table of the members' keywords, a column each: when they were written is no difference there, either.
_HEADERS = "HDRTAB"
#: What can be compared.
PARTS = ("steps", "parameters", "references", "versions", "keywords", "pixels")


@dataclass(frozen=True)
class Settings:
    """How two products are compared.

    Attributes
    ----------
    tolerance : Tolerance
        Of values of arrays and keywords.
    parts : sequence of str
        Which of `PARTS`.
    ignored_keywords, ignored_hdus : sequence of str
        Names, which may have ``*`` and ``?`` in them.
    examples : int
        How many differing values of each array to list.
    """

    tolerance: Tolerance = field(default_factory=Tolerance)
    parts: Sequence[str] = PARTS
    ignored_keywords: Sequence[str] = ()
    ignored_hdus: Sequence[str] = ()
    examples: int = 5


@dataclass
class Comparison:
    """What differs between two products; false if nothing does.

    Attributes
    ----------
    first, second : Path
    settings : Settings
    processing : dict
        Part of `PARTS` -> differences.
    keywords : list of KeywordDifference
    arrays : list of ArrayDifference
        Of each HDU with data, also where nothing differs.
    """

    first: Path
    second: Path
    settings: Settings
    processing: dict[str, list[ProcessingDifference]] = field(default_factory=dict)
    keywords: list[KeywordDifference] = field(default_factory=list)
    arrays: list[ArrayDifference] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(self.processing.values()) or bool(self.keywords) or any(self.arrays)


def compare_products(first: Path, second: Path, settings: Settings | None = None) -> Comparison:
    """Compare two products (FITS or ASDF): how they were made, keywords, arrays.

    Parameters
    ----------
    first, second : Path
    settings : Settings, optional

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    chosen = settings or Settings()
    result = Comparison(first, second, chosen)
    one, other = open_file(first), open_file(second)
    try:
        if set(chosen.parts) - {"keywords", "pixels"}:
            result.processing = _processing(_account(first), _account(second), chosen.parts)
        if "keywords" in chosen.parts:
            result.keywords = compare_keywords(one, other, chosen.ignored_keywords, chosen.tolerance)
        if "pixels" in chosen.parts:
            result.arrays = list(_compared(one, other, chosen))
    finally:
        for opened in [*one.files, *other.files]:
            opened.close()
    return result


def _account(path: Path) -> Account:
    """Return how a file was made; of one that is no data model nothing is known."""
    try:
        return account_of(path)
    except InputError:
        return Account(path, "FITS", (), False)


def _processing(a: Account, b: Account, parts: Iterable[str]) -> dict[str, list[ProcessingDifference]]:
    compare = {
        "steps": compare_steps,
        "parameters": compare_parameters,
        "references": compare_references,
        "versions": compare_versions,
    }
    return {part: compare[part](a, b) for part in parts if part in compare}


def _compared(one: OpenedFile, other: OpenedFile, settings: Settings) -> Iterator[ArrayDifference]:
    a, b = _arrays(one), _arrays(other)
    volatile = ("DATE", *(keyword.upper() for keyword in settings.ignored_keywords))
    for name in dict.fromkeys([*a, *b]):
        if not _is_ignored(name, settings.ignored_hdus):
            without = volatile if name.startswith(_HEADERS) else ()
            yield compare_arrays(
                name, a.get(name), b.get(name), settings.tolerance, settings.examples, without
            )


def _is_ignored(name: str, patterns: Iterable[str]) -> bool:
    hdu = name.partition(",")[0]
    return any(fnmatchcase(hdu, p.upper()) or fnmatchcase(name, p.upper()) for p in patterns)


def _arrays(file: OpenedFile) -> dict[str, Any]:
    """Return name -> array, by HDU or by place in the tree."""
    if file.tree is not None:
        return dict(_in_tree(file.tree))
    return {f"{h.name},{h.version}": h.data for h in file.hdus if h.data is not None and h.name != "ASDF"}


def _in_tree(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, np.ndarray) or in_file(tree):
        yield path.upper(), tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            if name != "wcs":
                yield from _in_tree(value, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _in_tree(value, f"{path}.{number}")
