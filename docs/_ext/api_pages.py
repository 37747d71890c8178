"""The reference of the code: a page for each room, written when the site is built (`docs/api/`).

Every module that a room has is there with its text, and its public classes and functions with theirs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import webbcal

_ROOT = Path(webbcal.__file__).parent
#: The rooms in the order in which data flow; what each is for is said in docs/design.md.
_ROOMS = (
    "core", "io", "datamodels", "references", "associations", "library", "kernels", "wcs", "run", "detector",
    "exposure", "combine", "spectra", "pipeline", "simulate", "report", "cli",
)  # fmt: skip


def rooms() -> list[str]:
    """Return all rooms: the known ones in their order, then others."""
    found = sorted(p.name for p in _ROOT.iterdir() if (p / "__init__.py").exists())
    return [room for room in _ROOMS if room in found] + [room for room in found if room not in _ROOMS]


def modules(room: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield name and syntax tree of the modules of a room that have something public."""
    for path in sorted((_ROOT / room).rglob("*.py")):
        if path.stem == "__main__":
            continue
        parts = path.relative_to(_ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(path.read_text())


def _page(room: str) -> str:
    title = f"webbcal.{room}"
    lines = [title, "=" * len(title), ""]
    for name, tree in modules(room):
        if name != title:
            lines += [name, "-" * len(name), ""]
        lines += [f".. automodule:: {name}", *_members(tree), ""]
    return "\n".join(lines)


def _members(tree: ast.Module) -> list[str]:
    """Return the options of a module: what is defined in it and has a text."""
    defined = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        and not node.name.startswith("_")
        and ast.get_docstring(node)
    ]
    return [f"   :members: {', '.join(defined)}"] if defined else []


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    for room in rooms():
        page, text = folder / f"{room}.rst", _page(room)
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def _as_written(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Let names in backticks be code, and bars be bars, as whoever wrote the texts meant them."""
    for k, line in enumerate(lines):
        line = re.sub(r"(?<![`:\w])`([^`]+)`(?!`)(\w?)", _code, line)
        lines[k] = re.sub(r"\|(\w+)\|", r"\|\1\|", line)


def _code(name: re.Match[str]) -> str:
    """Return a name as code; letters right behind it, as a plural has, need a mark between."""
    return f"``{name[1]}``" + (f"\\ {name[2]}" if name[2] else "")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("autodoc-process-docstring", _as_written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
