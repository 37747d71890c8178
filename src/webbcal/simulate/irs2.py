"""Raw frames of NIRSpec's IRS2 read-out, and the weights that remove their correlated noise.

Modelled, clock by clock: noise of the reference voltage that all four outputs and the reference output see
alike, noise of each output that its science pixels and its interleaved reference pixels see alike (both 1/f),
pedestals that wander from frame to frame, a level of their own for reference pixels and the reference output,
and a few reference pixels that are far too noisy. The weights (α, β) of the REFPIX reference are the best
linear filter for this noise: what the interleaved reference pixels can follow is taken from them, the faster
rest of the shared noise from the reference output, both less where their own noise is larger.

Not modelled: odd-even offsets, pick-up of fixed frequencies, crosstalk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.irs2 import SECTIONS, SIZE, Interleaving
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.electronics import Electronics, pink
from webbcal.simulate.seeds import stream

#: DN of reference pixels and of the reference output above zero, and their read noise.
LEVEL, OUTPUT_LEVEL, READ_NOISE = 11500.0, 9500.0, 6.0
#: Share of the shared noise that each output sees.
_GAINS = (1.0, 0.97, 1.03, 0.99)
#: Rows of reference pixels that are too noisy (along the fast axis), and how much.
NOISY, _NOISIER = (1548, 1549, 2870, 2871), 8.0


class Irs2Frames:
    """Raw frames of one exposure: how science pixels lie in them, and what the electronics add."""

    def __init__(self, config: ExposureConfig, layout: Interleaving) -> None:
        self._settings, self._seed, self._layout = config.electronics, config.seed, layout
        self.shape = (layout.rows, SIZE)
        self._pedestal, self._integration, self._last_frame = np.zeros(SECTIONS), -1, -1

    def spread(self, level: np.ndarray) -> np.ndarray:
        """Return a raw frame with the science pixels at their places, and the levels of the others."""
        return spread(level, self._layout, LEVEL, OUTPUT_LEVEL)

    def read_noise(self, science: np.ndarray) -> np.ndarray:
        """Return the read noise of raw frames, DN."""
        noise = spread(science, self._layout, READ_NOISE, READ_NOISE)
        noise[np.isin(self._layout.fast, NOISY)] *= _NOISIER
        return noise

    def frame(self, integration: int, frame: int) -> np.ndarray:
        """Return what the electronics add to one raw frame, DN, float32."""
        layout, s = self._layout, self._settings
        rng = stream(self._seed, "irs2", integration, frame)
        if integration != self._integration:
            self._integration, self._last_frame = integration, -1
            self._pedestal = np.zeros(SECTIONS)
        elapsed, self._last_frame = (frame - self._last_frame) * layout.frame_time, frame
        self._pedestal += rng.normal(0.0, s.pedestal_drift * np.sqrt(elapsed), SECTIONS)
        shared = s.one_over_f * np.sqrt(s.common) * self._series(rng)
        series = np.empty((SECTIONS, SIZE, layout.row_clocks), np.float32)
        series[0] = shared + self._pedestal[0]
        for k, gain in enumerate(_GAINS, 1):
            own = s.one_over_f * np.sqrt(1.0 - s.common) * self._series(rng)
            series[k] = gain * shared + own + self._pedestal[k]
        rows = series[layout.section_of, :, layout.clock_of]
        return np.ascontiguousarray(rows[:, ::-1] if layout.turned else rows)

    def _series(self, rng: np.random.Generator) -> np.ndarray:
        return pink(rng, SIZE * self._layout.row_clocks).reshape(SIZE, -1)


def spread(image: np.ndarray, layout: Interleaving, pixels: float, output: float) -> np.ndarray:
    """Return an image of the science pixels as a raw frame, with these values elsewhere.

    Parameters
    ----------
    image : (2048, 2048)
    layout : Interleaving
    pixels, output : float
        Values of interleaved reference pixels, and of the reference output.
    """
    raw = np.full((layout.rows, image.shape[1]), pixels, image.dtype)
    raw[layout.section_of == 0] = output
    raw[layout.science] = image
    return raw


@dataclass(frozen=True)
class Filters:
    """The weights of the references by frequency (half a spectrum), and the noise that they leave.

    Attributes
    ----------
    alpha, beta : (4, samples // 2 + 1) float64
    left : float
        Correlated noise that is left in a science pixel, and what the references' own noise brings, DN.
    before : float
        Correlated noise of a science pixel in an uncorrected frame, DN.
    """

    alpha: np.ndarray
    beta: np.ndarray
    left: float
    before: float


def filters(settings: Electronics, layout: Interleaving) -> Filters:
    """Return the best weights for the noise that is simulated."""
    samples = SIZE * layout.row_clocks
    k = np.arange(samples // 2 + 1)
    pink_power = np.zeros(len(k))  # of one unit of variance, by mode
    pink_power[1:] = 1.0 / k[1:]
    pink_power /= pink_power.sum()
    white = READ_NOISE**2 / (samples / 2)
    read = layout.reference / layout.period  # share of clocks at which reference pixels are read
    shared, own = settings.common * settings.one_over_f**2, (1 - settings.common) * settings.one_over_f**2
    followed = 1.0 / (2 * layout.period) / (1.0 / samples)  # modes that one block in a period can follow
    taper = 0.5 * (1 + np.cos(np.pi * np.clip((k / followed - 0.6) / 0.4, 0, 1)))
    alpha, beta, left, before = [], [], [], []
    held = (512 // layout.normal) * 2 * layout.reference / layout.row_clocks
    for gain in _GAINS:
        power = (gain**2 * shared + own) * pink_power
        follow = taper * power / (power + white / read)
        rest = shared * pink_power / (shared * pink_power + white)
        follow[0], rest[0] = 1.0, 0.0
        alpha.append(gain * (1 - follow) * rest)
        beta.append(follow / held)
        left.append(np.sum(
            (1 - follow) ** 2 * (own + gain**2 * shared * (1 - rest) ** 2) * pink_power
            + follow**2 * white / read + alpha[-1] ** 2 * white
        ))  # fmt: skip
        before.append(gain**2 * shared + own)
    return Filters(
        np.array(alpha), np.array(beta), float(np.sqrt(np.mean(left))), float(np.sqrt(np.mean(before)))
    )
