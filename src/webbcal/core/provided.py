"""What a lower room can be asked for although a higher one has it: named by `webbcal/__init__.py`.

Rooms import downwards only, but `datamodels.open` of an association gives a container of models, which knows
associations and is above it. The package itself, which may know all rooms, says here where that is.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: What is asked for -> the module that has it.
_modules: dict[str, str] = {}


def provide(what: str, module: str) -> None:
    """Say which module has something; it is loaded when it is asked for."""
    _modules[what] = module


def provided(what: str) -> Any:
    """Return the module that has something."""
    return import_module(_modules[what])
