"""A model in a notebook: what it is, its arrays with small pictures, and its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from webbcal.core.errors import WebbcalError
from webbcal.core.html import Markup, element, folded
from webbcal.notebook.facts import ArrayFact, arrays_of, facts_of
from webbcal.notebook.html import image, page, said, shortened, table
from webbcal.notebook.record_table import record_html
from webbcal.notebook.thumbnails import spectrum_line, thumbnail
from webbcal.run.exposure import meta_value
from webbcal.run.record import runs_of

_MOST_ARRAYS, _MOST_PICTURES, _MOST_ITEMS = 40, 6, 4
_TABLE_BYTES = 4_000_000  # of a table that is read for a line


def model_html(model: Any) -> str:
    """Return a model as HTML; of its arrays, little is read, and what is damaged is told."""
    parts = [_told(make, model) for make in (_facts, _arrays, _steps, _record)]
    return page(_title(model), *parts)


def _told(make: Callable[[Any], Markup | None], model: Any) -> Markup | None:
    """Return a part of the page; what cannot be read of the model is told in its place."""
    try:
        return make(model)
    except (WebbcalError, OSError) as error:
        return said(shortened(error))


def _facts(model: Any) -> Markup:
    return folded("what it is", table((), facts_of(model)), opened=True)


def _arrays(model: Any) -> Markup | None:
    arrays = list(arrays_of(model))
    rows = [(a.name, a.kind, a.size) for a in arrays[:_MOST_ARRAYS]]
    return folded("arrays", table((), rows), *_pictures(model, arrays), opened=True) if rows else None


def _steps(model: Any) -> Markup | None:
    steps = meta_value(model, "meta.cal_step")
    told = steps.items() if hasattr(steps, "items") else ()
    rows = [(name, str(status).lower()) for name, status in told if status]
    return folded("steps", table((), rows)) if rows else None


def _record(model: Any) -> Markup | None:
    runs = runs_of(model)
    return folded("run record", *record_html(runs)) if runs else None


def _title(model: Any) -> str:
    shape = "" if model.shape is None else f"  {' × '.join(map(str, model.shape))}"
    filename = meta_value(model, "meta.filename")
    return f"{type(model).__name__}{shape}{f'  {filename}' if filename else ''}"


def _pictures(model: Any, arrays: list[ArrayFact]) -> Iterator[Markup | None]:
    """Yield pictures of the first arrays, and of the first items of lists."""
    left = _MOST_PICTURES
    for fact in arrays:
        if fact.kind == "list":
            yield from _pictures_of_items(getattr(model, fact.name))
        elif left and fact.source is not None and (shown := _picture(fact.name, fact.source)):
            left -= 1
            yield shown


def _picture(name: str, source: Any, caption: str = "") -> Markup | None:
    try:
        png = thumbnail(source, flags="dq" in name.lower())
    except (WebbcalError, OSError) as error:  # the array is damaged, or its file is gone
        return said(f"{name}: {shortened(error)}")
    return None if png is None else image(png, caption or name)


def _pictures_of_items(items: Any) -> Iterator[Markup | None]:
    for number in range(min(len(items), _MOST_ITEMS)):
        item = items[number]
        if not hasattr(type(item), "source"):
            return
        caption = f"{number}: source {item.source_id}" if getattr(item, "source_id", None) else str(number)
        if (data := item.source("data")) is not None:
            yield _picture("data", data, caption)
        elif (spectrum := item.source("spec_table")) is not None:
            yield _line(spectrum, caption)


def _line(source: Any, caption: str) -> Markup | None:
    """Return the line of the first spectrum of a table, if the table is not large."""
    try:
        names = {name.upper(): name for name in source.dtype.names or ()}
        size = int(np.prod(source.shape)) * np.dtype(source.dtype).itemsize
        if size > _TABLE_BYTES or not {"WAVELENGTH", "FLUX"} <= set(names):
            return None
        rows = source.read()
        wave, flux = (np.asarray(rows[names[n]], float) for n in ("WAVELENGTH", "FLUX"))
    except (WebbcalError, OSError) as error:
        return said(f"{caption}: {shortened(error)}")
    if wave.ndim > 1:
        wave, flux = (v[0] if len(v) else v.ravel() for v in (wave, flux))
    drawn = spectrum_line(wave, flux)
    return element("figure", drawn, caption) if drawn else None
