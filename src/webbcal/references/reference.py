"""A reference file of a run: opened when needed, checked once against the exposure, read by region."""

from __future__ import annotations

import json
import logging
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError, unreadable
from webbcal.core.irs2 import SIZE, Interleaving
from webbcal.core.surface import process
from webbcal.core.wording import a_or_an
from webbcal.io.arrays import ArraySource
from webbcal.references.cutout import (
    Placement,
    check_detector,
    exposure_box,
    placement_of,
    says_where,
    stripe_boxes,
)
from webbcal.references.files import header_name, sha256_of
from webbcal.references.remembered import stamp

log = logging.getLogger(__name__)

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
    "refpix": ("IRS2Model",),
    "pictureframe": ("PictureFrameModel",),
    "flat": ("FlatModel",),
    "area": ("PixelAreaModel",),
    "pastasoss": ("PastasossModel",),
    "wavelengthrange": ("WavelengthrangeModel",),
    "trapdensity": ("TrapDensityModel",),
    "persat": ("PersistenceSatModel",),
    "trappars": ("TrapParsModel",),
    "psf": ("SpecPsfModel",),
}
_KINDS = {name: kind for kind, names in _CLASSES.items() for name in names}
#: What stands for the type of a file that has none yet.
_NO_TYPE = ("filler", "n/a", "undefined")
#: Types that have science pixels only, also where an exposure is a raw IRS2 frame.
_SCIENCE_ONLY = ("saturation", "ipc")
#: Arrays that, if present, have a pixel for each pixel of the primary array.
_COMPANIONS = ("dq", "err", "inv_coeffs", "average_dark_current")


class ExposureLike(Protocol):
    """What `Reference.check` needs to know of an exposure."""

    shape: tuple[int, ...]

    @property
    def placement(self) -> Placement:
        """Where it lies on the detector; no box if that is not known."""

    @property
    def irs2(self) -> Interleaving | None:
        """Where reference pixels lie between its science pixels, if they do."""

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
    stamp : list of int or None
        Size and time of change (ns) of the file when it was chosen, before any of it was read; None if there
        is none.
    """

    def __init__(self, kind: str, init: Any, origin: str = "crds") -> None:
        self.kind = kind
        self.origin = origin
        self.init = os.fspath(init) if isinstance(init, (str, os.PathLike)) else init
        self.box: Box | None = None
        self.stamp = stamp(self.path) if self.path is not None else None
        self._map_shape: tuple[int, ...] | None = None
        self._stripped: Interleaving | None = None
        #: This reference's place and that of a striped exposure.
        self._striped: tuple[Placement, Placement] | None = None
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
        """Digest of the file; None for a model in memory, and for one that has changed since it was chosen.

        Of that, what was read is not what is there. Quick if the file was hashed before.
        """
        if self.path is None or (self.stamp is not None and stamp(self.path) != self.stamp):
            return None
        return sha256_of(self.path)

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

    def opened_as(self, name: str) -> Any:
        """Return the reference as a model of a class, where that depends on the mode (``apcorr``).

        Raises
        ------
        ReferenceFileError
            If the file cannot be read so.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._open(self.init, name) if isinstance(self.init, str) else self.init
            return self._opened

    @cached_property
    def json(self) -> Any:
        """What a JSON file holds (``extract1d``); of a model, its tree.

        Raises
        ------
        ReferenceFileError
            If it is no JSON file.
        """
        if not isinstance(self.init, str):
            return getattr(self.init, "instance", self.init)
        try:
            return json.loads(Path(self.init).read_text("utf-8"))
        except (OSError, ValueError) as error:  # text that is no UTF-8 is a ValueError, too
            message = f"{self.name} cannot be read as JSON: {error}. {self._advice}"
            raise unreadable(ReferenceFileError, message, error) from error

    def _open(self, path: str, *classes: str) -> Any:
        from webbcal import datamodels

        first: Exception | None = None
        for name in classes or _CLASSES.get(self.kind, ("open",)):
            try:
                return getattr(datamodels, name)(path)
            except (OSError, InputError, TypeError, ValueError) as error:
                first = first or error
        message = f"{self.kind} reference cannot be opened: {first}. {self._advice}"
        raise unreadable(ReferenceFileError, message, first) from first

    def model_as(self, name: str) -> Any:
        """Return the data model as one of a class, whatever class the file names: it may be too general.

        A user's own model is returned as it is.

        Raises
        ------
        ReferenceFileError
            If the file cannot be opened so.
        """
        from webbcal import datamodels

        if isinstance(self.init, str) and type(self.model).__name__ != name:
            with self._lock:
                try:
                    opened = getattr(datamodels, name)(self.init)
                except (OSError, InputError, TypeError, ValueError) as error:
                    raise ReferenceFileError(f"{self.name} is no {name}: {error}. {self._advice}") from error
                self._opened.close()
                self._opened = opened
        return self.model

    def close(self) -> None:
        """Close the file; it is opened again when it is read. A user's own model is left alone."""
        if self._opened is not None and isinstance(self.init, str):
            self._opened.close()

    def forget(self) -> None:
        """Drop what was read, where it is large and of no more use; a user's own model is left alone."""
        with self._lock:
            self.close()
            if isinstance(self.init, str):
                self._opened = None

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
            A fresh copy. Where the exposure is a raw IRS2 frame and the reference has science pixels only,
            those of the box. DQ arrays have the standard bits; where the file has no ``dq`` it is zero.

        Raises
        ------
        ReferenceFileError
            If the array is absent.
        """
        if array == "dq" and not self.has("dq") and self.box is not None:
            return np.zeros((self._pixels(box) or self.box).shape, np.uint32)
        if self._is_striped(array):
            return self._gathered(self._source(array), box, leading)
        source, index = self._region(array, box, leading)
        return source.read(*index)

    def read_stored(self, array: str, box: Box | None = None, *leading: slice | int) -> np.ndarray:
        """Return what `read` does, in the byte order of the file where that spares a pass over it."""
        if self._is_striped(array):
            return self.read(array, box, *leading)
        source, index = self._region(array, box, leading)
        reader = getattr(source, "read_stored", source.read)
        values: np.ndarray = reader(*index)
        return values

    def _is_striped(self, array: str) -> bool:
        """Tell whether an array has to be gathered from the lines of a striped exposure."""
        return self._striped is not None and tuple(self._source(array).shape[-2:]) == self._map_shape

    def _gathered(self, source: ArraySource, box: Box | None, leading: tuple[slice | int, ...]) -> np.ndarray:
        """Read an array stripe by stripe."""
        assert self._striped is not None
        assert self.box is not None
        mine, theirs = self._striped
        boxes = stripe_boxes(mine, theirs, self.box if box is None else box)
        between = [slice(None)] * (len(source.shape) - 2 - len(leading))
        pieces = [source.read(*leading, *between, *piece.slices) for piece in boxes]
        return np.concatenate(pieces, axis=-1 if abs(theirs.slowaxis or 2) == 1 else -2)

    def _region(
        self, array: str, box: Box | None, leading: tuple[slice | int, ...]
    ) -> tuple[ArraySource, tuple[slice | int, ...]]:
        """Return an array's source, and what of it lies over a box of the exposure."""
        source = self._source(array)
        if self.box is None or tuple(source.shape[-2:]) != self._map_shape:
            return source, leading
        box = self._pixels(box)
        pixels = self.box if box is None else box.shift(self.box.y0, self.box.x0)
        between = len(source.shape) - 2 - len(leading)
        return source, (*leading, *[slice(None)] * between, *pixels.slices)

    def _pixels(self, box: Box | None) -> Box | None:
        """Return the pixels of a box that a reference has: of a raw IRS2 frame, maybe science pixels only."""
        return box if box is None or self._stripped is None else self._stripped.stripped(box)

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
        self._check_kind()
        shape, theirs = self._shape_of_map(), exposure.placement
        if self.kind == "dark" and len(shape or ()) == 4 and theirs.instrument not in (None, "MIRI"):
            raise ReferenceFileError(
                f"{self.name} has an axis of integrations, which only darks of MIRI have: its shape is "
                f"{shape}. {self._advice}"
            )
        unplaced = theirs.box is None or not says_where(self.model)
        upon = shape is not None and unplaced and shape[-2:] == exposure.shape[-2:]
        try:
            mine = placement_of(self.model, None if upon else shape, self.name)
        except InputError as error:
            raise ReferenceFileError(str(error)) from error
        check_detector(mine, theirs, warn_only=process.stands_in and self.origin == "override")
        if shape is not None:
            self._check_rows(shape, exposure)
            self._lay(shape, exposure, mine, theirs, upon)

    def _lay(
        self,
        shape: tuple[int, ...],
        exposure: ExposureLike,
        mine: Placement,
        theirs: Placement,
        upon: bool,
    ) -> None:
        """Remember where the exposure lies."""
        self._stripped = getattr(exposure, "irs2", None) if self.kind in _SCIENCE_ONLY else None
        self._map_shape = tuple(shape[-2:])
        self.box = Box.of_shape(shape if self._stripped is not None else exposure.shape)
        if upon or self._stripped is not None:
            return
        theirs = theirs.placed(exposure.box)
        if theirs.stripes and mine.box != theirs.box:
            self._striped = mine, theirs
            stripe_boxes(mine, theirs, self.box)  # tells whether that can be
        else:
            self.box = exposure_box(mine, theirs)

    def _check_rows(self, shape: tuple[int, ...], exposure: ExposureLike) -> None:
        """Check that it has the reference pixels of raw IRS2 frames where the data have them."""
        layout = getattr(exposure, "irs2", None)
        stripped = layout is None or self.kind in _SCIENCE_ONLY
        wrong = shape[-2] > SIZE if stripped else shape[-2] != exposure.shape[-2]
        if wrong:
            what = "without" if stripped else "with"
            raise ReferenceFileError(
                f"{self.name} has {shape[-2]} rows, but {exposure.placement.name} needs one {what} the "
                "reference pixels of IRS2 between its science pixels (read patterns NRSIRS2 and "
                f"NRSIRS2RAPID). {self._advice}"
            )

    def _check_kind(self) -> None:
        """Make sure that it is a reference of its type; say so if it is a product of a calibration."""
        if not hasattr(self.model, "meta"):
            what = type(self.model).__name__
            raise ReferenceFileError(
                f"override_{self.kind} is {a_or_an(what)}; give a file, a data model or 'N/A'"
            )
        found = str(self.meta.reftype or "").strip().lower()
        if found in _NO_TYPE:
            log.warning("%s says that it is none (REFTYPE is %s); it is used", self.name, found.upper())
            found = self.kind
        # One that was made by hand is known by its class; what is written in it may be anything.
        by_hand = not isinstance(self.init, str) and _KINDS.get(type(self.model).__name__) == self.kind
        if found and found != self.kind and not by_hand:
            raise ReferenceFileError(
                f"{self.name} is {a_or_an(found.upper())} file (REFTYPE). {self._advice}"
            )
        made = _KINDS.get(type(self.model).__name__, self.kind)
        if made != self.kind:
            raise ReferenceFileError(f"{self.name} is a model for {made} references. {self._advice}")
        if not found and self._is_product():
            log.warning(
                "%s is the product of a calibration, and does not say that it is a reference", self.name
            )

    def _is_product(self) -> bool:
        """Tell whether its metadata say that steps of a calibration were applied to it."""
        tree = self.model.contents.tree
        steps = tree.get("meta", {}).get("cal_step") or {}
        # What references do not declare, such as S_DARK, stays among the other cards of a file.
        cards = tree.get("extra_fits", {}).get("PRIMARY", {}).get("header", [])
        values = [*steps.values(), *(value for keyword, value, _ in cards if keyword.startswith("S_"))]
        return "COMPLETE" in values

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
