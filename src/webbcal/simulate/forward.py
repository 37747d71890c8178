"""The detector: from electrons a second to raw samples, frame by frame.

Modelled, in the order in which nature does it: Poisson arrival of photons and dark current; particles; a full
well that takes no more charge; reset (kTC) noise, which is charge on the pixel; the pixel's non-linear
response; coupling of neighbouring voltages; the bias; read noise and the disturbances of the electronics;
conversion to 16 bits; averaging of frames on board, as integers, rounded to the nearest. What MIRI has beside
that is in `webbcal.simulate.miri`.

Traps that catch charge and give it back later (persistence) are in `webbcal.simulate.traps`.

Not modelled: brighter-fatter charge migration, count-rate non-linearity, blooming from full
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
from webbcal.simulate import miri
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.cosmic_rays import HIT_DTYPE, Deposit, rays
from webbcal.simulate.electronics import ReadoutChain
from webbcal.simulate.irs2 import Irs2Frames
from webbcal.simulate.large_events import EVENT_DTYPE, LargeEvents
from webbcal.simulate.nonlinearity import respond
from webbcal.simulate.personality import Personality, ipc_kernel
from webbcal.simulate.picture_frame import frame_pattern
from webbcal.simulate.seeds import stream
from webbcal.simulate.traps import Traps

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
    refout : ndarray or None
        uint16, shape (nints, ngroups, ny, nx / 4): the reference output (MIRI).
    first_saturated, hits, events : ndarray
        See `webbcal.simulate.truth.Truth`.
    """

    data: np.ndarray
    zeroframe: np.ndarray | None
    first_saturated: np.ndarray
    hits: np.ndarray
    events: np.ndarray
    refout: np.ndarray | None = None


@dataclass
class _State:
    """The pixels during one integration; all arrays (ny, nx), float32."""

    charge: np.ndarray  # electrons collected since reset
    reset: np.ndarray  # electrons left by the reset
    signal: np.ndarray  # response of the pixel, DN above the bias
    total: np.ndarray  # sum of the frames of a group, DN; of raw frames, which may have more rows
    hits: list[np.ndarray] = field(default_factory=list)


class Detector:
    """A detector that exposes: `rate` is the light on its pixels (e-/s, their sensitivity included)."""

    def __init__(
        self,
        config: ExposureConfig,
        person: Personality,
        rate: np.ndarray,
        traps: Traps | None = None,
        rate_at: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        """Take the light; `rate_at` returns that of an integration, where it varies."""
        self._config, self._person, self._traps, self._rate_at = config, person, traps, rate_at
        self._rate = (rate + person.dark).astype(np.float32)
        if config.picture_frame:
            self._rate += np.where(
                person.reference, 0, config.picture_frame * frame_pattern(config.aperture.box)
            )
        self._shape = (rate.shape[0], rate.shape[1])
        self._miri = miri.Pixels(person.box, person.reference) if config.instrument == "MIRI" else None
        self._irs2 = None if config.irs2 is None else Irs2Frames(config, config.irs2)
        self._chain: ReadoutChain | miri.Chain | Irs2Frames = (
            miri.Chain(config)
            if config.instrument == "MIRI"
            else self._irs2 or ReadoutChain(config.aperture, config.electronics, config.seed)
        )
        self._raw_shape = self._shape if self._irs2 is None else self._irs2.shape
        self._large = LargeEvents(config.snowballs, config.showers, self._shape)
        self._events: list[np.ndarray] = [np.zeros(0, EVENT_DTYPE)]

    def expose(self) -> RawExposure:
        """Run all integrations and return the samples."""
        c, readout = self._config, self._config.readout
        ny, nx = self._shape
        data = np.empty((c.nints, c.ngroups, *self._raw_shape), np.uint16)
        keep_zero = c.zeroframe and readout.nframes > 1
        zeroframe = np.empty((c.nints, *self._raw_shape), np.uint16) if keep_zero else None
        first_saturated = np.full((c.nints, ny, nx), c.ngroups, np.int16)
        refout = np.empty((c.nints, c.ngroups, ny, nx // 4), np.uint16) if self._miri is not None else None
        hits: list[np.ndarray] = [np.zeros(0, HIT_DTYPE)]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            self._pool = pool
            for i in range(c.nints):
                zero = None if zeroframe is None else zeroframe[i]
                number = c.first_integration + i
                if self._rate_at is not None:
                    self._rate = (self._rate_at(number) + self._person.dark).astype(np.float32)
                output = None if refout is None else refout[i]
                hits += self._integrate(number, readout, data[i], zero, first_saturated[i], output)
        if self._traps is not None:
            self._traps.end(c.nints * (readout.total_frames + 1) * readout.tframe)
        recorded, events = np.concatenate(hits), np.concatenate(self._events)
        for table in (recorded, events):
            table["integration"] -= c.first_integration
        return RawExposure(data, zeroframe, first_saturated, recorded, events, refout)

    def _integrate(
        self,
        i: int,
        readout: Readout,
        data: np.ndarray,
        zero: np.ndarray | None,
        saturated: np.ndarray,
        output: np.ndarray | None,
    ) -> list[np.ndarray]:
        """Run one integration into `data` (ngroups, ny, nx), `zero`, `saturated` (ny, nx) and `output`."""
        state = self._reset(i)
        last = -1
        for group in range(readout.ngroups):
            state.total[:] = 0.0
            for k, frame in enumerate(readout.frames_of_group(group)):
                seconds = (frame - last) * readout.tframe
                last = frame
                hits = self._particles(state, i, frame, seconds)
                hits["group"], hits["frame"] = group, k
                self._events[-1]["group"], self._events[-1]["frame"] = group, k
                self._advance(state, i, frame, seconds)
                full = state.charge >= self._person.full_well
                saturated[full & (saturated > group)] = group
                self._digitise(state, i, frame)
                if zero is not None and group == 0 and k == 0:
                    zero[:] = state.total
            data[group] = np.rint(state.total / np.float32(readout.nframes))
            if output is not None and isinstance(self._chain, miri.Chain):
                output[group] = np.rint(self._chain.reference_output())
        return state.hits

    def _reset(self, i: int) -> _State:
        if self._traps is not None and i > 0:
            self._traps.reset(self._config.readout.tframe)
        ktc = np.empty(self._shape, np.float32)

        def reset(rows: slice, chunk: int) -> None:
            rng = stream(self._config.seed, "reset", i, chunk)
            ktc[rows] = rng.standard_normal(ktc[rows].shape, dtype=np.float32)

        self._by_chunks(reset)
        ktc *= np.float32(self._config.electronics.ktc)
        total = np.zeros(self._raw_shape, np.float32)
        return _State(np.zeros_like(ktc), ktc, ktc / self._person.gain, total)

    def _particles(self, state: _State, i: int, frame: int, seconds: float) -> np.ndarray:
        """Add the particles of a time interval to the charge; return their record (group and frame unset)."""
        c = self._config
        rng = stream(c.seed, "particles", i, frame)
        long_wave = self._person.detector.long_wave
        kinds: list[tuple[Deposit, bool]] = []
        if c.cosmic_rays:
            kinds.append((rays(rng, self._shape, seconds, float(c.cosmic_rays), long_wave), False))
        if c.snowballs or c.showers:
            self._large.come(rng, seconds, state.charge, self._person.reference)
            deposit, events = self._large.arrive(rng, seconds)
            events["integration"] = i
            self._events.append(events)
            kinds.append((deposit, True))
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
        p, seed, traps = self._person, self._config.seed, self._traps
        dt = np.float32(seconds)

        extra = None if self._miri is None else self._miri.dark(i, [frame])

        def advance(rows: slice, chunk: int) -> None:
            rng = stream(seed, "photons", i, frame, chunk)
            charge = state.charge[rows]
            charge += rng.poisson(self._rate[rows] * dt)
            if traps is not None:
                charge += traps.give_back(rows, seconds, stream(seed, "traps", i, frame, chunk))
            np.minimum(charge, p.full_well[rows], out=charge)
            if traps is not None:
                traps.catch(rows, charge, (frame + 2) * self._config.readout.tframe, seconds)
            linear = (charge.astype(np.float64) + state.reset[rows]) / p.gain[rows]
            if extra is not None:
                linear += extra[rows]
            state.signal[rows] = respond(linear, p.linearity[:, rows], start=state.signal[rows])

        self._by_chunks(advance)

    def _digitise(self, state: _State, i: int, frame: int) -> None:
        """Read the pixels through the electronics and add the 16-bit frame to the group's total."""
        p, seed = self._person, self._config.seed
        level = p.superbias + state.signal
        if self._config.ipc:
            level = self._couple(level)
        read_noise = p.read_noise
        if self._irs2 is not None:
            level, read_noise = self._irs2.spread(level), self._irs2.read_noise(read_noise)
        level += self._chain.frame(i, frame)
        if self._miri is not None:
            last = frame == self._config.readout.frames_of_group(self._config.ngroups - 1)[-1]
            level += self._miri.raw(i, frame, last, state.signal)

        def digitise(rows: slice, chunk: int) -> None:
            rng = stream(seed, "read", i, frame, chunk)
            noise = rng.standard_normal(level[rows].shape, dtype=np.float32)
            noise *= read_noise[rows]
            noise += level[rows]
            np.rint(noise, out=noise)
            state.total[rows] += np.clip(noise, 0, _MAX_DN, out=noise)

        self._by_chunks(digitise, self._raw_shape[0])

    def _couple(self, level: np.ndarray) -> np.ndarray:
        """Share voltages between neighbours; reference pixels take no part, and edges see themselves."""
        from scipy.ndimage import convolve

        active = ~self._person.reference
        y, x = np.nonzero(active.any(1))[0], np.nonzero(active.any(0))[0]
        cut = (slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))
        level[cut] = convolve(level[cut], ipc_kernel().astype(np.float32), mode="nearest")
        return level

    def _by_chunks(self, work: Callable[[slice, int], None], rows: int | None = None) -> None:
        starts = range(0, rows or self._shape[0], _CHUNK)
        jobs = [self._pool.submit(work, slice(y, y + _CHUNK), n) for n, y in enumerate(starts)]
        for job in jobs:
            job.result()
