"""Tables of many spectra, one a row, as a list of spectra.

Slitless fields and time series have tables with a row for each source or integration, whose columns hold a
vector for each wavelength and values for what is known of the row. Whoever opens such a product as a list of
spectra, as it was until jwst 1.18, finds an item for each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webbcal.datamodels.cast import as_declared
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.table import Schema
from webbcal.io.records import TableRows, records

_LENGTH = "N_ALONGDISP"  # the column that says how many elements of a row are in use
_TABLE = "spec_table"


def unfold(contents: Contents, schema: Schema) -> None:
    """Put an item for each row in the place of items whose table holds a spectrum in each row.

    Rows without any wavelength (a source that an exposure does not have) are left out.

    Parameters
    ----------
    contents : Contents
        Of a model with a list ``spec``; changed.
    schema : dict
        Of an item of the list.
    """
    items: list[Tree] = contents.tree.get("spec", [])
    if not any(_is_folded(item) for item in items):
        return
    contents.load_asdf()  # it has a part for each of the present items
    contents.tree["spec"] = [made for item in items for made in _unfolded(item, schema)]
    foreign = contents.tree.get("extra_fits", {})
    for key in [key for key in foreign if key.split(",")[0] == schema["properties"][_TABLE]["fits_hdu"]]:
        del foreign[key]  # of HDUs that are others now


def _is_folded(item: Tree) -> bool:
    table = item.get(_TABLE)
    return table is not None and _LENGTH in (table.dtype.names or ())


def _unfolded(item: Tree, schema: Schema) -> Iterator[Tree]:
    if not _is_folded(item):
        yield item
        return
    table = item[_TABLE]
    table = table if isinstance(table, np.ndarray) else table.read()
    declared = schema["properties"][_TABLE]
    vectors = [c["name"] for c in declared["datatype"] if c["name"] in table.dtype.names]
    members = _members(schema)
    own = {name: value for name, value in item.items() if name not in (_TABLE, "meta")}
    for row in table:
        if row[_LENGTH] == 0:
            continue
        values = {
            members.get(name, name.lower()): _plain(row[name])
            for name in table.dtype.names
            if name not in vectors and name != _LENGTH
        }
        # WCS and what else is the same for all stay the same objects.
        meta = dict(item.get("meta", {}))
        meta |= {name: own[name] for name in ("filename", "group_id") if name in own}
        yield (
            own
            | values
            | {_TABLE: as_declared(_spectrum(table, row, vectors), declared, _TABLE), "meta": meta}
        )


def _members(schema: Schema) -> dict[str, str]:
    """Return the members of an item by their FITS keywords: columns of time series have such names."""
    return {
        member["fits_keyword"]: name
        for name, member in schema["properties"].items()
        if "fits_keyword" in member
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _spectrum(table: Any, row: Any, vectors: list[str]) -> np.ndarray:
    """Return the table of one spectrum."""
    size = int(row[_LENGTH])
    notes = table.current_notes() if isinstance(table, TableRows) else {}
    columns = {name: np.array(row[name][:size]) for name in vectors}
    return records(columns, (size,), {name: notes[name] for name in vectors if name in notes})
