"""Logging configuration."""

import io
import logging
import warnings

import pytest

from webbcal.core.errors import OutputError, ParameterError
from webbcal.run import logcfg
from webbcal.run.logcfg import (
    LoggedError,
    LogSettings,
    applied,
    command_line_settings,
    configured,
    read_settings,
)

log = logging.getLogger("webbcal.test")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the machine counts, and all loggers come back as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logcfg, "DEFAULT_FILES", ("stpipe-log.cfg",))
    loggers = [logging.getLogger(name) for name in logcfg.LOGGERS]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    assert [(logger.level, list(logger.handlers)) for logger in loggers] == before


def test_messages_go_to_the_file(tmp_path):
    (tmp_path / "log.cfg").write_text("[*]\nhandler = file:run.log  # here\nlevel = INFO\n")
    with configured("log.cfg"):
        log.info("hello %d", 7)
        log.debug("not this")
        logging.getLogger("jwst.script").warning("nor forgotten")
    log.info("after")
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert [line.partition(" - ")[2] for line in lines] == [
        "webbcal.test - INFO - hello 7",
        "jwst.script - WARNING - nor forgotten",
    ]


def test_append_format_and_level(tmp_path):
    (tmp_path / "run.log").write_text("before\n")
    settings = LogSettings(
        (
            "append:run.log",
            "null",
        ),
        logging.DEBUG,
        format="%(levelname)s|%(message)s",
    )
    with applied(settings):
        log.debug("x")
    assert (tmp_path / "run.log").read_text() == "before\nDEBUG|x\n"


def test_reading():
    text = '# my settings\n[*]\n  handler = file:a.log, stdout\n  level = 10\n  format = "%(message)s"\n'
    assert read_settings(io.StringIO(text)) == LogSettings(
        (
            "file:a.log",
            "stdout",
        ),
        10,
        0,
        "%(message)s",
    )
    assert read_settings(io.StringIO("[*]\nbreak_level = error\n")) == LogSettings(("stderr",), 20, 40)
    assert read_settings(io.StringIO("[other]\nlevel = DEBUG\n")) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[*]\nlevel = LOUD\n", "LOUD"),
        ("[*]\nlevels = INFO\n", "levels"),
        ("no section", "understood"),
    ],
)
def test_what_is_wrong_is_named(text, what):
    with pytest.raises(ParameterError, match=what):
        read_settings(io.StringIO(text))


def test_missing_files_and_unknown_handlers(tmp_path):
    with pytest.raises(ParameterError, match="nowhere"), configured("nowhere.cfg"):
        pass
    with pytest.raises(ParameterError, match="smoke"), applied(LogSettings(("smoke",))):
        pass
    with (
        pytest.raises(OutputError, match="missing"),
        applied(LogSettings((f"file:{tmp_path}/missing/x.log",))),
    ):
        pass


def test_break_level_ends_the_run():
    with applied(LogSettings(("null",), break_level=logging.ERROR)):
        log.warning("goes on")
        with pytest.raises(LoggedError, match="enough"):
            log.error("enough")


def test_default_file_in_this_folder(tmp_path):
    (tmp_path / "stpipe-log.cfg").write_text("[*]\nhandler = file:default.log\nlevel = WARNING\n")
    with configured():
        log.info("quiet")
        with configured():  # a configuration in force stays
            log.warning("once")
    assert (tmp_path / "default.log").read_text().count("once") == 1
    assert "quiet" not in (tmp_path / "default.log").read_text()


def test_leaving_the_loggers_alone(capsys):
    with configured(configure=False):
        log.info("nobody asked")
    with configured():  # quiet by default
        log.info("nor here")
    assert capsys.readouterr().err == ""


def test_python_warnings_are_logged(tmp_path):
    with applied(LogSettings(("file:w.log",))), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert "careful" in (tmp_path / "w.log").read_text()


def test_command_line(tmp_path):
    assert command_line_settings({}) == LogSettings()
    assert command_line_settings({}, verbose=True).level == logging.DEBUG
    given = {"log-level": "warning", "log-file": "a.log", "log-stream": "null"}
    assert command_line_settings(given) == LogSettings(
        (
            "null",
            "file:a.log",
        ),
        logging.WARNING,
    )
    (tmp_path / "l.cfg").write_text("[*]\nhandler = stdout\nlevel = ERROR\n")
    assert command_line_settings({"logcfg": "l.cfg"}) == LogSettings(("stdout",), logging.ERROR)
    assert command_line_settings({"logcfg": "l.cfg", "log-level": "INFO"}) == LogSettings()
