"""The WCS of NIRISS SOSS: detector → world, by spectral order.

Wavelengths are tables over the full frame, one for each of the three orders; the sky position is that of the
target, whatever the pixel. There is no way back.

Source: the reference of type SPECWCS (jwst-pipeline.readthedocs.io, "NIRISS SOSS mode").
"""

from __future__ import annotations

from typing import Any

from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs import transforms, trees
from webbcal.wcs.imaging import corner_of
from webbcal.wcs.kinds.kind import JWST
from webbcal.wcs.specwcs import checked
from webbcal.wcs.velocity import barycentric

ORDERS = (1, 2, 3)


def soss_wcs(model: Any, specwcs: Any) -> Tagged:
    """Build the WCS of a SOSS exposure.

    Parameters
    ----------
    model : DataModel
        The exposure: position of its target, subarray, VELOSYS.
    specwcs : Reference
        Tables of wavelengths (µm) over rows and columns, by order.

    Returns
    -------
    Tagged
        The tree of a `gwcs.WCS` from (x, y, order) to RA, Dec (degrees) and wavelength (µm).

    Raises
    ------
    InputError
        If the position of the target is missing.
    ReferenceFileError
        If the reference lacks an order.
    """
    models = [_order(model, specwcs, order) for order in ORDERS]
    value = {
        "inputs": ["x", "y", "spectral_order"],
        "outputs": ["ra", "dec", "lam"],
        "name": "3-order SOSS Model",
        "spectral_orders": list(ORDERS),
        "models": models,
    }
    world = trees.composite(
        "world", trees.sky("sky", ("ra", "dec")), trees.spectrum("spectral", "wavelength")
    )
    detector = trees.frame("detector", ("x", "y"), "pixel")
    transform = checked(Tagged(f"{JWST}niriss_soss-1.2.0", value), specwcs)
    return trees.wcs([(detector, transform), (world, None)])


def _order(model: Any, specwcs: Any, order: int) -> Tagged:
    """Return the transform from pixels to RA, Dec and the wavelength in one order."""
    wavelength, velocity = _wavelengths(specwcs, order), barycentric(model)
    if velocity is not None:
        wavelength = trees.chain(wavelength, velocity)
    place = trees.beside(*map(trees.constant, _target(model)))
    # Tables are over rows first.
    transform = trees.chain(trees.remap([0, 1, 1, 0], 2), trees.both(place, wavelength), name=f"Order{order}")
    full = transforms.to_full_frame(*corner_of(model))
    if full is None:
        return transform
    sub = model.meta.subarray
    bounds = (-0.5, sub.xsize - 0.5), (-0.5, sub.ysize - 0.5)
    return trees.bounded(trees.chain(full, transform), bounds)


def _wavelengths(specwcs: Any, order: int) -> Tagged:
    content = specwcs.model.instance
    found = content.get(order, content.get(str(order)))
    if found is None:
        raise ReferenceFileError(
            f"{specwcs.name} has no wavelengths of order {order}; those of orders 1, 2 and 3 are wanted. "
            "Give another with override_specwcs"
        )
    found = found if isinstance(found, Tagged) else tagged(found)
    if not isinstance(found, Tagged):
        raise ReferenceFileError(f"{specwcs.name}: what it has for order {order} is no transform")
    return found


def _target(model: Any) -> tuple[float, float]:
    target = model.meta.target
    place = [getattr(target, name, None) for name in ("ra", "dec")]
    if any(v is None for v in place):
        raise InputError(
            f"{model.meta.filename}: the position of the target (TARG_RA, TARG_DEC) is missing, which the "
            "WCS of SOSS has for all pixels"
        )
    ra, dec = (float(v) for v in place if v is not None)
    return ra, dec


def of_order(tree: Tagged, order: int) -> Tagged:
    """Return the WCS of one spectral order, from pixels (x, y).

    Raises
    ------
    InputError
        If there is none.
    """
    assert isinstance(tree.value, dict)
    steps = tree.value["steps"]
    first = steps[0].value
    known = first["transform"].value
    if order not in known.get("spectral_orders", ()):
        raise InputError(f"spectral order {order} is not there; there are {known.get('spectral_orders')}")
    transform = known["models"][known["spectral_orders"].index(order)]
    return trees.wcs([(first["frame"], transform), (steps[-1].value["frame"], None)])
