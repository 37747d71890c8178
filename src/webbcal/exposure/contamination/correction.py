"""Subtracting from each spectrum of a field what other sources leave in it.

All simulated spectra add up to an image of the detector; what a spectrum does not have of its own there is
contamination. With polynomials, the shapes are fitted from the brightest source to the faintest, each to data
without the contamination that is known by then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.exposure.contamination.simulation import Simulated
from webbcal.exposure.contamination.source_pixels import F32, F64
from webbcal.exposure.contamination.spectral_shape import Fitting, fitted_shape

log = logging.getLogger(__name__)


class Cleaning:
    """The spectra of a field, with the simulation of each and of the whole detector.

    Parameters
    ----------
    slits : sequence
        Spectra, as they were cut out; not changed before `finish`.
    simulated : sequence of Simulated
        The spectra of all sources, also of those without a slit.
    shape : (rows, columns)
        Of the detector.

    Attributes
    ----------
    image : (rows, columns) float64
        All simulated spectra together.
    own : list of (rows, columns, planes) float32 or None
        Of each slit the simulation of its own source, on its pixels; None if there is none.
    """

    def __init__(self, slits: Sequence[Any], simulated: Sequence[Simulated], shape: tuple[int, int]) -> None:
        self._slits, self._frame = slits, Box.of_shape(shape)
        self._by_source = {(s.label, s.order): s for s in simulated}
        self._boxes = [_box_of(slit) for slit in slits]
        self.image: F64 = np.zeros(shape)
        for s in simulated:
            self.image[s.box.slices] += s.image
        self.own: list[F32 | None] = []
        for slit, box in zip(slits, self._boxes, strict=True):
            found = self._simulation_of(slit)
            planes = None if found is None else found.on(box)
            if planes is None:
                log.warning(
                    "source %s, order %s, is not simulated: its spectrum is left as it is",
                    slit.source_id,
                    slit.meta.wcsinfo.spectral_order,
                )
            self.own.append(planes)
        light = {n: float(planes[:, :, 0].sum()) for n, planes in enumerate(self.own) if planes is not None}
        self._bright_first = sorted(light, key=lambda n: -light[n])

    def fit_shapes(self, fitting: Fitting) -> int:
        """Fit the shapes of all spectra once, from bright to faint; return how many could be fitted."""
        return sum(self._fit(n, fitting) for n in self._bright_first)

    def contamination(self, number: int) -> F32:
        """Return what other sources leave in a spectrum; nothing if its own source is not simulated."""
        box, own = self._boxes[number], self.own[number]
        result = np.zeros(box.shape, np.float32)
        seen = box.overlap(self._frame)
        if own is not None:
            if seen is not None:
                result[seen.relative_to(box).slices] = self.image[seen.slices]
            result -= own[:, :, 0]
        return result

    def finish(self) -> None:
        """Subtract the contamination from the spectra."""
        for number, slit in enumerate(self._slits):
            slit.data -= self.contamination(number)

    def _fit(self, number: int, fitting: Fitting) -> bool:
        slit, own = self._slits[number], self.own[number]
        simulation = self._simulation_of(slit)
        assert own is not None
        assert simulation is not None
        data = slit.data - self.contamination(number)
        err, dq = (getattr(slit, name) if slit.has(name) else None for name in ("err", "dq"))
        coefficients = fitted_shape(data, err, dq, own, fitting)
        if coefficients is None:
            return False
        before = simulation.image.astype(float)
        for planes in (own, simulation.planes):
            planes[:, :, 0] = planes @ coefficients
        self.image[simulation.box.slices] += simulation.image - before
        return True

    def _simulation_of(self, slit: Any) -> Simulated | None:
        return self._by_source.get((slit.source_id, slit.meta.wcsinfo.spectral_order))


def _box_of(slit: Any) -> Box:
    y0, x0 = slit.corner
    rows, columns = slit.shape[-2:]
    return Box(y0, y0 + rows, x0, x0 + columns)
