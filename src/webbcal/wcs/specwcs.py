"""The reference that describes a grism (type SPECWCS): its traces, as transforms by spectral order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from webbcal.core.errors import ReferenceFileError
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs.evaluation import forward
from webbcal.wcs.kinds.kind import Unknown

#: Transforms for each order: one, or a list of coefficients of powers of t.
Traces = list[Any]


class GrismTraces(NamedTuple):
    """The traces of a grism, for each order.

    Attributes
    ----------
    orders : list of int
    x, y, wavelength : list
        Offsets and wavelengths of the trace parameter.
    inverse_x, inverse_y, inverse_wavelength : list, optional
        The parameter of offsets, and of wavelengths.
    """

    orders: list[int]
    x: Traces
    y: Traces
    wavelength: Traces
    inverse_x: Traces | None = None
    inverse_y: Traces | None = None
    inverse_wavelength: Traces | None = None

    @classmethod
    def of(cls, reference: Any) -> GrismTraces:
        """Read a reference.

        Raises
        ------
        ReferenceFileError
            Naming what it lacks.
        """
        needed = [member(reference, name) for name in ("orders", "dispx", "dispy", "displ")]
        extra = [_optional(reference, name) for name in ("invdispx", "invdispy", "invdispl")]
        orders = [int(order) for order in needed[0]]
        for name, found in zip(("dispx", "dispy", "displ"), needed[1:], strict=True):
            if len(found) != len(orders):
                raise ReferenceFileError(
                    f"{reference.name}: {len(found)} transforms {name} for {len(orders)} orders"
                )
        return cls(orders, *needed[1:], *extra)


def member(reference: Any, name: str) -> Any:
    """Return a member of an ASDF reference, with transforms as they stand in a file.

    Raises
    ------
    ReferenceFileError
        If it is not there.
    """
    found = _optional(reference, name)
    if found is None:
        raise ReferenceFileError(
            f"{reference.name} has no '{name}', which the dispersion is read from; give another with "
            f"override_{reference.kind}"
        )
    return found


def checked(transform: Tagged, reference: Any) -> Tagged:
    """Return a transform made of a reference; it must be one that can be evaluated, both ways if it has two.

    Raises
    ------
    ReferenceFileError
        Saying what is not understood.
    """
    assert isinstance(transform.value, dict)
    try:
        for one in (transform, transform.value.get("inverse")):
            if one is not None:
                forward(one)
    except Unknown as error:
        raise ReferenceFileError(
            f"{reference.name} has transforms of another layout: {error}. Give another with "
            f"override_{reference.kind}"
        ) from None
    return transform


def _optional(reference: Any, name: str) -> Any:
    found = reference.model.instance.get(name)
    return found if found is None or _is_plain(found) else _as_in_file(found)


def _is_plain(value: Any) -> bool:
    """Tell whether there are no objects of libraries within."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, (Tagged, int, float, str))


def _as_in_file(value: Any) -> Any:
    """Return a list (of lists) of transforms of a model in memory as they would stand in a file."""
    plain = value._tree if hasattr(value, "_tree") else value
    if isinstance(plain, Sequence) and not isinstance(plain, str):
        return [_as_in_file(one) for one in plain]
    return plain if _is_plain(plain) else tagged(plain)
