"""From settings to jobs."""

from __future__ import annotations

from webbcal.programme.graph import jobs_of
from webbcal.programme.grouping import group
from webbcal.programme.job import Job
from webbcal.programme.settings import Settings
from webbcal.programme.sources import look


def plan_jobs(settings: Settings) -> list[Job]:
    """Return all jobs of a programme, each after those that make what it reads.

    Raises
    ------
    InputError
        If an input is not there, or there is nothing to do.
    """
    sources = look(settings.inputs)
    return jobs_of(sources, group(sources), settings)
