"""The run record of a product as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webbcal.core.html import Markup, element, folded, markup
from webbcal.notebook.html import aside, said, shortened, table

_MOST_RUNS, _MOST_STEPS = 8, 60
_HASH = 12  # letters of a sha256 that tell files apart


def record_html(runs: list[dict[str, Any]]) -> list[Markup]:
    """Return the runs that are recorded in a product, the newest first."""
    shown = runs[::-1][:_MOST_RUNS]
    parts = [folded(_said(run), _steps(run["steps"])) for run in shown]
    if len(runs) > len(shown):
        parts.append(said(f"and {len(runs) - len(shown)} earlier ones"))
    return parts


def _said(run: Mapping[str, Any]) -> str:
    software, version, date = (run.get(key, "unknown") for key in ("software", "version", "date"))
    applied = sum(str(step.get("status")) == "COMPLETE" for step in run["steps"])
    context = f", {run['crds_context']}" if run.get("crds_context") else ""
    return shortened(f"{software} {version}, {date}{context}: {applied} of {len(run['steps'])} steps applied")


def _steps(steps: list[dict[str, Any]]) -> Markup:
    rows = [
        (
            step.get("step", "unknown"),
            str(step.get("status", "unknown")).lower(),
            step.get("reason", "") if step.get("status") != "COMPLETE" else _changed(step),
            _references(step),
            _seconds(step),
        )
        for step in steps[:_MOST_STEPS]
    ]
    return table(("step", "status", "why, or parameters that were set", "references", "time"), rows)


def _seconds(step: Mapping[str, Any]) -> str:
    seconds = step.get("seconds")
    applied = step.get("status") == "COMPLETE" and isinstance(seconds, (int, float))
    return f"{seconds:.2f}\u00a0s" if applied else ""


def _changed(step: Mapping[str, Any]) -> Markup:
    """Return the parameters that are not the default, with their origin."""
    lines = [
        element("div", f"{name} = {shortened(value.get('value'))} ", aside(value.get("origin")))
        for name, value in step["parameters"].items()
        if isinstance(value, Mapping) and value.get("origin") != "default"
    ]
    return markup(lines)


def _references(step: Mapping[str, Any]) -> Markup:
    lines = []
    for kind, value in step["references"].items():
        if isinstance(value, Mapping) and value.get("name") != "N/A":
            name = shortened(str(value.get("name")).removeprefix("crds://"))
            lines.append(element("div", f"{kind}: {name} ", aside(str(value.get("sha256") or "")[:_HASH])))
    return markup(lines)
