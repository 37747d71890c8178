"""The bases of the model classes, and those that do something of their own."""

from __future__ import annotations

import datetime
import os
from typing import Any, ClassVar

import numpy as np

from webbcal.core.dqmap import DQDefinition
from webbcal.core.errors import InputError
from webbcal.datamodels.model import DataModel
from webbcal.datamodels.node import plain
from webbcal.datamodels.table import making_of
from webbcal.io.arrays import ArraySource


class JwstDataModel(DataModel):
    """A JWST product or reference file."""

    @property
    def crds_observatory(self) -> str:
        """The observatory, as CRDS names it."""
        return "jwst"

    def get_crds_parameters(self) -> dict[str, Any]:
        """Return the metadata that select reference files: dotted names and values."""
        pairs = self._flat(read=False)
        return {name: value for name, value in pairs if isinstance(value, (str, int, float, complex, bool))}

    def on_init(self, init: Any) -> None:
        """Set the metadata that every model has."""
        super().on_init(init)
        if self._tree["meta"].get("date") is None:
            self._tree["meta"]["date"] = _now()

    def on_save(self, path: Any = None) -> None:
        """Set the metadata that follow from saving."""
        super().on_save(path)
        self._meta_tree()["date"] = _now()

    def update(
        self, d: Any, only: str | list[str] | None = None, extra_fits: bool = False, cal_logs: bool = True
    ) -> None:
        """Take over the metadata of another model or dictionary, and (with `cal_logs`) its logs."""
        source = plain(d)
        logs = source.get("cal_logs")
        if cal_logs and logs:
            self._tree.setdefault("cal_logs", {}).update(logs)
        if isinstance(d, dict):
            d = {name: value for name, value in d.items() if name != "cal_logs"}
        super().update(d, only=only, extra_fits=extra_fits)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


class _MappedDQ:
    """A DQ array in a reference file, with its bits moved to the standard places as it is read."""

    def __init__(self, source: ArraySource, definition: ArraySource | np.ndarray, name: str) -> None:
        self._source = source
        self._name = name
        self._table = definition
        self._definition: DQDefinition | None = None
        self.shape = source.shape
        self.dtype = np.dtype(np.uint32)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a region with standard bits."""
        if self._definition is None:
            table = self._table if isinstance(self._table, np.ndarray) else self._table.read()
            self._definition = _definition_of(table, self._name)
        return self._definition.apply(self._source.read(*index).astype(np.uint32, copy=False))

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region with standard bits into `out`."""
        np.copyto(out, self.read(*index), casting="unsafe")


def _definition_of(table: np.ndarray, name: str) -> DQDefinition:
    """Return what a table says of the bits.

    Raises
    ------
    InputError
        If it has no names and values.
    """
    try:
        return DQDefinition.from_table(table)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{name}: the table of DQ bits (DQ_DEF) needs columns VALUE and NAME ({error})"
        ) from error


class DefaultDQMixin(DataModel):
    """A model whose DQ array exists as soon as its primary array does.

    If there is a table of DQ definitions, the bits of `dq` are moved to the standard ones (on reading).
    """

    _created: ClassVar[tuple[str, ...]] = ("dq",)

    def on_init(self, init: Any) -> None:
        """Have the bits of `dq` moved to the standard ones."""
        super().on_init(init)
        dq, table = self._tree.get("dq"), self._tree.get("dq_def")
        if dq is None or table is None or isinstance(init, (DataModel, dict)):
            return
        if isinstance(dq, np.ndarray):
            rows = table if isinstance(table, np.ndarray) else table.read()
            self._tree["dq"] = _definition_of(rows, self.contents.name).apply(dq)
        elif not isinstance(dq, _MappedDQ):
            self._tree["dq"] = _MappedDQ(dq, table, self.contents.name)


class DefaultErrMixin(DataModel):
    """A model whose error array exists as soon as its primary array does."""

    _created: ClassVar[tuple[str, ...]] = ("err",)


class ReferenceFileModel(JwstDataModel):
    """A reference file: FITS headers only, no ASDF extension; DQ bits stored as its DQ_DEF table says."""

    with_asdf: ClassVar[bool] = False

    def on_init(self, init: Any) -> None:
        """Set the metadata that every reference file has."""
        super().on_init(init)
        self._tree["meta"]["telescope"] = "JWST"
        for path, value in making_of(type(self)).made.items() if init is None else ():
            self[path] = value

    def on_save(self, path: Any = None) -> None:
        """Set the metadata that follow from saving: of some types the date stays, and the type is set."""
        reftype, date = making_of(type(self)).saved_as, self.meta.date
        super().on_save(path)
        if reftype:
            self.meta.reftype, self.meta.date = reftype, date

    def validate(self) -> None:
        """Check that the metadata that CRDS requires are set, then the tree: warn, or raise if strict."""
        required = ("description", "reftype", "author", "pedigree", "useafter")
        missing = [name for name in required if getattr(self.meta, name, None) is None]
        if self.meta.instrument.name is None:
            missing.append("instrument.name")
        if missing:
            self.rules.object_to(f"meta is missing {', '.join(missing)}")
        super().validate()

    def save(
        self, path: Any, dir_path: str | os.PathLike[str] | None = None, *args: Any, **kwargs: Any
    ) -> str:
        """Save; `dq` is stored with the bits of `dq_def`, and standard again afterwards."""
        table = self.dq_def if self.has("dq_def") else None
        if table is None or not self.has("dq"):
            return super().save(path, dir_path, *args, **kwargs)
        standard = self.dq
        pairs = _definition_of(table, self.contents.name).pairs
        stored = np.zeros_like(standard)
        for bit, flag in pairs:
            stored[standard & np.uint32(flag) != 0] |= np.uint32(bit)
        try:
            self._tree["dq"] = stored
            return super().save(path, dir_path, *args, **kwargs)
        finally:
            self._tree["dq"] = standard


class RampModel(JwstDataModel):
    """A ramp: data and groupdq (integrations, groups, rows, columns), pixeldq (rows, columns)."""

    _created: ClassVar[tuple[str, ...]] = ("pixeldq", "groupdq")

    def shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        """Return the shape of a default array (None if the primary array does not say)."""
        return _zeroframe_shape(self.shape) if name == "zeroframe" else super().shape_for(name, ndim)


class SuperstripeRampModel(JwstDataModel):
    """A ramp whose integrations are stripes of several frames; pixeldq is (stripes, rows, columns)."""

    _created: ClassVar[tuple[str, ...]] = ("pixeldq", "groupdq")

    def shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        """Return the shape of a default array (None if the primary array does not say)."""
        shape = self.shape
        stripes = self.meta.subarray.num_superstripe
        if shape is None or (name == "pixeldq" and not stripes):
            return None
        if name == "pixeldq":
            return (stripes, *shape[-2:])
        return _zeroframe_shape(shape) if name == "zeroframe" else super().shape_for(name, ndim)


class Level1bModel(JwstDataModel):
    """An uncalibrated exposure: data (integrations, groups, rows, columns) in uint16."""

    def shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        """Return the shape of a default array (None if the primary array does not say)."""
        return _zeroframe_shape(self.shape) if name == "zeroframe" else super().shape_for(name, ndim)


def _zeroframe_shape(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if shape is None else (shape[0], *shape[-2:])


class SlitDataModel(JwstDataModel):
    """One slit; other members than arrays can be given by name also."""

    def _take_argument(self, name: str, value: Any) -> None:
        setattr(self, name, value)


class SlitModel(SlitDataModel):
    """One slit as a product of its own."""
