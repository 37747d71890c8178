"""What pages in notebooks are made of; texts of files and users are shortened."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from webbcal.core.html import Child, Markup, element

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


def shortened(value: object, longest: int = _LONGEST) -> str:
    """Return a value as text that is not too long."""
    words = str(value)
    return words if len(words) <= longest else words[: longest - 1] + "…"


def said(*children: Child) -> Markup:
    """Return a paragraph that says something beside."""
    return element("p", *children, class_="said")


def aside(value: object) -> Markup:
    """Return words that stand behind others."""
    return element("span", shortened(value), class_="said")


def table(head: Sequence[str], rows: Iterable[Sequence[Child]], changed: Sequence[bool] = ()) -> Markup:
    """Return a table; texts in it are shortened, and rows that are `changed` stand out."""
    marks = list(changed)
    lines = [element("tr", *(element("th", name) for name in head))] if head else []
    for k, row in enumerate(rows):
        cells = (element("td", cell if isinstance(cell, Markup) else shortened(cell)) for cell in row)
        lines.append(element("tr", *cells, class_="changed" if k < len(marks) and marks[k] else None))
    return element("table", *lines)


def image(png: bytes, caption: str) -> Markup:
    """Return a picture that is part of the page, with a caption."""
    data, words = base64.b64encode(png).decode(), shortened(caption)
    return element("figure", element("img", alt=words, src=f"data:image/png;base64,{data}"), words)


def page(title: str, *parts: Child) -> str:
    """Return the whole."""
    heading = element("h4", shortened(title))
    return Markup(_STYLE) + element("div", heading, *parts, class_="webbcal")
