"""What to simulate: one frozen object, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from webbcal.core.errors import ParameterError
from webbcal.core.readout import PATTERNS, Readout
from webbcal.simulate.electronics import Electronics
from webbcal.simulate.geometry import DETECTORS, Aperture, Pointing, find_aperture
from webbcal.simulate.optics import Filter, find_filter
from webbcal.simulate.scene import Sky

_PATTERNS_OF = {
    "NIRCAM": (
        "RAPID", "BRIGHT1", "BRIGHT2", "SHALLOW2", "SHALLOW4", "MEDIUM2", "MEDIUM8", "DEEP2", "DEEP8", "DHS3"
    ),
    "NIRISS": ("NIS", "NISRAPID"),
    "FGS": ("FGS", "FGSRAPID"),
    "MIRI": ("FASTR1", "SLOWR1"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureConfig:
    """One simulated exposure of one detector.

    Attributes
    ----------
    detector, subarray, filter, readpatt : str
        As in the DETECTOR, SUBARRAY and READPATT keywords; `filter` is the band, in whichever wheel it sits.
    ngroups, nints : int
    seed : int
        Seed of everything that differs between exposures: photons, noise, particles.
    detector_seed : int
        Seed of the detector's character; must be that of the reference files.
    ra, dec, roll : float
        Where the aperture's reference position points and the position angle of V3 there, degrees.
    dither : tuple of float
        Offset of the pointing to the east and north, arcsec.
    pointing_error : tuple of float
        How far the telescope points to the east and north of what the header says, arcsec.
    sky : Sky
        The scene; the same object for all exposures of a field.
    cosmic_rays : bool or float
        Particles at the usual rate, none, or a multiple of it.
    snowballs : float
        Snowballs a second on a full detector.
    ipc : bool
        Whether neighbouring pixels share their voltage.
    zeroframe : bool
        Keep the first frame of each integration. Patterns that do not average frames have none: their first
        group is that frame.
    electronics : Electronics
    program, observation, visit, exposure : int
        Identify the exposure; they make the file name.
    start_mjd : float
        Start of the exposure, UTC.
    """

    detector: str = "NRCALONG"
    subarray: str = "FULL"
    filter: str = "F444W"
    readpatt: str = "SHALLOW4"
    ngroups: int = 10
    nints: int = 1
    seed: int = 1
    detector_seed: int = 0
    ra: float = 53.16
    dec: float = -27.79
    roll: float = 41.0
    dither: tuple[float, float] = (0.0, 0.0)
    pointing_error: tuple[float, float] = (0.0, 0.0)
    sky: Sky = field(default_factory=Sky)
    cosmic_rays: bool | float = True
    snowballs: float = 0.0
    ipc: bool = False
    zeroframe: bool = False
    electronics: Electronics = field(default_factory=Electronics)
    program: int = 1234
    observation: int = 1
    visit: int = 1
    exposure: int = 1
    start_mjd: float = 60000.0

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise ParameterError(f"unknown detector {self.detector!r}; known: {', '.join(DETECTORS)}")
        allowed = _PATTERNS_OF[self.instrument]
        if self.readpatt not in allowed:
            raise ParameterError(
                f"{self.instrument} has no pattern {self.readpatt!r}; known: {', '.join(allowed)}"
            )
        if self.ngroups < 1 or self.nints < 1:
            raise ParameterError(f"ngroups and nints must be at least 1, not {self.ngroups} and {self.nints}")
        if self.cosmic_rays < 0 or self.snowballs < 0:
            raise ParameterError("rates of cosmic rays and snowballs cannot be negative")
        find_filter(self.instrument, self.filter)

    @property
    def instrument(self) -> str:
        """Name of the instrument, as in INSTRUME."""
        return DETECTORS[self.detector].instrument

    @property
    def aperture(self) -> Aperture:
        """The region that is read."""
        return find_aperture(self.detector, self.subarray, self.filter)

    @property
    def pointing(self) -> Pointing:
        """The aperture on the sky as the header has it, dither included."""
        return self._pointing(*self.dither)

    @property
    def true_pointing(self) -> Pointing:
        """The aperture on the sky as it was: with the pointing error."""
        (east, north), (off_east, off_north) = self.dither, self.pointing_error
        return self._pointing(east + off_east, north + off_north)

    def _pointing(self, east: float, north: float) -> Pointing:
        import numpy as np

        ra = self.ra + east / 3600.0 / np.cos(np.radians(self.dec))
        return Pointing(self.aperture, float(ra % 360.0), self.dec + north / 3600.0, self.roll)

    @property
    def band(self) -> Filter:
        """The passband."""
        return find_filter(self.instrument, self.filter)

    @property
    def readout(self) -> Readout:
        """The sampling of an integration."""
        nframes, groupgap = PATTERNS[self.readpatt]
        tframe = self.aperture.frame_time
        return Readout(self.ngroups, nframes, groupgap, tframe, tframe * (nframes + groupgap))

    @property
    def rootname(self) -> str:
        """File name without suffix, in the convention of the JWST archive."""
        return (
            f"jw{self.program:05d}{self.observation:03d}{self.visit:03d}_02101_{self.exposure:05d}"
            f"_{self.detector.lower()}"
        )


def dithered(config: ExposureConfig, offsets: list[tuple[float, float]]) -> list[ExposureConfig]:
    """Return one exposure per dither (arcsec east and north), each with its own number, seed and time."""
    return [
        replace(
            config,
            dither=offset,
            exposure=config.exposure + k,
            seed=config.seed + k,
            start_mjd=config.start_mjd + 0.02 * k,
        )
        for k, offset in enumerate(offsets)
    ]
