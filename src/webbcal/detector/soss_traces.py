"""Where the spectra of NIRISS SOSS lie, from the PASTASOSS reference: positions, and their wavelengths.

The reference holds the trace of each order at one position of the pupil wheel. The wheel does not stop at the
same angle each time: traces turn with it around a pivot, and wavelengths shift along them by polynomials in
the column and the angle (Baines et al. 2023, JWST-STScI-008571 and -008570).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import FailedStep, InputError
from webbcal.run.exposure import Exposure

F64 = NDArray[np.float64]

#: Rows by which the traces lie lower in this subarray than in SUBSTRIP256.
_LOWER = {"SUBSTRIP96": 10.0}
#: The highest row of a trace that is used.
_LAST_ROW = 255.0


def trace_positions(reference: Any, exposure: Exposure) -> list[tuple[F64, F64]]:
    """Return columns and rows (pixels of the subarray) of the trace of each order, on a grid of wavelengths.

    Parameters
    ----------
    reference : Reference
        Of type PASTASOSS.
    exposure : Exposure

    Raises
    ------
    InputError
        If the position of the pupil wheel (PWCPOS) is not known.
    FailedStep
        If the wheel stands so far off that the reference says nothing of it.
    """
    if reference is None:
        raise FailedStep("the traces are not known: there is no PASTASOSS reference (N/A)")
    model = reference.model
    angle = _wheel_offset(model.meta, exposure)
    grid = np.linspace(model.meta.wavemap_wlmin, model.meta.wavemap_wlmax, model.meta.wavemap_nwl)
    traces = []
    for trace, wavelengths in zip(model.traces, model.wavecal_models, strict=True):
        x, y = _turned(trace, angle, _LOWER.get(exposure.subarray, 0.0))
        wavelength = _wavelengths(wavelengths, x, angle)
        traces.append((_on_grid(grid, wavelength, x), _on_grid(grid, wavelength, y)))
    return traces


def trace_box(reference: Any, exposure: Exposure, order: int = 1, width: int = 15) -> F64:
    """Return the share of each pixel that lies in a box along the trace of an order, (rows, columns)."""
    if reference is None:
        raise FailedStep("the traces are not known: there is no PASTASOSS reference (N/A)")
    model = reference.model
    trace = next((t for t in model.traces if t.spectral_order == order), None)
    if trace is None:
        raise FailedStep(f"the PASTASOSS reference has no trace of order {order}")
    x, y = _turned(trace, _wheel_offset(model.meta, exposure), _LOWER.get(exposure.subarray, 0.0))
    shares = np.zeros(exposure.frame.shape)
    rows = np.arange(shares.shape[0])[:, None]
    upper, lower = y + width / 2, y - width / 2
    shares[:, x.astype(int)] = np.clip(np.minimum(rows + 0.5, upper) - np.maximum(rows - 0.5, lower), 0, 1)
    return shares


def _wheel_offset(meta: Any, exposure: Exposure) -> float:
    """Return how far the pupil wheel stands from where it stood for the reference, degrees."""
    position = exposure.known("instrument.pupil_position")
    if position is None:
        raise InputError(
            f"{exposure.filename}: the position of the pupil wheel is not known: set PWCPOS "
            "(meta.instrument.pupil_position)"
        )
    low, high = meta.pwcpos_bounds
    if not low <= position <= high:
        raise FailedStep(
            f"the pupil wheel stands at {position} degrees: traces are known for {low} to {high}"
        )
    return float(position) - float(meta.pwcpos_cmd)


def _turned(trace: Any, angle: float, lower: float) -> tuple[F64, F64]:
    """Return a trace turned around its pivot: its own columns, and the rows there."""
    from scipy.interpolate import interp1d

    x, y = np.asarray(trace.trace, np.float64).T
    y = y - lower
    pivot = np.array([[trace.pivot_x], [trace.pivot_y]])
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x_turned, y_turned = np.array([[cos, -sin], [sin, cos]]) @ (np.vstack([x, y]) - pivot) + pivot
    rows = interp1d(x_turned, y_turned, fill_value="extrapolate")(x)
    inside = rows <= _LAST_ROW
    return x[inside], rows[inside]


def _wavelengths(model: Any, x: F64, angle: float) -> F64:
    """Evaluate the polynomial in column and angle, both scaled to 0…1; terms by rising degree, x first."""
    (x_low, angle_low), (x_high, angle_high) = np.asarray(model.scale_extents, np.float64)
    u, v = (x - x_low) / (x_high - x_low), (angle - angle_low) / (angle_high - angle_low)
    coefficients = np.asarray(model.coefficients, np.float64)
    powers = [(d - j, j) for d in range(int(np.sqrt(2 * len(coefficients)))) for j in range(d + 1)]
    terms = (c * u**i * v**j for c, (i, j) in zip(coefficients, powers, strict=True))
    return np.asarray(sum(terms, np.zeros_like(x)))


def _on_grid(grid: F64, wavelength: F64, values: F64) -> F64:
    """Interpolate along a trace; beyond its ends go on as straight lines."""
    order = np.argsort(wavelength)
    w, q = wavelength[order], values[order]
    left, right = grid < w[0], grid > w[-1]
    result = np.interp(grid, w, q)
    result[left] = q[0] + (grid[left] - w[0]) * ((q[1] - q[0]) / (w[1] - w[0]))
    result[right] = q[-1] + (grid[right] - w[-1]) * ((q[-1] - q[-2]) / (w[-1] - w[-2]))
    return result
