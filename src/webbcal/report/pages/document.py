"""A page as a whole: one file that needs no other, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import webbcal
from webbcal.core.html import Child, Markup, element


def document(title: str, summary: Child, sections: Sequence[Markup], above: Child = None) -> str:
    """Return a page.

    Parameters
    ----------
    title : str
    summary : Child
        What stands below the title.
    sections : sequence of Markup
        Made by `html.section`: the list of contents leads to them.
    above : Child
        What stands above the title, such as the way back.
    """
    style, script = _part("page.css"), _part("page.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Whatever a header may say: nothing is fetched, and no other script is run.
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("title", title),
        element("style", Markup(style)),
    )
    now = datetime.now(UTC).isoformat(sep=" ", timespec="minutes")
    body = element(
        "body",
        element("header", above, element("h1", title), element("div", summary, class_="summary")),
        _contents(sections),
        element("main", *sections),
        element("footer", f"webbcal {webbcal.__version__}, {now.removesuffix('+00:00')} UTC"),
        element(
            "dialog", element("img", alt=""), element("button", "close", type="button"), aria_label="picture"
        ),
        element("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _contents(sections: Sequence[Markup]) -> Markup:
    """Return links to the sections."""
    links = []
    for part in sections:
        anchor = part.partition(' id="')[2].partition('"')[0]
        name = part.partition("<h2>")[2].partition("</h2>")[0]
        links.append(element("li", element("a", Markup(name), href=f"#{anchor}")))
    return element("nav", element("ul", *links), aria_label="contents")


@cache
def _part(name: str) -> str:
    return (files("webbcal.report.pages") / name).read_text("utf-8")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
