"""The pages of the documentation and the code: every step has its page, and what pages name exists.

The site itself is built by `make docs`, which executes its examples; this looks at sources, without Sphinx.
"""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def extension(name: str) -> ModuleType:
    """Load a module of the site's own Sphinx extensions that needs no Sphinx."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "_ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = extension("step_pages")
NOTEBOOKS = sorted(p for p in DOCS.rglob("*.md") if p.read_text().startswith("---\nfile_format: mystnb"))


def toctree(page: Path) -> set[str]:
    """Return the names in the tables of contents of a page."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return {line for line in lines if line and not line.startswith(":")}


@pytest.mark.parametrize("alias", sorted({**pages.steps(), **pages.pipelines()}))
def test_each_step_and_pipeline_has_its_page(alias: str) -> None:
    page = pages.page_of(alias)
    assert page.exists(), f"docs: {alias} has no page; write {page.relative_to(DOCS.parent)}"
    text, kind = page.read_text(), "step-summary" if alias in pages.steps() else "pipeline-steps"
    for directive in (kind, "parameters"):
        assert f"```{{{directive}}} {alias}\n" in text, f"{page.name} has no {directive} of {alias}"
    for title in ("## How it works", "## Differences from jwst") if alias in pages.steps() else ():
        assert title in text, f"{page.name} has no section {title!r}"
    assert alias in toctree(page.parent / "index.md"), f"{alias} is not in the index of {page.parent.name}"


def test_no_page_is_of_a_step_that_does_not_exist() -> None:
    for folder, known in (("steps", pages.steps()), ("pipelines", pages.pipelines())):
        written = {page.stem for page in (DOCS / folder).glob("*.md")} - {"index", "not_yet", "common"}
        assert written == set(known)


def test_every_parameter_that_pages_name_exists() -> None:
    named = list(pages.documented_parameters())
    assert len(named) > 150
    classes = pages.classes()
    wrong = [
        f"{page.name}: {alias}.{name}"
        for page, alias, name in named
        if alias not in classes or name not in classes[alias].parameter_infos()
    ]
    assert not wrong, "parameters that do not exist: " + ", ".join(wrong)


def test_every_parameter_has_words_for_its_table() -> None:
    silent = [
        f"{alias}.{info.name}"
        for alias, cls in pages.classes().items()
        for info in pages.own_parameters(cls)
        if not info.help or not pages.allowed(info) or not pages.default_of(info)
    ]
    assert not silent, "parameters without help: " + ", ".join(silent)


def test_there_is_a_tutorial_for_each_document_of_the_field() -> None:
    listed = toctree(DOCS / "tutorials" / "index.md")
    assert len(listed) == 5
    assert {page.stem for page in NOTEBOOKS if page.parent.name == "tutorials"} == listed


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.stem)
def test_cells_of_notebooks_are_python(page: Path) -> None:
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", page.read_text(), re.DOTALL)
    assert cells
    for cell in cells:
        code = "\n".join(line for line in cell.splitlines() if not line.startswith(":tags:"))
        if not code.lstrip().startswith("%%"):
            ast.parse(code, str(page))
