"""What is peculiar to the detectors of MIRI (Si:As), on top of `webbcal.simulate.forward`.

Modelled, by the point in the signal chain where it happens:

- in the pixel, in linear DN: a dark that is higher after the first integration, and settles;
- in the multiplexer, in raw DN: the reset anomaly, an exponential settling of each pixel's level in the
  first frames of an integration; the first frame, which is off by a constant; the reset switch charge decay
  (RSCD), a share of the signal that the integration before has left, which decays in a frame; the last frame,
  in which the reset of the row pair below pulls signal away;
- in the electronics: four outputs that take turns from column to column, each with a pedestal that wanders;
  an offset of odd and even rows; a fifth output that reads no pixels (the reference output); interference of
  fixed frequencies, sampled at the time at which each pixel is clocked, reference pixels included.

Not modelled: persistence, brighter-fatter effect, drifts from exposure to exposure, the slow part of RSCD,
and 1/f noise. The response of pixels is that of the near-infrared ones with other numbers.

Amplitudes are of the order that Ressler et al. 2015 (PASP 127, 675), Rieke et al. 2015 (PASP 127, 665) and
Morrison et al. 2023 (PASP 135, 075004) report. Maps are plain functions of the pixel, and so the same for a
frame and for a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webbcal.core.box import Box
from webbcal.core.miri_clocks import CLOCK, CLOCKS, OUTPUTS, Clocks, case_name, speed
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.seeds import stream

Array = np.ndarray

#: Frames in which the reset anomaly falls by e, and its strength in the first integration and in others.
_ANOMALY_FRAMES, _ANOMALY_OF = 2.5, (1.0, 0.6)
#: Groups that the RESET reference has.
RESET_GROUPS = 20
#: The same of the dark after the first integration, DN.
_DARK_FRAMES, _DARK_STEP = 8.0, 6.0
_FIRST_FRAME = -18.0  # DN
_RSCD_SHARE, _RSCD_FRAMES = 0.02, 0.7
_LAST_FRAME_SHARE = 0.015
#: Groups that the RSCD reference rejects: in the first integration, in others.
RSCD_SKIP = (1, 4)
#: Level of the reference output, and noise of its samples, DN.
_OUTPUT_LEVEL, _OUTPUT_NOISE = 8000.0, 4.0
#: Values of a wave in the EMICORR reference.
_WAVE_VALUES = 256


@dataclass(frozen=True, slots=True)
class Interference:
    """A wave of one frequency: a fundamental with harmonics.

    Attributes
    ----------
    frequency : float
        Hz.
    amplitude : float
        Of the fundamental, DN.
    phase : float
        At the first sample of the exposure, in periods.
    """

    frequency: float
    amplitude: float
    phase: float

    @property
    def name(self) -> str:
        """Its name in the EMICORR reference."""
        return f"Hz{self.frequency:g}".replace(".", "_")

    @property
    def period(self) -> float:
        """In clocks."""
        return 1.0 / (self.frequency * CLOCK)

    def shape(self, phase: Array) -> Array:
        """Return the wave of amplitude 1."""
        angle = 2.0 * np.pi * phase
        return np.asarray(np.sin(angle) + 0.35 * np.cos(2.0 * angle) - 0.15 * np.sin(3.0 * angle))


#: What disturbs full frames in FAST mode (390.625 Hz has a whole number of periods in a frame there, so that
#: it is part of the bias), and everything else.
_FULL_FAST = (Interference(10.039216, 5.0, 0.29),)
_OTHERS = (Interference(390.625, 8.0, 0.61), Interference(218.520470, 3.0, 0.17))


def interferences(subarray: str, readpatt: str) -> tuple[Interference, ...]:
    """Return the waves that exposures of a subarray and read pattern see."""
    return _FULL_FAST if case_name(subarray, readpatt) == "FULL_FAST" else _OTHERS


def clocks_of(config: ExposureConfig) -> Clocks:
    """Return when the pixels of an exposure are sampled; groups are single frames here."""
    row, frame = CLOCKS[case_name(config.subarray, config.readpatt)]
    slow = speed(config.readpatt) == "SLOW"
    return Clocks(config.aperture.shape[0], config.readout.total_frames, row, frame, 9 if slow else 1)


def emicorr_tree(detector: str) -> dict[str, dict]:
    """Return the content of an EMICORR reference: waves and subarrays."""
    phase = (np.arange(_WAVE_VALUES) + 0.5) / _WAVE_VALUES
    waves = {w.name: w for w in (*_FULL_FAST, *_OTHERS)}
    cases = {}
    for name, (row, frame) in CLOCKS.items():
        names = [w.name for w in (_FULL_FAST if name == "FULL_FAST" else _OTHERS)]
        freqs = {"FAST": names, "SLOW": {detector: names}}
        cases[name] = {"rowclocks": row, "frameclocks": frame, "freqs": freqs}
    frequencies = {
        name: {"frequency": wave.frequency, "phase_amplitudes": wave.shape(phase)}
        for name, wave in waves.items()
    }
    return {"frequencies": frequencies, "subarray_cases": cases}


class Pixels:
    """The level of pixels beyond photons and dark current, of the pixels of a box."""

    def __init__(self, box: Box, reference: Array) -> None:
        y, x = np.ogrid[box.slices]
        self._anomaly = 45.0 * (1.0 + 0.25 * np.sin(0.37 * x + 1.1) * np.cos(0.23 * y)) * ~reference
        self._dark = _DARK_STEP * (1.0 + 0.3 * np.sin(0.19 * x) * np.sin(0.31 * y + 0.4)) * ~reference
        self._reference = reference
        self._left = np.zeros(box.shape, np.float32)
        self._odd = np.broadcast_to(y % 2 == 1, box.shape)

    def anomaly(self, integration: int, frames: Sequence[int]) -> Array:
        """Return the mean reset anomaly of some frames (0-based), raw DN."""
        strength = _ANOMALY_OF[min(integration, 1)]
        decay = np.mean(np.exp(-(np.asarray(frames) + 1.0) / _ANOMALY_FRAMES))
        return np.asarray(-self._anomaly * strength * decay, np.float32)

    def dark(self, integration: int, frames: Sequence[int]) -> Array:
        """Return the mean additional dark of some frames, linear DN."""
        settled = np.mean(1.0 - np.exp(-(np.asarray(frames) + 1.0) / _DARK_FRAMES))
        return np.asarray(self._dark * settled * (integration > 0), np.float32)

    def raw(self, integration: int, frame: int, last: bool, signal: Array) -> Array:
        """Return what is added to the raw level of a frame, DN.

        Parameters
        ----------
        integration, frame : int
        last : bool
            Whether it is the integration's last.
        signal : ndarray
            DN above the bias.
        """
        level = self.anomaly(integration, [frame])
        level -= _RSCD_SHARE * np.exp(-frame / _RSCD_FRAMES) * self._left
        if frame == 0:
            level += np.where(self._reference, 0.0, _FIRST_FRAME).astype(np.float32)
        if last:
            level -= np.where(self._odd, 2.0, 1.0).astype(np.float32) * _LAST_FRAME_SHARE * signal
            self._left = np.asarray(signal, np.float32).copy()
        return level


class Chain:
    """The electronics of one exposure, frame after frame (frames must be asked for in order)."""

    def __init__(self, config: ExposureConfig) -> None:
        self._config, self._clocks = config, clocks_of(config)
        self._waves = interferences(config.subarray, config.readpatt)
        self._pedestal = np.zeros(OUTPUTS + 1)
        self._integration, self._last_frame = -1, -1
        ny, nx = config.aperture.shape
        self._pixels = np.arange(ny)[:, None] * self._clocks.row + (np.arange(nx) // OUTPUTS) * (
            self._clocks.nsamples
        )
        self._rng = stream(config.seed, "chain", 0, 0)

    def frame(self, integration: int, frame: int) -> Array:
        """Return what the chain adds to one frame, DN, float32, shape (ny, nx)."""
        s, (ny, nx) = self._config.electronics, self._config.aperture.shape
        self._rng = rng = stream(self._config.seed, "chain", integration, frame)
        if integration != self._integration:
            self._integration, self._last_frame = integration, -1
            self._pedestal[:] = 0.0
        elapsed = (frame - self._last_frame) * self._config.readout.tframe
        self._last_frame = frame
        self._pedestal += rng.normal(0.0, s.pedestal_drift * np.sqrt(elapsed), OUTPUTS + 1)
        field = np.tile(self._pedestal[:OUTPUTS].astype(np.float32), (ny, nx // OUTPUTS))
        field[::2] += np.float32(rng.normal(0.0, s.odd_even))
        return np.asarray(field + s.interference * self._disturbance(integration, frame), np.float32)

    def reference_output(self) -> Array:
        """Return the samples of the fifth output in the frame that was last asked for, DN, (ny, nx / 4)."""
        ny, nx = self._config.aperture.shape
        noise = self._rng.standard_normal((ny, nx // OUTPUTS), dtype=np.float32) * _OUTPUT_NOISE
        return np.asarray(noise + (_OUTPUT_LEVEL + self._pedestal[OUTPUTS]), np.float32)

    def _disturbance(self, integration: int, frame: int) -> Array:
        """Return the sum of all waves at the pixels of a frame."""
        between = (
            self._clocks.frame * self._clocks.groups
            + CLOCKS[case_name(self._config.subarray, self._config.readpatt)][1]
        )
        times = self._pixels + (integration * between + frame * self._clocks.frame)
        return sum((w.amplitude * w.shape(w.phase + times / w.period) for w in self._waves), np.zeros(()))
