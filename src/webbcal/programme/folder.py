"""The folder of a programme: products, logs, and what is known of each job.

Beside the products lie ``manifest.json``, the folder ``logs`` with a log for each job, and ``.webbcal`` with
the graph and a record for each job. Files are replaced as a whole: who is killed leaves the one before or the
one after.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError, OutputError
from webbcal.core.leftovers import sweep
from webbcal.io.atomic import AtomicFile
from webbcal.programme.job import Job

#: What the record of a job that is done tells.
_OF_DONE = {
    "host", "started", "threads", "seconds", "peak_memory", "basis", "selecting", "references", "fingerprint",
    "products", "call", "context", "libraries",
}  # fmt: skip


@dataclass(frozen=True)
class Folder:
    """Where a programme writes.

    Attributes
    ----------
    path : Path
        Absolute.
    """

    path: Path

    @property
    def manifest(self) -> Path:
        """What tells of all products."""
        return self.path / "manifest.json"

    def products(self) -> dict[str, dict[str, Any]]:
        """Return what the manifest tells of the products that are there."""
        known = _read(self.manifest).get("products", {})
        return {name: told for name, told in known.items() if (self.path / name).is_file()}

    @property
    def driver_lock(self) -> Path:
        """Held by who drives the programme."""
        return self.path / ".webbcal" / "driver.lock"

    def lock(self, job: str) -> Path:
        """Return what is held while a job is done."""
        return self.path / ".webbcal" / "locks" / f"{job}.lock"

    def log(self, job: str) -> Path:
        """Return the log of a job."""
        return self.path / "logs" / f"{job}.log"

    def prepare(self) -> None:
        """Make what is not there; remove what killed processes of this host have left.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        try:
            for part in ("logs", ".webbcal/jobs", ".webbcal/locks"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make output folder {self.path}: {error.strerror}; set --output-dir"
            ) from None
        for part in ("", ".webbcal", ".webbcal/jobs"):
            sweep(self.path / part)

    def record(self, job: str) -> dict[str, Any]:
        """Return what is known of a job; nothing if it never ran, or another version tells something else."""
        record = _read(self._record(job))
        return {} if record.get("state") == "done" and not record.keys() >= _OF_DONE else record

    def write_record(self, job: str, record: Mapping[str, Any]) -> None:
        """Replace what is known of a job."""
        write_json(self._record(job), record)

    def write_graph(self, jobs: Iterable[Job]) -> None:
        """Write which jobs there are, for those who look on."""
        graph = [
            {
                "name": job.name, "pipeline": job.pipeline, "level": job.level, "after": job.makers,
                "association": job.association_name,
            }
            for job in jobs
        ]  # fmt: skip
        write_json(self._graph, {"jobs": graph})

    def graph(self) -> list[dict[str, Any]]:
        """Return which jobs there are.

        Raises
        ------
        InputError
            If it is not the folder of a programme.
        """
        jobs = _read(self._graph).get("jobs")
        if not isinstance(jobs, list):
            raise InputError(
                f"{self.path}: no programme was run here; give the --output-dir of webbcal batch"
            )
        return jobs

    @property
    def own_associations(self) -> set[str]:
        """The names of the associations that a programme has written here, as it made them of others."""
        return {job.get("association", "") for job in _read(self._graph).get("jobs", [])}

    @property
    def _graph(self) -> Path:
        return self.path / ".webbcal" / "graph.json"

    def _record(self, job: str) -> Path:
        return self.path / ".webbcal" / "jobs" / f"{job}.json"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file as a whole."""
    file = AtomicFile(path)
    try:
        file.write_at(json.dumps(content, indent=1).encode(), 0)
    except BaseException:
        file.abort()
        raise
    file.commit()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
