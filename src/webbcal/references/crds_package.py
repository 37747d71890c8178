"""Loading the ``crds`` package, and what it logs while it works for us."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_lock = threading.Lock()


def load_crds() -> Any:
    """Return the ``crds`` package, with its part for JWST.

    If its log messages are being handled already, crds does not get a handler of its own beside.
    """
    with _lock:
        first, handled = "crds" not in sys.modules, bool(logging.getLogger("CRDS").handlers)
        crds = importlib.import_module("crds")
        if first and handled:
            crds.log.remove_console_handler()
        if "crds.jwst.locate" not in sys.modules:
            with _stand_in_for_stdatamodels():
                importlib.import_module("crds.jwst.locate")
        return crds


@contextlib.contextmanager
def _stand_in_for_stdatamodels() -> Iterator[None]:
    """Where stdatamodels is not installed, let ``crds.jwst.locate`` find the one class of it that it names.

    It needs the class to check files that are submitted to the archive, never to select references.
    """
    if find_spec("stdatamodels") is not None:
        yield
        return
    package, exceptions = ModuleType("stdatamodels"), ModuleType("stdatamodels.exceptions")
    vars(exceptions)["ValidationWarning"] = type("ValidationWarning", (Warning,), {})
    modules = {module.__name__: module for module in (package, exceptions)}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


@contextlib.contextmanager
def only_news() -> Iterator[None]:
    """Keep to ourselves what crds logs of things that are none of the user's business.

    What is fatal to crds is an error of ours, in a sentence; that ``jwst`` is not installed is no news.
    """
    logger = logging.getLogger("CRDS")
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "(FATAL)" not in message and "Calibration SW not found" not in message
