"""The documentation builds from the working copy; its tutorials and examples run, and warnings are errors."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it; a warning, or an example that fails, is an error that names the page."""
    pytest.importorskip("sphinx", reason="pip install 'webbcal[docs]'")
    folder = tmp_path_factory.mktemp("site")
    words = [
        "-W",
        "--keep-going",
        "-q",
        "-d",
        str(folder / "trees"),
        "-b",
        "html",
        str(DOCS),
        str(folder / "html"),
    ]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-8000:]
    return folder / "html"


class Links(HTMLParser):
    """What a page links to and shows, of its own site."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (
                name in ("href", "src")
                and value
                and "://" not in value
                and not value.startswith(("#", "data:", "mailto:"))
            ):
                self.found.append(value.partition("#")[0].partition("?")[0])


def test_every_page_is_built_and_no_link_is_dead(site: Path) -> None:
    sources = {p.relative_to(DOCS).with_suffix("") for p in DOCS.rglob("*.md") if "_build" not in p.parts}
    pages = [p for p in site.rglob("*.html") if "_static" not in p.parts]
    assert sources <= {p.relative_to(site).with_suffix("") for p in pages}
    dead = set()
    for page in pages:
        links = Links()
        links.feed(page.read_text())
        dead |= {(page.name, link) for link in links.found if link and not (page.parent / link).exists()}
    assert not dead


def test_tutorials_are_shown_with_what_they_print_and_draw(site: Path) -> None:
    tutorials = [p for p in (site / "tutorials").glob("*.html") if p.stem != "index"]
    assert len(tutorials) == 5
    for page in tutorials:
        text = page.read_text()
        assert text.count('class="cell_output') > 5 and "<img" in text, page.name
