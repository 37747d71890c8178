"""The metadata of a product made of several exposures: values blended by rule, and a table of all of them.

The rule of a keyword is in the keyword table (``first`` where there is none). The table (HDRTAB) has a row
for each exposure and a column for each keyword that has a value in any.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from webbcal.datamodels.table import Schema, schema_of, walk

log = logging.getLogger(__name__)

#: Keywords without a column, by their place in ``meta``.
_NO_COLUMN = {
    "": "time_unit compress tweakreg_catalog source_catalog segmentation_map direct_image bunit_err",
    "background": "master_background_file",
    "dither": "starting_set number_of_sets direction optimized_for sparse_points primary_channel dithered_ra "
    "dithered_dec",
    "exposure": "start_time_eng osf_file detmode cmd_tsel primary_cosmic_rays extended_emission_events",
    "guidestar": "gs_function_start_time gs_function_end_time fgs_v2_ref fgs_v3_ref fgs_roll_ref "
    "fgs_v3yangle fgs_vparity data_start data_end",
    "instrument": "miri_fpe_side miri_ice_side",
    "observation": "observation_folder",
    "resample": "pointings weight_type pixfrac pixel_scale_ratio",
    "rscd": "ngroups_skip_int1 ngroups_skip_int2p keep_bright_firstgroup_int1 keep_bright_firstgroup_int2p "
    "keep_groups_saturation_int1 keep_groups_saturation_int2p",
    "soss_extract1d": "width tikhonov_factor delta_x delta_y theta oversampling threshold",
    "target": "category description source_type",
    "visit": "crowded_field",
    "wcsinfo": "ps3_0 ps3_1 velosys specsys siaf_xref_sci siaf_yref_sci mt_ra mt_dec mt_avra mt_avdec "
    "sipmxerr sipiverr",
}
_SIP = re.compile(r"meta\.wcsinfo\.[ab]p?_(\d_\d|order)")
#: What describes the product itself, and is not blended.
_OWN = (
    "meta.wcs",
    "meta.filename",
    "meta.run_record",
    "meta.photometry.pixelarea_steradians",
    "meta.photometry.pixelarea_arcsecsq",
)
_TYPES = {"bool": "bool8"}
_TOLERANCE = ("outside calibration tolerance", "within commanded tolerance")


def _common(values: list[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else "MULTIPLE"


def _tolerance(values: list[Any]) -> str:
    return _TOLERANCE[0] if _TOLERANCE[0] in values else _TOLERANCE[1]


def _mean(values: list[Any]) -> float:
    return float(np.mean(values))


#: Dates and times are ISO 8601, which sorts as text.
_RULES: dict[str, Callable[[list[Any]], Any]] = {
    "multi": _common, "wheeltol": _tolerance, "mean": _mean, "sum": sum, "min": min, "max": max,
    "mintime": min, "maxtime": max, "mindate": min, "maxdate": max, "mindatetime": min, "maxdatetime": max,
}  # fmt: skip


class Blender:
    """Gathers the metadata of exposures of one model class, one after the other."""

    def __init__(self) -> None:
        self._first: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self._model_type = ""
        self._values: dict[str, list[Any]] = {}

    def add(self, model: Any) -> None:
        """Take the metadata of an exposure."""
        flat = model.to_flat_dict(include_arrays=False)
        if not self._rows:
            self._first = {k: v for k, v in flat.items() if k.startswith("meta.") and not _is_own(k)}
        self._model_type = self._model_type or type(model).__name__
        columns, rules = _columns_and_rules(self._model_type)
        self._rows.append({keyword: flat[path] for path, keyword in columns.items() if path in flat})
        for path in rules:
            if path in flat and not _is_own(path):
                self._values.setdefault(path, []).append(flat[path])

    def apply(self, product: Any) -> None:
        """Set the blended values and the table of a product."""
        _, rules = _columns_and_rules(self._model_type)
        blended = {path: _RULES[rules[path]](values) for path, values in self._values.items()}
        for path, value in (self._first | blended).items():
            try:
                product[path] = value
            except KeyError:
                continue  # a list of which the product has no item, or a part of the tree that is no keyword
        table = self.table()
        if table is not None:
            product.add_schema_entry("hdrtab", _table_schema(table))
            product.hdrtab = table

    def table(self) -> np.ndarray | None:
        """Return the table of all exposures; NaN stands for what an exposure does not have."""
        present = {keyword for row in self._rows for keyword in row}
        columns, _ = _columns_and_rules(self._model_type)
        names = [keyword for keyword in columns.values() if keyword in present]
        if not names:
            return None
        arrays = [_column(name, [row.get(name, np.nan) for row in self._rows]) for name in names]
        table = np.empty(len(self._rows), [(n, a.dtype) for n, a in zip(names, arrays, strict=True)])
        for name, array in zip(names, arrays, strict=True):
            table[name] = array
        return table


def _column(name: str, values: list[Any]) -> np.ndarray:
    array = np.array(values)
    if array.dtype.kind != "U":
        return array
    altered = sorted({value for value in values if isinstance(value, str) and not value.isascii()})
    if altered:
        log.warning(
            "HDRTAB, the table of all exposures: column %s has ? for what is not ASCII (%s), the only text "
            "of FITS tables; the exposures keep it",
            name,
            ", ".join(altered),
        )
    return np.char.encode(array, "ascii", "replace")


def _is_own(path: str) -> bool:
    return path.startswith(_OWN)


@cache
def _columns_and_rules(model_type: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return path -> keyword of all columns, and path -> rule of all values that have one."""
    columns, rules = {}, {}
    without = {
        ".".join(filter(None, ("meta", place, name)))
        for place, names in _NO_COLUMN.items()
        for name in names.split()
    }
    for parts, node in walk(schema_of(model_type)):
        path = ".".join(parts)
        if parts[:1] != ("meta",) or "items" in parts or "fits_keyword" not in node:
            continue
        if path not in without and not _SIP.fullmatch(path):
            columns[path] = node["fits_keyword"]
        if node.get("blend_rule", "first") != "first":
            rules[path] = node["blend_rule"]
    return columns, rules


def _table_schema(table: np.ndarray) -> Schema:
    columns = []
    for name in table.dtype.names or ():
        kind = table.dtype[name]
        text = kind.kind == "S"
        columns.append(
            {"name": name, "datatype": ["ascii", kind.itemsize] if text else _TYPES.get(kind.name, kind.name)}
        )
    return {"title": "Keywords of all exposures", "fits_hdu": "HDRTAB", "datatype": columns}
