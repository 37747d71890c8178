"""From exposures, raw or calibrated, to their mosaic: a programme with one association, that of them all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from webbcal.associations import asn_from_list
from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.core.resources import Resources
from webbcal.programme.driver import Driver, Result
from webbcal.programme.executors.interface import Share
from webbcal.programme.executors.making import make_executor
from webbcal.programme.folder import Folder
from webbcal.programme.graph import jobs_of
from webbcal.programme.grouping import Grouping, Together, split
from webbcal.programme.job import Job
from webbcal.programme.mosaic_input import Given, check_together, look_at
from webbcal.programme.projection import plans_of
from webbcal.programme.settings import Settings, merged, settings_of
from webbcal.programme.sources import Sources, root_and_suffix
from webbcal.run.configuration import build_step
from webbcal.run.outcomes import Outcome
from webbcal.run.parameters import suggestion
from webbcal.run.registry import step_class

log = logging.getLogger(__name__)

_STAGES = ("calwebb_detector1", "calwebb_image2", "calwebb_image3")


@dataclass(frozen=True)
class Mosaic:
    """What is there of a mosaic.

    Attributes
    ----------
    association : Path
        The level-3 association.
    calibrated : list of Path
        Its members, in the order of the files given.
    mosaic : Path or None
        The mosaic (`_i2d`); None if resampling was skipped.
    files : list of Path
        All products of all stages, in the order of the jobs that made them.
    steps : list of Outcome
        What came of each step, all stages and exposures.
    peak_memory : int
        The most bytes that a job has taken.
    """

    association: Path
    calibrated: list[Path]
    mosaic: Path | None
    files: list[Path]
    steps: list[Outcome]
    peak_memory: int


def make_mosaic(
    files: Iterable[str | os.PathLike[str]],
    product_name: str,
    output_dir: str | os.PathLike[str] = "",
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    disable_crds: bool = False,
    tell: Callable[[str], None] = log.info,
    *,
    threads: int | None = None,
    max_memory: str | None = None,
    force: bool = False,
) -> Mosaic:
    """Bring exposures to `_cal`, associate them, and combine them, in this process.

    Raw exposures pass calwebb_detector1 and calwebb_image2 (without its quick-look mosaic), rates the latter.
    All input is looked at before anything is done. What was made before, from the same, is kept.

    Parameters
    ----------
    files : iterable of path
        Raw (`_uncal`), `_rate` and `_cal` exposures, in any mixture.
    product_name : str
        Root of the names of the association, the mosaic and its catalogue.
    output_dir : path
        Folder of all products.
    parameters : mapping, optional
        ``{"detector1": {"jump": {"rejection_threshold": 5}}, "image2": …, "image3": …}``; a stage's
        ``config_file`` is its parameter file.
    disable_crds : bool
        Do not ask CRDS for parameters.
    tell : callable
        Is told what is being done, a line at a time.
    threads : int, optional
        Threads that work at once; by default all processors.
    max_memory : str, optional
        Most memory of the process, such as ``"1GB"``; by default what is free.
    force : bool
        Make everything again.

    Raises
    ------
    InputError
        If a file is no exposure of a mosaic, or they do not go together.
    ParameterError
        For an unknown parameter or a value that is not allowed.
    WebbcalError
        If the mosaic could not be made.
    """
    tree = {
        "inputs": [os.fspath(file) for file in files],
        "output_dir": os.fspath(output_dir) or ".",
        "executor": {"kind": "serial", "threads": threads, "max_memory": max_memory},
        "parameters": parameters or {},
        "disable_crds_steppars": disable_crds,
    }
    settings = settings_of(tree, force=force)
    jobs = plan_mosaic(settings, product_name)
    check_ahead(jobs, settings)
    result = do_jobs(jobs, settings, tell)
    for name, reason in result.failed.items():
        raise WebbcalError(f"no mosaic was made: {name} failed: {reason}")
    return mosaic_of(jobs, settings)


def plan_mosaic(settings: Settings, product_name: str) -> list[Job]:
    """Return the jobs that bring all inputs to `_cal` and combine them; the last one makes the mosaic.

    Raises
    ------
    InputError
        If an input is no exposure of a mosaic, or they do not go together.
    ParameterError
        If there are parameters of another pipeline.
    """
    for alias in settings.parameters:
        if alias not in _STAGES:
            raise ParameterError(
                f"{alias} makes no part of a mosaic{suggestion(alias, _STAGES)}: give parameters of "
                "detector1, image2 and image3"
            )
    given = [look_at(name) for name in settings.inputs]
    check_together(given, product_name)
    sources = Sources({one.root: one.exposure for one in given}, [])
    grouping = Grouping(_products(given, product_name), {one.root: one.mode for one in given}, {})
    return jobs_of(sources, grouping, _without_quick_looks(settings))


def _products(given: Sequence[Given], product_name: str) -> list[Together]:
    """Return what is made: each exposure calibrated, and all of them together."""
    rates = [one.name_as("rate") for one in given if one.exposure.suffix != "cal"]
    alone: list[Together] = []
    if rates:
        each = asn_from_list(
            rates, "DMSLevel2bBase", product_name_func=lambda name, _: root_and_suffix(name)[0]
        )
        alone += split(each)
    whole = asn_from_list([one.name_as("cal") for one in given], product_name=product_name)
    return [*alone, *(replace(one, file=f"{product_name}_asn.json") for one in split(whole))]


def _without_quick_looks(settings: Settings) -> Settings:
    """Skip the mosaics of single exposures, unless the user says something else."""
    words = settings.parameters.get("calwebb_image2", {})
    image2: Any = build_step(step_class("calwebb_image2"), None, disable_crds=True, **words)
    if image2.resample.origin("skip").startswith(("user", "file")):
        return settings
    quick = {"calwebb_image2": merged(words, {"resample": {"skip": True}})}
    return replace(settings, parameters={**settings.parameters, **quick})


def check_ahead(jobs: Sequence[Job], settings: Settings) -> None:
    """Plan the jobs whose inputs are there: what cannot be done is refused before anything is.

    Raises
    ------
    WebbcalError
        Saying why.
    """
    have = Resources.of_machine(settings.executor.threads, settings.executor.max_memory)
    share = Share(have.threads, have.memory if have.limited else None)
    for job in jobs:
        if not job.makers:
            for plan in plans_of(job, Folder(settings.output_dir), share, settings.disable_crds):
                plan.checked()


def do_jobs(jobs: Sequence[Job], settings: Settings, tell: Callable[[str], None]) -> Result:
    """Do the jobs of a mosaic; what was made before is kept."""
    result = Driver(jobs, settings, _Teller(jobs, tell)).run(make_executor(settings.executor))
    if result.kept:
        tell(f"{len(result.kept)} of {len(jobs)} jobs were done before (--force does them again)")
    return result


class _Teller:
    """Tells which exposure is worked on, and by which stage."""

    def __init__(self, jobs: Sequence[Job], tell: Callable[[str], None]) -> None:
        self._tell, self._count = tell, len(jobs[-1].inputs)
        makers = {given.maker: number for number, given in enumerate(jobs[-1].inputs, start=1)}
        before = {
            given.maker: makers[job.name] for job in jobs[:-1] if job.name in makers for given in job.inputs
        }
        self._number = before | makers

    def began(self, job: Job, reason: str) -> None:
        """Tell of a job."""
        if job.name in self._number:
            number = f"{self._number[job.name]}/{self._count}"
            self._tell(f"{number} {job.inputs[0].path.name}: {job.pipeline}")
        else:
            self._tell(f"{job.pipeline}: {job.name.rpartition('.')[0]} of {self._count} exposures")

    def ended(self, job: Job, state: str, record: dict[str, Any], text: str) -> None:
        """What has failed is told at the end."""


def mosaic_of(jobs: Sequence[Job], settings: Settings) -> Mosaic:
    """Return what the jobs of a mosaic have made."""
    folder, last = Folder(settings.output_dir), jobs[-1]
    records = [folder.record(job.name) for job in jobs]
    files = [folder.path / name for record in records for name in record.get("products", {})]
    return Mosaic(
        folder.path / last.association_name,
        [given.path for given in last.inputs if given.path.name in records[-1]["basis"]["inputs"]],
        next((path for path in files if path.name == f"{last.name.rpartition('.')[0]}_i2d.fits"), None),
        files,
        [came for record in records for came in record.get("steps", [])],
        max(record.get("peak_memory", 0) for record in records),
    )
