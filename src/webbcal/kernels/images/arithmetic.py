"""Flat field and unit conversion of rates: one pass of NumPy over a band of rows.

A compiled version would move the same bytes in the same time. All functions work in place and in float32, in
jwst's order of operations, so that its data quality comes out bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.image_arrays import ImageArrays

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]

DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])
NO_FLAT_FIELD = np.uint32(dqflags.pixel["NO_FLAT_FIELD"])


@dataclass
class Flat:
    """A flat field over a band: values (rows, nx), their errors (None: without), and flags."""

    data: F32
    dq: U32
    err: F32 | None = None


def prepare_flat(flat: Flat) -> None:
    """Make a flat safe to divide by, in place.

    NaN, infinity and zero are no flat field; a pixel without flat field must not be used; where a flat must
    not be used it becomes 1.
    """
    empty = ~np.isfinite(flat.data)
    empty |= flat.data == 0
    flat.dq[empty] |= NO_FLAT_FIELD
    flat.dq[(flat.dq & NO_FLAT_FIELD) != 0] |= DO_NOT_USE
    flat.data[(flat.dq & DO_NOT_USE) != 0] = 1


def divide_flat(image: ImageArrays, flat: Flat) -> None:
    """Divide an image by a flat from `prepare_flat`, in place; `var_flat` is set if the array is there.

    The flat's own error enters as ``var_flat = (data / flat)² err² / flat²`` with the flat-fielded data. The
    error becomes the root of the sum of the variances; where an image has no other variances, its error is
    divided and `var_flat` is added.
    """
    squared = flat.data * flat.data
    with np.errstate(invalid="ignore", over="ignore"):
        image.data /= flat.data
        if image.var_flat is not None:
            _flat_variance(image.data, squared, flat.err, image.var_flat)
        measured = [v for v in (image.var_poisson, image.var_rnoise) if v is not None]
        for variance in measured:
            variance /= squared
        if measured:
            _root_of_sum(image.variances, image.err)
        else:
            image.err /= flat.data
            _root_of_sum([image.err**2, *image.variances], image.err)
    image.dq |= flat.dq
    match_invalid(image)


def multiply_flat(image: ImageArrays, flat: Flat) -> None:
    """Undo `divide_flat`, in place: multiply by the flat; `var_flat` becomes zero and leaves the error."""
    squared = flat.data * flat.data
    with np.errstate(invalid="ignore", over="ignore"):
        image.data *= flat.data
        if image.var_flat is not None:
            image.var_flat[...] = 0
        measured = [v for v in (image.var_poisson, image.var_rnoise) if v is not None]
        for variance in measured:
            variance *= squared
        if measured:
            _root_of_sum(measured, image.err)
        else:
            image.err *= flat.data
    image.dq |= flat.dq
    match_invalid(image)


def _flat_variance(data: F32, squared: F32, err: F32 | None, out: F32) -> None:
    if err is None:
        out[...] = data * 0  # zero, and NaN where there are no data
        return
    np.multiply(data, data, out=out)
    out /= squared
    out *= err * err


def _root_of_sum(terms: list[F32], out: F32) -> None:
    total = terms[0] if len(terms) == 1 else terms[0] + terms[1]
    for term in terms[2:]:
        total += term
    np.sqrt(total, out=out)


def convert_units(
    image: ImageArrays, factor: np.floating | NDArray[np.floating], inverse: bool = False
) -> None:
    """Multiply (or divide) data and error by a factor and variances by its square, in place.

    The factor is one for all, or one for each pixel of the band (rows, nx). A float32 factor is applied in
    single precision; a float64 one in double precision, then rounded.
    """
    operation = np.divide if inverse else np.multiply
    with np.errstate(invalid="ignore", over="ignore"):
        for array in (image.data, image.err):
            operation(array, factor, out=array, casting="same_kind")
        for variance in image.variances:
            operation(variance, factor * factor, out=variance, casting="same_kind")
    match_invalid(image)


def match_invalid(image: ImageArrays) -> None:
    """Make one of all ways to be invalid, in place: where there is NaN or DO_NOT_USE, set both."""
    invalid = (image.dq & DO_NOT_USE) != 0
    for array in (image.data, image.err, *image.variances):
        invalid |= np.isnan(array)
    where = np.nonzero(invalid)  # few pixels
    image.dq[where] |= DO_NOT_USE
    for array in (image.data, image.err, *image.variances):
        array[where] = np.nan
