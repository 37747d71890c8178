"""A reference file of a run: opened when needed, checked once against the exposure, read by region."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError, unreadable
from webbcal.io.arrays import ArraySource
from webbcal.references.cutout import Placement, check_detector, exposure_box, placement_of, says_where
from webbcal.references.files import header_name, sha256_of

#: Model classes to open a type with (the first that fits): files need not say their class.
_CLASSES = {
    "dark": ("DarkModel", "DarkMIRIModel"),
    "gain": ("GainModel",),
    "ipc": ("IPCModel",),
    "linearity": ("LinearityModel",),
    "mask": ("MaskModel",),
    "readnoise": ("ReadnoiseModel",),
    "saturation": ("SaturationModel",),
    "superbias": ("SuperBiasModel",),
    "flat": ("FlatModel",),
    "area": ("PixelAreaModel",),
}
#: Arrays that, if present, have a pixel for each pixel of the primary array.
_COMPANIONS = ("dq", "err", "inv_coeffs", "average_dark_current")


class ExposureLike(Protocol):
    """What `Reference.check` needs to know of an exposure."""

    shape: tuple[int, ...]

    @property
    def placement(self) -> Placement:
        """Where it lies on the detector; no box if that is not known."""

    @property
    def box(self) -> Box:
        """Where it lies in full-frame coordinates (0-based); an error that says why if that is not known."""


class Reference:
    """One reference file or model.

    Parameters
    ----------
    kind : str
        Reference type, such as ``gain``.
    init : path or DataModel
        The file, or the user's model.
    origin : {"crds", "override"}
        Who chose it.

    Attributes
    ----------
    box : Box or None
        The exposure in the coordinates of the reference's pixel arrays. None before `check`, and for a
        reference that is no map of the detector.
    """

    def __init__(self, kind: str, init: Any, origin: str = "crds") -> None:
        self.kind = kind
        self.origin = origin
        self.init = os.fspath(init) if isinstance(init, (str, os.PathLike)) else init
        self.box: Box | None = None
        self._map_shape: tuple[int, ...] | None = None
        self._opened: Any = None
        self._lock = threading.Lock()

    # ---------------------------------------------------------------- identity
    @property
    def path(self) -> str | None:
        """The file, or None for a model in memory."""
        return os.path.abspath(self.init) if isinstance(self.init, str) else None  # noqa: PTH100

    @property
    def name(self) -> str:
        """Name for messages: type and file."""
        if self.path is not None:
            return f"{self.kind} reference {Path(self.path).name}"
        return f"the model given as override_{self.kind}"

    @property
    def header_name(self) -> str:
        """What products record: ``crds://…``, the user's path, or ``override://…``."""
        return header_name(self.init, self.origin)

    @property
    def sha256(self) -> str | None:
        """Digest of the file; None for a model in memory. Quick if the file was hashed before."""
        return None if self.path is None else sha256_of(self.path)

    def __repr__(self) -> str:
        return f"Reference({self.kind!r}, {self.header_name!r})"

    # ---------------------------------------------------------------- content
    @property
    def model(self) -> Any:
        """The reference's data model, opened on first use.

        Raises
        ------
        ReferenceFileError
            If the file is missing, damaged, or has arrays of the wrong shape for its type.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._open(self.init) if isinstance(self.init, str) else self.init
            return self._opened

    def _open(self, path: str) -> Any:
        from webbcal import datamodels

        first: Exception | None = None
        for name in _CLASSES.get(self.kind, ("open",)):
            try:
                return getattr(datamodels, name)(path)
            except (OSError, InputError, TypeError, ValueError) as error:
                first = first or error
        message = f"{self.kind} reference cannot be opened: {first}. {self._advice}"
        raise unreadable(ReferenceFileError, message, first) from first

    def close(self) -> None:
        """Close the file; it is opened again when it is read. A user's own model is left alone."""
        if self._opened is not None and isinstance(self.init, str):
            self._opened.close()

    @property
    def _advice(self) -> str:
        return f"Check the file, or give another with override_{self.kind}"

    @property
    def meta(self) -> Any:
        """Metadata of the reference."""
        return self.model.meta

    def has(self, array: str) -> bool:
        """Tell whether the reference has an array."""
        return bool(self.model.has(array))

    def shape(self, array: str) -> tuple[int, ...]:
        """Return the shape of an array, whole.

        Raises
        ------
        ReferenceFileError
            If the reference lacks it.
        """
        return tuple(self._source(array).shape)

    def read(self, array: str, box: Box | None = None, *leading: slice | int) -> np.ndarray:
        """Return an array, cut to a box of pixels of the exposure. Safe to call from several threads.

        Parameters
        ----------
        array : str
            Attribute name: ``data``, ``dq``, ``coeffs`` …
        box : Box, optional
            Pixels in the coordinates of the exposure's science array; the whole exposure by default. An array
            that is no map of the detector (an IPC kernel, say) comes whole.
        *leading : slice or int
            Which of the axes before rows and columns; all by default.

        Returns
        -------
        ndarray
            A fresh copy. DQ arrays have the standard bits; where the file has no ``dq`` it is zero.

        Raises
        ------
        ReferenceFileError
            If the array is absent.
        """
        if array == "dq" and not self.has("dq") and self.box is not None:
            return np.zeros((box or self.box).shape, np.uint32)
        source, index = self._region(array, box, leading)
        return source.read(*index)

    def read_stored(self, array: str, box: Box | None = None, *leading: slice | int) -> np.ndarray:
        """Return what `read` does, in the byte order of the file where that spares a pass over it."""
        source, index = self._region(array, box, leading)
        reader = getattr(source, "read_stored", source.read)
        values: np.ndarray = reader(*index)
        return values

    def _region(
        self, array: str, box: Box | None, leading: tuple[slice | int, ...]
    ) -> tuple[ArraySource, tuple[slice | int, ...]]:
        """Return an array's source, and what of it lies over a box of the exposure."""
        source = self._source(array)
        if self.box is None or tuple(source.shape[-2:]) != self._map_shape:
            return source, leading
        pixels = self.box if box is None else box.shift(self.box.y0, self.box.x0)
        between = len(source.shape) - 2 - len(leading)
        return source, (*leading, *[slice(None)] * between, *pixels.slices)

    def _source(self, array: str) -> ArraySource:
        source: ArraySource | None = self.model.source(array)
        if source is None:
            raise ReferenceFileError(f"{self.name} has no {array} array. {self._advice}")
        return source

    # ---------------------------------------------------------------- fit to the exposure
    def check(self, exposure: ExposureLike, model: Any = None) -> None:
        """Check that this reference fits an exposure, and remember where the exposure lies in it.

        Where one of both does not say where it lies on the detector (they may be made by hand), and both have
        as many rows and columns, they lie upon each other.

        Parameters
        ----------
        exposure : ExposureLike
            The exposure's name, detector and place.
        model : DataModel, optional
            The exposure's model; not needed.

        Raises
        ------
        ReferenceFileError
            If it is of another type, detector or orientation, does not cover the exposure, lacks its primary
            array, or has arrays that do not match each other.
        """
        found = str(self.meta.reftype or "").strip().lower()
        if found and found != self.kind:
            raise ReferenceFileError(f"{self.name} is a {found.upper()} file (REFTYPE). {self._advice}")
        shape, theirs = self._shape_of_map(), exposure.placement
        unplaced = theirs.box is None or not says_where(self.model)
        upon = shape is not None and unplaced and shape[-2:] == exposure.shape[-2:]
        try:
            mine = placement_of(self.model, None if upon else shape, self.name)
        except InputError as error:
            raise ReferenceFileError(str(error)) from error
        check_detector(mine, theirs)
        if shape is not None:
            self.box = Box.of_shape(shape) if upon else exposure_box(mine, theirs.placed(exposure.box))
            self._map_shape = tuple(shape[-2:])

    def _shape_of_map(self) -> tuple[int, ...] | None:
        """Return the shape of the primary array if it is a map of the detector, after checking it."""
        primary = self.model.get_primary_array_name()
        if not primary:
            return None
        shape = self.shape(primary)
        if len(shape) < 2 or (self.kind == "ipc" and len(shape) == 2):
            return None  # a table; one kernel for the whole detector
        for name in _COMPANIONS:
            if self.has(name) and self.shape(name)[-2:] != shape[-2:]:
                raise ReferenceFileError(
                    f"{self.name}: its {name} array has shape {self.shape(name)} but {primary} has {shape}; "
                    f"rows and columns must agree. {self._advice}"
                )
        return shape
