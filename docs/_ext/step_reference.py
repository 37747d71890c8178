"""Directives and roles for the pages of steps.

- ``{step-summary} alias``: where a step is, what it works on, its references, which pipelines have it.
- ``{parameters} alias``: a table of its parameters, with types, defaults and what they do.
- ``{par}`alias.name` ``: a parameter, with a link to its row; one that does not exist fails the build.
- ``{pipeline-steps} alias``: the steps of a pipeline, in the order of their declaration.
- ``{common-parameters}``: what all steps have; ``{planned-steps}``: the steps of modes not calibrated yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import step_pages
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from webbcal.run.block_step import BlockStep
from webbcal.run.engine.tiling import Tiling
from webbcal.run.parameters import ParameterInfo

_TILINGS = {
    Tiling.ROWS: "blocks of rows (all groups)",
    Tiling.FRAMES: "whole frames, some groups at a time",
    Tiling.EITHER: "blocks of any shape (each sample for itself)",
}


def _text(*words: str) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.Text(" ".join(words)))


def _code(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def _listed(parts: Sequence[nodes.Node]) -> nodes.paragraph:
    """Return nodes with commas between them."""
    paragraph = nodes.paragraph()
    for k, part in enumerate(parts):
        paragraph += [nodes.Text(", ")] * bool(k)
        paragraph += part
    return paragraph


def table(header: Sequence[str], rows: Sequence[Sequence[nodes.Node]], widths: Sequence[int]) -> nodes.table:
    """Return a table of nodes."""
    group = nodes.tgroup(cols=len(widths))
    group += [nodes.colspec(colwidth=width) for width in widths]
    if header:
        head = nodes.row()
        head += [nodes.entry("", _text(word)) for word in header]
        group += nodes.thead("", head)
    body = nodes.tbody()
    for row in rows:
        line = nodes.row(ids=row[0].get("ids", []) if isinstance(row[0], nodes.Element) else [])
        line += [nodes.entry("", cell) for cell in row]
        body += line
    group += body
    return nodes.table("", group, classes=["webbcal"])


class _OfClass(SphinxDirective):
    """A directive whose argument is an alias."""

    required_arguments = 1

    @property
    def cls(self) -> Any:
        """The class."""
        self.env.note_dependency(__file__)
        return step_pages.classes()[self.arguments[0]]

    def page(self, alias: str) -> nodes.Node:
        """Return a link to the page of a step or pipeline."""
        page = step_pages.page_of(alias).relative_to(step_pages.DOCS).with_suffix("")
        xref = pending_xref("", refdomain="std", reftype="doc", reftarget=f"/{page}", refexplicit=True)
        xref["refdoc"] = self.env.docname
        xref += _code(alias)
        return xref


class StepSummary(_OfClass):
    """Where a step is, what it works on, and what it needs."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        cls, alias = self.cls, self.arguments[0]
        users = [self.page(user) for user in step_pages.users_of(cls)]
        rows: list[tuple[str, nodes.Node]] = [
            ("class", _listed([_code(f"{cls.__module__}.{cls.__name__}")])),
            ("in", _listed(users) if users else _text("no pipeline: run it alone")),
            ("works on", _text(_works_on(cls))),
        ]
        references = step_pages.references_of(cls)
        if references:
            rows.append(("references", _text(", ".join(references).upper())))
        keyword = _keyword(cls.cal_step or alias)
        if keyword:
            rows.append(("keyword", _listed([_code(keyword)])))
        if step_pages.parameter_table(cls.Parameters)["skip"].default:
            rows.append(("by default", _text("skipped in pipelines")))
        return [table((), [(_text(name), node) for name, node in rows], (15, 85))]


class StepParametersTable(_OfClass):
    """The parameters that a step or pipeline declares."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        infos, alias = step_pages.own_parameters(self.cls), self.arguments[0]
        if not infos:
            return [_text("None of its own; those of all steps are described under Pipelines.")]
        rows = [_row(alias, info) for info in infos]
        return [table(("parameter", "default", "allowed", "what it does"), rows, (25, 13, 20, 42))]


class CommonParameters(SphinxDirective):
    """The parameters that all steps have."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        infos = step_pages.parameter_table(step_pages.StepParameters).values()
        rows = [_row("step", info) for info in infos]
        return [table(("parameter", "default", "allowed", "what it does"), rows, (25, 13, 20, 42))]


class PlannedSteps(SphinxDirective):
    """The steps of modes that are not calibrated yet, with their parameters."""

    def run(self) -> list[nodes.Node]:
        """Make a table of them."""
        rows = []
        for alias, cls in step_pages.planned_steps().items():
            names = [_code(info.name) for info in step_pages.own_parameters(cls)]
            rows.append(
                (_listed([_code(alias)]), _text(_first(cls)), _listed(names) if names else _text("–"))
            )
        return [table(("step", "what it will do", "parameters"), rows, (22, 38, 40))]


class PipelineSteps(_OfClass):
    """The steps of a pipeline."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        rows = []
        for name, cls in self.cls.step_defs.items():
            rows.append((_listed([_code(name)]), _listed([self.page(cls.class_alias)]), _text(_first(cls))))
        return [table(("name in the pipeline", "step", "what it does"), rows, (24, 22, 54))]


class Parameter(SphinxRole):
    """The name of a parameter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make a link to its row."""
        alias, _, name = self.text.partition(".")
        cls = step_pages.classes().get(alias)
        if cls is None or name not in cls.parameter_infos():
            message = self.inliner.reporter.error(f"there is no parameter {self.text}", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
        page = step_pages.page_of(alias).relative_to(step_pages.DOCS).with_suffix("")
        shown = name if str(page) == self.env.docname else f"{alias}.{name}"
        if name not in {info.name for info in step_pages.own_parameters(cls)}:
            return [_code(shown)], []
        uri = self.env.app.builder.get_relative_uri(self.env.docname, str(page))
        link = nodes.reference("", "", _code(shown), refuri=f"{uri}#{_anchor(alias, name)}", internal=True)
        return [link], []


def _first(cls: Any) -> str:
    """Return the first sentence of a class."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split()).split(";")[0].replace("`", "").rstrip(".")


def _row(alias: str, info: ParameterInfo) -> list[nodes.Node]:
    name = _listed([_code(info.name)])
    name["ids"] = [_anchor(alias, info.name)]
    does = info.help + (f" [{info.unit}]" if info.unit else "")
    if info.beyond:
        does += " (not in jwst 3.0.0)"
    default = _listed([_code(step_pages.default_of(info))])
    return [name, default, _text(step_pages.allowed(info)), _text(does)]


def _anchor(alias: str, name: str) -> str:
    return f"{alias}-{name}".replace("_", "-")


def _works_on(cls: Any) -> str:
    if issubclass(cls, BlockStep):
        return _TILINGS[cls.tiling] + ("; remembers what came before" if cls.walks else "")
    return "whole models"


def _keyword(name: str) -> str | None:
    """Return the keyword that tells whether a step was applied."""
    from webbcal import datamodels

    found = re.search(
        rf"cal_step\.{name}\n.*keyword (\w+)", repr(datamodels.ImageModel().search_schema(name))
    )
    return found and found[1]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("step-summary", StepSummary)
    app.add_directive("parameters", StepParametersTable)
    app.add_directive("common-parameters", CommonParameters)
    app.add_directive("pipeline-steps", PipelineSteps)
    app.add_directive("planned-steps", PlannedSteps)
    app.add_role("par", Parameter())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
