"""Rare particles with large consequences: snowballs in near-infrared detectors, showers in those of MIRI.

Modelled: snowballs, which fill the wells of a disc at once, have a steep halo and a wide skirt too faint to
be seen in a difference of groups, spill charge from their cores to the pixels next to them for some seconds,
and leave cores that glow for a long time, into the next integrations; and showers, wide faint clouds whose
charge comes within some seconds and fades. Also those whose centre lies beside the detector.

Not modelled: snowballs that are not round, rings and arcs in showers, the bright hit within a shower, and
anything that events do to the read-out.

Sizes and rates are of the order that the documentation of JWST gives (JDox, "Snowballs and shower artifacts";
Regan 2023, JWST-STScI-008545: some tens of snowballs on a detector in 1000 s); shapes are free choices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from webbcal.simulate.cosmic_rays import Deposit, collect

#: Pixels around a frame from where events still reach it.
_MARGIN = 30
_FRAME = {False: 2048**2, True: 1024 * 1032}  # pixels of a full detector: of snowballs, of showers
_CORE, _HALO, _SKIRT = 2.5e5, 3e4, 60.0  # electrons in a pixel: in the core, and right outside of it
_SPILL, _SPILL_TIME = 6e4, 15.0  # electrons that come to a pixel beside the core, and within what time (s)
_SPILL_REACH = 2.5  # pixels
_GLOW, _GLOW_TIME = 4.0, 150.0  # e-/s of a core at first, and the time (s) at which half is left
_SHOWER_TIME = 6.0  # s

EVENT_DTYPE = np.dtype(
    [
        ("integration", "i2"),
        ("group", "i2"),
        ("frame", "i2"),
        ("y", "f4"),
        ("x", "f4"),
        ("radius", "f4"),
        ("electrons", "f4"),
        ("shower", "?"),
    ]
)


@dataclass
class _Source:
    """Pixels that receive charge for some time after an event."""

    box: tuple[slice, slice]
    amount: np.ndarray  # electrons in all, or electrons a second at first
    time: float
    endless: bool  # fades as 1 / t, not exponentially
    age: float = 0.0

    def during(self, seconds: float) -> np.ndarray:
        """Return the electrons that come during the next seconds."""
        start, self.age = self.age, self.age + seconds
        if self.endless:
            share = self.time * np.log((1 + self.age / self.time) / (1 + start / self.time))
        else:
            share = np.exp(-start / self.time) - np.exp(-self.age / self.time)
        return np.asarray(self.amount * share)


@dataclass
class LargeEvents:
    """The large events of an exposure, and what still comes of them.

    Attributes
    ----------
    snowballs : float
        Events a second on a full near-infrared detector.
    showers : float
        Events a second on a full detector of MIRI.
    shape : tuple of int
        Rows and columns that are read.
    """

    snowballs: float
    showers: float
    shape: tuple[int, int]
    _sources: list[_Source] = field(default_factory=list)

    def arrive(self, rng: np.random.Generator, seconds: float) -> tuple[Deposit, np.ndarray]:
        """Draw the events of a time interval; return the charge of snowballs, and a row of each event.

        Integration, group and frame of the rows are left to the caller.
        """
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        rows = [self._snowball(rng, parts) for _ in range(self._number(rng, self.snowballs, seconds, False))]
        rows += [self._shower(rng) for _ in range(self._number(rng, self.showers, seconds, True))]
        record = np.zeros(len(rows), EVENT_DTYPE)
        for name, values in zip(
            ("y", "x", "radius", "electrons", "shower"), zip(*rows, strict=True), strict=False
        ):
            record[name] = values
        if not parts:
            return Deposit(np.zeros(0, np.int64), np.zeros(0, np.float32)), record
        return collect(self.shape, *(np.concatenate(column) for column in zip(*parts, strict=True))), record

    def come(self, rng: np.random.Generator, seconds: float, charge: np.ndarray, dark: np.ndarray) -> None:
        """Add to `charge` what comes of earlier events during a time; pixels in `dark` collect nothing."""
        for source in self._sources:
            electrons = rng.poisson(source.during(seconds))
            electrons[dark[source.box]] = 0
            charge[source.box] += electrons
        self._sources = [s for s in self._sources if s.endless or s.age < 10 * s.time]

    def _number(self, rng: np.random.Generator, rate: float, seconds: float, shower: bool) -> int:
        ny, nx = self.shape
        area = (ny + 2 * _MARGIN) * (nx + 2 * _MARGIN) / _FRAME[shower]
        return int(rng.poisson(rate * seconds * area)) if rate else 0

    def _centre(self, rng: np.random.Generator) -> tuple[float, float]:
        ny, nx = self.shape
        return rng.uniform(-_MARGIN, ny + _MARGIN), rng.uniform(-_MARGIN, nx + _MARGIN)

    def _around(
        self, cy: float, cx: float, reach: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """Return the box of pixels within reach, and their offsets from a centre."""
        ys, xs = (
            slice(*np.clip([int(c - reach), int(c + reach) + 2], 0, size).tolist())
            for c, size in zip((cy, cx), self.shape, strict=True)
        )
        y, x = np.mgrid[ys, xs]
        return (ys, xs), y - cy, x - cx

    def _snowball(
        self, rng: np.random.Generator, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    ) -> tuple[float, float, float, float, bool]:
        """Let a snowball fall: its charge goes to `parts`, what comes later is kept."""
        radius, (cy, cx) = 2.0 + rng.gamma(2.0, 2.0), self._centre(rng)
        box, dy, dx = self._around(cy, cx, 8 * radius)
        beyond = np.maximum(np.hypot(dy, dx) - radius, 0.0)
        core = beyond == 0
        halo = _HALO * np.exp(-4 * beyond / radius) + _SKIRT * np.exp(-beyond / (1.2 * radius))
        charge = np.where(core, _CORE, halo)
        y, x = np.mgrid[box]
        parts.append((y.ravel(), x.ravel(), charge.ravel()))
        spill = np.where(core, 0.0, _SPILL * np.maximum(1 - beyond / _SPILL_REACH, 0.0))
        self._sources.append(_Source(box, spill, _SPILL_TIME, endless=False))
        self._sources.append(_Source(box, _GLOW * core, _GLOW_TIME, endless=True))
        return cy, cx, radius, float(charge.sum()), False

    def _shower(self, rng: np.random.Generator) -> tuple[float, float, float, float, bool]:
        """Let a shower begin."""
        cy, cx = self._centre(rng)
        major = rng.uniform(6.0, 18.0)
        minor, angle = major * rng.uniform(0.5, 1.0), rng.uniform(0.0, np.pi)
        box, dy, dx = self._around(cy, cx, 4 * major)
        along, across = dy * np.cos(angle) + dx * np.sin(angle), dy * np.sin(angle) - dx * np.cos(angle)
        peak = 60.0 + rng.exponential(40.0)
        charge = peak * np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
        self._sources.append(_Source(box, charge, _SHOWER_TIME, endless=False))
        return cy, cx, major, float(charge.sum()), True
