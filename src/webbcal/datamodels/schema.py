"""The schema of a class, and changes to that of a single model."""

from __future__ import annotations

from webbcal.datamodels.table import FitsIndex, Schema, model_rows, schema_of

_MINIMAL: Schema = {
    "type": "object",
    "properties": {
        "meta": {
            "type": "object",
            "properties": {"filename": {"type": "string"}, "model_type": {"type": "string"}},
        }
    },
}


def class_schema(cls: type) -> Schema:
    """Return the schema of a class: that of its nearest base in the tables."""
    for base in cls.__mro__:
        if base.__name__ in model_rows():
            return schema_of(base.__name__)
    return _MINIMAL


_INDICES: dict[int, tuple[Schema, FitsIndex]] = {}


def fits_index(schema: Schema) -> FitsIndex:
    """Return the FITS index of a schema (kept, as schemas are shared)."""
    known = _INDICES.get(id(schema))
    if known is None or known[0] is not schema:
        known = _INDICES[id(schema)] = (schema, FitsIndex(schema))
    return known[1]


def merge_schema(schema: Schema, other: Schema) -> None:
    """Add the declarations of another schema (and of those under its ``allOf``) to a schema."""
    for part in other.get("allOf", []):
        merge_schema(schema, part)
    for key, value in other.items():
        if key == "properties":
            members = schema.setdefault("properties", {})
            for name, member in value.items():
                merge_schema(members.setdefault(name, {}), member)
        elif key != "allOf":
            schema[key] = value
