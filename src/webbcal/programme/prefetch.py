"""Fetching the references of a programme before its workers want them, all at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from webbcal.programme.job import Job
from webbcal.programme.planning import plan_jobs
from webbcal.programme.references import selecting, total_bytes, wanted_references
from webbcal.programme.settings import Settings
from webbcal.references.files import other_digests
from webbcal.run.registry import step_class


def prefetch(settings: Settings) -> str:
    """Fetch all references that the jobs of a programme may need; return what there is to say.

    All are read, so that their checksums are known: to workers, and to tell which have changed in the cache.

    Raises
    ------
    ReferenceFileError
        If one is missing from the cache, and cannot be fetched.
    """
    found: dict[str, str] = {}
    asked: set[str] = set()
    exposures: set[str] = set()
    for job, exposure in _with_exposures(plan_jobs(settings)):
        exposures.add(exposure)
        cls = step_class(job.pipeline)
        metadata = selecting(cls(), exposure)
        question = json.dumps([job.pipeline, metadata], sort_keys=True)
        if question not in asked:  # exposures with the same keywords need the same
            asked.add(question)
            wanted = wanted_references(cls, metadata, not settings.disable_crds)
            found |= {path: kind for kind, path in wanted}
    kinds = ", ".join(sorted(set(found.values()))) or "none is needed"
    size = f"{total_bytes(found) / 1e6:.1f} MB"
    said = f"{len(found)} references, {size}, for {len(exposures)} exposures are in the cache ({kinds})"
    return "\n".join([said, *(_changed(path) for path in found if other_digests(path))])


def _changed(path: str) -> str:
    return (
        f"warning: {path} has other content than when it was used before; CRDS gives a changed file another "
        "name: if nobody has replaced it on purpose, remove it, and it will be fetched again"
    )


def _with_exposures(jobs: list[Job]) -> Iterator[tuple[Job, str]]:
    """Yield each job that can be done with an exposure that is there: one that selects the same references.

    What is not made yet will have the keywords of the raw exposure that it is made of.
    """
    raw: dict[str, Any] = {}
    for job in jobs:
        if job.problem:
            continue
        first = job.science[0]
        raw[job.name] = raw.get(first.maker, str(first.path))
        if not first.missing and (first.maker == "" or first.maker in raw):
            yield job, raw[job.name]
