"""The executor that settings ask for."""

from __future__ import annotations

from webbcal.programme.executors.interface import Executor
from webbcal.programme.executors.local import LocalExecutor
from webbcal.programme.executors.serial import SerialExecutor
from webbcal.programme.settings import ExecutorSettings


def make_executor(settings: ExecutorSettings) -> Executor:
    """Return an executor; its `close` ends it."""
    if settings.kind == "dask":
        from webbcal.programme.executors.dask import DaskExecutor

        return DaskExecutor(settings)
    cls = SerialExecutor if settings.kind == "serial" else LocalExecutor
    return cls(settings.threads, settings.max_memory)
