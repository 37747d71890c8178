"""Errors that a user can act on: each says what is wrong, where, and what to do."""

from __future__ import annotations

import errno


class WebbcalError(Exception):
    """Base of all errors that webbcal raises for a user to read.

    Attributes
    ----------
    exit_status : int
        What the command line exits with.
    """

    exit_status = 1


class InputError(WebbcalError, ValueError):
    """The input is damaged, incomplete, or not what the operation needs."""


class WrongModelError(InputError, TypeError):
    """A model of a kind or shape that the operation does not take; a `TypeError`, too, as in jwst."""


class NoDataOnDetectorError(InputError):
    """No slit, source or spectrum falls on the detector: there is nothing to calibrate, and nothing is wrong.

    The operators of the archive know it by the exit status of jwst, 64.
    """

    exit_status = 64


class ReferenceFileError(WebbcalError):
    """A reference file is missing, unreadable, or does not fit the exposure."""


class ParameterError(WebbcalError, ValueError):
    """A parameter has an unknown name or a value out of its bounds."""


class _MissingError(FileNotFoundError):
    """What errors of files that are not there have in common, for those who catch `FileNotFoundError`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errno = errno.ENOENT


class MissingInputError(_MissingError, InputError):
    """An input file is not there."""


class MissingReferenceError(_MissingError, ReferenceFileError):
    """A reference file is not there."""


class MissingParameterFileError(_MissingError, ParameterError):
    """A file that a parameter names, or that holds parameters, is not there."""


_MISSING: dict[type[WebbcalError], type[WebbcalError]] = {
    InputError: MissingInputError,
    ReferenceFileError: MissingReferenceError,
    ParameterError: MissingParameterFileError,
}


def unreadable(kind: type[WebbcalError], message: str, cause: BaseException | None) -> WebbcalError:
    """Return the error of a file that cannot be read: a `FileNotFoundError` too, if it is not there.

    Parameters
    ----------
    kind : type
        `InputError`, `ReferenceFileError` or `ParameterError`.
    message : str
        What the user reads.
    cause : exception
        Why it cannot be read.
    """
    return _MISSING[kind](message) if isinstance(cause, FileNotFoundError) else kind(message)


class OutputError(WebbcalError, OSError):
    """A product cannot be written; nothing partial was left behind."""


class PlanError(WebbcalError):
    """The run will not fit (memory, unsupported mode): says what to change."""


class SkipStep(Exception):
    """Raised by a step when the data turn out not to allow it; the message is the reason."""


class FailedStep(SkipStep):
    """Raised by a step that was asked for and cannot be done: the product says so, the run goes on."""
