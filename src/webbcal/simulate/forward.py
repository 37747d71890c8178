"""The detector: from electrons a second to raw samples, frame by frame.

Modelled, in the order in which nature does it: Poisson arrival of photons and dark current; particles; a full
well that takes no more charge; reset (kTC) noise, which is charge on the pixel; the pixel's non-linear
response; coupling of neighbouring voltages; the bias; read noise and the disturbances of the electronics;
conversion to 16 bits; averaging of frames on board, as integers, rounded to the nearest.

Not modelled: persistence, brighter-fatter charge migration, count-rate non-linearity, blooming from full
wells. They have no correction among the steps that this simulator tests, or one of their own issue.

The photons that arrive in frames that nobody reads are drawn together with the next frame that is read.
Poisson deviates are exact at all levels (numpy's sampler takes constant time above ten, so an approximation
would gain nothing). A simulation holds one frame's state, the raw samples, and the truth; rows are worked on
in fixed chunks with their own random streams, so the number of threads does not change the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from webbcal.core.readout import Readout
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.cosmic_rays import HIT_DTYPE, Deposit, rays, snowballs
from webbcal.simulate.electronics import ReadoutChain
from webbcal.simulate.nonlinearity import respond
from webbcal.simulate.personality import Personality, ipc_kernel
from webbcal.simulate.seeds import stream

_CHUNK = 64  # rows worked on together
_MAX_DN = 65535


@dataclass(frozen=True)
class RawExposure:
    """What comes down from the spacecraft, and what only the simulator knows.

    Attributes
    ----------
    data : ndarray
        uint16, shape (nints, ngroups, ny, nx).
    zeroframe : ndarray or None
        uint16, shape (nints, ny, nx).
    first_saturated, hits : ndarray
        See `webbcal.simulate.truth.Truth`.
    """

    data: np.ndarray
    zeroframe: np.ndarray | None
    first_saturated: np.ndarray
    hits: np.ndarray


@dataclass
class _State:
    """The pixels during one integration; all arrays (ny, nx), float32."""

    charge: np.ndarray  # electrons collected since reset
    reset: np.ndarray  # electrons left by the reset
    signal: np.ndarray  # response of the pixel, DN above the bias
    total: np.ndarray  # sum of the frames of a group, DN
    hits: list[np.ndarray] = field(default_factory=list)


class Detector:
    """A detector that exposes: `rate` is the light on its pixels (e-/s, their sensitivity included)."""

    def __init__(self, config: ExposureConfig, person: Personality, rate: np.ndarray) -> None:
        self._config, self._person = config, person
        self._rate = (rate + person.dark).astype(np.float32)
        self._shape = (rate.shape[0], rate.shape[1])
        self._chain = ReadoutChain(config.aperture, config.electronics, config.seed)

    def expose(self) -> RawExposure:
        """Run all integrations and return the samples."""
        c, readout = self._config, self._config.readout
        ny, nx = self._shape
        data = np.empty((c.nints, c.ngroups, ny, nx), np.uint16)
        keep_zero = c.zeroframe and readout.nframes > 1
        zeroframe = np.empty((c.nints, ny, nx), np.uint16) if keep_zero else None
        first_saturated = np.full((c.nints, ny, nx), c.ngroups, np.int16)
        hits: list[np.ndarray] = [np.zeros(0, HIT_DTYPE)]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            self._pool = pool
            for i in range(c.nints):
                zero = None if zeroframe is None else zeroframe[i]
                hits += self._integrate(i, readout, data[i], zero, first_saturated[i])
        return RawExposure(data, zeroframe, first_saturated, np.concatenate(hits))

    def _integrate(
        self, i: int, readout: Readout, data: np.ndarray, zero: np.ndarray | None, saturated: np.ndarray
    ) -> list[np.ndarray]:
        """Run one integration into `data` (ngroups, ny, nx), `zero` and `saturated` (ny, nx)."""
        state = self._reset(i)
        last = -1
        for group in range(readout.ngroups):
            state.total[:] = 0.0
            for k, frame in enumerate(readout.frames_of_group(group)):
                seconds = (frame - last) * readout.tframe
                last = frame
                hits = self._particles(state, i, frame, seconds)
                hits["group"], hits["frame"] = group, k
                self._advance(state, i, frame, seconds)
                full = state.charge >= self._person.full_well
                saturated[full & (saturated > group)] = group
                self._digitise(state, i, frame)
                if zero is not None and group == 0 and k == 0:
                    zero[:] = state.total
            data[group] = np.rint(state.total / np.float32(readout.nframes))
        return state.hits

    def _reset(self, i: int) -> _State:
        ktc = np.empty(self._shape, np.float32)

        def reset(rows: slice, chunk: int) -> None:
            rng = stream(self._config.seed, "reset", i, chunk)
            ktc[rows] = rng.standard_normal(ktc[rows].shape, dtype=np.float32)

        self._by_chunks(reset)
        ktc *= np.float32(self._config.electronics.ktc)
        return _State(np.zeros_like(ktc), ktc, ktc / self._person.gain, np.zeros_like(ktc))

    def _particles(self, state: _State, i: int, frame: int, seconds: float) -> np.ndarray:
        """Add the particles of a time interval to the charge; return their record (group and frame unset)."""
        c = self._config
        rng = stream(c.seed, "particles", i, frame)
        long_wave = self._person.detector.long_wave
        kinds: list[tuple[Deposit, bool]] = []
        if c.cosmic_rays:
            kinds.append((rays(rng, self._shape, seconds, float(c.cosmic_rays), long_wave), False))
        if c.snowballs:
            kinds.append((snowballs(rng, self._shape, seconds, c.snowballs), True))
        record = np.zeros(sum(len(d.index) for d, _ in kinds), HIT_DTYPE)
        record["integration"] = i
        start = 0
        for deposit, is_snowball in kinds:
            rows = record[start : start + len(deposit.index)]
            start += len(rows)
            rows["y"], rows["x"] = np.divmod(deposit.index, self._shape[1])
            rows["electrons"], rows["snowball"] = deposit.electrons, is_snowball
        record = record[~self._person.reference[record["y"], record["x"]]]
        np.add.at(state.charge, (record["y"], record["x"]), record["electrons"])
        state.hits.append(record)
        return record

    def _advance(self, state: _State, i: int, frame: int, seconds: float) -> None:
        """Collect photons and dark current, fill the wells, and let the pixels respond."""
        p, seed = self._person, self._config.seed
        dt = np.float32(seconds)

        def advance(rows: slice, chunk: int) -> None:
            rng = stream(seed, "photons", i, frame, chunk)
            charge = state.charge[rows]
            charge += rng.poisson(self._rate[rows] * dt)
            np.minimum(charge, p.full_well[rows], out=charge)
            linear = (charge.astype(np.float64) + state.reset[rows]) / p.gain[rows]
            state.signal[rows] = respond(linear, p.linearity[:, rows], start=state.signal[rows])

        self._by_chunks(advance)

    def _digitise(self, state: _State, i: int, frame: int) -> None:
        """Read the pixels through the electronics and add the 16-bit frame to the group's total."""
        p, seed = self._person, self._config.seed
        level = p.superbias + state.signal
        if self._config.ipc:
            level = self._couple(level)
        level += self._chain.frame(i, frame)

        def digitise(rows: slice, chunk: int) -> None:
            rng = stream(seed, "read", i, frame, chunk)
            noise = rng.standard_normal(level[rows].shape, dtype=np.float32)
            noise *= p.read_noise[rows]
            noise += level[rows]
            np.rint(noise, out=noise)
            state.total[rows] += np.clip(noise, 0, _MAX_DN, out=noise)

        self._by_chunks(digitise)

    def _couple(self, level: np.ndarray) -> np.ndarray:
        """Share voltages between neighbours; reference pixels take no part, and edges see themselves."""
        from scipy.ndimage import convolve

        active = ~self._person.reference
        y, x = np.nonzero(active.any(1))[0], np.nonzero(active.any(0))[0]
        cut = (slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))
        level[cut] = convolve(level[cut], ipc_kernel().astype(np.float32), mode="nearest")
        return level

    def _by_chunks(self, work: Callable[[slice, int], None]) -> None:
        starts = range(0, self._shape[0], _CHUNK)
        jobs = [self._pool.submit(work, slice(y, y + _CHUNK), n) for n, y in enumerate(starts)]
        for job in jobs:
            job.result()
