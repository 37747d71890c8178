"""The graph: all jobs of a programme, each after those that make its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.programme.grouping import Grouping, Together, why_not
from webbcal.programme.job import SCIENCE, Input, Job
from webbcal.programme.settings import Settings
from webbcal.programme.sources import Exposure, Sources, root_and_suffix

#: Suffixes of files that stage 1 makes; others are made by the job whose products have their root.
_STAGE_1 = ("rate", "rateints", "ramp")
#: What stage 3 makes beside a mosaic, and slitless spectra are found by.
_OF_MOSAICS = ("_cat.ecsv", "_segm.fits")


def jobs_of(sources: Sources, grouping: Grouping, settings: Settings) -> list[Job]:
    """Return all jobs, each after those that make what it reads.

    Raises
    ------
    InputError
        If two would write the same files, or there is nothing to do.
    """
    folder = settings.output_dir
    first = [
        _stage_1(exposure, grouping, folder)
        for exposure in sources.exposures.values()
        if exposure.level == 1 or exposure.root in grouping.unreadable
    ]
    # All images first, mosaics too: their catalogues tell where slitless spectra are.
    wanted = sorted(grouping.products, key=lambda together: ("image" not in together.kind, together.level))
    finder = _Finder(sources, folder, first)
    for together in wanted:
        if together.level == 3 or _is_due(together, sources):
            finder.add(_of_association(together, grouping, finder))
    jobs = [replace(job, parameters=settings.parameters_of(job.pipeline, job.mode)) for job in finder.jobs]
    _check_names(jobs, sources, folder)
    if not jobs:
        raise InputError("there is nothing to do: all exposures are calibrated, and none are combined")
    return jobs


class _Finder:
    """Knows where the members of associations come from."""

    def __init__(self, sources: Sources, folder: Path, jobs: Iterable[Job]) -> None:
        self.sources, self.folder, self.jobs = sources, folder, list(jobs)
        self._makers: dict[tuple[bool, str], Job] = {}
        for job in self.jobs:
            self._makers[True, _root(job)] = job

    def add(self, job: Job) -> None:
        """Know a job of level 2 or 3, too."""
        self.jobs.append(job)
        self._makers[False, _root(job)] = job

    def find(self, name: str, role: str, folder: Path | None) -> Input:
        """Return a member, looked for in the association's folder, as an input."""
        base = Path(name).name
        root, suffix = root_and_suffix(base)
        maker = self._makers.get((suffix in _STAGE_1, _of_mosaic(base) or root))
        if maker is not None and suffix != "uncal":
            return Input(self.folder / base, role, maker.name)
        given = self.sources.exposures.get(root)
        places = [] if folder is None else [folder / name]
        if given is not None:
            places += [given.path] if given.suffix == suffix else [given.path.with_name(base)]
        places.append(self.folder / base)
        there = next((place for place in places if place.is_file()), None)
        if there is None:
            return Input(places[0], role, missing=f"{base} is neither there nor made by another job")
        return Input(there, role)


def _root(job: Job) -> str:
    return job.name.rpartition(".")[0]


def _of_mosaic(name: str) -> str:
    """Return the root of the mosaic that a catalogue or segment map belongs to; "" if it is neither."""
    return next((name.removesuffix(ending) for ending in _OF_MOSAICS if name.endswith(ending)), "")


def job_name(root: str, pipeline: str) -> str:
    """Return the name of a job."""
    return f"{root}.{pipeline.removeprefix('calwebb_')}"


def _stage_1(exposure: Exposure, grouping: Grouping, folder: Path) -> Job:
    mode = grouping.modes.get(exposure.root, "")
    pipeline = "calwebb_detector1"
    if mode_of(mode).optics == "guider":
        pipeline = "calwebb_guider"
    elif "DARK" in mode:
        pipeline = "calwebb_dark"
    problem = grouping.unreadable.get(exposure.root, "")
    name = job_name(exposure.root, pipeline)
    return Job(name, pipeline, 1, (Input(exposure.path),), mode=mode, problem=problem)


def _is_due(together: Together, sources: Sources) -> bool:
    """Tell whether a product of level 2 is still to be made: not if its exposure was given calibrated."""
    given = sources.exposures.get(together.name)
    return given is None or given.level < 3


def _of_association(together: Together, grouping: Grouping, finder: _Finder) -> Job:
    """Return the job that makes a product of an association."""
    pipeline = together.pipeline or f"calwebb_{together.kind}"
    inputs, members = [], []
    for member in together.members:
        found = finder.find(member["expname"], member["exptype"].lower(), together.folder)
        inputs.append(found)
        members.append({**member, "expname": _as_member(found.path, finder.folder)})
    science = next(given for given in inputs if given.role == SCIENCE)
    return Job(
        job_name(together.name, pipeline),
        pipeline,
        together.level,
        tuple(inputs),
        _tree(together, members),
        together.association_name,
        grouping.modes.get(root_and_suffix(science.path.name)[0], ""),
        problem="" if together.pipeline else why_not(together.kind),
    )


def _tree(together: Together, members: list[dict[str, Any]]) -> Mapping[str, Any]:
    product = {**together.tree["products"][0], "name": together.name, "members": members}
    return {**together.tree, "asn_type": together.kind, "products": [product]}


def _as_member(path: Path, folder: Path) -> str:
    """Return how an association in a folder names a file."""
    return path.name if path.parent == folder else str(path)


def _check_names(jobs: Iterable[Job], sources: Sources, folder: Path) -> None:
    """Refuse products and associations that would be written over others."""
    given = {Path(a.path).resolve() for a in sources.associations if a.path is not None}
    seen: set[str] = set()
    for job in jobs:
        root = _root(job)
        if job.name in seen or (job.level == 3 and root in sources.exposures):
            raise InputError(
                f"the name {root} would be that of two products, or of a product and an exposure; change the "
                "name of the product in its association"
            )
        if job.association is not None and (folder / job.association_name).resolve() in given:
            raise InputError(
                f"{folder / job.association_name} was given, and would be written over; choose another "
                "--output-dir, or give the association another name"
            )
        seen.add(job.name)
