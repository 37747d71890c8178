"""Doing a job, in whichever process: the one function that executors are given."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webbcal.associations import Association
from webbcal.core.errors import WebbcalError
from webbcal.core.locks import held
from webbcal.core.own_process import give_back
from webbcal.programme.basis import basis_of, fingerprint, versions_of, why
from webbcal.programme.executors.interface import Share
from webbcal.programme.filestate import FileState
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.named_files import files_named
from webbcal.programme.references import parameter_references, selecting, used_references
from webbcal.programme.settings import flat
from webbcal.run.circumstances import circumstances
from webbcal.run.configuration import build_step
from webbcal.run.logcfg import LOGGERS, LogSettings, applied
from webbcal.run.outcomes import outcomes_of
from webbcal.run.planning import crds_context, peak_memory
from webbcal.run.registry import step_class
from webbcal.run.run import Run

log = logging.getLogger(__name__)

#: Name by which executors find `perform`.
PERFORM = f"{__name__}:perform"
_ORIGIN = "programme"
#: Who writes to the log of a job; the last is a library that says why exposures cannot be aligned.
_LOGGERS = (*LOGGERS, "tweakwcs")
#: Loggers and warnings are the process's: in one process, jobs are done one after another.
_alone = threading.Lock()


def perform(order: Mapping[str, Any], share: Share) -> dict[str, Any]:
    """Do a job, unless somebody has just done it; return its record.

    A record tells of failures, too: nothing is raised but what ends the process.

    Parameters
    ----------
    order : mapping
        As `order_of` makes it.
    share : Share
        What the job may use.
    """
    folder, job = Folder(Path(order["folder"])), Job.of_tree(order["job"])
    with _alone, held(folder.lock(job.name)):
        known = folder.record(job.name)
        forced = order["force"] and known.get("run") != order["run"]
        if known.get("state") == "done" and not forced and not why(job, folder, known):
            return known
        record: dict[str, Any] = {
            "state": "running", "run": order["run"], "host": socket.gethostname(), "process": os.getpid(),
            "started": _now(), "threads": share.threads,
        }  # fmt: skip
        folder.write_record(job.name, record)
        with applied(LogSettings((f"append:{folder.log(job.name)}",), logging.INFO), _LOGGERS):
            record |= _tried(job, folder, share, order["disable_crds"])
        give_back()  # for the next job, in whichever process
        folder.write_record(job.name, record)
        return record


def order_of(job: Job, folder: Folder, run: str, force: bool, disable_crds: bool) -> dict[str, Any]:
    """Return what `perform` is told, as plain values."""
    return {
        "folder": str(folder.path), "job": job.as_tree(), "run": run, "force": force,
        "disable_crds": disable_crds,
    }  # fmt: skip


def _tried(job: Job, folder: Folder, share: Share, disable_crds: bool) -> dict[str, Any]:
    """Do a job; return what came of it."""
    begin = time.perf_counter()
    _forget_peak()
    log.info("%s: begins on %d threads, in process %d", job.name, share.threads, os.getpid())
    try:
        result = {"state": "done", **_done(job, folder, share, disable_crds)}
        log.info("%s: done", job.name)
    except (WebbcalError, OSError) as error:
        log.error("%s: %s", job.name, error)
        result = {"state": "failed", "error": str(error)}
    except MemoryError:
        log.error("%s: out of memory", job.name)
        result = {"state": "failed", "error": "out of memory; allow it more (--max-memory)"}
    except Exception as error:  # whatever it is, the other jobs go on
        log.exception("%s: failed", job.name)
        result = {"state": "failed", "error": f"{type(error).__name__}: {error} (see its log)"}
    return result | {"seconds": round(time.perf_counter() - begin, 3), "peak_memory": peak_memory()}


def _done(job: Job, folder: Folder, share: Share, disable_crds: bool) -> dict[str, Any]:
    """Run the pipeline of a job; return what it was made from, and what was made."""
    basis = basis_of(job, folder)
    init = str(job.inputs[0].path) if job.association is None else _written(job, folder)
    cls = step_class(job.pipeline)
    metadata = selecting(cls(), init)
    # Known before they are read: one that changes meanwhile is not taken for what was used.
    references = [] if disable_crds else parameter_references(cls, metadata)
    pipeline = pipeline_of(job, folder, share, init, disable_crds)
    basis["files"] |= versions_of(files_named(flat(pipeline.get_pars())), basis["files"])
    run: Run = pipeline.start(init)
    references += used_references(run)
    known = circumstances(run)
    saved = dict.fromkeys(os.path.relpath(path, folder.path) for path in run.saved)
    return {
        "basis": basis,
        "selecting": metadata,
        "references": references,
        "fingerprint": fingerprint(basis, references),
        "products": {
            name: FileState.of(folder.path / name).as_tree()
            for name in saved
            if (folder.path / name).is_file()
        },
        "call": known["call"],
        "context": crds_context(run.done),
        "libraries": known["libraries"],
        "steps": outcomes_of(run.done),
    }


def pipeline_of(job: Job, folder: Folder, share: Share, init: str | None, disable_crds: bool) -> Any:
    """Return the pipeline of a job, with all layers of parameters.

    Raises
    ------
    ParameterError
        If one of them is not allowed.
    """
    made: Any = build_step(step_class(job.pipeline), init, disable_crds=disable_crds, **job.parameters)
    chosen: dict[str, Any] = {"save_results": True, "output_dir": str(folder.path), "threads": share.threads}
    if share.memory is not None:
        chosen["max_memory"] = str(share.memory)
    for name, value in chosen.items():
        made.set_parameter(name, value, _ORIGIN)
    return made


def _written(job: Job, folder: Folder) -> str:
    """Write the association of a job; return its path."""
    assert job.association is not None
    path = folder.path / job.association_name
    Association(dict(job.association)).save(path)
    return str(path)


def _forget_peak() -> None:
    """Let the peak of memory be that of this job, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
