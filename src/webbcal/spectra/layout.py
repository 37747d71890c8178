"""How the image of a spectrum lies: turned, for what follows, so that wavelength runs along its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.core.errors import InputError
from webbcal.wcs.of_model import bounds_of, wcs_of

F64 = NDArray[np.float64]

#: Value of DISPAXIS (``dispersion_direction``) of an image whose wavelength runs along its columns already.
HORIZONTAL = 1


@dataclass(frozen=True)
class Layout:
    """The image of a spectrum, with its direction *across* as rows and that *along* wavelength as columns.

    Attributes
    ----------
    model : DataModel or item of a list
        The slit.
    dispaxis : int
        1 if wavelength runs along x, 2 along y.
    shape : (int, int)
        Pixels across and along.
    wavelength : (across, along) array
        µm; NaN where there is none.
    """

    model: Any
    dispaxis: int
    shape: tuple[int, int]
    wavelength: NDArray[np.floating]

    @classmethod
    def of(cls, model: Any, order: int) -> Layout:
        """Return the layout of a slit; `order` is asked for where wavelengths depend on it (SOSS).

        Raises
        ------
        InputError
            If the slit has neither wavelengths nor a WCS, or wavelengths of another shape.
        """
        dispaxis = int(model.meta.wcsinfo.dispersion_direction)
        wavelength = wavelengths_of(model, order)
        turned = wavelength if dispaxis == HORIZONTAL else wavelength.T
        return cls(model, dispaxis, (turned.shape[0], turned.shape[1]), turned)

    @property
    def is_vertical(self) -> bool:
        """Whether wavelength runs along y, so that images are turned."""
        return self.dispaxis != HORIZONTAL

    def turned(self, image: NDArray[Any]) -> NDArray[Any]:
        """Turn the last two axes of an image of the slit to across and along, or back; a view."""
        return image.swapaxes(-1, -2) if self.is_vertical else image

    def swapped(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return what belongs to x and y as (across, along), or what belongs to those as (x, y)."""
        return (x, y) if self.is_vertical else (y, x)

    @cached_property
    def wcs(self) -> Any:
        """The WCS of the slit.

        Raises
        ------
        InputError
            If there is none.
        """
        wcs = wcs_of(self.model)
        if wcs is None:
            raise InputError(f"{name_of(self.model)} has no WCS; run assign_wcs")
        return wcs

    @cached_property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where there is a WCS: outer edges (low, high) across, and along."""
        bounds = bounds_of(self.wcs)
        if bounds is None:
            edges = [(-0.5, n - 0.5) for n in self.shape]
            return edges[0], edges[1]
        x, y = ((float(low), float(high)) for low, high in bounds[:2])
        return self.swapped(x, y)

    def world(self, across: ArrayLike, along: ArrayLike, everywhere: bool = False) -> tuple[F64, F64, F64]:
        """Return RA, Dec (degrees) and wavelength (µm) of 0-based pixels; NaN outside the bounds.

        Parameters
        ----------
        across, along : array
        everywhere : bool
            Whether bounds do not count.
        """
        x, y = self.swapped(across, along)
        found = self.wcs(np.asarray(x, float), np.asarray(y, float), with_bounding_box=not everywhere)
        return found[0], found[1], found[2]

    def pixel(self, ra: ArrayLike, dec: ArrayLike, wavelength: ArrayLike) -> tuple[F64, F64]:
        """Return the position across and along of a point of the sky at a wavelength; bounds do not count."""
        x, y, *_ = self.wcs.invert(
            *(np.asarray(v, float) for v in (ra, dec, wavelength)), with_bounding_box=False
        )
        return self.swapped(x, y)

    def between(self, first: str, last: str, *values: ArrayLike) -> tuple[F64, ...]:
        """Transform coordinates between two frames of the WCS."""
        arrays = [np.asarray(v, float) for v in values]
        if hasattr(self.wcs, "between"):
            return tuple(self.wcs.between(first, last, *arrays))
        return tuple(self.wcs.get_transform(first, last)(*arrays))

    @property
    def frames(self) -> Sequence[str]:
        """Names of the frames of the WCS."""
        return tuple(getattr(self.wcs, "frames", None) or self.wcs.available_frames)


def wavelengths_of(model: Any, order: int | None = None) -> NDArray[np.floating]:
    """Return the wavelength of each pixel (µm) as (rows, columns): the slit's own array, else by its WCS.

    Raises
    ------
    InputError
        If it has neither, or an array of another shape.
    """
    shape = tuple(model.shape[-2:])
    source = model.source("wavelength")  # read, not kept in the model
    own = None if source is None or not all(source.shape) else np.asarray(source.read())
    known = None if own is None else own[~np.isnan(own)]
    if own is not None and known is not None and (known.any() or not known.size):  # zeros were never filled
        if own.shape != shape:
            raise InputError(
                f"{name_of(model)}: its wavelengths have shape {own.shape}, but the data {shape}; "
                "they must agree"
            )
        return own
    wcs = wcs_of(model)
    if wcs is None:
        raise InputError(f"{name_of(model)} has neither wavelengths nor a WCS; run assign_wcs")
    y, x = np.indices(shape, dtype=float)
    if str(model.meta.exposure.type).upper() == "NIS_SOSS":
        return np.asarray(wcs(x, y, float(order or 1))[2])
    return np.asarray(wcs(x, y)[2])


def name_of(model: Any) -> str:
    """Return how a slit is called in messages."""
    file = str(model.meta.filename or "the input")
    slit = getattr(model, "name", None) or getattr(model, "source_id", None)
    return f"{file}, slit {slit}" if slit else file
