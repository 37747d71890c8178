"""What a job's products were made from, and so why they would be made again.

The basis of a job are its inputs, parameters, the references that it used, and the version of webbcal. An
input that another job makes counts by the fingerprint of that job, not by its bytes: products hold the time
at which they were made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import webbcal
from webbcal.core.errors import InputError
from webbcal.programme.filestate import FileState, is_same
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.named_files import files_named
from webbcal.programme.references import changed_reference
from webbcal.programme.settings import flat, words_of

NEW, INTERRUPTED = "it is new", "it was interrupted"


def basis_of(job: Job, folder: Folder, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a job's products are made from, but for references, as plain values.

    Parameters
    ----------
    job : Job
    folder : Folder
        Has the records of the jobs that make its inputs.
    known : mapping, optional
        An earlier basis: files that are as they were then need not be read.

    Raises
    ------
    InputError
        If an input is not there.
    """
    before = known or {}
    parameters = words_of(list(flat(job.parameters)))
    inputs: dict[str, Any] = {}
    for given in job.inputs:
        if given.maker:
            inputs[given.path.name] = {"made": folder.record(given.maker).get("fingerprint")}
        else:
            known_as = before.get("inputs", {}).get(given.path.name, {})
            version = FileState.of(given.path, known_as if "sha256" in known_as else None)
            inputs[given.path.name] = version.as_tree()
    # Files that a parameter file names are not in `parameters`: those of the run before are remembered.
    named = sorted({*files_named(flat(job.parameters)), *before.get("files", ())})
    return {
        "version": webbcal.__version__,
        "pipeline": job.pipeline,
        "parameters": parameters,
        "inputs": inputs,
        "association": _digest([job.association["products"], job.association.get("asn_id")])
        if job.association
        else "",
        "files": versions_of(named, before.get("files", {})),
    }


def versions_of(paths: Iterable[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions of files as plain values; those that are as they were `known` need not be read.

    Raises
    ------
    InputError
        If one cannot be read.
    """
    return {path: FileState.of(Path(path), known.get(path)).as_tree() for path in paths}


def fingerprint(basis: Mapping[str, Any], references: Sequence[Mapping[str, Any]]) -> str:
    """Return digits that stand for all that a product was made from."""
    contents = {
        part: {name: _content(version) for name, version in basis[part].items()}
        for part in ("inputs", "files")
    }
    used = sorted((r["kind"], r["sha256"]) for r in references)
    return _digest([{**basis, **contents}, used])


def why(job: Job, folder: Folder, record: Mapping[str, Any]) -> str:
    """Return why a job would run, "" if its products are there and were made from what there is now.

    Parameters
    ----------
    job : Job
    folder : Folder
    record : mapping
        What is known of it.
    """
    if not record:
        return NEW
    if record["state"] == "running":
        return INTERRUPTED
    if record["state"] == "failed":
        return f"it failed before: {record['error']}"
    try:
        now = basis_of(job, folder, record["basis"])
    except InputError as error:
        return str(error)
    for reason in _differences(record["basis"], now):
        return reason
    return changed_reference(record) or _lost_product(folder, record)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for part, name in (("version", "webbcal"), ("pipeline", "its pipeline")):
        if before[part] != now[part]:
            yield f"{name} was {before[part]}, is {now[part]}"
    for name in sorted(before["parameters"].keys() | now["parameters"].keys()):
        old, new = (basis["parameters"].get(name, "not set") for basis in (before, now))
        if old != new:
            yield f"{name} was {old}, is {new}"
    for part, what in (("inputs", "input"), ("files", "file")):
        for name in sorted(before[part].keys() | now[part].keys()):
            old, new = (basis[part].get(name) for basis in (before, now))
            if old is None or new is None:
                yield f"{what} {name} {'was added' if old is None else 'is no input any more'}"
            elif _content(old) != _content(new):
                yield f"{what} {name} has changed"
    if before["association"] != now["association"]:
        yield "its association has changed"


def _lost_product(folder: Folder, record: Mapping[str, Any]) -> str:
    for name, version in record["products"].items():
        path = folder.path / name
        if not path.is_file():
            return f"{name} is missing"
        if not is_same(path, version):
            return f"{name} was changed after it was made"
    return ""


def _content(version: Mapping[str, Any]) -> Any:
    """Return what tells whether two versions are the same."""
    return version.get("made") if "made" in version else version["sha256"]


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
