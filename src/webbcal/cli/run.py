"""``webbcal run``: run a pipeline or step, as ``strun`` does."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from webbcal.cli.report import REPORT, need_for_reports, report_saved
from webbcal.core.errors import ParameterError
from webbcal.core.own_process import start_numba
from webbcal.run.configuration import Arguments, build_from_arguments, class_named, parse_arguments
from webbcal.run.outcomes import counted, outcomes_of, told
from webbcal.run.planning import peak_memory
from webbcal.run.progress import Progress
from webbcal.run.run import Run
from webbcal.run.step import Step

USAGE = """\
usage: webbcal run STEP INPUT... [--parameter=value] [--steps.STEP.parameter=value]

STEP      alias (calwebb_detector1, jump), class name (JumpStep, jwst.pipeline.Detector1Pipeline),
          or a parameter file (.asdf)
INPUT     the exposure: a FITS file; where several are combined or calibrated together, their files or an
          association (.json)

webbcal run STEP --help lists the parameters of a step. Parameters that all have: --output_dir, --output_file,
--save_results, --suffix, --skip, --pre_hooks, --post_hooks, --override_<reference type>=FILE.

  --threads N               threads that work at once (default: all processors)
  --max-memory SIZE         most memory of the process, such as 1GB (default: what is free); what will not
                            fit is refused before work starts
  --verbose, -v             say what each step does
  --log-level, --log-file, --log-stream, --logcfg
                            where log messages go
  --report                  make pages of what was saved (see webbcal report)
  --save-parameters FILE    write all parameters to a parameter file
  --disable-crds-steppars   do not ask CRDS for parameters
  --debug                   on an error, start the debugger"""


def main(words: Sequence[str]) -> int:
    """Run a step or pipeline."""
    started = time.perf_counter()
    arguments = parse_arguments([word for word in words if word != REPORT])
    if REPORT in words:
        need_for_reports()
    if not arguments.target:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    if "help" in arguments.flags:
        print(help_of(arguments.target))
        return 0
    if not arguments.positional:
        raise ParameterError(f"no input given: webbcal run {arguments.target} INPUT")
    with logging_of(arguments):
        step = build_from_arguments(arguments)
        if "save-parameters" in arguments.options:
            step.export_config(arguments.options["save-parameters"], include_metadata=True)
        run = execute(step, arguments)
    print(summary(run, time.perf_counter() - started))
    if REPORT in words:
        print("\n".join(report_saved(run.saved)))
    return 0


def execute(step: Step, arguments: Arguments) -> Run:
    """Run the step on the input, in the debugger's care if asked for."""
    start_numba()
    try:
        with stopped(display()) as shown:
            return step.start(*arguments.positional, progress=shown)
    except Exception:
        if "debug" in arguments.flags:
            import pdb
            import traceback

            traceback.print_exc()
            pdb.post_mortem()
        raise


def display() -> Progress:
    """Return the progress display."""
    from webbcal.cli.display import make

    return make()


@contextmanager
def stopped(shown: Progress) -> Iterator[Progress]:
    """Show progress, and clear it away at the end, however that comes."""
    try:
        yield shown
    finally:
        shown.stop()


def logging_of(arguments: Arguments):  # type: ignore[no-untyped-def]
    """Return a context in which log messages go where the options say; by default only warnings are shown."""
    from webbcal.run import logcfg

    options = {k: v for k, v in arguments.options.items() if k.startswith("log")}
    verbose = "verbose" in arguments.flags
    if options or verbose or logcfg.default_settings():
        return logcfg.command_line_logging(options, verbose)
    return logcfg.applied(logcfg.LogSettings(level=logging.WARNING, format="%(message)s"))


def help_of(target: str) -> str:
    """Return the parameters of a step or pipeline as text."""
    cls = class_named(target)
    lines = [_told_of(cls), "", "parameters:"]
    lines += [f"  --{info.spec}" for info in cls.parameter_infos().values()]
    for name, sub in cls.step_defs.items():
        lines += ["", f"step {name}: {_told_of(sub).splitlines()[0]}"]
        own = [i for n, i in sub.parameter_infos().items() if n not in Step.parameter_infos() or n == "skip"]
        lines += [f"  --steps.{name}.{info.spec}" for info in own]
    return "\n".join(lines)


def _told_of(cls: type) -> str:
    return (cls.__doc__ or cls.__name__).strip()


def summary(run: Run, seconds: float) -> str:
    """Return the line that closes a run, after what is to be said of single exposures."""
    files, came = [Path(path).name for path in run.saved], outcomes_of(run.done)
    return "\n".join(
        [
            *told(came),
            f"{', '.join(files) or type(run.step).__name__}: {counted(came)}, {seconds:.1f} s, "
            f"peak memory {peak_memory() / 1e6:.0f} MB",
        ]
    )
