"""Where log messages go: a logging configuration file, or the command line's options.

A configuration file has one section::

    [*]
    handler = file:pipeline.log, stderr
    level = INFO
    break_level = ERROR
    format = "%(asctime)s %(levelname)s %(message)s"

`handler` is a list of ``file:<path>`` (written anew), ``append:<path>``, ``stdout``, ``stderr`` and ``null``;
a message of `break_level` or above ends the run. Without a file, ``stpipe-log.cfg`` here,
``~/.stpipe-log.cfg`` and ``/etc/stpipe-log.cfg`` count, as the field is used to. Nothing here touches the
root logger.
"""

from __future__ import annotations

import configparser
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from webbcal.core.errors import OutputError, ParameterError, WebbcalError, unreadable

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"

#: Loggers that are configured: ours, those of CRDS and Python's warnings, and the names that scripts know.
LOGGERS = ("webbcal", "stpipe", "jwst", "CRDS", "py.warnings")

#: Files that count if no other is named.
DEFAULT_FILES = ("stpipe-log.cfg", "~/.stpipe-log.cfg", "/etc/stpipe-log.cfg")

_WHOLE = ("*", ".", "root", "")
_OPTIONS = {"handler", "level", "break_level", "format"}


class LoggedError(WebbcalError):
    """A log message at or above the configured `break_level`, turned into an error."""

    def __init__(self, record: logging.LogRecord) -> None:
        super().__init__(record.getMessage())
        self.record = record


class _BreakHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise LoggedError(record)


@dataclass(frozen=True)
class LogSettings:
    """What to log and where to.

    Attributes
    ----------
    handlers : tuple of str
        ``file:…``, ``append:…``, ``stdout``, ``stderr`` or ``null``.
    level, break_level : int
        Least level that is logged, and that ends the run (0: never).
    """

    handlers: tuple[str, ...] = ("stderr",)
    level: int = logging.INFO
    break_level: int = logging.NOTSET
    format: str = FORMAT

    def make_handlers(self) -> list[logging.Handler]:
        """Open the files and streams.

        Raises
        ------
        OutputError
            If a log file cannot be written.
        """
        made: list[logging.Handler] = []
        for text in self.handlers:
            handler = _handler_of(text)
            handler.setLevel(self.level)
            handler.setFormatter(logging.Formatter(self.format))
            made.append(handler)
        if self.break_level:
            made.append(_BreakHandler(self.break_level))
        return made


def _handler_of(text: str) -> logging.Handler:
    kind, colon, path = text.partition(":")
    if colon and kind in ("file", "append"):
        try:
            return logging.FileHandler(Path(path).expanduser(), "w" if kind == "file" else "a", "utf-8")
        except OSError as error:
            raise OutputError(f"log file {path} cannot be written: {error.strerror}") from error
    if text == "stdout":
        return logging.StreamHandler(sys.stdout)
    if text == "stderr":
        return logging.StreamHandler(sys.stderr)
    if text == "null":
        return logging.NullHandler()
    raise ParameterError(
        f"log handler {text!r} is not known; use file:PATH, append:PATH, stdout, stderr or null"
    )


def level_of(value: str | int) -> int:
    """Return a level given by number or name.

    Raises
    ------
    ParameterError
        For an unknown name.
    """
    text = str(value).strip()
    known = logging.getLevelNamesMapping()
    if text.isdigit():
        return int(text)
    if text.upper() not in known:
        raise ParameterError(f"log level {value!r} is not known; use one of {', '.join(known)} or a number")
    return known[text.upper()]


def read_settings(source: str | os.PathLike[str] | IO[str]) -> LogSettings | None:
    """Read a logging configuration file; None if it has no section for everything (``[*]``).

    Raises
    ------
    ParameterError
        If it is missing, damaged, or has an unknown option, handler or level.
    """
    name = str(getattr(source, "name", source))
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",), strict=False)
    try:
        if isinstance(source, (str, os.PathLike)):
            parser.read_string(Path(source).read_text("utf-8"), name)
        else:
            parser.read_file(source, name)
    except OSError as error:
        message = f"logging configuration {name} cannot be read: {error.strerror}"
        raise unreadable(ParameterError, message, error) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ParameterError(f"logging configuration {name} cannot be understood: {error}") from error
    section = next((s for s in parser.sections() if s.strip() in _WHOLE), None)
    if section is None:
        return None
    return _settings_of(dict(parser[section]), name)


def _settings_of(options: Mapping[str, str], name: str) -> LogSettings:
    unknown = set(options) - _OPTIONS
    if unknown:
        raise ParameterError(
            f"logging configuration {name}: option {min(unknown)!r} is not known; use {sorted(_OPTIONS)}"
        )
    values = {key: value.strip().strip("'\"") for key, value in options.items()}
    return LogSettings(
        handlers=tuple(p.strip() for p in values.get("handler", "stderr").split(",") if p.strip()),
        level=level_of(values.get("level", logging.INFO)),
        break_level=level_of(values.get("break_level", logging.NOTSET)),
        format=values.get("format", FORMAT),
    )


def default_settings() -> LogSettings | None:
    """Return the settings of the first of `DEFAULT_FILES` that exists, or None."""
    for file in DEFAULT_FILES:
        path = Path(file).expanduser()
        if path.is_file():
            return read_settings(path)
    return None


@contextmanager
def applied(settings: LogSettings, names: Sequence[str] = LOGGERS) -> Iterator[None]:
    """Configure loggers for the duration of the context, and leave them as they were.

    Parameters
    ----------
    settings : LogSettings
    names : sequence of str
        Loggers; with "py.warnings" among them, Python's warnings are logged.
    """
    global _active
    handlers = settings.make_handlers()
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    capture = "py.warnings" in names and logging._warnings_showwarning is None  # type: ignore[attr-defined]
    outer, _active = _active, True
    for logger in loggers:
        logger.setLevel(settings.level)
        for handler in handlers:
            logger.addHandler(handler)
    if capture:
        logging.captureWarnings(True)
    try:
        yield
    finally:
        _active = outer
        if capture:
            logging.captureWarnings(False)
        for logger, level, propagate in before:
            logger.setLevel(level)
            logger.propagate = propagate
            for handler in handlers:
                logger.removeHandler(handler)
        for handler in handlers:
            handler.close()


_active = False
#: What a ``Step.call`` logs where no configuration says it; None leaves logging as it is.
_usual: LogSettings | None = None


def make_usual(settings: LogSettings | None) -> None:
    """Say what a ``Step.call`` logs where no configuration says it; None: what Python shows."""
    global _usual
    _usual = settings


@contextmanager
def configured(logcfg: Any = None, configure: bool = True) -> Iterator[None]:
    """Configure logging for a ``Step.call``.

    Parameters
    ----------
    logcfg : path or file, optional
        Logging configuration; by default the first of `DEFAULT_FILES`; without one, what is usual
        (`make_usual`), or logging is left as it is: Python shows warnings, and nothing else.
    configure : bool
        Without `logcfg`: False leaves the loggers alone, as does a configuration that is in force already.

    Raises
    ------
    ParameterError
        If the configuration cannot be used.
    """
    settings = None
    if logcfg is not None:
        settings = read_settings(logcfg)
    elif configure and not _active:
        settings = default_settings() or _usual
    if settings is None:
        yield
        return
    with applied(settings):
        yield


#: Options of the command line that say themselves what is logged; files of settings do not count beside them.
_DIRECT = ("log-level", "log-file", "log-stream")


@contextmanager
def command_line_logging(options: Mapping[str, str], verbose: bool = False) -> Iterator[None]:
    """Configure logging as the command line says.

    Parameters
    ----------
    options : mapping
        Of ``log-level``, ``log-file``, ``log-stream`` and ``logcfg``. Any of the first three, or `verbose`,
        makes `logcfg` and the default files not count.
    verbose : bool
        Log everything (before ``log-level``).

    Raises
    ------
    ParameterError, OutputError
        If an option cannot be used.
    """
    with applied(command_line_settings(options, verbose)):
        yield


def asked_for(options: Mapping[str, str], verbose: bool) -> AbstractContextManager[None]:
    """Configure logging as the command line says, if it says anything; else leave it as it is."""
    if verbose or any(name in options for name in (*_DIRECT, "logcfg")):
        return command_line_logging(options, verbose)
    return configured()


def command_line_settings(options: Mapping[str, str], verbose: bool = False) -> LogSettings:
    """Return the settings that the command line's options mean."""
    if not verbose and not any(options.get(name) for name in _DIRECT):
        named = options.get("logcfg")
        return (read_settings(named) if named else default_settings()) or LogSettings()
    handlers: tuple[str, ...] = (options.get("log-stream") or "stderr",)
    if options.get("log-file"):
        handlers += (f"file:{options['log-file']}",)
    level = "DEBUG" if verbose else options.get("log-level") or "INFO"
    return LogSettings(handlers=handlers, level=level_of(level))
