"""HTML, by small functions: whatever is put into an element is escaped, unless it is an element already."""

from __future__ import annotations

from html import escape
from typing import Any

#: What a child of an element may be; None is left out.
Child = Any
#: Elements that have no content, and no end.
_EMPTY = ("img", "input", "meta", "br")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def markup(child: Child) -> Markup:
    """Return a child as HTML: elements as they are, lists one after another, anything else escaped."""
    if isinstance(child, Markup):
        return child
    if child is None:
        return Markup()
    if isinstance(child, (list, tuple)):
        return Markup("".join(map(markup, child)))
    # What UTF-8 cannot hold (a half of a surrogate pair, from a damaged header) is shown, not written.
    return Markup(escape(str(child).encode("utf-8", "backslashreplace").decode("utf-8")))


def element(name: str, /, *children: Child, **attributes: Any) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
    *children : Markup, list, text, number or None
    **attributes
        ``class_`` is ``class``; ``_`` becomes ``-``; None and False are left out, True has no value.
    """
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{markup(children)}</{name}>")


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{markup(value)}"'


def paragraph(*children: Child, class_: str | None = None) -> Markup:
    """Return a paragraph."""
    return element("p", *children, class_=class_)


def folded(summary: Child, *children: Child, opened: bool = False) -> Markup:
    """Return something that is opened by a click (and for print)."""
    return element("details", element("summary", summary), *children, open=opened)
