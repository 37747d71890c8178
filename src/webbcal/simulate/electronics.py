"""The signal chain between the pixel and the analogue-to-digital converter.

Modelled, per frame: a pedestal for each output that wanders from frame to frame, an offset between even and
odd columns that changes a little, and 1/f noise in the order in which the pixels are clocked out, in part
common to all outputs. Reference pixels see all of it, which is why subtracting them works.

Not modelled: settling and crosstalk between outputs, inter-integration pedestal, temperature drifts. MIRI has
electronics of its own (`webbcal.simulate.miri`).

The spectral form (1/f over the frame, shared between outputs) follows Rauscher 2015 (PASP 127, 1144).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.errors import ParameterError
from webbcal.simulate.geometry import FULL_SIZE, Aperture
from webbcal.simulate.seeds import stream

#: Rows over which side reference pixels are averaged when they are used; slower noise than that is removed.
_SIDE_ROWS = 11


@dataclass(frozen=True, slots=True)
class Electronics:
    """Strength of the disturbances.

    Attributes
    ----------
    pedestal_drift : float
        Random walk of each output's pedestal: standard deviation after one second, DN.
    odd_even : float
        Standard deviation of the frame-to-frame change of the odd-even offset, DN.
    one_over_f : float
        Standard deviation of the 1/f noise over one frame, DN.
    common : float
        Share of the 1/f variance that all outputs have in common.
    ktc : float
        Reset noise, electrons.
    interference : float
        Strength of the interference in MIRI's electronics, as a multiple of the usual one.
    """

    pedestal_drift: float = 0.8
    odd_even: float = 1.0
    one_over_f: float = 2.5
    common: float = 0.7
    ktc: float = 25.0
    interference: float = 1.0

    def __post_init__(self) -> None:
        strengths = (self.pedestal_drift, self.odd_even, self.one_over_f, self.ktc, self.interference)
        if min(strengths) < 0:
            raise ParameterError(f"amplitudes of the electronics cannot be negative: {self}")
        if not 0.0 <= self.common <= 1.0:
            raise ParameterError(f"electronics.common is a share between 0 and 1, not {self.common}")

    @property
    def one_over_f_left(self) -> float:
        """1/f noise (DN) that remains after the reference pixels of a full frame are subtracted.

        Side reference pixels follow changes slower than about their smoothing length; the rest of a 1/f
        spectrum, equal power in each octave, remains.
        """
        row = FULL_SIZE // 4 + 12
        lowest, nyquist = 1.0 / (row * FULL_SIZE), 0.5
        cut = 0.5 / (row * _SIDE_ROWS)
        return self.one_over_f * float(np.sqrt(np.log(nyquist / cut) / np.log(nyquist / lowest)))


def pink(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return `n` samples of noise with a power spectrum 1/f, mean zero and expected variance one, float32."""
    from scipy import fft

    padded = fft.next_fast_len(n, real=True)
    half = padded // 2 + 1
    spectrum = rng.standard_normal((half, 2), dtype=np.float32).view(np.complex64)[:, 0]
    amplitude = np.zeros(half, np.float32)
    amplitude[1:] = 1.0 / np.sqrt(np.arange(1, half, dtype=np.float32))
    power = 4.0 * np.sum(amplitude.astype(np.float64) ** 2) / padded**2
    spectrum *= amplitude * np.float32(1.0 / np.sqrt(power))
    return np.asarray(fft.irfft(spectrum, padded, overwrite_x=True)[:n])


class ReadoutChain:
    """The disturbances of one exposure, frame after frame (frames must be asked for in order)."""

    def __init__(self, aperture: Aperture, settings: Electronics, seed: int) -> None:
        self._aperture, self._settings, self._seed = aperture, settings, seed
        self._pedestal = np.zeros(aperture.n_outputs)
        self._integration, self._last_frame = -1, -1

    def frame(self, integration: int, frame: int) -> np.ndarray:
        """Return what the chain adds to one frame, DN, float32, shape (ny, nx) in the science frame."""
        a, s = self._aperture, self._settings
        rng = stream(self._seed, "chain", integration, frame)
        if integration != self._integration:
            self._integration, self._last_frame = integration, -1
            self._pedestal = np.zeros(a.n_outputs)
        elapsed, self._last_frame = (frame - self._last_frame) * a.frame_time, frame
        self._pedestal += rng.normal(0.0, s.pedestal_drift * np.sqrt(elapsed), a.n_outputs)
        slow, fast = a.readout_shape
        width = fast // a.n_outputs
        common = self._one_over_f(rng, np.sqrt(s.common))
        field = np.empty((slow, fast), np.float32)
        for k in range(a.n_outputs):
            block = common + self._one_over_f(rng, np.sqrt(1.0 - s.common))
            # Neighbouring outputs are clocked in opposite directions, away from each other's edge.
            section = field[:, k * width : (k + 1) * width]
            section[...] = block[:, ::-1] if k % 2 else block
            section += np.float32(self._pedestal[k])
            section[:, ::2] += np.float32(rng.normal(0.0, s.odd_even))
        return np.ascontiguousarray(a.orient(field))

    def _one_over_f(self, rng: np.random.Generator, share: float) -> np.ndarray:
        slow, fast = self._aperture.readout_shape
        width = fast // self._aperture.n_outputs
        scale = np.float32(share * self._settings.one_over_f)
        if scale == 0:
            return np.zeros((slow, width), np.float32)
        samples = pink(rng, slow * self._aperture.row_samples)
        return scale * samples.reshape(slow, -1)[:, :width]
