"""What becomes of a job when some of its inputs will not be there."""

from __future__ import annotations

from collections.abc import Callable

from webbcal.programme.job import Job


def as_it_can_be(job: Job, is_lost: Callable[[str], bool], allow_missing: bool) -> tuple[Job, str]:
    """Return a job without the inputs that will not be there, and why it cannot be done ("" if it can).

    Parameters
    ----------
    job : Job
    is_lost : callable
        Tells of the name of a job whether its products will not be there.
    allow_missing : bool
        Whether it may be done without some of its members, if a science exposure is left.
    """
    gone = [given for given in job.inputs if given.missing or (given.maker and is_lost(given.maker))]
    if job.problem or not gone:
        return job, job.problem
    reason = "; ".join(given.missing or f"{given.maker} was not done" for given in gone[:3])
    if job.association is None:
        return job, reason
    if all(given in gone for given in job.science):
        return job, f"{reason}: no science exposure is left"
    if not allow_missing:
        return job, f"{reason} (--allow-missing goes on without)"
    return job.without(gone), ""
