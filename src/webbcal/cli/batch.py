"""``webbcal batch``: many exposures, from what there is to what can be made of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from webbcal.cli.batch_display import make_display
from webbcal.core.errors import ParameterError
from webbcal.core.own_process import start_numba
from webbcal.core.wording import dashed
from webbcal.run.configuration import Arguments, parse_arguments

if TYPE_CHECKING:
    from webbcal.programme.driver import Result
    from webbcal.programme.job import Job
    from webbcal.programme.settings import Settings

USAGE = """\
usage: webbcal batch INPUT... --output-dir=FOLDER [OPTIONS] [--PIPELINE.STEP.parameter=value]

INPUT     exposures (_uncal, _rate, _cal), folders of them, associations (.json), or a TOML file that names
          all of it

Takes each exposure through stages 1 and 2, and associations through stage 3 when their members are ready.
Without association files, exposures are grouped by their headers. What was made before from the same inputs,
parameters, references and version is kept; a run that was interrupted goes on where it was.

  --plan                    print what would be done, and why; do nothing
  --force                   make everything again
  --allow-missing           combine exposures without those that have failed
  --executor KIND           local (worker processes; the default), serial, or dask (if a scheduler is named)
  --threads N, --max-memory SIZE
                            of all jobs together (default: of the machine); with dask, of each job
  --scheduler ADDRESS, --scheduler-file FILE
                            where the Dask scheduler is
  --disable-crds-steppars   do not ask CRDS for parameters
  --detector1.jump.rejection_threshold=5, --image3.tweakreg.abs_refcat=GAIADR3, ...
                            parameters of all jobs of a pipeline

webbcal status FOLDER tells how far it is; FOLDER/manifest.json what every product was made from; each job has
a log in FOLDER/logs. Exits with 1 if a job has failed. See docs/programmes.md."""

_FLAGS = {"--plan": "plan", "--force": "force", "--allow-missing": "allow_missing"}
#: Options that say who does the work, and what they are called in the table ``executor`` of a TOML file.
_EXECUTOR = {
    "executor": "kind",
    "threads": "threads",
    "max_memory": "max_memory",
    "scheduler": "scheduler",
    "scheduler_file": "scheduler_file",
}


def main(words: Sequence[str]) -> int:
    """Do a programme, or show what would be done."""
    arguments, flags = parsed(words)
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    settings = settings_from(arguments, flags)
    start_numba()
    from webbcal.programme.planning import plan_jobs

    jobs = plan_jobs(settings)
    if "plan" in flags:
        show_plan(jobs, settings)
        return 0
    return _run(jobs, settings)


def parsed(words: Sequence[str]) -> tuple[Arguments, set[str]]:
    """Return a command line, and its flags that are those of programmes."""
    flags = {_FLAGS[dashed(word)] for word in words if dashed(word) in _FLAGS}
    return parse_arguments([word for word in words if dashed(word) not in _FLAGS]), flags


def show_plan(jobs: Sequence[Job], settings: Settings) -> None:
    """Print what would be done, and why."""
    from webbcal.programme.outlook import in_text, look_ahead

    print(in_text(look_ahead(jobs, settings), settings))
    if settings.executor.kind == "dask" and settings.executor.jobqueue:
        from webbcal.programme.executors.dask import job_script

        print(f"\neach job of the cluster:\n{job_script(settings.executor)}")


def settings_from(arguments: Arguments, flags: set[str] | frozenset[str] = frozenset()) -> Settings:
    """Return the settings of a command line, on top of those of TOML files that it names.

    Raises
    ------
    ParameterError
        If something is missing, not known, or not allowed.
    """
    from webbcal.programme.settings import merged, read_settings, settings_of

    tree: dict[str, Any] = {}
    inputs: list[str] = []
    for name in (arguments.target, *arguments.positional):
        if name.lower().endswith(".toml"):
            tree = merged(tree, read_settings(name))
            inputs += tree.pop("inputs")
        else:
            inputs.append(name)
    given = dict(arguments.parameters)
    executor = {key: given.pop(option) for option, key in _EXECUTOR.items() if option in given}
    if "output_dir" in given:
        tree["output_dir"] = given.pop("output_dir")
    flat = [name for name, value in given.items() if not isinstance(value, dict)]
    if flat:
        raise ParameterError(f"--{flat[0]} is no option of a programme; see webbcal batch --help")
    tree["executor"] = merged(tree.get("executor", {}), executor)
    tree["parameters"] = merged(tree.get("parameters", {}), given)
    tree["allow_missing"] = tree.get("allow_missing", False) or "allow_missing" in flags
    if "disable-crds-steppars" in arguments.flags:
        tree["disable_crds_steppars"] = True
    return settings_of({**tree, "inputs": inputs}, force="force" in flags)


def _run(jobs: Sequence[Job], settings: Settings) -> int:
    from webbcal.programme.driver import Driver
    from webbcal.programme.executors.making import make_executor

    begin = time.perf_counter()
    with make_display(jobs) as display:
        result = Driver(jobs, settings, display).run(make_executor(settings.executor))
    print(summary(result, time.perf_counter() - begin))
    return code_of(result, "batch")


def code_of(result: Result, command: str) -> int:
    """Say what was not done; return the exit code."""
    for name, reason in result.failed.items():
        print(f"webbcal {command}: {name} failed: {reason} (logs/{name}.log)", file=sys.stderr)
    for name, reason in result.left_out.items():
        print(f"webbcal {command}: {name} was left out: {reason}", file=sys.stderr)
    return 0 if result.is_whole else 1


def summary(result: Result, seconds: float) -> str:
    """Return the line that closes a programme."""
    from webbcal.programme.pace import in_words

    counts = {
        "done": len(result.done),
        "kept": len(result.kept),
        "failed": len(result.failed),
        "left out": len(result.left_out),
    }
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state == "done")
    return f"{sum(counts.values())} jobs: {told}, {in_words(seconds)}"
