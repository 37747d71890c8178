"""The light on NIRSpec's detectors: spectra of slits, simple enough for stage 1.

Modelled: slits one above the other (one in the small subarrays), each with a continuum that changes along the
dispersion, emission lines of all strengths, some of which saturate, a Gaussian profile across, and a faint
uniform background everywhere. Not modelled: curvature and tilt of the traces, wavelengths, the gaps of the
detectors.
"""

from __future__ import annotations

import numpy as np

from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.geometry import FULL_SIZE
from webbcal.simulate.seeds import stream

#: Rows from one slit to the next, sigma across (pixels), background (e-/s).
_SPACING, _SIGMA, _BACKGROUND = 44, 1.2, 0.05
#: Times the spectra of the full frame, in a frame of one second.
_BRIGHT = 30.0
#: Lines on the full width of a detector, and sigma along the dispersion (pixels).
_LINES, _LINE_SIGMA = 14, 1.5


def spectra(config: ExposureConfig) -> np.ndarray:
    """Return what reaches the pixels in e-/s, float32, shape (ny, nx)."""
    box = config.aperture.box
    rng = stream(config.sky.seed, "spectra", config.detector)
    y, x = np.arange(box.y0, box.y1, dtype=float), np.arange(box.x0, box.x1, dtype=float)
    image = np.full(box.shape, _BACKGROUND, np.float32)
    # Small subarrays are for bright objects, which the shorter frames follow.
    brightness = np.float32(1.0 if config.subarray == "FULL" else _BRIGHT / config.aperture.frame_time)
    centres = np.arange(28.0, FULL_SIZE - 20, _SPACING)
    for centre in centres + rng.uniform(-3.0, 3.0, len(centres)):
        across = np.exp(-0.5 * ((y - centre) / _SIGMA) ** 2)
        image += brightness * np.outer(across, _spectrum(rng, x)).astype(np.float32)
    return image


def _spectrum(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Draw a spectrum (e-/s in the brightest row) over the columns of the detector."""
    level, slope = 10.0 ** rng.uniform(-0.5, 2.0), rng.uniform(-1.0, 1.0)
    total = level * np.exp(slope * (x / FULL_SIZE - 0.5))
    places, strengths = rng.uniform(0, FULL_SIZE, _LINES), level * 10.0 ** rng.uniform(0.0, 2.5, _LINES)
    for place, strength in zip(places, strengths, strict=True):
        total += strength * np.exp(-0.5 * ((x - place) / _LINE_SIGMA) ** 2)
    return np.asarray(total)
