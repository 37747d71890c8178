"""Stage 1 against the truth: a lamp that shines on the detector at all brightnesses, calibrated and compared.

Used by the tests and, on larger exposures, by `benchmarks/truth.py`.

A *pull* is (estimate - truth) / error. Two errors are used. The *stated* error is what the product says of
the pixel; it comes from the pixel's own data, and where the photons are few, a pixel that happened to collect
fewer also states a smaller error, which moves the mean of the pulls below zero although the slopes are
unbiased. The *typical* error of a brightness does not have this correlation: the root mean square of the
stated errors of pixels of nearly the same true rate.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from webbcal import datamodels, simulate
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.simulate.personality import personality

#: An instrument chain without drifts and 1/f noise: what is left is in the reference files.
QUIET = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)

DO_NOT_USE, SATURATED, JUMP = 1, 2, 4
WELL = 83_000.0  # electrons; the full well of the long-wave detectors of the simulator


@dataclass(frozen=True)
class Run:
    """A simulated exposure, its truth, and what stage 1 made of it."""

    config: simulate.ExposureConfig
    truth: simulate.Truth
    rate: Any
    ramp: Any


def lamp(config: simulate.ExposureConfig, faint: float, bright: float, block: int = 1) -> np.ndarray:
    """Return light (e-/s) that is log-uniform between two levels, each on many blocks all over the detector.

    Scattering the levels keeps what is common to a region (amplifiers, rows) out of their comparison.
    """
    ny, nx = config.aperture.shape
    rng = np.random.default_rng(97)
    shape = (-(-ny // block), -(-nx // block))
    levels = np.exp(rng.uniform(np.log(faint), np.log(bright), shape))
    whole = np.repeat(np.repeat(levels, block, axis=0), block, axis=1)[:ny, :nx]
    return whole.astype(np.float32)


def brightest(config: simulate.ExposureConfig, share: float) -> float:
    """Return the rate (e-/s) at which the last frame reaches a share of the full well."""
    return share * WELL / (config.readout.total_frames * config.readout.tframe)


@dataclass(frozen=True)
class Ready:
    """A simulated exposure with its reference files, to be calibrated in several ways."""

    config: simulate.ExposureConfig
    truth: Any
    uncal: Path
    environment: dict[str, str]

    @classmethod
    def in_folder(cls, folder: Path, config: simulate.ExposureConfig, light: np.ndarray) -> Ready:
        """Simulate an exposure and its reference files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        cache = simulate.CrdsCache(folder / "crds")
        options = simulate.ReferenceOptions(subarray_only=config.subarray != "FULL", grouped_dark=True)
        simulate.write_references(cache, [config], options)
        made = simulate.expose(config, light)
        uncal, _ = made.save(folder, with_truth=False)
        return cls(config, made.truth, uncal, cache.environment)

    def calibrated(self, folder: Path, steps: dict[str, Any] | None = None) -> Run:
        """Run stage 1 into a folder; `steps` are parameters of the steps, if they are not the usual ones."""
        folder.mkdir(parents=True, exist_ok=True)
        words = {"save_calibrated_ramp": True, "output_dir": str(folder), "steps": steps or {}}
        with mock.patch.dict(os.environ, self.environment):
            rate = Detector1Pipeline.call(str(self.uncal), **words)
        ramp = datamodels.open(folder / self.uncal.name.replace("_uncal", "_ramp"))
        return Run(self.config, self.truth, rate, ramp)


def calibrate(
    folder: Path, config: simulate.ExposureConfig, light: np.ndarray, steps: dict[str, Any] | None = None
) -> Run:
    """Simulate an exposure and its reference files into a folder, run stage 1, and return it all.

    `steps` are parameters of the steps, if they are not the usual ones.
    """
    return Ready.in_folder(folder, config, light).calibrated(folder, steps)


def unflagged(run: Run) -> np.ndarray:
    """Return which pixels carry no flag at all."""
    return np.asarray(run.rate.dq) == 0


@dataclass(frozen=True)
class Pulls:
    """Pulls in bins of true brightness; arrays of one value for each bin.

    Attributes
    ----------
    rate : ndarray
        Geometric mean of the true rate, e-/s.
    count : ndarray
    mean, width : ndarray
        Mean and standard deviation of (estimate - truth) / typical error.
    stated_mean, stated_width : ndarray
        The same with the stated errors.
    """

    rate: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    width: np.ndarray
    stated_mean: np.ndarray
    stated_width: np.ndarray


def pulls(run: Run, bins: int = 10, select: np.ndarray | None = None, offset: float = 0.0) -> Pulls:
    """Compare rates, less an offset (DN/s), with the truth in bins of the true rate with equal counts."""
    light = run.truth.rate
    good = (unflagged(run) if select is None else select) & (light > 0)
    off = np.asarray(run.rate.data, float) - run.truth.rate_dn - offset
    error = np.asarray(run.rate.err, float)
    typical = np.sqrt(_typical_variance(np.log(light[good]), error[good] ** 2))
    level, off, error = light[good], off[good], error[good]
    edges = np.quantile(np.log(level), np.linspace(0, 1, bins + 1))
    which = np.clip(np.searchsorted(edges, np.log(level), side="right") - 1, 0, bins - 1)
    rows = []
    for b in range(bins):
        inside = which == b
        a, s = off[inside] / typical[inside], off[inside] / error[inside]
        rows.append(
            (np.exp(np.log(level[inside]).mean()), inside.sum(), a.mean(), a.std(), s.mean(), s.std())
        )
    return Pulls(*(np.array(column) for column in zip(*rows, strict=True)))


def _typical_variance(brightness: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return for each pixel the mean variance of the pixels of nearly its brightness."""
    order = np.argsort(brightness)
    size = max(200, len(order) // 200)
    means = np.empty(len(order))
    for start in range(0, len(order), size):
        part = order[start : start + size]
        means[part] = variance[part].mean()
    return means


def cds_noise(config: simulate.ExposureConfig) -> float:
    """Return the typical noise (electrons) of a difference of two frames of a long-wave detector."""
    white, left = 5.6, config.electronics.one_over_f_left
    return 1.82 * float(np.sqrt(2.0 * (white**2 + left**2)))


@dataclass(frozen=True)
class Hits:
    """Samples in which particles left charge; arrays of one value for each.

    Attributes
    ----------
    size : ndarray
        Charge that arrived between a group and the one before, in units of sigma as the jump step defines it
        for a difference of groups: photon noise of the (true) rate, and read noise, in quadrature.
    found : ndarray
        Whether that group has a jump flag.
    """

    size: np.ndarray
    found: np.ndarray

    def completeness(self, above: float) -> float:
        """Return the share found of those larger than a number of sigma."""
        return float(self.found[self.size > above].mean())


def hits(run: Run, differences: int = 4) -> Hits:
    """Look for the jump flags of all particle hits.

    Left out are hits that no calibration can see: before the first group (nothing to compare with), in or
    next to a saturated group, on pixels that are not to be used, and in ramps with fewer usable differences
    of groups than asked for (a particle between averaged frames makes two of them large).
    """
    excess = _excess(run)
    where = np.nonzero(excess)
    integration, group, y, x = where
    flags = np.asarray(run.ramp.groupdq)
    bad = flags & np.uint8(DO_NOT_USE | SATURATED)
    usable = (group > 0) & (bad[where] == 0) & (bad[integration, np.maximum(group, 1) - 1, y, x] == 0)
    readout = run.config.readout
    usable &= ((bad == 0).sum(axis=1) > differences)[integration, y, x]
    photons = (run.truth.rate + run.truth.dark)[y, x] * readout.tgroup
    sigma = np.sqrt(photons + _read_noise(run)[y, x] ** 2 / readout.nframes)
    return Hits((excess[where] / sigma)[usable], ((flags[where] & JUMP) != 0)[usable])


def _read_noise(run: Run) -> np.ndarray:
    """Return each pixel's noise (electrons) of a difference of two frames."""
    config = run.config
    person = personality(config.detector, config.aperture.box, config.detector_seed)
    left = config.electronics.one_over_f_left
    return np.asarray(person.gain * np.sqrt(2.0 * (person.read_noise**2 + left**2)))


def _excess(run: Run) -> np.ndarray:
    """Return the electrons of particles in each difference of groups, at the index of the later group.

    A particle that arrives between the averaged frames of a group is seen in part by this group's
    difference and in part by the next.
    """
    h, readout = run.truth.hits, run.config.readout
    shape = (run.config.nints, readout.ngroups, *run.truth.rate.shape)
    excess = np.zeros(shape, np.float32)
    now = (readout.nframes - h["frame"]) / readout.nframes
    np.add.at(excess, (h["integration"], h["group"], h["y"], h["x"]), h["electrons"] * now)
    late = (h["group"] + 1 < readout.ngroups) & (now < 1)
    h, now = h[late], now[late]
    np.add.at(excess, (h["integration"], h["group"] + 1, h["y"], h["x"]), h["electrons"] * (1 - now))
    return excess


def common_offset(run: Run) -> float:
    """Return the mean of (estimate - truth) over the faintest quarter of the unflagged pixels, DN/s.

    All pixels share what the noise of the reference pixels adds to the whole frame.
    """
    good = unflagged(run) & (run.truth.rate > 0)
    faint = good & (run.truth.rate < np.quantile(run.truth.rate[good], 0.25))
    return float((np.asarray(run.rate.data, float) - run.truth.rate_dn)[faint].mean())


def jump_share(run: Run, low: float = 0.0, high: float = np.inf) -> float:
    """Return the share of usable, unsaturated pixels in a range of true rates that have a jump flag."""
    dq, light = np.asarray(run.rate.dq), run.truth.rate
    good = (light > low) & (light <= high) & (dq & (DO_NOT_USE | SATURATED) == 0)
    return float(((dq[good] & JUMP) != 0).mean())
