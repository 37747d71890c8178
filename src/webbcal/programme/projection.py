"""How much memory jobs are going to take: as their pipelines plan it, asked once for those that are alike."""

from __future__ import annotations

from typing import Any

from webbcal.associations import Association
from webbcal.core.errors import WebbcalError
from webbcal.programme.executors.interface import Share
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.settings import flat
from webbcal.programme.work import pipeline_of
from webbcal.run.planning import RunPlan


class Projection:
    """Asks pipelines how much memory they are going to take.

    Parameters
    ----------
    folder : Folder
    disable_crds : bool
        Whether CRDS is not asked for parameters.
    """

    def __init__(self, folder: Folder, disable_crds: bool) -> None:
        self._folder, self._disable_crds = folder, disable_crds
        self._known: dict[Any, int | None] = {}

    def of(self, job: Job, threads: int) -> int | None:
        """Return the bytes that a job is going to take on some threads; None if that is not known yet.

        Jobs are alike if they have the same pipeline, mode and parameters, and inputs of the same sizes;
        those of level 3 are like no other, for their exposures may be far apart.
        """
        try:
            sizes = [given.path.stat().st_size for given in job.inputs]
        except OSError:  # not made yet
            return None
        own = job.name if job.level == 3 else ""
        key = own, job.pipeline, job.mode, str(sorted(flat(job.parameters))), tuple(sizes), threads
        if key not in self._known:
            self._known[key] = self._asked(job, threads)
        return self._known[key]

    def _asked(self, job: Job, threads: int) -> int | None:
        """Return what the plan says; an input that cannot be planned will say so when it is run."""
        try:
            plans = plans_of(job, self._folder, Share(threads), self._disable_crds)
            return max(plan.memory for plan in plans)
        except (WebbcalError, OSError):
            return None


def plans_of(job: Job, folder: Folder, share: Share, disable_crds: bool) -> list[RunPlan]:
    """Return the plans of the runs that a job is; nothing is written.

    Raises
    ------
    WebbcalError
        If it cannot be done, as far as plans tell.
    """
    init: Any = str(job.inputs[0].path)
    if job.association is not None:
        init = Association(dict(job.association), folder.path / job.association_name)
    plans = pipeline_of(job, folder, share, None, disable_crds).plan(init)
    return plans if isinstance(plans, list) else [plans]
