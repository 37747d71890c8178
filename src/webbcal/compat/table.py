"""The table of what webbcal has for each module of `jwst`, from `modules.csv` and `steps.csv`.

A place is a module by the name that scripts import. What it has is named here and loaded when it is asked
for, so that taking the table in loads nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from webbcal.run.registry import STEPS

#: Packages that webbcal stands in for, and those of which it takes only some modules.
WHOLE = ("jwst", "stpipe", "stdatamodels.jwst.datamodels")
PARTLY = ("stdatamodels", "stcal")


@dataclass
class Place:
    """A module that scripts import.

    Attributes
    ----------
    name : str
        Its dotted name.
    has : dict
        Name in it -> module that has it, and its name there ("" for the module itself).
    all_of : list of str
        Modules of which it has everything.
    """

    name: str
    has: dict[str, tuple[str, str]] = field(default_factory=dict)
    all_of: list[str] = field(default_factory=list)

    @property
    def gives_way(self) -> bool:
        """Whether an installed package of this name is taken instead: only some of its modules are ours."""
        return not self.has and not self.all_of and self.name.partition(".")[0] in PARTLY


@cache
def places() -> dict[str, Place]:
    """Return all places by name."""
    found: dict[str, Place] = {}
    for row in _rows("modules.csv"):
        place = found.setdefault(row["module"], Place(row["module"]))
        for word in row["names"].split():
            name, _, original = word.partition("=")
            if name == "*":
                place.all_of.append(row["source"])
            else:
                place.has[name] = row["source"], original or name
    _add_steps(found)
    return found


def _add_steps(found: dict[str, Place]) -> None:
    """Add the packages of steps, with the classes where scripts look for them."""
    every = found.setdefault("jwst.step", Place("jwst.step"))
    modules = dict(_step_modules())
    for row in _rows("steps.csv"):
        package, module = f"jwst.{row['package']}", f"jwst.{row['package']}.{row['module']}"
        source, cls = STEPS[row["alias"]]
        names = [package, module]
        for name in names:
            found.setdefault(name, Place(name)).has[cls] = source, cls
        if row["package"] == "pipeline":  # whose modules have those of their steps
            found[module].has |= {name: (path, "") for name, path in modules.items()}
        else:
            every.has[cls] = source, cls


def _step_modules() -> Iterator[tuple[str, str]]:
    for row in _rows("steps.csv"):
        if row["package"] != "pipeline":
            yield row["module"], f"jwst.{row['package']}.{row['module']}"


@cache
def _rows(name: str) -> list[dict[str, str]]:
    text = (files("webbcal.compat") / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def aliases() -> dict[str, str]:
    """Return alias -> dotted name of the module that has the step, for all steps that scripts can import."""
    return {row["alias"]: f"jwst.{row['package']}.{row['module']}" for row in _rows("steps.csv")}
