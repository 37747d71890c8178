"""``webbcal report``: pages of products, to be looked at in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from webbcal.cli.extra import need
from webbcal.core.errors import ParameterError
from webbcal.run.configuration import parse_arguments
from webbcal.run.parameters import suggestion

USAGE = """\
usage: webbcal report PRODUCT|FOLDER [...] [--output_dir=FOLDER]

Makes a page (HTML) of what was made of an exposure or association: what was done, what was skipped and why,
parameters with their origin, reference files with sha256, time and memory, images before and after, flags,
ramps with jumps and fits, noise, alignment and sky of stage 3, spectra. It shows what is in the folder of the
product: raw data, ramps, rates, calibrated images. A page is one file, below 5 MB, which needs no network.

PRODUCT   a file (FITS, ASDF), also of jwst; its page is ROOT_report.html, beside it
FOLDER    all products in a folder; their pages and an index go to FOLDER/report

webbcal run and webbcal mosaic make pages of what they save with --report."""

#: The option of other commands.
REPORT = "--report"


def main(words: Sequence[str]) -> int:
    """Make pages."""
    arguments = parse_arguments(["report", *words])
    given = dict(arguments.parameters)
    folder = given.pop("output_dir", None)
    if given:
        name = next(iter(given))
        raise ParameterError(f"report has no option --{name}{suggestion(name, ['output_dir'])}")
    if not arguments.positional or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    need_for_reports()
    from webbcal.report.pages.writing import write_reports

    paths = [Path(path) for path in arguments.positional]
    for path in write_reports(paths, Path(folder) if folder else None):
        print(path)
    return 0


def need_for_reports() -> None:
    """Make sure, before any work, that pages can be made."""
    need("matplotlib", "PIL", extra="plots")


def report_saved(products: Sequence[str]) -> list[str]:
    """Make pages of what a run has saved; return what is to be said of it, as lines."""
    from webbcal.report.pages.writing import write_reports_of

    return [f"report: {path}" for path in write_reports_of(products)]
