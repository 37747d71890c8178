"""Errors that a user can act on: each says what is wrong, where, and what to do."""

from __future__ import annotations


class WebbcalError(Exception):
    """Base of all errors that webbcal raises for a user to read (the command line exits with 1)."""


class InputError(WebbcalError, ValueError):
    """The input is damaged, incomplete, or not what the operation needs."""


class ReferenceFileError(WebbcalError):
    """A reference file is missing, unreadable, or does not fit the exposure."""


class ParameterError(WebbcalError, ValueError):
    """A parameter has an unknown name or a value out of its bounds."""


class OutputError(WebbcalError, OSError):
    """A product cannot be written; nothing partial was left behind."""


class PlanError(WebbcalError):
    """The run will not fit (memory, unsupported mode): says what to change."""


class SkipStep(Exception):
    """Raised by a step when the data turn out not to allow it; the message is the reason."""
