"""Spectra of many sources: tables of an exposure and order each, with a row for each source.

All tables of a product have a row for every source, in the order of their numbers; one that an exposure does
not have is a row of NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.datamodels.cast import as_declared
from webbcal.datamodels.node import schema_at
from webbcal.io.arrays import pieces_of
from webbcal.library.groups import exposure_name
from webbcal.spectra.shelf import Shelf
from webbcal.spectra.slit import Spectrum
from webbcal.spectra.source_tables import Row, SourceRow, SourceTable
from webbcal.spectra.tables import VECTORS, units_in
from webbcal.spectra.units import Units

#: Columns of a source.
_OF_SOURCE = {
    "SOURCE_TYPE": "source_type",
    "SOURCE_XPOS": "source_xpos",
    "SOURCE_YPOS": "source_ypos",
    "SOURCE_RA": "source_ra",
    "SOURCE_DEC": "source_dec",
}
_OF_CUT = {"EXTRACT2D_XSTART": "x", "EXTRACT2D_YSTART": "y"}
_NAMES = (
    *("SOURCE_ID", *VECTORS, "N_ALONGDISP", *_OF_SOURCE, "EXTRACT2D_XSTART", "EXTRACT2D_YSTART"),
    *("EXTRACT2D_XSTOP", "EXTRACT2D_YSTOP"),
)
_UNITS: dict[str, str | None] = {**dict.fromkeys(_NAMES[-8:-6], "pix"), **dict.fromkeys(_NAMES[-6:-4], "deg")}
_UNITS |= dict.fromkeys(_NAMES[-4:], "pix")


@dataclass(frozen=True)
class Group:
    """An exposure and order.

    Attributes
    ----------
    group_id : str
    filename : str or None
    order : int
    exposure_time, integration_time : float or None
        Seconds.
    dispaxis : int
        Direction of dispersion.
    units : dict
        Of columns.
    """

    group_id: str
    filename: str | None
    order: int
    exposure_time: float | None
    integration_time: float | None
    dispaxis: int
    units: Mapping[str, str | None]


@dataclass(frozen=True)
class Entry:
    """The spectrum of a source in an exposure."""

    source: int
    group: Group
    row: Row

    def put_on(self, shelf: Shelf) -> Entry:
        """Return it with its vectors on disk."""
        return replace(self, row=shelf.put(self.row))


def entry_of(spectrum: Spectrum) -> Entry:
    """Return what was extracted from a slit of an exposure; it holds nothing of the images."""
    model, meta = spectrum.model, spectrum.model.meta
    group = Group(
        f"{exposure_name(meta.observation)}_{spectrum.order}",
        meta.filename,
        spectrum.order,
        meta.exposure.exposure_time,
        meta.exposure.integration_time,
        spectrum.layout.dispaxis,
        _units_of(spectrum.units),
    )
    values = {column: getattr(model, name, None) for column, name in _OF_SOURCE.items()}
    values["SOURCE_TYPE"] = values["SOURCE_TYPE"] or spectrum.source_type
    values["SOURCE_ID"] = model.source_id
    for column, axis in _OF_CUT.items():
        start, size = getattr(model, f"{axis}start", None), getattr(model, f"{axis}size", None)
        values[column] = start
        values[column.replace("START", "STOP")] = None if start is None else start + size
    vectors = {name: np.array(spectrum.columns[name][0]) for name in VECTORS}
    return Entry(int(model.source_id), group, SourceRow(vectors, values))


@cache
def _units_of(units: Units) -> Mapping[str, str | None]:
    return {name: units.of_column(name) for name in VECTORS}


@dataclass(frozen=True)
class _TableRow:
    """A row of the table of a product, in memory or in a file."""

    spectra: Any
    number: int
    size: int

    @property
    def values(self) -> Mapping[str, Any]:
        """By column: of the source."""
        return self.loaded().values

    def loaded(self) -> SourceRow:
        """Read it."""
        (row,) = self.spectra.rows("spec_table", self.number, self.number + 1)
        names = [name for name in _NAMES if name in row.dtype.names]
        vectors = {name: row[name][: self.size] for name in names if name in VECTORS}
        return SourceRow(vectors, {name: row[name] for name in names if name not in VECTORS})


def entries_of_model(model: Any) -> Iterator[Entry]:
    """Yield the entries of a `WFSSMultiSpecModel`, a row of a table each; rows without spectra are left out.

    No table is in memory whole, unless it is there already.
    """
    for item in model.spec:
        group = Group(
            str(item.group_id), item.filename, item.spectral_order, item.exposure_time, item.integration_time,
            item.dispersion_direction, units_in(item.rows("spec_table", 0, 1)),
        )  # fmt: skip
        table = item.source("spec_table")
        if isinstance(table, SourceTable):  # its rows need not be put together
            yield from (Entry(int(row.values["SOURCE_ID"]), group, row) for row in table.rows if row.size)
            continue
        for (start, stop), _ in pieces_of([(0, *table.shape), (0, 1)], table.dtype.itemsize):
            rows = item.rows("spec_table", start, stop)
            for k in np.flatnonzero(rows["N_ALONGDISP"]):
                row = _TableRow(item, start + int(k), int(rows["N_ALONGDISP"][k]))
                yield Entry(int(rows["SOURCE_ID"][k]), group, row)


def wfss_product(first: Any, entries: Sequence[Entry]) -> Any:
    """Return the product of spectra of sources. Its tables are made when they are read.

    Parameters
    ----------
    first : DataModel
        The exposure whose metadata it has.
    entries : sequence of Entry
        Of all exposures, one exposure after the other.
    """
    product = datamodels.WFSSMultiSpecModel()
    product.update(first, only="PRIMARY")
    sources = sorted({entry.source for entry in entries})
    found = {(entry.group.group_id, entry.source): entry.row for entry in entries}
    declared, units = _declared(product), {**entries[0].group.units, **_UNITS}
    for group in _groups(entries):
        rows = [found.pop((group.group_id, source), None) for source in sources]
        filled = [row or _empty(source) for row, source in zip(rows, sources, strict=True)]
        item = product.spec.item(spec_table=SourceTable(filled, _NAMES, VECTORS, units, declared))
        item.meta.model_type = "WFSSSpecModel"  # jwst asks an item of a file for its metadata
        item.filename, item.group_id = group.filename, group.group_id
        item.dispersion_direction, item.spectral_order = entries[0].group.dispaxis, group.order
        item.exposure_time, item.integration_time = group.exposure_time, group.integration_time
        product.spec.append(item)
    product.meta.target.source_type = None
    product.meta.wcs = None
    return product


def _declared(product: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes of a table one as the product declares it."""
    schema = schema_at(product.spec.item())["properties"]["spec_table"]
    return partial(as_declared, schema=schema, name="spec_table")


def _groups(entries: Sequence[Entry]) -> list[Group]:
    """Return exposures and orders as they come, source by source."""
    first = {source: place for place, source in reversed(list(enumerate(e.source for e in entries)))}
    ordered = sorted(entries, key=lambda entry: first[entry.source])  # stable: exposures stay in order
    return list({entry.group.group_id: entry.group for entry in ordered}.values())


def _empty(source: int) -> SourceRow:
    """Return the row of a source that an exposure does not have."""
    none = np.empty(0)
    return SourceRow(dict.fromkeys(VECTORS, none), {"SOURCE_ID": source})
