"""The tables of docs/as_jwst.md, from what `as_jwst()` finds.

``python -m webbcal.compat.page docs/as_jwst.md`` renews them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from webbcal.compat.table import Place, aliases, places
from webbcal.run.registry import STEPS

BEGIN, END = "<!-- made by webbcal.compat.page -->", "<!-- end of what is made -->"


def tables() -> str:
    """Return both tables as Markdown: steps and pipelines, and all other modules."""
    steps = ["| `jwst` | class | in webbcal |", "|---|---|---|"]
    for alias, name in sorted(aliases().items(), key=lambda item: item[1]):
        module, cls = STEPS[alias]
        package = name.rpartition(".")[0]
        both = f"`{package}`, `{name}`"
        steps.append(f"| {both} | `{cls}` | `{module}` |")
    of_steps = set(aliases().values()) | {name.rpartition(".")[0] for name in aliases().values()}
    others = ["| `jwst` and its libraries | what is there | in webbcal |", "|---|---|---|"]
    for name, place in sorted(places().items()):
        if name not in of_steps and (place.has or place.all_of):
            others.append(f"| `{name}` | {_told(place)} | {_sources(place)} |")
    return "\n".join([*steps, "", *others])


def _told(place: Place) -> str:
    names = [f"`{name}`" for name in sorted(place.has)]
    if place.name == "jwst.step":
        names = ["all steps"]
    return ", ".join([*(["everything"] if place.all_of else []), *names])


def _sources(place: Place) -> str:
    modules = dict.fromkeys([*place.all_of, *(module for module, _ in place.has.values())])
    return "as above" if place.name == "jwst.step" else ", ".join(f"`{module}`" for module in modules)


def renewed(page: str) -> str:
    """Return a page with its tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def main(words: Sequence[str]) -> int:
    """Renew the tables of a page."""
    path = Path(words[0])
    path.write_text(renewed(path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
