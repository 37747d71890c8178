"""What there is to say about a model in a few lines: its main keywords, and its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from webbcal.core.errors import InputError
from webbcal.run.exposure import meta_value

_KEYWORDS = {
    "reference file of": "meta.reftype",
    "description": "meta.description",
    "author": "meta.author",
    "pedigree": "meta.pedigree",
    "useful after": "meta.useafter",
    "target": "meta.target.catalog_name",
    "instrument": "meta.instrument.name",
    "detector": "meta.instrument.detector",
    "filter": "meta.instrument.filter",
    "pupil": "meta.instrument.pupil",
    "grating": "meta.instrument.grating",
    "exposure type": "meta.exposure.type",
    "read pattern": "meta.exposure.readpatt",
    "subarray": "meta.subarray.name",
    "integrations": "meta.exposure.nints",
    "groups": "meta.exposure.ngroups",
    "effective exposure time": "meta.exposure.exposure_time",
    "observed": "meta.observation.date",
    "units": "meta.bunit_data",
    "CRDS context": "meta.ref_file.crds.context_used",
}


def facts_of(model: Any) -> Iterator[tuple[str, str | int | float]]:
    """Yield label and value of the main keywords that a model has."""
    for label, where in _KEYWORDS.items():
        value = meta_value(model, where)
        if isinstance(value, (str, int, float)):
            yield label, value


@dataclass(frozen=True)
class ArrayFact:
    """An array, a table, or a list of items.

    Attributes
    ----------
    name : str
    kind : str
        Type of the values, ``table``, ``list`` or ``damaged``.
    size : str
        Lengths of the axes, the number of items, or what is wrong.
    source : ArraySource or None
        To read it; None of lists, and of what is damaged.
    foreign : bool
        Whether the model has no place for it.
    """

    name: str
    kind: str
    size: str
    source: Any = None
    foreign: bool = False


def array_fact(name: str, source: Any, foreign: bool = False) -> ArrayFact:
    """Return what there is to say about an array; nothing is read."""
    try:
        kind = "table" if source.dtype.names else str(source.dtype)
    except InputError as error:
        return ArrayFact(name, "damaged", str(error), None, foreign)
    return ArrayFact(name, kind, " × ".join(map(str, source.shape)), source, foreign)


def arrays_of(model: Any) -> Iterator[ArrayFact]:
    """Yield what there is to say about the arrays and lists of a model; nothing is read."""
    for name, declared in model.schema["properties"].items():
        source = model.source(name) if "datatype" in declared or "ndim" in declared else None
        if source is not None:
            yield array_fact(name, source)
        elif declared.get("type") == "array" and (items := model.contents.tree.get(name)):
            yield ArrayFact(name, "list", f"{len(items)} items")
    for name, extra in (model.contents.tree.get("extra_fits") or {}).items():
        if "data" in extra:
            yield array_fact(name, extra["data"], foreign=True)
