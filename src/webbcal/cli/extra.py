"""What belongs to the optional extras of an installation."""

from __future__ import annotations

from importlib import import_module

from webbcal.core.errors import WebbcalError


def need(*libraries: str, extra: str = "simulate") -> None:
    """Make sure, before any work, that libraries of an extra are there.

    Raises
    ------
    WebbcalError
        Naming the first that is not, and what to install.
    """
    for library in libraries:
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            raise WebbcalError(
                f"needs {library}, which is not installed: python -m pip install 'webbcal[{extra}]'"
            ) from error
