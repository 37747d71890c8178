"""``webbcal mosaic``: from exposures to their mosaic and its catalogue, in one go."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from webbcal.cli.batch import code_of, parsed, settings_from, show_plan
from webbcal.cli.report import REPORT, need_for_reports, report_saved
from webbcal.cli.run import logging_of
from webbcal.core.errors import ParameterError
from webbcal.core.own_process import start_numba
from webbcal.run.outcomes import counted, told

if TYPE_CHECKING:
    from webbcal.programme.mosaic import Mosaic

USAGE = """\
usage: webbcal mosaic FILE [FILE ...] --product-name=NAME [--output_dir=FOLDER] [--STAGE.STEP.parameter=value]

FILE          raw exposures (_uncal), _rate or _cal images, in any mixture, of one instrument and filter

Brings each exposure to _cal (calwebb_detector1, calwebb_image2), writes the association NAME_asn.json, and
combines its members (calwebb_image3): NAME_i2d.fits, NAME_cat.ecsv, NAME_segm.fits. All input is looked at
before anything is done; the products of each stage are kept. It is a programme as webbcal batch does them:
called again, it goes on where it was, and keeps what was made from the same.

  --detector1.jump.rejection_threshold=5
  --image2.resample.skip=false              make the quick-look mosaic of each exposure, too
  --image3.tweakreg.abs_refcat=GAIADR3
  --image3.config_file=FILE                 parameter file of a stage

webbcal run calwebb_image3 --help lists the parameters of a stage. Of webbcal run's options there are
--verbose, --log-level, --log-file, --log-stream, --logcfg, --disable-crds-steppars and --report; of webbcal
batch's, --plan, --force, --allow-missing, --threads, --max-memory, and --executor=local, which works on
several exposures side by side (by default, one after another on all threads)."""


def main(words: Sequence[str]) -> int:
    """Make a mosaic."""
    started = time.perf_counter()
    arguments, flags = parsed([word for word in words if word != REPORT])
    if REPORT in words:
        need_for_reports()
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    name = arguments.parameters.pop("product_name", None)
    if name is None:
        raise ParameterError("the mosaic has no name: --product-name=NAME")
    if not {"executor", "scheduler", "scheduler_file"} & arguments.parameters.keys():
        arguments.parameters["executor"] = "serial"
    arguments.parameters.setdefault("output_dir", ".")
    settings = settings_from(arguments, flags)
    with logging_of(arguments):
        start_numba()
        from webbcal.programme.mosaic import check_ahead, do_jobs, mosaic_of, plan_mosaic

        jobs = plan_mosaic(settings, name)
        if "plan" in flags:
            show_plan(jobs, settings)
            return 0
        check_ahead(jobs, settings)
        result = do_jobs(jobs, settings, lambda text: print(text, file=sys.stderr, flush=True))
    if jobs[-1].name not in (*result.done, *result.kept):
        return code_of(result, "mosaic")
    made = mosaic_of(jobs, settings)
    print(summary(made, time.perf_counter() - started))
    if REPORT in words:
        print("\n".join(report_saved([str(path) for path in made.files])))
    return code_of(result, "mosaic")


def summary(made: Mosaic, seconds: float) -> str:
    """Return the line that closes a run, after what is to be said of single exposures."""
    name = made.association.name.removesuffix("asn.json")
    products = [p.name for p in made.files if p.name.startswith(name)] or ["no mosaic"]
    line = (
        f"{', '.join(products)} of {len(made.calibrated)} exposures: {counted(made.steps)}, {seconds:.1f} s, "
        f"peak memory {made.peak_memory / 1e6:.0f} MB"
    )
    return "\n".join([*told(made.steps), line])
