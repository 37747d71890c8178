"""The schema of a class, and changes to that of a single model."""

from __future__ import annotations

from functools import cache

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


def fits_index(schema: Schema) -> FitsIndex:
    """Return the FITS index of a schema; those of classes are kept."""
    name = schema.get("title")
    if name in model_rows() and schema_of(name) is schema:
        return _index_of_class(name)
    return FitsIndex(schema)


@cache
def _index_of_class(name: str) -> FitsIndex:
    return FitsIndex(schema_of(name))


def merged(schema: Schema, other: Schema) -> Schema:
    """Return a schema with the declarations of another one (and of those under its ``allOf``) added.

    What does not change is shared with `schema`.
    """
    made = dict(schema)
    for part in other.get("allOf", []):
        made = merged(made, part)
    for key, value in other.items():
        if key == "properties":
            members = dict(made.get("properties", {}))
            for name, member in value.items():
                members[name] = merged(members.get(name, {}), member)
            made["properties"] = members
        elif key != "allOf":
            made[key] = value
    return made
