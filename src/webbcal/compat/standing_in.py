"""`as_jwst()`: from now on, imports of `jwst` in this process find webbcal."""

from __future__ import annotations

import sys
from types import ModuleType, TracebackType

from webbcal.compat.modules import Finder, StandIn, is_whole
from webbcal.compat.table import PARTLY, places
from webbcal.core.errors import WebbcalError
from webbcal.core.surface import process
from webbcal.run import logcfg


class StandingIn:
    """What `as_jwst()` has changed in this process; it can be undone, or be used as a context.

    Nothing of an installed `jwst` is changed, only what this process finds when it imports.
    """

    def __init__(self) -> None:
        self._finder: Finder | None = None
        self._before: dict[str, ModuleType] = {}

    def begin(self) -> None:
        """Let imports find webbcal.

        Raises
        ------
        WebbcalError
            If `jwst` itself was imported before: its objects and ours would be mixed.
        """
        if any(isinstance(finder, Finder) for finder in sys.meta_path):
            return
        there = sys.modules.get("jwst")
        if there is not None:
            where = f" from {there.__file__}" if getattr(there, "__file__", None) else ""
            raise WebbcalError(
                f"jwst is imported already{where}: call webbcal.as_jwst() before the first import of jwst "
                "(in a notebook: restart the kernel)"
            )
        self._before = {name: module for name, module in list(sys.modules.items()) if _is_taken(name)}
        for name in self._before:
            _forget(name)
        self._finder = Finder()
        sys.meta_path.insert(0, self._finder)
        process.stands_in = True
        logcfg.make_usual(logcfg.LogSettings())  # scripts show what they showed: INFO, on the terminal

    def undo(self) -> None:
        """Let imports find what they would have found."""
        if self._finder is None:
            return
        sys.meta_path.remove(self._finder)
        self._finder = None
        process.stands_in = False
        logcfg.make_usual(None)
        for name in [name for name, module in list(sys.modules.items()) if isinstance(module, StandIn)]:
            _forget(name)
        for name, module in self._before.items():
            sys.modules[name] = module
            parent, _, last = name.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, module)

    def __enter__(self) -> StandingIn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def _is_taken(name: str) -> bool:
    """Tell whether a module of an installed package must go, for ours takes its place."""
    place = places().get(name)
    return is_whole(name) or (place is not None and not (place.gives_way and name.startswith(PARTLY)))


def _forget(name: str) -> None:
    """Take a module out of those that are loaded, and out of its package."""
    del sys.modules[name]
    parent, _, last = name.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(last, None)


def as_jwst() -> StandingIn:
    """Let imports of `jwst` in this process find webbcal; see docs/as_jwst.md for what is there.

    An installed `jwst` stays as it is. What webbcal does not have raises an ImportError that says so.

    Returns
    -------
    StandingIn
        Its `undo()` ends it; it is a context manager, too.

    Raises
    ------
    WebbcalError
        If `jwst` itself was imported before.
    """
    standing = StandingIn()
    standing.begin()
    return standing
