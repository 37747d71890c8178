"""What a page says of an exposure before anything else, and its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webbcal import datamodels
from webbcal.core.html import Markup
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import cell, pairs, section, table
from webbcal.run.exposure import meta_value

_FACTS = {
    "target": ("target.catalog_name", "target.proposer_name"),
    "programme": ("observation.program_number",),
    "title": ("program.title",),
    "instrument": ("instrument.name",),
    "detector": ("instrument.detector",),
    "filter": ("instrument.filter",),
    "pupil": ("instrument.pupil",),
    "grating": ("instrument.grating",),
    "exposure type": ("exposure.type",),
    "read pattern": ("exposure.readpatt",),
    "integrations": ("exposure.nints",),
    "groups": ("exposure.ngroups",),
    "subarray": ("subarray.name",),
    "observed": ("observation.date",),
    "exposure time": ("exposure.exposure_time",),
    "right ascension": ("wcsinfo.crval1", "target.ra"),
    "declination": ("wcsinfo.crval2", "target.dec"),
}
_UNITS = {"exposure time": " s", "right ascension": "°", "declination": "°"}


def facts_of(model: Any) -> dict[str, str]:
    """Return what a model says of its exposure: name -> value with unit; what it does not say is left out."""
    return dict(_told(model))


def _told(model: Any) -> Iterator[tuple[str, str]]:
    for name, places in _FACTS.items():
        values = (meta_value(model, f"meta.{place}") for place in places)
        value = next((v for v in values if isinstance(v, (str, int, float)) and v != ""), None)
        if value is not None:
            text = f"{value:.7g}" if isinstance(value, float) else str(value)
            yield name, text + _UNITS.get(name, "")


def facts(family: Family) -> Markup:
    """Return the section on the exposure and its files."""
    with datamodels.open(family.main.path) as model:
        said = facts_of(model)
    return section("Exposure", pairs(said.items()), _files(family), id_="exposure")


def _files(family: Family) -> Markup:
    rows = []
    for suffix, path in family.products.items():
        account, size = family.accounts.get(suffix), path.stat().st_size
        kind = account.kind if account else family.problems.get(suffix, "")
        steps = sum(step.status == "applied" for step in account.steps) if account else ""
        rows.append([cell(path.name, class_="name"), kind, steps, cell(size_of(size), size, "number")])
    return table(["file", "model", "steps applied", "size"], rows, numbers=(2, 3))


def size_of(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
