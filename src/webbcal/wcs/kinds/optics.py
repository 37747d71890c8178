"""What disperses light: gratings, and glass.

As gwcs has them: directions are direction cosines, wavelengths in the unit of the coefficients.
"""

from __future__ import annotations

import numpy as np

from webbcal.wcs.kinds.kind import F64, GWCS, Function, Kind, Transform, Unknown

_ABSOLUTE_ZERO = -273.15  # °C


def _grating(t: Transform) -> Function:
    """Return the grating equation, for the wavelength or for the direction of the light that leaves."""
    density, order = t.number("groove_density"), t.number("order")
    if _to_angles(t):

        def leaving(wavelength: F64, a: F64, b: F64) -> tuple[F64, ...]:
            a, b = -density * order * wavelength + a, -b
            return a, b, _third(a, b)

        return leaving
    return lambda a, b: ((a + b) / (density * order),)


def _to_angles(t: Transform) -> bool:
    return {"angle": True, "wavelength": False}[t["output"]]


def _third(a: F64, b: F64) -> F64:
    """Return the third direction cosine; NaN if there is none."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(1.0 - a**2 - b**2))


def _snell(t: Transform) -> Function:
    def refracted(index: F64, a: F64, b: F64, c: F64) -> tuple[F64, ...]:
        a, b = a / index, b / index
        return a, b, _third(a, b)

    return refracted


def _coefficients(t: Transform, name: str) -> F64:
    values = t.array(name).ravel()
    if len(values) != 3:
        raise Unknown(f"{t.tag}: {len(values)} coefficients {name}")
    return values


def _sellmeier(t: Transform) -> Function:
    b, c = _coefficients(t, "B_coef"), _coefficients(t, "C_coef")
    return lambda wavelength: (_index(wavelength, b, c),)


def _index(wavelength: F64, b: F64, c: F64) -> F64:
    """Return the refractive index by the equation of Sellmeier."""
    square = wavelength**2
    terms = [b[k] * square / (square - c[k]) for k in range(3)]
    return np.asarray(np.sqrt(1.0 + terms[0] + terms[1] + terms[2]))


def _sellmeier_zemax(t: Transform) -> Function:
    """Return the index of glass at a temperature and pressure, relative to the air (Zemax; µm)."""
    b, c, d, e = (_coefficients(t, f"{letter}_coef") for letter in "BCDE")
    here, reference = (t.number(name) + _ABSOLUTE_ZERO for name in ("temperature", "ref_temperature"))
    pressure, reference_pressure = t.number("pressure"), t.number("ref_pressure")
    warmer = here - reference
    constant = d[0] * warmer + d[1] * warmer**2 + d[2] * warmer**3
    resonant = e[0] * warmer + e[1] * warmer**2

    def index(wavelength: F64) -> tuple[F64]:
        air = _air(wavelength, here, pressure)
        reference_air = _air(wavelength, reference, reference_pressure)
        relative_wavelength = wavelength * air / reference_air
        n = _index(relative_wavelength, b, c)
        change = (0.5 * (n**2 - 1.0) / n) * (constant + resonant / (relative_wavelength**2 - e[2] ** 2))
        return ((n * reference_air + change) / air,)

    return index


def _air(wavelength: F64, celsius: float, atmospheres: float) -> F64:
    """Return the refractive index of air."""
    square = wavelength**2
    excess = 6432.8 + 2949810.0 * square / (146.0 * square - 1.0) + 5540.0 * square / (41.0 * square - 1.0)
    return 1.0 + excess * 1e-8 * atmospheres / (1.0 + (celsius - 15.0) * 3.4785e-3)


KINDS = (
    Kind(
        GWCS + "grating_equation",
        lambda t: 3 if _to_angles(t) else 2,
        lambda t: 3 if _to_angles(t) else 1,
        _grating,
    ),
    Kind(GWCS + "snell3d", 4, 3, _snell),
    Kind(GWCS + "sellmeier_glass", 1, 1, _sellmeier),
    Kind(GWCS + "sellmeier_zemax", 1, 1, _sellmeier_zemax),
)
