"""webbcal: a fast, streaming science calibration pipeline for JWST.

Importing this package loads nothing heavy; subpackages load what they need when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from webbcal.core.provided import provide

if TYPE_CHECKING:
    from webbcal.compat import StandingIn

__version__ = "0.1.0"

provide("containers", "webbcal.library")
provide("transforms", "webbcal.wcs.objects.extension")
provide("notebook", "webbcal.notebook")


def __getattr__(name: str) -> Any:
    if name != "plots":
        raise AttributeError(f"module 'webbcal' has no attribute '{name}'")
    return import_module("webbcal.plots")


def as_jwst() -> StandingIn:
    """Let imports of `jwst` in this process find webbcal; see docs/as_jwst.md.

    Returns
    -------
    StandingIn
        Its `undo()` ends it; it is a context manager, too.
    """
    from webbcal import compat

    return compat.as_jwst()


def load_ipython_extension(ipython: Any) -> None:
    """Do the same for ``%load_ext webbcal`` in a notebook."""
    as_jwst()
