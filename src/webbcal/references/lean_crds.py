"""Import the ``crds`` package without the libraries that choosing references never uses.

``import crds`` pulls in astropy, asdf and requests (0.5 s) for commands that certify and compare files,
and its JWST plug-in names one class of ``stdatamodels``, which webbcal does not need otherwise. None of
them is touched when rules are evaluated or files downloaded. So the modules of crds are loaded here with
an ``__import__`` of their own that puts a `Deferred` in the place of each such name; whatever uses one
after all imports the real library at that moment. Nothing outside ``crds.*`` sees any of this, and a crds
that was imported before is used as it is.
"""

from __future__ import annotations

import builtins
import importlib
import logging
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType, SimpleNamespace
from typing import Any

#: Libraries that modules of crds name at module level and need only to read data files.
_LIBRARIES = frozenset({"astropy", "asdf", "requests", "stdatamodels"})
#: Parts of crds that only its command-line tools need.
_TOOLS = frozenset({"crds.bestrefs", "crds.certify"})

_lock = threading.Lock()


class Deferred:
    """A module, or one name of a module, imported when it is first used."""

    def __init__(self, module: str, name: str = "") -> None:
        self._deferred_module = module
        self._deferred_name = name

    def _resolve(self) -> Any:
        module = importlib.import_module(self._deferred_module)
        if not self._deferred_name:
            return module
        try:
            return getattr(module, self._deferred_name)
        except AttributeError:
            return importlib.import_module(f"{self._deferred_module}.{self._deferred_name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolve(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self._resolve()(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        # Nothing can be an instance of a class whose module was never imported.
        return self._deferred_module in sys.modules and isinstance(instance, self._resolve())

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[Any]:
        return (self._resolve(),)


class _ModuleLevelImport:
    """The ``__import__`` of one module of crds: defers while the module loads, ordinary afterwards."""

    def __init__(self) -> None:
        self.loading = True

    def __call__(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        items = list(fromlist or ())
        if self.loading and level == 0 and "*" not in items:
            heavy = name.partition(".")[0] in _LIBRARIES or name in _TOOLS
            if heavy and name not in sys.modules and (items or "." not in name):
                return SimpleNamespace(**{i: Deferred(name, i) for i in items}) if items else Deferred(name)
            later = [i for i in items if f"{name}.{i}" in _TOOLS]
            if later:
                now = [i for i in items if i not in later]
                module = builtins.__import__(name, globals, locals, now, level)
                return SimpleNamespace(
                    **{i: getattr(module, i) for i in now}, **{i: Deferred(f"{name}.{i}") for i in later}
                )
        return builtins.__import__(name, globals, locals, items, level)


class _LeanLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        lean_import = _ModuleLevelImport()
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": lean_import}
        try:
            super().exec_module(module)
        finally:
            lean_import.loading = False


class _LeanFinder(MetaPathFinder):
    """Finds crds and its modules where they are, and has them loaded leanly."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "crds":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _LeanLoader(spec.loader.name, spec.loader.path)
        return spec


def import_crds() -> Any:
    """Return the ``crds`` package, imported leanly unless it was imported before.

    If its log messages are being handled already, crds does not get a handler of its own beside.
    """
    with _lock:
        handled = bool(logging.getLogger("CRDS").handlers)
        first = "crds" not in sys.modules
        if not any(isinstance(finder, _LeanFinder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _LeanFinder())
        crds = importlib.import_module("crds")
        if first and handled:
            crds.log.remove_console_handler()
        return crds
