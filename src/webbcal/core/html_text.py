"""Text of files and users on its way into HTML."""

from __future__ import annotations

from html import escape


def escaped(value: object) -> str:
    """Return a value as text that is safe in HTML.

    What UTF-8 cannot hold (a half of a surrogate pair, from a damaged header) is shown, not written.
    """
    return escape(str(value).encode("utf-8", "backslashreplace").decode("utf-8"))
