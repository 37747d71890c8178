"""The reference files of the dispersion: SPECWCS and WAVELENGTHRANGE, in the form of each instrument.

NIRCam: the offset along the dispersion depends on t alone, wavelengths and the offset across it on the place
in the field too. NIRISS and MIRI: both offsets depend on the place, the wavelength on t alone; its inverse is
in the file. NIRCam's time series has no field: what its file holds is for the place of the star.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.io.asdf_text import Tagged
from webbcal.simulate.grisms.dispersing import Beam
from webbcal.simulate.grisms.grism import WHEEL_REFERENCE
from webbcal.simulate.grisms.optics import Order, Polynomials, field, powers

_POLYNOMIAL = "tag:stsci.edu:asdf/transform/polynomial-1.3.0"
_MODELS = {"NIRCAM": "NIRCAMGrismModel", "NIRISS": "NIRISSGrismModel", "MIRI": "MiriWFSSSpecwcsModel"}
#: Orders that are extracted by default.
EXTRACTED = {"NIRCAM": (1,), "NIRISS": (1, 2), "MIRI": (1,)}


def polynomial(coefficients: tuple[float, ...]) -> Tagged:
    """Return a polynomial of the field as a transform of two inputs."""
    n = max(sum(p) for p in powers(len(coefficients)))
    matrix = np.zeros((n + 1, n + 1))
    for c, (i, j) in zip(coefficients, powers(len(coefficients)), strict=True):
        matrix[i, j] = c
    pair = [[-1, 1], [-1, 1]]
    value = {"coefficients": matrix, "domain": pair, "inputs": ["x", "y"], "outputs": ["z"], "window": pair}
    return Tagged(_POLYNOMIAL, value)


def plain_polynomial(coefficients: Iterable[float]) -> Tagged:
    """Return a polynomial of one input."""
    value: dict[str, Any] = {
        "coefficients": np.array(list(coefficients), float),
        "inputs": ["x"],
        "outputs": ["y"],
    }
    return Tagged(_POLYNOMIAL, value | {"domain": [-1, 1], "window": [-1, 1]})


def _of_field(terms: Polynomials) -> list[Tagged]:
    """Return the transforms of a polynomial of t; constants are padded to two inputs."""
    return [polynomial(c if len(c) > 1 else (*c, 0.0, 0.0)) for c in terms]


def specwcs_model(beam: Beam) -> Any:
    """Return the dispersion of a grism, in the form that its instrument has."""
    instrument = beam.grism.instrument
    model = getattr(datamodels, _MODELS[instrument])()
    numbered = beam.orders
    model.orders = [o.number for o in numbered]
    if beam.grism.time_series:
        numbered = tuple(_counted_from_star(o, beam) for o in numbered)
    if instrument == "NIRCAM":
        along = beam.grism.axis == 1
        model.displ = [_of_field(o.wavelength) for o in numbered]
        model.dispx = [_along(o.dx) if along else _of_field(o.dx) for o in numbered]
        model.dispy = [_of_field(o.dy) if along else _along(o.dy) for o in numbered]
    else:
        model.displ = [plain_polynomial(c[0] for c in o.wavelength) for o in numbered]
        model.dispx, model.dispy = (
            [_of_field(d) for d in ds] for ds in zip(*((o.dx, o.dy) for o in numbered), strict=True)
        )
        model.invdispl = [plain_polynomial(_inverse(o, beam)) for o in numbered]
    if instrument == "NIRISS":
        model.fwcpos_ref = WHEEL_REFERENCE[beam.grism.name]
    model.meta.input_units, model.meta.output_units = "pixel", "micron"
    return model


def _along(terms: Polynomials) -> list[Tagged]:
    """Return NIRCam's offset along the dispersion: a function of t alone."""
    return [plain_polynomial(c[0] for c in terms)]


def _inverse(order: Order, beam: Beam) -> np.ndarray:
    """Return t as a polynomial in the wavelength, by least squares over more than the passband."""
    trace = order.trace(0.0, 0.0)
    if len(order.wavelength) == 2:
        return np.array([-trace.wavelength_terms[0], 1.0]) / trace.wavelength_terms[1]
    low, high = beam.reach
    wave = np.linspace(low - 0.2, high + 0.2, 400)
    fit = np.polynomial.Polynomial.fit(wave, trace.parameter(wave), 9)
    return np.asarray(fit.convert().coef)


def _counted_from_star(order: Order, beam: Beam) -> Order:
    """Return an order as the time series' pipeline uses it: the star's place is a 1-based pixel there."""
    x, y = beam.aperture.x_ref - 1.0 + beam.aperture.box.x0, beam.aperture.y_ref - 1.0 + beam.aperture.box.y0
    wavelength = tuple((field(c, x, y),) for c in order.wavelength)
    (first, *rest), *more = order.dx
    return Order(order.number, wavelength, ((first - 1.0, *rest), *more), order.dy)


def range_model(beam: Beam) -> Any:
    """Return where orders begin and end, micrometres."""
    model = datamodels.WavelengthrangeModel()
    name = beam.band.name if beam.grism.instrument != "MIRI" else "P750L"
    low, high = (round(v, 4) for v in beam.reach)
    numbers = [o.number for o in beam.orders]
    place = ["ANY", name] if beam.grism.time_series else [name]
    model.waverange_selector = [name]
    model.wavelengthrange = [[n, *place, low, high] for n in numbers]
    model.order = numbers
    model.extract_orders = [[name, list(EXTRACTED[beam.grism.instrument])]]
    model.meta.wavelength_units = "micron"
    return model
