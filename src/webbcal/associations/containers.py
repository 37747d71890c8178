"""Containers of data models, seen from associations: ours, and whatever is used as those of jwst are.

A *container* is a sequence with an ``asn_table``; a *library* lends models (``borrow``, ``shelve``) and has
an ``asn``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webbcal.associations.association import Association


def is_library(init: Any) -> bool:
    """Tell whether models are borrowed from something, and given back."""
    return all(hasattr(init, name) for name in ("borrow", "shelve", "asn"))


def is_container(init: Any) -> bool:
    """Tell whether something holds models and knows the association that they are of."""
    return is_library(init) or all(hasattr(init, name) for name in ("asn_table", "__getitem__", "__len__"))


def models_of(container: Any, most: int | None = None) -> list[Any]:
    """Return the models in a container or library, in their order; `most` at most."""
    count = len(container) if most is None else min(most, len(container))
    if not is_library(container):
        return [container[index] for index in range(count)]
    models = []
    with container:
        for index in range(count):
            model = container.borrow(index)
            container.shelve(model, index, modify=False)
            models.append(model)
    return models


def association_of(container: Any) -> Association:
    """Return the association of the models in a container or library, which are its members."""
    library = is_library(container)
    table = dict(container.asn if library else container.asn_table)
    products = table.pop("products", None) or [{}]
    members = [{"expname": model, "exptype": _exptype(model)} for model in models_of(container)]
    name = table.pop("table_name", None) if library else getattr(container, "asn_file_path", None)
    folder = getattr(container, "asn_dir", None) if library else None
    path = None if name is None else Path(folder or "") / Path(name)
    keys = {key: value for key, value in table.items() if value is not None}
    product = {"name": products[0].get("name") or None, "members": members}
    return Association({**keys, "products": [product]}, path=path)


def _exptype(model: Any) -> str:
    asn: Any = getattr(model.meta, "asn", None)
    found = asn.get("exptype") if isinstance(asn, Mapping) else getattr(asn, "exptype", None)
    return str(found or "science").lower()
