"""Pieces of HTML. What comes from files and users passes through `text`, which escapes and shortens it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from webbcal.core.html_text import escaped

_LONGEST = 200  # letters of a text that are shown

#: Only what is inside of ``.webbcal`` is styled; colours are those of the notebook, light or dark.
_STYLE = """\
<style>
.webbcal{font:13px/1.45 system-ui,sans-serif;max-width:62em}
.webbcal h4{margin:0 0 .3em;font-size:14px}
.webbcal table{border-collapse:collapse;margin:.2em 0 .6em;border:0;font-size:12px}
.webbcal tr{background:none!important}
.webbcal td,.webbcal th{padding:.12em 1em .12em 0;text-align:left!important;vertical-align:top;border:0}
.webbcal th{font-weight:600;opacity:.65}
.webbcal tr.changed td{font-weight:600}
.webbcal summary{cursor:pointer;font-weight:600}
.webbcal details{margin:.2em 0}
.webbcal .said{opacity:.7}
.webbcal figure{display:inline-block;margin:0 .8em .5em 0;text-align:center;font-size:11px}
.webbcal img{display:block;height:96px;min-width:12px;max-width:300px;image-rendering:pixelated;\
border:1px solid #8886}
.webbcal svg{display:block;border:1px solid #8886}
</style>"""


def text(value: object, longest: int = _LONGEST) -> str:
    """Return a value as text that is safe in HTML, shortened if it is long."""
    words = str(value)
    if len(words) > longest:
        words = words[: longest - 1] + "…"
    return escaped(words)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], changed: Sequence[bool] = ()) -> str:
    """Return a table of cells that are HTML; rows that are `changed` stand out."""
    marks = list(changed)
    lines = ["<table>"]
    if head:
        lines.append(f"<tr>{''.join(f'<th>{text(cell)}</th>' for cell in head)}</tr>")
    for k, row in enumerate(rows):
        mark = ' class="changed"' if k < len(marks) and marks[k] else ""
        lines.append(f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>")
    return "".join([*lines, "</table>"])


def folded(summary: str, body: str, opened: bool = False) -> str:
    """Return a part that is opened and closed by a click; `summary` and `body` are HTML."""
    return f"<details{' open' if opened else ''}><summary>{summary}</summary>{body}</details>"


def image(png: bytes, caption: str) -> str:
    """Return a picture that is part of the page, with a caption (text)."""
    data = base64.b64encode(png).decode()
    return f'<figure><img alt="{text(caption)}" src="data:image/png;base64,{data}">{text(caption)}</figure>'


def page(title: str, *parts: str) -> str:
    """Return the whole; `title` is text, the parts are HTML."""
    return f'{_STYLE}<div class="webbcal"><h4>{text(title)}</h4>{"".join(parts)}</div>'
