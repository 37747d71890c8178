"""The references of a job: which it has used, and whether they are still the best, and the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError, ReferenceFileError, WebbcalError
from webbcal.programme.filestate import FileState, is_same
from webbcal.references.bestrefs import NOT_APPLICABLE, best_references
from webbcal.run.configuration import parameters_type
from webbcal.run.run import Run

#: What selects no reference, and differs from exposure to exposure.
_TELLS_NOTHING = ("meta.filename", "meta.date")


def selecting(pipeline: Any, init: str) -> dict[str, Any]:
    """Return the metadata of an input that select references."""
    with pipeline.open_model(init) as model:
        parameters = model.get_crds_parameters()
    return {
        name: value
        for name, value in parameters.items()
        if isinstance(value, (str, int, float, bool)) and name not in _TELLS_NOTHING
    }


def used_references(run: Run) -> list[dict[str, Any]]:
    """Return the references that the steps of a run have used; where there is none, N/A.

    Steps may have used several of one type, if the user has given one of them another.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for plan in run.done:
        for kind, reference in plan.references.items():
            if reference is None:
                told = _none(kind, "crds" if plan.step.get_ref_override(kind) is None else "override")
            elif reference.path is not None:
                # One that has changed since it was chosen has no sha256, and will not be taken for the same.
                size, mtime_ns = reference.stamp or (0, 0)
                version = FileState(size, mtime_ns, reference.sha256 or "").as_tree()
                told = {"kind": kind, "origin": reference.origin, "path": reference.path, **version}
            else:
                continue
            found[kind, told["origin"], told["path"]] = told
    return list(found.values())


def parameter_references(pipeline: type, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the references that hold parameters of a pipeline and its steps; where there is none, N/A."""
    kinds = parameter_kinds(pipeline)
    try:
        found = best_references(metadata, kinds)
    except WebbcalError:  # without CRDS there are none, and steps have defaults
        return []
    return [_none(kind) if path == NOT_APPLICABLE else _found(kind, path) for kind, path in found.items()]


def parameter_kinds(pipeline: Any) -> list[str]:
    """Return the types of the references that hold parameters of a pipeline and its steps."""
    return [parameters_type(cls) for cls in (*pipeline.step_defs.values(), pipeline)]


def changed_reference(record: Mapping[str, Any]) -> str:
    """Return which of the references that a job has used is not the best any more, or not the same; or ""."""
    for given in record["references"]:
        own = given["origin"] != "crds" and given["path"] != NOT_APPLICABLE
        if own and not is_same(Path(given["path"]), given):
            return f"reference {given['kind']} {given['path']} has other content than before"
    before = {r["kind"]: r for r in record["references"] if r["origin"] == "crds"}
    try:
        found = best_references(record["selecting"], list(before))
        for kind, path in found.items():
            old = before[kind]
            name, was = Path(path).name, Path(old["path"]).name
            if name != was:
                return f"reference {kind} was {was}, is {name}"
            if path != NOT_APPLICABLE and FileState.of(Path(path), old).sha256 != old["sha256"]:
                return f"reference {kind} {name} has other content than before"
    except WebbcalError as error:
        return f"its references cannot be found: {error}"
    return ""


def wanted_references(
    pipeline: Any, metadata: Mapping[str, Any], with_parameters: bool
) -> Iterator[tuple[str, str]]:
    """Yield the type and path of each reference that a pipeline may need; they are fetched where they can be.

    Raises
    ------
    ReferenceFileError
        If one is missing from the cache, and cannot be fetched.
    """
    kinds = dict.fromkeys(kind for step in pipeline.step_defs.values() for kind in step.reference_file_types)
    for kind in [*kinds, *(parameter_kinds(pipeline) if with_parameters else ())]:
        try:
            path = best_references(metadata, [kind])[kind]
        except FileNotFoundError:
            raise
        except ReferenceFileError:  # no rule for this mode: its steps are skipped, or say so
            continue
        if path != NOT_APPLICABLE:
            yield kind, path


def total_bytes(paths: Iterable[str]) -> int:
    """Return how large some files are together."""
    return sum(Path(path).stat().st_size for path in paths)


def _found(kind: str, path: str) -> dict[str, Any]:
    try:
        version = FileState.of(Path(path)).as_tree()
    except InputError as error:
        raise ReferenceFileError(str(error)) from error
    return {"kind": kind, "origin": "crds", "path": path, **version}


def _none(kind: str, origin: str = "crds") -> dict[str, Any]:
    return {"kind": kind, "origin": origin, "path": NOT_APPLICABLE, "size": 0, "mtime_ns": 0, "sha256": ""}
