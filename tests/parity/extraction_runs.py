"""Steps of spectra by both packages on the same files, the peer's all in one process."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from peer_process import Script


@dataclass
class Job:
    """One run of a step.

    Attributes
    ----------
    step : str
        Alias of the step.
    given : path, list of paths, or association as a dict
    parameters : dict
    """

    step: str
    given: object
    parameters: dict = field(default_factory=dict)


@dataclass
class Pair:
    """What both packages made of a job: files, classes and what they say of the step; or the peer's error."""

    ours: list
    theirs: list
    status: tuple
    classes: tuple
    error: str | None = None
    seconds: float = 0.0


def run_both(jobs, folder, environment):
    """Run jobs (by name) with both packages; return name -> `Pair`."""
    folder = Path(folder)
    (folder / "jobs.json").write_text(json.dumps([_asked(name, job, folder) for name, job in jobs.items()]))
    Script("spectra_peer.py", folder / "jobs.json", folder=folder, environment=environment).finish()
    theirs = json.loads((folder / "jobs.json").read_text())
    return {name: _pair(name, job, t, folder) for (name, job), t in zip(jobs.items(), theirs, strict=True)}


def _asked(name, job, folder):
    (folder / f"peer_{name}").mkdir(exist_ok=True)
    given = job.given if isinstance(job.given, dict) else str(job.given)
    given = [str(p) for p in job.given] if isinstance(job.given, list) else given
    parameters = {k: str(v) if isinstance(v, Path) else v for k, v in job.parameters.items()}
    output = str(folder / f"peer_{name}" / "result.fits")
    return {
        "step": job.step, "input": given, "parameters": parameters, "output": output,
        "folder": str(folder / f"peer_{name}"),
    }  # fmt: skip


def _pair(name, job, theirs, folder):
    """Run our step, and put what it made beside the peer's."""
    from webbcal.run.registry import step_class

    if "error" in theirs:
        return Pair([], [], (None, None), (None, None), theirs["error"])
    (folder / f"ours_{name}").mkdir(exist_ok=True)
    try:
        if job.step == "field":
            spectra = step_class("extract_1d")(**job.parameters).run(job.given)
            result = [spectra, step_class("combine_1d")().run(spectra)]
        else:
            step = step_class(job.step)(**job.parameters)
            step.output_dir = str(folder / f"ours_{name}")
            result = step.run(job.given)
    except Exception as error:  # the others are looked at all the same
        return Pair(
            [], theirs["outputs"], (None, None), (None, None), f"ours: {type(error).__name__}: {error}"
        )
    results = [result] if hasattr(result, "meta") else list(result)
    ours = []
    for k, model in enumerate(results):
        ours.append(
            str(folder / f"ours_{name}" / (f"result_{k}.fits" if len(results) > 1 else "result.fits"))
        )
        model.save(ours[-1])
    status = [str(getattr(model.meta.cal_step, job.step, None)) for model in results]
    classes = [type(model).__name__ for model in results]
    return Pair(
        ours, theirs["outputs"], (status, theirs["status"]), (classes, theirs["classes"]),
        seconds=theirs["seconds"],
    )  # fmt: skip
