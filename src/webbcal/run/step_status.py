"""What became of a step, as ``meta.cal_step`` of a product says: noted and asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

#: What a step's status may be, and what is told of a step that has none.
STATUSES = ("COMPLETE", "SKIPPED", "FAILED")
NOT_SET = "NOT SET"


def record_step_status(
    datamodel: Any, cal_step: str, success: bool = True, status: str | None = None
) -> None:
    """Note in a model, or several, what became of a step.

    Parameters
    ----------
    datamodel : DataModel, sequence of them, or ModelLibrary
    cal_step : str
        Name of the step in ``meta.cal_step``.
    success : bool
        Whether it was applied; else it failed.
    status : str, optional
        COMPLETE, SKIPPED or FAILED, in place of `success`.

    Raises
    ------
    ValueError
        If the status is none of them.
    """
    status = status or ("COMPLETE" if success else "FAILED")
    if status not in STATUSES:
        raise ValueError(f"step status {status} not in allowed values: {', '.join(STATUSES)}")
    for model in _each(datamodel):
        setattr(model.meta.cal_step, cal_step, status)


def query_step_status(datamodel: Any, cal_step: str) -> str:
    """Return what became of a step in a model, or in the first of several; "NOT SET" if it is not told.

    Parameters
    ----------
    datamodel : DataModel, sequence of them, or ModelLibrary
    cal_step : str
        Name of the step in ``meta.cal_step``.
    """
    told = [model.meta.cal_step.instance.get(cal_step) for model in _each(datamodel)]
    return next(iter(told), None) or NOT_SET


def _each(datamodel: Any) -> Iterator[Any]:
    """Yield the models of what holds one or more; those of a library are given back."""
    if hasattr(datamodel, "meta"):
        yield datamodel
    elif hasattr(datamodel, "shelve"):
        with datamodel:
            for model in datamodel:
                yield model
                datamodel.shelve(model)
    elif isinstance(datamodel, Sequence):
        yield from datamodel
    else:
        raise TypeError(f"{type(datamodel).__name__} holds no models whose steps have a status")
