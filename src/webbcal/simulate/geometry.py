"""Where the pixels are: detectors, apertures and pointings of JWST's imagers.

Modelled: every SIAF aperture of NIRCam, NIRISS, FGS and MIRI's imager that reads one detector (full frame and
subarrays),
with its distortion, its place on the detector, its read-out direction and its frame time. All apertures of a
detector share the distortion of the full-frame aperture, as the calibration reference files do, so a source
falls on the same physical pixel whatever is read out.

Not modelled: velocity aberration (the scale factor is 1), guiding jitter, and apertures that span detectors.

Numbers come from the SIAF through `pysiaf`; frame times from the JWST documentation, "Understanding
Exposure Times": 10 µs a pixel, 12 clocks of overhead a row, and one extra row (two for a single output).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import ParameterError
from webbcal.core.miri_clocks import CLOCK, CLOCKS, case_name

FULL_SIZE = 2048
REFERENCE_BORDER = 4
_CLOCK = 10e-6  # seconds a pixel
_ROW_OVERHEAD = 12  # clocks


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector: its names, its read-out directions (FASTAXIS, SLOWAXIS), and its rows and columns."""

    instrument: str
    name: str
    siaf_prefix: str
    full_aperture: str
    fastaxis: int
    slowaxis: int
    channel: str | None = None
    module: str | None = None
    frame: tuple[int, int] = (FULL_SIZE, FULL_SIZE)

    @property
    def long_wave(self) -> bool:
        """Tell whether the material reaches 5 µm (larger dark current, smaller well)."""
        return self.channel != "SHORT"


def _nircam() -> list[Detector]:
    found = []
    for module in "AB":
        for number in range(1, 6):
            channel = "LONG" if number == 5 else "SHORT"
            prefix = f"NRC{module}{number}"
            name = f"NRC{module}LONG" if number == 5 else prefix
            # Odd detectors of module A and even ones of module B are mounted the same way round.
            fast, slow = (-1, 2) if (number % 2 == 1) == (module == "A") else (1, -2)
            found.append(Detector("NIRCAM", name, prefix, f"{prefix}_FULL", fast, slow, channel, module))
    return found


#: Detectors by name.
DETECTORS: dict[str, Detector] = {
    d.name: d
    for d in [
        *_nircam(),
        Detector("NIRISS", "NIS", "NIS", "NIS_CEN", -2, -1),
        Detector("FGS", "GUIDER1", "FGS1", "FGS1_FULL", -2, -1),
        Detector("FGS", "GUIDER2", "FGS2", "FGS2_FULL", 2, -1),
        Detector("NIRSPEC", "NRS1", "NRS1", "NRS1_FULL", 2, 1),
        Detector("NIRSPEC", "NRS2", "NRS2", "NRS2_FULL", -2, -1),
        Detector("MIRI", "MIRIMAGE", "MIRIM", "MIRIM_FULL", 1, 2, frame=(1024, 1032)),
        # Detectors of the spectrometer: the imager's geometry stands in for theirs.
        Detector("MIRI", "MIRIFUSHORT", "MIRIM", "MIRIM_FULL", 1, 2, frame=(1024, 1032)),
        Detector("MIRI", "MIRIFULONG", "MIRIM", "MIRIM_FULL", 1, 2, frame=(1024, 1032)),
    ]
}

_SIAF_NAME = {"NIRCAM": "NIRCam", "NIRISS": "NIRISS", "FGS": "FGS", "MIRI": "MIRI", "NIRSPEC": "NIRSpec"}

#: Subarrays whose SIAF entry describes the optical footprint, not the pixels read: x0, y0, columns, rows.
_READ_REGION = {("NIS", "SUBSTRIP256"): (0, 1792, 2048, 256), ("NIS", "SUBSTRIP96"): (0, 1802, 2048, 96)}

#: NIRSpec's subarrays, which the SIAF does not have: the same. Sizes are right, places about so.
_NIRSPEC_REGIONS = {
    "ALLSLITS": (0, 896, 2048, 256),
    "SUB2048": (0, 945, 2048, 32),
    "SUB1024A": (0, 945, 1024, 32),
    "SUB1024B": (1024, 945, 1024, 32),
    "SUB512": (768, 945, 512, 32),
    "SUB512S": (768, 953, 512, 16),
    "SUB32": (1024, 985, 32, 32),
}
_READ_REGION |= {(d, name): region for d in ("NRS1", "NRS2") for name, region in _NIRSPEC_REGIONS.items()}


@dataclass(frozen=True)
class Aperture:
    """A detector region that is read out, and how it looks at the sky.

    Attributes
    ----------
    detector : Detector
    subarray, siaf_name : str
        The SUBARRAY keyword and the SIAF aperture.
    box : Box
        The pixels read, in 0-based full-frame science coordinates.
    v2_ref, v3_ref, v3_idl_angle : float
        Reference position (arcsec) and angle from V3 to the aperture's y axis (degrees).
    v_parity : int
    x_ref, y_ref : float
        Reference pixel, 1-based, in the coordinates of this aperture.
    x_scale, y_scale : float
        Pixel scale at the reference pixel, arcsec.
    """

    detector: Detector
    subarray: str
    siaf_name: str
    box: Box
    v2_ref: float
    v3_ref: float
    v3_idl_angle: float
    v_parity: int
    x_ref: float
    y_ref: float
    x_scale: float
    y_scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.box.shape

    @property
    def readout_shape(self) -> tuple[int, int]:
        """Pixels along the slow and along the fast read-out direction."""
        ny, nx = self.shape
        return (ny, nx) if abs(self.detector.fastaxis) == 1 else (nx, ny)

    @property
    def n_outputs(self) -> int:
        """Amplifiers that read the region: four for full-width stripes, otherwise one."""
        return 4 if self.detector.instrument == "MIRI" or self.readout_shape[1] == FULL_SIZE else 1

    @property
    def frame_time(self) -> float:
        """Seconds to read the region once; MIRI's clocks are faster or slower with the read pattern."""
        if self.detector.instrument == "MIRI":
            return self.frame_time_in("FAST")
        slow, fast = self.readout_shape
        rows = slow + (1 if self.n_outputs == 4 else 2)
        return (fast // self.n_outputs + _ROW_OVERHEAD) * rows * _CLOCK

    def frame_time_in(self, readpatt: str) -> float:
        """Return the seconds to read the region once in a read pattern."""
        if self.detector.instrument != "MIRI":
            return self.frame_time
        _, frame = CLOCKS.get(case_name(self.subarray, readpatt), CLOCKS[case_name("FULL", readpatt)])
        return frame * CLOCK

    @property
    def row_samples(self) -> int:
        """Clocks an output spends on one row, overhead included."""
        return self.readout_shape[1] // self.n_outputs + _ROW_OVERHEAD

    def orient(self, readout: np.ndarray) -> np.ndarray:
        """Turn an array (slow, fast) in read-out order into the science frame (y, x)."""
        slow, fast = np.sign(self.detector.slowaxis), np.sign(self.detector.fastaxis)
        turned = readout[::slow, ::fast]
        return turned if abs(self.detector.fastaxis) == 1 else turned.T

    @cached_property
    def reference_pixels(self) -> np.ndarray:
        """True for the light-insensitive border pixels of the detector, shape (ny, nx)."""
        return reference_pixels(self.box, self.detector)

    @cached_property
    def pixel_areas(self) -> np.ndarray:
        """Solid angle of each pixel, arcsec², shape (ny, nx): the distortion's Jacobian at its centre."""
        from scipy.interpolate import RectBivariateSpline

        box, full = self.box, siaf(self.detector.instrument)[self.detector.full_aperture]
        y, x = (np.linspace(lo, hi - 1, 33) for lo, hi in ((box.y0, box.y1), (box.x0, box.x1)))
        yy, xx = np.meshgrid(y + 1, x + 1, indexing="ij")
        along_x = [(b - a) for a, b in zip(*(full.sci_to_tel(xx + d, yy) for d in (-0.5, 0.5)), strict=True)]
        along_y = [(b - a) for a, b in zip(*(full.sci_to_tel(xx, yy + d) for d in (-0.5, 0.5)), strict=True)]
        area = np.abs(along_x[0] * along_y[1] - along_x[1] * along_y[0])
        # V2 is a longitude; the apertures are within a quarter of a degree of the V1 axis' equator.
        spline = RectBivariateSpline(y, x, area, s=0)
        return np.asarray(spline(np.arange(box.y0, box.y1), np.arange(box.x0, box.x1)), np.float32)

    @property
    def nominal_area(self) -> float:
        """Solid angle (arcsec²) of a pixel at the reference position of the full frame: PIXAR_A2."""
        full = siaf(self.detector.instrument)[self.detector.full_aperture]
        return float(full.XSciScale * full.YSciScale)


def reference_pixels(box: Box, detector: Detector | None = None) -> np.ndarray:
    """Return True for the pixels of `box` within the four outer rows and columns of the detector.

    MIRI has such columns only.
    """
    ny, nx = (FULL_SIZE, FULL_SIZE) if detector is None else detector.frame
    y, x = np.ogrid[box.slices]
    sides = (x < REFERENCE_BORDER) | (x >= nx - REFERENCE_BORDER)
    if detector is not None and detector.instrument == "MIRI":
        return np.broadcast_to(sides, box.shape).copy()
    return sides | (y < REFERENCE_BORDER) | (y >= ny - REFERENCE_BORDER)


@lru_cache
def load_pysiaf() -> ModuleType:
    """Import pysiaf without its look-up of the newest release on the web, which can hang and never helps."""
    logging.getLogger("pysiaf").setLevel(logging.ERROR)
    with mock.patch("requests.get", side_effect=OSError("offline")):
        import pysiaf
    return pysiaf


@lru_cache
def siaf(instrument: str) -> Any:
    """Return the apertures of an instrument, read once: it takes a second."""
    return load_pysiaf().Siaf(_SIAF_NAME.get(instrument, instrument))


#: Subarrays that the SIAF knows by another name: detector and SUBARRAY keyword -> aperture.
_OTHER_NAMES = {("NIS", "SUB80"): "AMI1"}


def _find_siaf_name(detector: Detector, subarray: str, filter_name: str) -> str:
    """Return the SIAF aperture of a SUBARRAY keyword (grism stripes are filed by filter)."""
    if subarray == "FULL" or (detector.instrument == "NIRSPEC" and subarray in _NIRSPEC_REGIONS):
        return detector.full_aperture
    prefix, names = detector.siaf_prefix, siaf(detector.instrument).apertures
    stripe = subarray.removeprefix("SUBGRISM")
    subarray = _OTHER_NAMES.get((detector.name, subarray), subarray)
    wanted = [f"{prefix}_{subarray}", f"{prefix}_GRISM{stripe}_{filter_name}", f"{prefix}_GRISMTS{stripe}"]
    usable = {name for name in names if "STRIPE" not in name}  # those are gathered from several places
    for name in wanted:
        if name in usable:
            return name
    known = sorted(n.removeprefix(prefix + "_") for n in usable if n.startswith(prefix + "_"))
    raise ParameterError(f"{detector.name} has no subarray {subarray!r}; the SIAF knows {', '.join(known)}")


def _origin(position: float, reference: float, size: int, full: int) -> tuple[int, float]:
    """Return an aperture's first pixel along one axis and its reference pixel, kept on the detector.

    One SIAF entry (NRCA5_SUB400P) reaches two rows beyond the detector; it is moved back.
    """
    nominal = round(position - reference)
    start = min(max(nominal, 0), full - size)
    return (0, reference) if size == full else (start, reference + nominal - start)


@lru_cache
def find_aperture(detector: str, subarray: str = "FULL", filter_name: str = "") -> Aperture:
    """Return the aperture of a detector and a SUBARRAY keyword.

    Raises
    ------
    ParameterError
        If the detector or the subarray does not exist.
    """
    if detector not in DETECTORS:
        raise ParameterError(f"unknown detector {detector!r}; known: {', '.join(DETECTORS)}")
    d = DETECTORS[detector]
    name = _find_siaf_name(d, subarray, filter_name)
    apertures = siaf(d.instrument)
    a = apertures[name]
    # The corner comes from the telescope frame: pysiaf's dms_corner() ignores how detectors are turned.
    x, y = (float(v) for v in apertures[d.full_aperture].tel_to_sci(a.V2Ref, a.V3Ref))
    if (detector, subarray) in _READ_REGION:
        x0, y0, nx, ny = _READ_REGION[detector, subarray]
        x_ref, y_ref = x - x0, y - y0
    else:
        nx, ny = int(a.XSciSize), int(a.YSciSize)
        x0, x_ref = _origin(x, float(a.XSciRef), nx, d.frame[1])
        y0, y_ref = _origin(y, float(a.YSciRef), ny, d.frame[0])
    return Aperture(
        d, subarray, name, Box(y0, y0 + ny, x0, x0 + nx), float(a.V2Ref), float(a.V3Ref),
        float(a.V3IdlYAngle), int(a.VIdlParity), x_ref, y_ref, float(a.XSciScale), float(a.YSciScale),
    )  # fmt: skip


@dataclass(frozen=True)
class Pointing:
    """An aperture's reference position placed on the sky.

    Attributes
    ----------
    aperture : Aperture
    ra, dec : float
        Where the aperture's reference position points, degrees.
    roll : float
        Position angle of V3 at that position, degrees east of north.
    """

    aperture: Aperture
    ra: float
    dec: float
    roll: float

    @cached_property
    def attitude(self) -> np.ndarray:
        """The rotation matrix from the telescope frame to the sky."""
        a = self.aperture
        rotations = load_pysiaf().utils.rotations
        return np.asarray(rotations.attitude(a.v2_ref, a.v3_ref, self.ra, self.dec, self.roll))

    def sky_to_pixel(self, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 0-based pixel coordinates (x, y) in the aperture; (0, 0) is its first pixel's centre."""
        v2, v3 = (
            v.to_value("arcsec") for v in load_pysiaf().utils.rotations.sky_to_tel(self.attitude, ra, dec)
        )
        v2 = np.where(v2 > 180 * 3600.0, v2 - 360 * 3600.0, v2)
        # The SIAF's inverse polynomial is off by up to 0.2 pixel in corners. The forward one is the truth.
        first_x, first_y = self._full.tel_to_sci(v2, v3)
        x, y = first_x, first_y
        for _ in range(3):
            again_x, again_y = self._full.tel_to_sci(*self._full.sci_to_tel(x, y))
            x, y = x + (first_x - again_x), y + (first_y - again_y)
        return np.asarray(x) - 1 - self.aperture.box.x0, np.asarray(y) - 1 - self.aperture.box.y0

    def pixel_to_sky(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return RA and Dec (degrees) of 0-based pixel coordinates in the aperture."""
        box = self.aperture.box
        tel = self._full.sci_to_tel(np.asarray(x, float) + 1 + box.x0, np.asarray(y, float) + 1 + box.y0)
        sky = load_pysiaf().utils.rotations.tel_to_sky(self.attitude, *tel)
        ra, dec = (np.asarray(v.to_value("deg")) for v in sky)
        return ra % 360.0, dec

    def ideal_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return RA and Dec (degrees) of a place in the ideal frame of the aperture (arcsec)."""
        a, angle = self.aperture, np.radians(self.aperture.v3_idl_angle)
        v2 = a.v2_ref + a.v_parity * x * np.cos(angle) + y * np.sin(angle)
        v3 = a.v3_ref - a.v_parity * x * np.sin(angle) + y * np.cos(angle)
        ra, dec = load_pysiaf().utils.rotations.tel_to_sky(self.attitude, v2, v3)
        return float(ra.to_value("deg")) % 360.0, float(dec.to_value("deg"))

    def with_source_at(self, x: float, y: float) -> Pointing:
        """Return the pointing that has what is at the reference position at a place of the ideal frame."""
        moved = self
        for _ in range(3):
            ra, dec = moved.ideal_to_sky(x, y)
            east = (self.ra - ra + 180.0) % 360.0 - 180.0
            moved = Pointing(self.aperture, (moved.ra + east) % 360.0, moved.dec + self.dec - dec, self.roll)
        return moved

    def footprint(self) -> tuple[np.ndarray, np.ndarray]:
        """RA and Dec of the four outer corners, anticlockwise from the origin of the pixel grid."""
        ny, nx = self.aperture.shape
        return self.pixel_to_sky(np.array([0, nx, nx, 0]) - 0.5, np.array([0, 0, ny, ny]) - 0.5)

    def boresight(self) -> tuple[float, float, float]:
        """RA and Dec of the V1 axis and the position angle of V3 there, degrees."""
        rotations = load_pysiaf().utils.rotations
        ra, dec = (float(v.to_value("deg")) for v in rotations.tel_to_sky(self.attitude, 0.0, 0.0))
        return ra % 360.0, dec, float(rotations.posangle(self.attitude, 0.0, 0.0)) % 360.0

    def linear_wcs(self) -> tuple[np.ndarray, tuple[float, float]]:
        """Return the linear part of the projection at the reference position.

        Returns
        -------
        matrix : ndarray
            The PC matrix of the tangent-plane projection, shape (2, 2).
        scale : tuple of float
            CDELT1 and CDELT2, degrees a pixel.
        """
        step = 0.5
        x, y = self.sky_to_pixel(np.array([self.ra]), np.array([self.dec]))
        ra, dec = self.pixel_to_sky(
            x[0] + step * np.array([-1, 1, 0, 0]), y[0] + step * np.array([0, 0, -1, 1])
        )
        east = ((ra - self.ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(self.dec))
        cd = np.array([[v[1] - v[0], v[3] - v[2]] for v in (east, dec)]) / (2 * step)
        scale = np.hypot(cd[:, 0], cd[:, 1])  # CDELT scales the axes of the world, the rows
        return cd / scale[:, None], (float(scale[0]), float(scale[1]))

    @property
    def _full(self) -> Any:
        d = self.aperture.detector
        return siaf(d.instrument)[d.full_aperture]
