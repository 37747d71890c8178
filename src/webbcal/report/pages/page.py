"""The page of an exposure or association, and the index of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from webbcal import datamodels
from webbcal.core.errors import WebbcalError
from webbcal.core.html import Markup, element, paragraph
from webbcal.report.account import Account
from webbcal.report.pages.alignment import alignment
from webbcal.report.pages.document import document
from webbcal.report.pages.facts import facts, facts_of
from webbcal.report.pages.family import Family
from webbcal.report.pages.flags import flags, share_unusable
from webbcal.report.pages.histograms import histograms
from webbcal.report.pages.html import cell, section, table
from webbcal.report.pages.images import images, thumbnail
from webbcal.report.pages.processing import parameters, processing, references, seconds
from webbcal.report.pages.ramps import ramps
from webbcal.report.pages.spectra import spectra

#: Longest side of images, in pixels; the smaller ones are for pages that would be too large.
_SIDES = (1024, 640, 360)
MOST_BYTES = 5_000_000
_MOST_THUMBNAILS = 400

Section = Callable[[Family], Markup | None]
_AFTER_IMAGES: Mapping[str, Section] = {
    "What was done": lambda family: processing(family.main),
    "Exposures that are combined": alignment,
    "Spectra": spectra,
    "Ramps": ramps,
    "Flags": flags,
    "Values and noise": histograms,
    "Parameters": lambda family: parameters(family.main),
    "Reference files": lambda family: references(family.main),
}


def page(family: Family, index: str | None = None) -> str:
    """Return the page of what was made of an exposure or association, smaller than `MOST_BYTES`.

    Parameters
    ----------
    family : Family
    index : str, optional
        Address of the index that the page belongs to.
    """
    rest = [_tried(name, make, family) for name, make in _AFTER_IMAGES.items()]
    first = _tried("Exposure", facts, family)
    back = element("a", "← all", href=index) if index else None
    text = ""
    for side in _SIDES:
        drawn = _tried("Images", partial(images, most=side), family)
        parts = [part for part in (first, drawn, *rest) if part is not None]
        text = document(family.root, _summary(family.main), parts, back)
        if len(text.encode("utf-8")) < MOST_BYTES:
            break
    return text


def _tried(name: str, make: Section, family: Family) -> Markup | None:
    """Return a section, or why it cannot be made: a damaged array leaves the rest of the page."""
    try:
        return make(family)
    except WebbcalError as error:
        said = paragraph(f"This cannot be shown: {error}", class_="note")
        return section(name, said, id_=f"no-{name.split()[0].lower()}")


def _summary(account: Account) -> str:
    counts = Counter(step.status for step in account.steps)
    said = [f"{counts[state]} steps {state}" for state in ("applied", "skipped", "failed") if counts[state]]
    spent = [run.seconds for run in account.runs if run.seconds is not None]
    runs = f"{len(account.runs)} run{'s' * (len(account.runs) != 1)}"
    said += [f"{seconds(sum(spent))} in {runs}"] * bool(spent)
    return ", ".join([f"{account.path.name} ({account.kind})", *said])


def index_page(
    families: Sequence[tuple[Family, str]], folder: str, unread: Mapping[Path, str] | None = None
) -> str:
    """Return the index of many pages.

    Parameters
    ----------
    families : sequence of (Family, str)
        Each with the address of its page.
    folder : str
        What the products are of, for the title.
    unread : mapping, optional
        Files that cannot be read -> the reason.
    """
    columns = ["", "exposure or association", "instrument", "filter", "type", "products", "applied",
               "skipped",
               "failed", "time", "unusable"]  # fmt: skip
    most = 120 if len(families) <= _MOST_THUMBNAILS else 0
    rows = [list(_row(family, address, most)) for family, address in families]
    failed = sum(step.status == "failed" for family, _ in families for step in family.main.steps)
    told = f"{len(families)} exposures and associations, {failed} failed steps"
    sections = [section("All", table(columns, rows, numbers=(6, 7, 8, 9, 10)), id_="all")]
    if unread:
        told += f", {len(unread)} {'file' if len(unread) == 1 else 'files'} that cannot be read"
        lines = [[path.name, reason] for path, reason in unread.items()]
        sections.append(section("Cannot be read", table(["file", "why"], lines), id_="unread"))
    return document(f"Products in {folder}", told, sections)


def _row(family: Family, address: str, most: int) -> Iterator[Markup | str | int]:
    with datamodels.open(family.main.path) as model:
        said = facts_of(model)
    small = thumbnail(family, most) if most else None
    size = {} if small is None else {"width": small.width, "height": small.height}
    yield "" if small is None else element("img", src=small.url, alt="", **size)
    yield cell(element("a", family.root, href=address), family.root)
    yield " ".join(dict.fromkeys(said[n] for n in ("instrument", "detector") if n in said))
    yield " ".join(said[n] for n in ("filter", "pupil", "grating") if n in said)
    yield said.get("exposure type", "")
    yield ", ".join(suffix or "–" for suffix in family.products)
    counts = Counter(step.status for step in family.main.steps)
    for state in ("applied", "skipped", "failed"):
        yield counts[state]
    spent = [run.seconds for run in family.main.runs if run.seconds is not None]
    yield cell(seconds(sum(spent)), sum(spent), "number") if spent else cell("", -1)
    share = share_unusable(family)
    yield cell("", -1) if share is None else cell(f"{100 * share:.2g} %", share, "number")
