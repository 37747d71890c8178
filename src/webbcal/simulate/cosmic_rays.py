"""Charged particles that cross the detector.

Modelled: protons and heavier nuclei from all directions, which cross a thin absorber in straight lines and
free charge along their way with Landau-like fluctuations, so that grazing ones leave tracks; charge diffusion
between neighbours; and a share of soft secondaries that leave a single blob. Snowballs and showers are in
`webbcal.simulate.large_events`.

Not modelled: delayed charge and persistence, hits on the read-out electronics.

Sources: rate at L2 about 5 particles per cm² and second (Robberto 2010, JWST-STScI-001928); 18 µm pixels with
an absorber 5 µm thick; ionisation of about 0.9 keV/µm at 1 to 2 eV for an electron-hole pair. The Landau
distribution is replaced by Moyal's, which is that of minus the logarithm of a squared normal deviate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PIXEL = 18.0  # µm
_THICKNESS = 5.0  # µm
_FLUX = 5.0  # cm⁻² s⁻¹
_CHARGE = {True: 800.0, False: 500.0}  # most probable e-/µm in long- and short-wave material
_DIFFUSION = 0.17  # pixels
_POINTS_PER_PIXEL = 4
_SOFT_SHARE = 0.3
_MAX_TRACK = 200.0  # pixels

HIT_DTYPE = np.dtype(
    [
        ("integration", "i2"),
        ("group", "i2"),
        ("frame", "i2"),
        ("y", "i2"),
        ("x", "i2"),
        ("electrons", "f4"),
        ("snowball", "?"),
    ]
)


@dataclass(frozen=True, slots=True)
class Deposit:
    """Charge that fell on distinct pixels: flat pixel indices and whole electrons."""

    index: np.ndarray
    electrons: np.ndarray


def rays(
    rng: np.random.Generator, shape: tuple[int, int], seconds: float, scale: float, long_wave: bool
) -> Deposit:
    """Draw the deposits of particles on an area of pixels during a time.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Rows and columns of the area.
    seconds : float
    scale : float
        Multiple of the usual particle rate.
    long_wave : bool
        Material of the detector: a smaller band gap frees more charge.
    """
    n = rng.poisson(scale * _FLUX * (PIXEL * 1e-4) ** 2 * shape[0] * shape[1] * seconds)
    # An isotropic flux through a plane has a uniform distribution of cos²(angle to the normal).
    cosine = np.maximum(np.sqrt(rng.random(n)), 1e-3)
    length = np.minimum(_THICKNESS * np.sqrt(1 - cosine**2) / cosine / PIXEL, _MAX_TRACK)
    path = np.minimum(_THICKNESS / cosine, np.hypot(length * PIXEL, _THICKNESS))
    straggling = 1.0 + 0.12 * (-np.log(rng.standard_normal(n) ** 2 + 1e-12))
    electrons = _CHARGE[long_wave] * path * np.clip(straggling, 0.4, 6.0)
    soft = rng.random(n) < _SOFT_SHARE
    electrons[soft], length[soft] = rng.exponential(300.0, soft.sum()), 0.0
    return _along_tracks(rng, shape, length, electrons)


def _along_tracks(
    rng: np.random.Generator, shape: tuple[int, int], length: np.ndarray, electrons: np.ndarray
) -> Deposit:
    """Spread each particle's charge over points on its track, diffuse them, and collect them in pixels."""
    n = len(length)
    y0, x0 = rng.uniform(-0.5, shape[0] - 0.5, n), rng.uniform(-0.5, shape[1] - 0.5, n)
    direction = rng.uniform(0, 2 * np.pi, n)
    points = 8 + np.ceil(length * _POINTS_PER_PIXEL).astype(int)
    owner = np.repeat(np.arange(n), points)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(points) - points, points)
    along = (step + 0.5) / points[owner] * length[owner]
    y = y0[owner] + along * np.sin(direction)[owner] + rng.normal(0, _DIFFUSION, len(owner))
    x = x0[owner] + along * np.cos(direction)[owner] + rng.normal(0, _DIFFUSION, len(owner))
    return collect(shape, np.rint(y).astype(int), np.rint(x).astype(int), (electrons / points)[owner])


def collect(shape: tuple[int, int], y: np.ndarray, x: np.ndarray, electrons: np.ndarray) -> Deposit:
    """Return charge at whole pixels, which may lie outside or come more than once, as a deposit."""
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    index, where = np.unique(y[inside] * shape[1] + x[inside], return_inverse=True)
    total = np.rint(np.bincount(where, electrons[inside], len(index)))
    seen = total > 0
    return Deposit(index[seen], total[seen].astype(np.float32))
