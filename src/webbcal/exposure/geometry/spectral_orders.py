"""Spectral orders of the grisms: which a reference lists, and the wavelengths of each behind a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webbcal.core.errors import InputError, ReferenceFileError

#: Spectral order -> shortest and longest wavelength (µm).
Ranges = dict[int, tuple[float, float]]


def crossing_filter(model: Any) -> str:
    """Return the filter that light passes beside the grism: NIRISS has grisms in the filter wheel.

    Raises
    ------
    InputError
        If the exposure does not say.
    """
    instrument = model.meta.instrument
    name = instrument.pupil if str(instrument.name).upper() == "NIRISS" else instrument.filter
    if not name:
        raise InputError(f"{model.meta.filename}: it does not say which filter was used (FILTER, PUPIL)")
    return str(name)


def default_orders(reference: Any, filter_name: str) -> list[int]:
    """Return the orders that a WAVELENGTHRANGE reference says are to be extracted.

    Raises
    ------
    ReferenceFileError
        If it does not know the filter.
    """
    found = [row[1] for row in _plain(reference.model.extract_orders) if row[0] == filter_name]
    if not found:
        raise ReferenceFileError(
            f"{reference.name} does not say which orders to extract for filter {filter_name}; give another "
            "with override_wavelengthrange, or set extract_orders"
        )
    orders = found[-1]
    return [int(n) for n in (orders if isinstance(orders, (list, tuple)) else [orders])]


def listed_orders(reference: Any) -> list[int]:
    """Return all orders that a WAVELENGTHRANGE reference describes."""
    return [int(n) for n in _plain(reference.model.order)]


def ranges_of(reference: Any, filter_name: str, orders: Sequence[int], aperture: str | None = None) -> Ranges:
    """Return the wavelengths of orders, in their order.

    Parameters
    ----------
    reference : Reference
        WAVELENGTHRANGE; its rows are order, [field point,] filter, shortest and longest wavelength (µm).
    filter_name : str
    orders : sequence of int
    aperture : str, optional
        Chooses between rows of several field points.

    Raises
    ------
    ReferenceFileError
        If the reference lacks one.
    """
    ranges: Ranges = {}
    rows = [(int(row[0]), row[1:-3], row[-3], *row[-2:]) for row in _plain(reference.model.wavelengthrange)]
    for order in orders:
        found = [row for row in rows if row[0] == order and row[2] == filter_name]
        if len(found) > 1 and aperture:
            found = [row for row in found if row[1] and row[1][0] in aperture] or found
        if not found:
            known = sorted({row[0] for row in rows if row[2] == filter_name})
            raise ReferenceFileError(
                f"{reference.name} has no wavelengths for order {order} of filter {filter_name} (it has "
                f"orders {known}); choose others, or give another with override_wavelengthrange"
            )
        ranges[order] = float(found[0][3]), float(found[0][4])
    return ranges


def _plain(node: Any) -> Any:
    return getattr(node, "instance", node)
