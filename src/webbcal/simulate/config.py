"""What to simulate: one frozen object, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from webbcal.core.errors import ParameterError
from webbcal.core.irs2 import Interleaving
from webbcal.core.readout import PATTERNS, Readout
from webbcal.simulate.electronics import Electronics
from webbcal.simulate.geometry import DETECTORS, Aperture, Pointing, find_aperture
from webbcal.simulate.grisms.grism import Grism
from webbcal.simulate.lrs import Lrs
from webbcal.simulate.optics import Filter, find_filter
from webbcal.simulate.scene import Sky
from webbcal.simulate.slits import find_slit
from webbcal.simulate.soss import SUBARRAYS as SOSS_SUBARRAYS
from webbcal.simulate.soss import Soss

_PATTERNS_OF = {
    "NIRCAM": (
        "RAPID", "BRIGHT1", "BRIGHT2", "SHALLOW2", "SHALLOW4", "MEDIUM2", "MEDIUM8", "DEEP2", "DEEP8", "DHS3"
    ),
    "NIRISS": ("NIS", "NISRAPID"),
    "FGS": ("FGS", "FGSRAPID"),
    "NIRSPEC": (
        "NRS", "NRSRAPID", "NRSRAPIDD1", "NRSRAPIDD2", "NRSRAPIDD6", "NRSSLOW", "NRSIRS2", "NRSIRS2RAPID"
    ),
    "MIRI": (
        "FASTR1", "SLOWR1", "FASTR100",
        "FASTGRPAVG", "FASTGRPAVG8", "FASTGRPAVG16", "FASTGRPAVG32", "FASTGRPAVG64",
    ),
}  # fmt: skip
#: Where the prism's spectra fall: detector, filter, subarray.
_LRS = (("MIRIMAGE", "P750L", "FULL"), ("MIRIMAGE", "P750L", "SLITLESSPRISM"))


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a long exposure that has a file of its own.

    Attributes
    ----------
    number, total : int
        Which of how many (EXSEGNUM, EXSEGTOT).
    first : int
        The exposure's integration (from 0) with which it begins.
    nints : int
        Integrations of the exposure.
    """

    number: int
    total: int
    first: int
    nints: int


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
    showers : float
        Showers a second on a full detector of MIRI (other detectors can be given them, too).
    ipc : bool
        Whether neighbouring pixels share their voltage.
    zeroframe : bool
        Keep the first frame of each integration. Patterns that do not average frames have none: their first
        group is that frame.
    picture_frame : float
        Thermal signal at the edges of NIRSpec's detectors, e-/s.
    traps : bool
        Whether pixels have charge traps: persistence, from exposure to exposure.
    electronics : Electronics
    soss : Soss, optional
        A star with a planet, in NIRISS single-object slitless spectroscopy: a time series.
    grism : Grism, optional
        A grism in the beam: a slitless exposure, or NIRCam's grism time series. `filter` is the band, and for
        MIRI the one in which sources have their magnitudes.
    lrs : Lrs, optional
        A spectrum through the prism P750L of MIRI's imager: of the slit (FULL), or without (SLITLESSPRISM).
    segment : Segment, optional
        The part of a longer exposure that this is; `nints` are its own integrations.
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
    showers: float = 0.0
    ipc: bool = False
    zeroframe: bool = False
    picture_frame: float = 0.0
    traps: bool = False
    electronics: Electronics = field(default_factory=Electronics)
    soss: Soss | None = None
    grism: Grism | None = None
    lrs: Lrs | None = None
    segment: Segment | None = None
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
        if self.irs2 is not None and (self.subarray != "FULL" or self.ipc):
            raise ParameterError(f"{self.readpatt} reads full frames only, and is simulated without ipc")
        if self.ngroups < 1 or self.nints < 1:
            raise ParameterError(f"ngroups and nints must be at least 1, not {self.ngroups} and {self.nints}")
        if self.seed < 0 or self.detector_seed < 0:
            raise ParameterError(f"seeds cannot be negative: {self.seed} and {self.detector_seed}")
        if min(self.cosmic_rays, self.snowballs, self.showers) < 0:
            raise ParameterError("rates of cosmic rays, snowballs and showers cannot be negative")
        find_filter(self.instrument, self.filter)
        if self.soss is not None and (self.detector != "NIS" or self.subarray not in SOSS_SUBARRAYS):
            raise ParameterError(f"SOSS spectra need detector NIS and one of {', '.join(SOSS_SUBARRAYS)}")
        if self.filter == "N/A" and self.instrument == "MIRI" and not self.detector.startswith("MIRIFU"):
            raise ParameterError("filter N/A is that of MIRI's integral field unit; the imager has filters")
        if self.lrs is None and self.filter == "P750L":
            raise ParameterError("the prism P750L takes spectra: say of what (lrs=Lrs(...))")
        if self.lrs is not None and (self.detector, self.filter, self.subarray) not in _LRS:
            raise ParameterError("LRS spectra need MIRIMAGE, filter P750L, and FULL or SLITLESSPRISM")
        if self.grism is not None:
            self._check_grism(self.grism)

    def _check_grism(self, grism: Grism) -> None:
        detectors = {"NIRCAM": ("NRCALONG", "NRCBLONG"), "NIRISS": ("NIS",), "MIRI": ("MIRIMAGE",)}
        allowed = ("NRCALONG",) if grism.time_series else detectors[grism.instrument]
        if self.detector not in allowed:
            raise ParameterError(f"{grism.name} disperses onto {' or '.join(allowed)}, not {self.detector}")
        if self.subarray != "FULL" and not grism.time_series:
            raise ParameterError(f"slitless fields are full frames, not {self.subarray}")

    @property
    def instrument(self) -> str:
        """Name of the instrument, as in INSTRUME."""
        return DETECTORS[self.detector].instrument

    @property
    def irs2(self) -> Interleaving | None:
        """Where reference pixels lie between the science pixels, if they do."""
        return Interleaving(self.detector == "NRS2") if "IRS2" in self.readpatt else None

    @property
    def aperture(self) -> Aperture:
        """The region that is read."""
        if self.grism is not None and self.grism.time_series and self.subarray == "FULL":
            return find_aperture(self.detector, "SUBGRISM", self.filter)
        if self.lrs is not None and self.subarray == "FULL":
            return find_slit()
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
        pointing = Pointing(self.aperture, float(ra % 360.0), self.dec + north / 3600.0, self.roll)
        return pointing if self.lrs is None else pointing.with_source_at(*self.lrs.offset)

    @property
    def band(self) -> Filter:
        """The passband."""
        return find_filter(self.instrument, self.filter)

    @property
    def readout(self) -> Readout:
        """The sampling of an integration."""
        nframes, groupgap = PATTERNS[self.readpatt]
        usual = self.aperture.frame_time_in(self.readpatt)
        tframe = usual if self.irs2 is None else self.irs2.frame_time
        return Readout(self.ngroups, nframes, groupgap, tframe, tframe * (nframes + groupgap))

    @property
    def first_integration(self) -> int:
        """The integration of the whole exposure (from 0) with which this one begins."""
        return 0 if self.segment is None else self.segment.first

    @property
    def time_series(self) -> bool:
        """Whether it is a star with a transit."""
        planet = self.lrs is not None and self.lrs.transit is not None
        return self.soss is not None or planet or (self.grism is not None and self.grism.time_series)

    @property
    def all_integrations(self) -> int:
        """Integrations of the whole exposure."""
        return self.nints if self.segment is None else self.segment.nints

    @property
    def is_series(self) -> bool:
        """Tell whether this is a time series: of a star with a planet."""
        return self.soss is not None or (self.lrs is not None and self.lrs.transit is not None)

    @property
    def rootname(self) -> str:
        """File name without suffix, in the convention of the JWST archive."""
        part = "" if self.segment is None else f"-seg{self.segment.number:03d}"
        return (
            f"jw{self.program:05d}{self.observation:03d}{self.visit:03d}_02101_{self.exposure:05d}{part}"
            f"_{self.detector.lower()}"
        )


def segmented(config: ExposureConfig, size: int) -> list[ExposureConfig]:
    """Return the parts of a long exposure, of up to `size` integrations each."""
    starts = range(0, config.nints, size)
    return [
        replace(
            config,
            nints=min(size, config.nints - first),
            segment=Segment(number, len(starts), first, config.nints),
        )
        for number, first in enumerate(starts, 1)
    ]


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
