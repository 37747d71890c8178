"""Modules that stand in for those of `jwst`, and what lets imports find them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import webbcal
from webbcal.compat.table import PARTLY, WHOLE, Place, places
from webbcal.run.parameters import suggestion


class StandIn(ModuleType):
    """A module by a name of `jwst`; what it has is loaded when it is asked for."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.name, f"webbcal, by the name of {place.name}.")
        self._place = place
        if place.name == "jwst":  # people print it, to see which they have
            self.__file__ = str(webbcal.__file__)

    def __getattr__(self, name: str) -> Any:
        place: Place = self.__dict__["_place"]
        if name == "__all__":
            return [n for n in dir(self) if not n.startswith("_")]
        if name in place.has:
            source, original = place.has[name]
            return getattr(import_module(source), original) if original else import_module(source)
        for source in place.all_of:
            if not name.startswith("_") and hasattr(import_module(source), name):
                return getattr(import_module(source), name)
        if f"{place.name}.{name}" in places():
            return import_module(f"{place.name}.{name}")
        if f"{place.name}.{name}" in sys.modules:  # of an installed package, loaded before
            return sys.modules[f"{place.name}.{name}"]
        raise AttributeError(missing(f"{place.name}.{name}"))

    def __dir__(self) -> list[str]:
        place: Place = self.__dict__["_place"]
        inner = f"{place.name}."
        below = [n.removeprefix(inner) for n in places() if n.startswith(inner)]
        names = {n for n in below if "." not in n} | set(place.has)
        for source in place.all_of:
            module = import_module(source)
            names |= {n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")}
            names |= {n for n in dir(module) if n[:1].isupper()}
        return sorted(names | set(self.__dict__))


class _Loader(Loader):
    """Makes the module of a place."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return StandIn(places()[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: what is in the module is loaded when it is asked for."""


class Finder(MetaPathFinder):
    """Finds the modules that stand in, and says of others of `jwst` that webbcal does not have them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's specification; None for modules that are none of ours.

        Raises
        ------
        ImportError
            For a module, or a name in one, that webbcal does not have.
        """
        if fullname.partition(".")[0] not in (*WHOLE, *PARTLY):
            return None
        place = places().get(fullname)
        elsewhere = None if is_whole(fullname) else PathFinder.find_spec(fullname, path)
        if place is not None and not (place.gives_way and elsewhere):
            spec = ModuleSpec(fullname, _Loader(), is_package=True)
            if elsewhere is not None:  # of its modules, those that are not ours are the installed package's
                spec.submodule_search_locations = elsewhere.submodule_search_locations
            return spec
        if elsewhere:
            return None
        raise ImportError(missing(fullname), name=fullname)


def is_whole(name: str) -> bool:
    """Tell whether nothing of an installed package is taken for this module."""
    return any(name == root or name.startswith(f"{root}.") for root in WHOLE)


def missing(name: str) -> str:
    """Return the sentence that webbcal does not have a module, or a name in one."""
    parent, _, last = name.rpartition(".")
    known = places().get(parent)
    text = f"webbcal has no {name}"
    if known is None or parent == "jwst":
        return f"{text}: what it has of jwst is listed in docs/as_jwst.md"
    here = sys.modules.get(parent)
    names = [n for n in dir(here or StandIn(known)) if not n.startswith("_")]
    close = suggestion(last, names)
    if not close and len(names) <= 12:
        close = f": it has {', '.join(names)}"
    return f"{text}{close or ', which is no part of what scripts can import (docs/as_jwst.md)'}"
