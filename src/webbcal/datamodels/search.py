"""Looking around in a schema and in a tree: by keyword, by text, and as a printed tree."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

from webbcal.datamodels.table import Schema, is_array, is_table, walk


def find_fits_keyword(schema: Schema, keyword: str) -> list[str]:
    """Return the dotted paths that are stored under a FITS keyword."""
    return [".".join(path) for path, node in walk(schema) if node.get("fits_keyword") == keyword]


class SchemaResults(list[tuple[str, str]]):
    """(path, description) of declarations, printed one below the other."""

    def __repr__(self) -> str:
        return "\n".join(f"{path}\n{textwrap.indent(textwrap.fill(text, 76), '    ')}" for path, text in self)


def search_schema(schema: Schema, substring: str) -> SchemaResults:
    """Return all declarations whose path contains a text, whatever the case, sorted by path."""
    wanted = substring.lower()
    found = ((".".join(path), describe(node)) for path, node in walk(schema) if path)
    return SchemaResults(sorted(item for item in found if wanted in item[0].lower()))


def describe(node: Schema) -> str:
    """Describe a declaration in a line."""
    if is_array(node):
        kind = "table" if is_table(node) else f"{node.get('datatype', 'any')} array"
        ndim = node.get("ndim", node.get("max_ndim"))
        text = kind if ndim is None else f"{kind} of {ndim} dimensions"
        return f"{text} in HDU {node['fits_hdu']}" if "fits_hdu" in node else text
    text = str(node.get("type", "any"))
    if "fits_keyword" in node:
        text = f"{text}, keyword {node['fits_keyword']} in {node.get('fits_hdu', 'PRIMARY')}"
    if "enum" in node:
        text = f"{text}, one of {', '.join(str(value) for value in node['enum'])}"
    return text


def _summary(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        shape = ", ".join(str(length) for length in value.shape)
        kind = "table" if value.dtype.names else value.dtype.name
        return f"({'table' if value.dtype.names else 'array'}): shape=({shape}), dtype={kind}"
    return f"({type(value).__name__})"


def _line(name: str, value: Any, show_values: bool) -> str:
    summary = f"{name} {_summary(value)}"
    is_container = isinstance(value, (dict, list, tuple)) or hasattr(value, "shape")
    if show_values and not is_container:
        return f"{summary}: {value}"
    return summary


def _members(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(name), member) for name, member in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{number}]", member) for number, member in enumerate(value)]
    return []


def _tree_lines(tree: Any, indent: str, show_values: bool) -> Iterator[tuple[int, str]]:
    members = _members(tree)
    for number, (name, value) in enumerate(members):
        last = number == len(members) - 1
        yield len(indent) // 2, f"{indent}{'└─' if last else '├─'}{_line(name, value, show_values)}"
        yield from _tree_lines(value, indent + ("  " if last else "│ "), show_values)


def render(
    tree: Any, max_rows: int | None = 24, max_cols: int | None = 120, show_values: bool = True
) -> list[str]:
    """Return the lines of a printed tree.

    With more than `max_rows` lines the deepest levels are left out first; what is left out is counted.
    """
    lines = list(_tree_lines(tree, "", show_values))
    kept, hidden = lines, 0
    if max_rows is not None:
        for depth in range(max((depth for depth, _ in lines), default=0), 0, -1):
            if len(kept) + 1 <= max_rows:
                break
            kept = [line for line in kept if line[0] < depth]
        kept = kept[: max(max_rows - 1, 1)]
        hidden = len(lines) - len(kept)
    rows = ["root", *(text for _, text in kept)]
    if max_cols is not None:
        rows = [row if len(row) <= max_cols else f"{row[: max_cols - 1]}…" for row in rows]
    return [*rows, f"... {hidden} more rows; set max_rows=None to see all"] if hidden else rows


class Found:
    """Members of a tree that a search found: `paths`, `nodes`, and a printed form."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        self._members = members

    @property
    def paths(self) -> list[str]:
        """Dotted paths."""
        return [path for path, _ in self._members]

    @property
    def nodes(self) -> list[Any]:
        """Values."""
        return [value for _, value in self._members]

    @property
    def path(self) -> str | None:
        """The only path, or None if there is not exactly one."""
        return self.paths[0] if len(self._members) == 1 else None

    @property
    def node(self) -> Any:
        """The only value, or None if there is not exactly one."""
        return self.nodes[0] if len(self._members) == 1 else None

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return "\n".join(_line(path, value, True) for path, value in self._members) or "no results found"


def search(tree: Any, key: Any = None, kind: Any = None, value: Any = None, condition: Any = None) -> Found:
    """Return the members that match all of the given: name, type (or its name), value, and a function."""
    found = [
        (path, member)
        for path, name, member in _all_members(tree)
        if (key is None or _matches(key, name))
        and (
            kind is None
            or (isinstance(member, kind) if isinstance(kind, type) else _matches(kind, _typename(member)))
        )
        and (value is None or _matches(value, member))
        and (condition is None or condition(member))
    ]
    return Found(found)


def _typename(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _all_members(tree: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    for name, member in _members(tree):
        inner = f"{path}{name}" if name.startswith("[") or not path else f"{path}.{name}"
        yield inner, name, member
        yield from _all_members(member, inner)


def _matches(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, str):
        return isinstance(found, str) and re.search(wanted, found) is not None
    return type(wanted) is type(found) and bool(wanted == found)
