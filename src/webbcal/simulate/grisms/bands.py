"""How much of the light an order gets: the passband of filter and grism, and the efficiency of the order.

The passband is that of the filter, a little domed, with edges that fall within a per cent of the wavelength.
What a detector collects follows from the area of the mirror, as for images (`optics`).
"""

from __future__ import annotations

import numpy as np

from webbcal.simulate.optics import Filter, photons_per_jansky

#: Share of the light in each order, beside the filter's throughput.
EFFICIENCY = {
    "NIRCAM": {1: 0.62, 2: 0.06},
    "NIRISS": {-1: 0.01, 0: 0.12, 1: 0.60, 2: 0.05, 3: 0.01},
    "MIRI": {1: 0.75},
}
#: What the prism lets pass of MIRI's light, whatever filter the direct image has: micrometres, throughput.
_PRISM = (5.0, 13.8, 0.28)
_EDGE = 0.004  # of the middle wavelength
_FAINTEST = 0.02  # of the peak: where a band ends
_DOME = 0.25


def _limits(instrument: str, band: Filter) -> tuple[float, float, float]:
    """Return where a passband falls to half (micrometres), and its throughput."""
    if instrument == "MIRI":
        return _PRISM
    return band.pivot - band.width / 2, band.pivot + band.width / 2, band.throughput


def wavelengths(instrument: str, band: Filter) -> tuple[float, float]:
    """Return where a passband ends, micrometres: at two per cent of its height."""
    low, high, _ = _limits(instrument, band)
    beyond = np.log(1.0 / _FAINTEST - 1.0) * _EDGE * (low + high) / 2
    return float(low - beyond), float(high + beyond)


def sensitivity(instrument: str, band: Filter, order: int, wave: np.ndarray) -> np.ndarray:
    """Return the rate (e-/s) per micrometre from a source of 1 Jy, at wavelengths (micrometres)."""
    low, high, height = _limits(instrument, band)
    width, middle = _EDGE * (low + high) / 2, (low + high) / 2
    dome = 1.0 - _DOME * ((wave - middle) / (high - low)) ** 2
    edges = 1.0 / (1.0 + np.exp(-(wave - low) / width)) / (1.0 + np.exp((wave - high) / width))
    throughput = height * EFFICIENCY[instrument][order] * dome * edges
    return np.asarray(throughput * photons_per_jansky(wave))
