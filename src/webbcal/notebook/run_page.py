"""A run in a notebook: what was done, what was not and why, and what was saved."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from webbcal.core.html import folded, paragraph
from webbcal.notebook.html import page, table

_MOST = 200  # steps and files that are told


def run_html(run: Any) -> str:
    """Return the summary of a run as HTML."""
    done = run.done[:_MOST]
    applied = sum(plan.applied for plan in run.done)
    seconds = sum(plan.seconds for plan in run.done)
    rows = [
        (
            " ".join(word for word in (plan.name, plan.exposure) if word),
            plan.status.lower(),
            plan.reason if plan.reason != "applied" else "",
            f"{plan.seconds:.2f}\u00a0s" if plan.applied else "",
        )
        for plan in done
    ]
    saved = [(PurePath(path).name, path) for path in run.saved[:_MOST]]
    name = run.name or ""
    return page(
        f"Run of {type(run.step).__name__}{f' on {name}' if name else ''}",
        paragraph(f"{applied} of {len(run.done)} steps applied, {seconds:.1f} s in steps"),
        folded("steps", table(("step", "status", "why", "time"), rows), opened=True),
        folded("saved", table((), saved), opened=True) if saved else paragraph("nothing was saved"),
    )
