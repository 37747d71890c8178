"""``manifest.json``: of every product, what it was made from, by what, where, at what cost; and how again."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import webbcal
from webbcal.programme.folder import Folder, write_json
from webbcal.programme.job import Job
from webbcal.report.account import Account, Call, ParameterValue, RunAccount
from webbcal.report.again import recipe_of

#: Parameters that the programme has chosen, which make no other product.
_CHOSEN = ("output_dir", "save_results", "threads", "max_memory")


def write_manifest(folder: Folder, jobs: Iterable[Job], records: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what is known of all products of a programme, and of those that others have made in its folder.

    Parameters
    ----------
    folder : Folder
    jobs : iterable of Job
    records : mapping
        Name -> record of the jobs that have ended; of others, that on disk tells.
    """
    jobs = list(jobs)
    ours = {job.name for job in jobs}
    products = {name: told for name, told in folder.products().items() if told.get("job") not in ours}
    not_done: dict[str, str] = {}
    for job in jobs:
        record = records.get(job.name) or folder.record(job.name)
        # One that was left out has the products of an earlier run, which were made as that has noted.
        made = folder.record(job.name) if record.get("state") == "left out" else record
        if made.get("state") == "done":
            account = _account(job, made, folder)
            products |= {name: {**version, **account} for name, version in made["products"].items()}
        if record.get("state") != "done":
            not_done[job.name] = record.get("error", "not done")
    content = {
        "software": "webbcal",
        "version": webbcal.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "products": products,
        "not_done": not_done,
    }
    write_json(folder.manifest, content)


def _account(job: Job, record: Mapping[str, Any], folder: Folder) -> dict[str, Any]:
    """Return what is known of the products of a job."""
    return {
        "job": job.name,
        "pipeline": job.pipeline,
        "inputs": record["basis"]["inputs"],
        "association": job.association_name,
        "parameters": {n: v for n, v in record["call"]["parameters"].items() if n not in _CHOSEN},
        "references": _references(record["references"]),
        "context": record["context"],
        "version": record["basis"]["version"],
        "libraries": record["libraries"],
        "host": record["host"],
        "started": record["started"],
        "seconds": record["seconds"],
        "threads": record["threads"],
        "peak_memory": record["peak_memory"],
        "again": again(record, folder),
    }


def _references(used: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return references by type; a second one of a type has its name, too."""
    told: dict[str, dict[str, str]] = {}
    for r in used:
        if r["sha256"]:
            name = f"{r['kind']} ({Path(r['path']).name})" if r["kind"] in told else r["kind"]
            told[name] = {"file": r["path"], "sha256": r["sha256"], "origin": r["origin"]}
    return told


def again(record: Mapping[str, Any], folder: Folder) -> str:
    """Return the command line that makes the products of a job again, beside them in ``again``."""
    said = record["call"]
    parameters = [
        ParameterValue(name, found["value"], found["origin"])
        for name, found in said["parameters"].items()
        if name not in _CHOSEN
    ]
    call = Call(said["target"], tuple(said["inputs"]), tuple(parameters))
    run = RunAccount(
        "webbcal", record["basis"]["version"], record["started"], record["context"] or "", (), call
    )
    account = Account(folder.path / "product", "", (run,), has_record=True)
    return str(recipe_of(account, str(folder.path / "again")).commands[-1])
