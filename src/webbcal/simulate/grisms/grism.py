"""What stands in the beam: a grism or prism, and whether it looks at a field or at one star in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.errors import ParameterError
from webbcal.simulate.lrs import Transit
from webbcal.simulate.spectrum import Line, Spectrum

#: Instrument of each disperser, and the axis along which it disperses: 1 rows, 2 columns.
DISPERSERS = {
    "GRISMR": ("NIRCAM", 1),
    "GRISMC": ("NIRCAM", 2),
    "GR150C": ("NIRISS", 1),
    "GR150R": ("NIRISS", 2),
    "P750L": ("MIRI", 2),
}
#: Where NIRISS' filter wheel stands when a grism disperses as its reference file says, degrees.
WHEEL_REFERENCE = {"GR150C": 354.2111, "GR150R": 271.1539}
_TYPES = {"NIRCAM": "NRC_WFSS", "NIRISS": "NIS_WFSS", "MIRI": "MIR_WFSS"}
#: The star of a time series, unless another is given.
STAR = Spectrum(0.5, 4.0, -1.7, lines=tuple(Line(2.5 + 0.2 * k, -0.0008, 0.004) for k in range(14)))


@dataclass(frozen=True, slots=True)
class Grism:
    """A disperser in the beam.

    Attributes
    ----------
    name : str
        One of `DISPERSERS`: the PUPIL keyword of NIRCam, FILTER of NIRISS and MIRI.
    wheel_offset : float
        How far NIRISS' filter wheel stands from its reference position, degrees: traces turn by that.
    time_series : bool
        One star at the aperture's reference position instead of the sky, with a transit (NIRCam).
    star : Spectrum
        Of a time series.
    transit : Transit
        Of a time series.
    """

    name: str = "GRISMR"
    wheel_offset: float = 0.04
    time_series: bool = False
    star: Spectrum = STAR
    transit: Transit = Transit(0.01, colour=0.0)

    def __post_init__(self) -> None:
        if self.name not in DISPERSERS:
            raise ParameterError(f"there is no grism {self.name!r}; known: {', '.join(DISPERSERS)}")
        if self.time_series and self.name != "GRISMR":
            raise ParameterError(f"time series are taken with GRISMR, not with {self.name}")

    @property
    def instrument(self) -> str:
        """The instrument that has it."""
        return DISPERSERS[self.name][0]

    @property
    def axis(self) -> int:
        """The axis along which it disperses: 1 along rows, 2 along columns."""
        return DISPERSERS[self.name][1]

    @property
    def exposure_type(self) -> str:
        """EXP_TYPE."""
        return "NRC_TSGRISM" if self.time_series else _TYPES[self.instrument]

    @property
    def wheel_position(self) -> float | None:
        """Where the filter wheel stands, degrees (FWCPOS of NIRISS)."""
        reference = WHEEL_REFERENCE.get(self.name)
        return None if reference is None else reference + self.wheel_offset

    @property
    def turn(self) -> float:
        """Angle (radians) by which traces are turned from x to y."""
        return 0.0 if self.instrument != "NIRISS" else -float(np.radians(self.wheel_offset))

    def wheels(self, band: tuple[str, str]) -> tuple[str, str]:
        """Return the FILTER and PUPIL keywords with this grism in the place of an open position."""
        if self.instrument == "NIRCAM":
            return band[0], self.name
        return (self.name, band[1]) if self.instrument == "NIRISS" else (self.name, "N/A")
