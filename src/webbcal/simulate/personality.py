"""The character of a detector: the per-pixel properties that reference files describe.

Every property is a pure function of the detector's name, a seed and the pixel. The forward model and the
reference files ask for the same function, on the full frame or on any part of it, and get the same numbers.

Modelled: gain, read noise, bias pattern, dark current with warm and hot pixels, dead and insensitive pixels,
non-linearity, full well, and a uniform inter-pixel capacitance. Not modelled: anything that changes with time
or with the signal's history (persistence, burn-in, telegraph noise). Levels are those of NIRCam, rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from webbcal.core.box import Box
from webbcal.core.dqflags import pixel as DQ
from webbcal.simulate.geometry import DETECTORS, FULL_SIZE, Detector, reference_pixels
from webbcal.simulate.nonlinearity import respond
from webbcal.simulate.seeds import stream

_CHUNK = 64  # rows that share a random stream
#: A pixel is called saturated at this share of its full well, before its response departs from the polynomial
_SATURATION_SHARE = 0.97
_COUPLING = 0.006  # inter-pixel capacitance to each of the four neighbours


@dataclass(frozen=True, slots=True)
class _Levels:
    gain: float  # e-/DN
    read_noise: float  # DN in one frame
    full_well: float  # electrons
    dark: float  # e-/s
    bias: float = 12000.0  # DN


def _levels(detector: Detector) -> _Levels:
    if detector.instrument == "MIRI":
        return _Levels(gain=3.1, read_noise=6.0, full_well=160_000.0, dark=0.15, bias=5000.0)
    if detector.instrument == "NIRCAM" and not detector.long_wave:
        return _Levels(gain=2.05, read_noise=5.4, full_well=100_000.0, dark=0.004)
    if detector.instrument == "NIRCAM":
        return _Levels(gain=1.82, read_noise=5.6, full_well=83_000.0, dark=0.03)
    return _Levels(gain=1.62, read_noise=6.5, full_well=76_000.0, dark=0.025)


def normal_gain(detector: Detector) -> float:
    """Return the gain (e-/DN) about which those of a detector's pixels scatter."""
    return _levels(detector).gain


@dataclass(frozen=True)
class Personality:
    """Properties of the pixels of a box; all arrays have its shape (ny, nx).

    Attributes
    ----------
    detector : Detector
    box : Box
        Full-frame science coordinates.
    gain : ndarray
        e-/DN.
    read_noise : ndarray
        White noise of one frame, DN.
    superbias : ndarray
        DN.
    dark : ndarray
        e-/s, zero in reference pixels.
    sensitivity : ndarray
        Share of the light that a pixel collects, relative to a normal one.
    linearity : ndarray
        Polynomial from measured to linear DN, shape (5, ny, nx).
    full_well : ndarray
        Electrons at which a pixel stops to collect.
    saturation : ndarray
        Raw level (DN, bias included) from which a sample is called saturated.
    mask, dark_dq, linearity_dq, saturation_dq : ndarray
        DQ flags of the reference files, uint32.
    reference : ndarray
        True for reference pixels.
    normal_gain : float
        Gain (e-/DN) about which those of the pixels scatter.
    """

    detector: Detector
    box: Box
    gain: np.ndarray
    read_noise: np.ndarray
    superbias: np.ndarray
    dark: np.ndarray
    sensitivity: np.ndarray
    linearity: np.ndarray
    full_well: np.ndarray
    saturation: np.ndarray
    mask: np.ndarray
    dark_dq: np.ndarray
    linearity_dq: np.ndarray
    saturation_dq: np.ndarray
    reference: np.ndarray
    normal_gain: float


class _Fields:
    """Random images of a detector, cut to a box."""

    def __init__(self, detector: str, seed: int, box: Box) -> None:
        self._key, self._seed, self._box = detector, seed, box

    def uniform(self, name: str) -> np.ndarray:
        return self._cut(name, lambda rng, shape: rng.random(shape, dtype=np.float32))

    def normal(self, name: str) -> np.ndarray:
        return self._cut(name, lambda rng, shape: rng.standard_normal(shape, dtype=np.float32))

    def gamma(self, name: str, order: float) -> np.ndarray:
        return self._cut(name, lambda rng, shape: rng.standard_gamma(order, shape, dtype=np.float32))

    def _cut(
        self, name: str, draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    ) -> np.ndarray:
        box, shape = self._box, (_CHUNK, FULL_SIZE)
        first, last = box.y0 // _CHUNK, (box.y1 - 1) // _CHUNK
        out = np.empty(box.shape, np.float32)
        for chunk in range(first, last + 1):
            lo, hi = max(chunk * _CHUNK, box.y0), min((chunk + 1) * _CHUNK, box.y1)
            whole = draw(stream(self._seed, "personality", self._key, name, chunk), shape)
            rows = slice(lo - chunk * _CHUNK, hi - chunk * _CHUNK)
            out[lo - box.y0 : hi - box.y0] = whole[rows, box.x0 : box.x1]
        return out


def personality(detector: str, box: Box | None = None, seed: int = 0) -> Personality:
    """Return the properties of a detector's pixels within a box (the full frame by default)."""
    d = DETECTORS[detector]
    box = box or Box.of_shape(d.frame)
    levels, fields, reference = _levels(d), _Fields(detector, seed, box), reference_pixels(box, d)
    gain = (levels.gain * (1.0 + 0.008 * fields.normal("gain"))).astype(np.float32)
    gain[reference] = levels.gain
    read_noise = (levels.read_noise * np.exp(0.08 * fields.normal("read noise"))).astype(np.float32)
    read_noise[fields.uniform("noisy") < 0.002] *= 3.0
    superbias = _superbias(d, levels, fields, box)
    linearity = _linearity(fields, reference)
    mask, sensitivity, dark = _pixel_defects(levels, fields, reference, _illumination(d, box))
    full_well = (levels.full_well * (1.0 + 0.01 * fields.normal("full well"))).astype(np.float32)
    saturation, saturation_dq = _saturation(fields, reference, superbias, linearity, full_well / gain)
    linearity_dq = np.where(fields.uniform("no linearity") < 3e-4, DQ["NO_LIN_CORR"], 0).astype(np.uint32)
    linearity_dq[reference] = DQ["NO_LIN_CORR"]
    dark_dq = np.where((dark > 0.5) & (mask & DQ["HOT"] == 0), DQ["WARM"], 0).astype(np.uint32)
    return Personality(
        d, box, gain, read_noise, superbias, dark, sensitivity, linearity, full_well, saturation, mask,
        dark_dq, linearity_dq, saturation_dq, reference, levels.gain,
    )  # fmt: skip


def _superbias(detector: Detector, levels: _Levels, fields: _Fields, box: Box) -> np.ndarray:
    """Bias pattern: a level for each output and for odd and even columns, a slow wave, and pixel scatter."""
    outputs = stream(0, "outputs", detector.name).normal(0.0, 250.0, 4)
    y, x = np.ogrid[box.slices]
    fast, slow = (x, y) if abs(detector.fastaxis) == 1 else (y, x)
    if detector.instrument == "MIRI":  # outputs take turns
        return np.asarray(levels.bias + outputs[x % 4] + 200.0 * fields.normal("superbias"), np.float32)
    pattern = outputs[fast // (FULL_SIZE // 4)] + 30.0 * (fast % 2) + 120.0 * np.sin(slow / 500.0)
    return np.asarray(levels.bias + pattern + 200.0 * fields.normal("superbias"), np.float32)


def _linearity(fields: _Fields, reference: np.ndarray) -> np.ndarray:
    """Polynomial from measured to linear DN: some per cent at the full well, different in each pixel."""
    coefficients = np.zeros((5, *reference.shape), np.float32)
    coefficients[1] = 1.0
    for order, typical in ((2, 8e-7), (3, 6e-12), (4, 2e-17)):
        scatter = 1.0 + 0.06 * np.clip(fields.normal(f"linearity {order}"), -3, 3)
        coefficients[order] = np.where(reference, 0.0, typical * scatter)
    return coefficients


def _illumination(detector: Detector, box: Box) -> np.ndarray:
    """Response that changes over the detector: a few per cent from the centre to the corners."""
    y, x = np.ogrid[box.slices]
    ny, nx = detector.frame
    v, u = 2 * y / ny - 1.0, 2 * x / nx - 1.0
    return np.asarray(1.0 + 0.015 * np.cos(2.0 * u + 0.7) * np.cos(1.5 * v) - 0.01 * u * v, np.float32)


def _pixel_defects(
    levels: _Levels, fields: _Fields, reference: np.ndarray, illumination: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw dead, hot and insensitive pixels; return the mask, the sensitivity and the dark current."""
    kind = fields.uniform("defect")
    dead, hot, low = kind < 0.0010, (kind >= 0.001) & (kind < 0.0025), (kind >= 0.0025) & (kind < 0.0050)
    dark = levels.dark * fields.gamma("dark", 4.0) / 4.0
    strong = fields.gamma("hot", 1.0)
    dark[hot] = 5.0 + 40.0 * strong[hot]
    warm = fields.uniform("warm") < 0.004
    dark[warm] += strong[warm]
    sensitivity = (1.0 + 0.01 * np.clip(fields.normal("response"), -5, 5)).astype(np.float32)
    sensitivity *= illumination
    sensitivity[low] = 0.3 + 0.4 * fields.uniform("low")[low]
    sensitivity[dead | reference] = 0.0
    dark[dead | reference] = 0.0
    mask = np.zeros(reference.shape, np.uint32)
    mask[dead] = DQ["DO_NOT_USE"] | DQ["DEAD"]
    mask[hot] = DQ["DO_NOT_USE"] | DQ["HOT"]
    mask[low] = DQ["LOW_QE"]
    mask[reference] = DQ["REFERENCE_PIXEL"]
    return mask, sensitivity, dark.astype(np.float32)


def _saturation(
    fields: _Fields,
    reference: np.ndarray,
    superbias: np.ndarray,
    linearity: np.ndarray,
    well_dn: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the raw level from which a pixel is saturated, and the DQ of that reference."""
    level = superbias + _SATURATION_SHARE * respond(well_dn, linearity, start=well_dn)
    dq = np.where(fields.uniform("no saturation") < 2e-4, DQ["NO_SAT_CHECK"], 0).astype(np.uint32)
    dq[reference] = DQ["NO_SAT_CHECK"]
    return level.astype(np.float32), dq


def ipc_kernel() -> np.ndarray:
    """Return the 3 x 3 kernel with which neighbouring pixels share their voltage (sum 1)."""
    k = np.zeros((3, 3))
    k[0, 1] = k[1, 0] = k[1, 2] = k[2, 1] = _COUPLING
    k[0, 0] = k[0, 2] = k[2, 0] = k[2, 2] = _COUPLING * 0.05
    k[1, 1] = 1.0 - k.sum()
    return k


def ipc_inverse_kernel() -> np.ndarray:
    """Return the 5 x 5 kernel that undoes the sharing (sum 1); what it leaves is below 1e-5 of a signal."""
    n = 64
    padded = np.zeros((n, n))
    padded[:3, :3] = ipc_kernel()
    padded = np.roll(padded, (-1, -1), axis=(0, 1))
    inverse = np.roll(np.fft.ifft2(1.0 / np.fft.fft2(padded)).real, (2, 2), axis=(0, 1))[:5, :5]
    return np.asarray(inverse / inverse.sum())
