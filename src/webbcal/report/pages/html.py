"""What the pages of reports are made of: sections, tables that can be sorted, lists of facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from webbcal.core.html import Child, Markup, element


def section(title: str, *children: Child, id_: str) -> Markup:
    """Return a section with a heading, which the page's list of contents leads to."""
    return element("section", element("h2", title), *children, id=id_)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Child]],
    caption: str | None = None,
    numbers: Sequence[int] = (),
) -> Markup:
    """Return a table that is sorted by a click on the head of a column.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequence
        Cells; those that are elements may carry the value to sort by (`cell`).
    caption : str, optional
    numbers : sequence of int
        Columns that are set as numbers (to the right).
    """
    buttons = (element("button", name, type="button") for name in columns)
    kinds = ("number" if k in numbers else None for k in range(len(columns)))
    head = element(
        "tr", *(element("th", b, scope="col", class_=c) for b, c in zip(buttons, kinds, strict=True))
    )
    lines = [element("tr", *(_cell(value, k in numbers) for k, value in enumerate(row))) for row in rows]
    title = element("caption", caption) if caption else None
    whole = element("table", title, element("thead", head), element("tbody", *lines), class_="sortable")
    return element("div", whole, class_="scroll")


def cell(content: Child, sort_by: Any = None, class_: str | None = None) -> Markup:
    """Return a cell of a table with the value that it is sorted by."""
    return element("td", content, data_sort=sort_by, class_=class_)


def _cell(value: Child, is_number: bool) -> Markup:
    if isinstance(value, Markup) and value.startswith("<td"):
        return value
    return element("td", value, class_="number" if is_number else None)


def pairs(items: Iterable[tuple[str, Child]]) -> Markup:
    """Return names and values beside each other."""
    return element("dl", *((element("div", element("dt", k), element("dd", v))) for k, v in items))
