"""Notebooks of the field as text, and how their cells are run as they stand, with webbcal in place of jwst.

In the text a code cell begins after a line ``In [None]:``; where it ends is not marked. What follows it is
prose, so a cell is the longest run of paragraphs that is Python.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

import webbcal

_MARK = "In [None]:"


@dataclass(frozen=True)
class Cell:
    """A code cell: the line of the text that it begins in, and its code."""

    line: int
    code: str


def cells_of(text: str) -> list[Cell]:
    """Return the code cells of a notebook's text, without what is not Python (``%matplotlib``)."""
    lines = text.split("\n")
    starts = [n for n, line in enumerate(lines) if line.strip() == _MARK]
    ends = [*starts[1:], len(lines)]
    return [
        Cell(start + 2, _code([re.sub(r"^%.*", "", line) for line in lines[start + 1 : end]]))
        for start, end in zip(starts, ends, strict=True)
    ]


def _code(lines: list[str]) -> str:
    """Return the longest beginning of some lines, up to the end of a paragraph, that is Python."""
    ends = [n for n, line in enumerate(lines) if not line.strip()] + [len(lines)]
    for end in reversed(ends):
        code = "\n".join(lines[:end])
        if _is_python(code):
            return code.strip() + "\n"
    raise ValueError(f"no Python in a cell: {lines[:3]}")


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def run(cells: list[Cell], namespace: dict[str, Any]) -> None:
    """Run cells one after another; an error says in which line of the text."""
    with webbcal.as_jwst():
        for cell in cells:
            try:
                exec(compile(cell.code, f"cell in line {cell.line}", "exec"), namespace)
            except Exception as error:
                error.add_note(f"in the cell in line {cell.line}:\n{cell.code}")
                raise
