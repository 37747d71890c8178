"""Jump detection in a transit: what is found, and what of the transit itself is taken for particles."""

from dataclasses import dataclass

import numpy as np
from stage1 import QUIET, calibrate

from webbcal import kernels, simulate
from webbcal.kernels.jump.settings import JumpSettings, Method, choose_method

GAIN, NOISE = 1.6, 9.0  # e-/DN, DN of a difference of two frames
NINTS, NGROUPS, SHAPE = 160, 6, (24, 64)
DEPTH = 0.03
JUMP = 4

#: Each way to look for jumps, by name.
METHODS = {
    "two-point": JumpSettings(flag_4_neighbors=False, minimum_sigclip_groups=10_000),
    "sigma clipping": JumpSettings(flag_4_neighbors=False, minimum_sigclip_groups=100),
    "in time": JumpSettings(flag_4_neighbors=False, running_ints=11),
}


@dataclass(frozen=True)
class Series:
    """A time series of bright pixels with a transit and particles.

    Attributes
    ----------
    data : ndarray
        DN, (integrations, groups, rows, columns).
    size : ndarray
        Particles in units of the noise of a difference, (integrations, groups - 1, rows, columns).
    transit : ndarray
        Integrations in which the light differs from that outside.
    edges : ndarray
        Integrations in which it changes.
    """

    data: np.ndarray
    size: np.ndarray
    transit: np.ndarray
    edges: np.ndarray


def transit(start: int, stop: int, contact: int) -> Series:
    """A transit of 3% between two integrations, in pixels of all brightnesses.

    `contact` is how many integrations pass from first to second contact.
    """
    rng = np.random.default_rng(3)
    time = np.arange(NINTS)
    inside = np.clip((time - start) / contact, 0, 1) - np.clip((time - stop) / contact, 0, 1)
    light = 1 - DEPTH * inside
    rate = np.exp(rng.uniform(np.log(300), np.log(30_000), SHAPE))  # electrons a group
    mean = rate * light[:, None, None, None]
    steps = rng.poisson(np.broadcast_to(mean, (NINTS, NGROUPS, *SHAPE))).astype(float)
    sigma = np.sqrt(mean + (GAIN * NOISE) ** 2)
    hits = np.zeros_like(steps)
    struck = rng.random(steps.shape) < 0.002
    hits[struck] = rng.uniform(300, 20_000, struck.sum())
    hits[:, 0] = 0
    data = np.cumsum(steps + hits, axis=1) / GAIN + rng.normal(0, NOISE / np.sqrt(2), steps.shape)
    edges = (inside > 0) & (inside < 1)
    return Series(data.astype(np.float32), (hits / sigma)[:, 1:], inside > 0, edges)


@dataclass(frozen=True)
class Outcome:
    """Shares of differences: of particles above 8 sigma that are found, of clean ones that are flagged."""

    found: float
    outside: float
    edges: float
    bottom: float


def outcome(series: Series, settings: JumpSettings, backend: str = "cpu") -> Outcome:
    """Look for jumps and compare with the truth."""
    flags = np.zeros(series.data.shape, np.uint8)
    gain, noise = np.full(SHAPE, GAIN, np.float32), np.full(SHAPE, NOISE, np.float32)
    unused = np.zeros(flags.shape[:2], bool)
    pixels = np.zeros(SHAPE, np.uint32)
    kernels.get("jump", backend).detect_jumps(series.data, flags, pixels, gain, noise, settings, unused)
    jumps = (flags[:, 1:] & JUMP) != 0
    clean = series.size == 0
    # A particle makes one difference larger; those of its neighbours in time are clean.
    bottom = series.transit & ~series.edges
    return Outcome(
        jumps[series.size > 8].mean(),
        *(jumps[when][clean[when]].mean() for when in (~series.transit, series.edges, bottom)),
    )


def outcomes(series: Series) -> list[Outcome]:
    """Return what each method makes of a series, and print it for docs/truth.md."""
    found = {name: outcome(series, settings) for name, settings in METHODS.items()}
    for name, result in found.items():
        print(f"{name:15}", *(f"{value:.5f}" for value in vars(result).values()))
    return list(found.values())


def test_a_long_transit_is_no_shower_of_particles():
    two_point, clipping, ours = outcomes(transit(60, 100, 12))
    assert ours.found > 0.99 and ours.found >= max(clipping.found, two_point.found) - 0.005
    assert ours.outside < 3e-4 and max(ours.edges, ours.bottom) < 2 * ours.outside + 1e-4
    assert two_point.bottom > 20 * ours.bottom and two_point.edges > 20 * ours.edges


def test_a_short_transit_is_no_shower_of_particles():
    """So short that clipping over all integrations takes it for outliers."""
    two_point, clipping, ours = outcomes(transit(74, 84, 2))
    assert ours.found > 0.99 and ours.outside < 3e-4
    assert clipping.bottom > 20 * ours.bottom and two_point.bottom > 20 * ours.bottom


def test_methods_are_what_they_are_called():
    unused = np.zeros((NINTS, NGROUPS), bool)
    assert [choose_method(s, unused) for s in METHODS.values()] == [
        Method.ITERATIVE, Method.SIGMA_CLIP, Method.RUNNING,
    ]  # fmt: skip


def test_a_simulated_transit_of_soss_is_no_shower_of_particles(tmp_path):
    """The whole of stage 1: the same exposure, by the two-point difference, by clipping and in time."""
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP96", filter="F380M", readpatt="NISRAPID", ngroups=4, nints=40,
        cosmic_rays=30.0, electronics=QUIET,
        soss=simulate.Soss(peak=2500.0, depth=0.2, duration=0.3, ingress=0.05),
    )  # fmt: skip
    usual = {"only_use_ints": True, "flag_4_neighbors": False}
    methods = {
        "two-point": usual,
        "sigma clipping": {**usual, "minimum_sigclip_groups": 20},
        "in time": {**usual, "running_median_ints": 11},
    }
    found = {}
    for name, parameters in methods.items():
        made = calibrate(tmp_path / name.replace(" ", "_"), config, None, {"jump": parameters})
        jumps = (np.asarray(made.ramp.groupdq) & JUMP) != 0
        lit = made.truth.rate > 0.2 * made.truth.rate.max()
        hits = made.truth.hit_map(config.ngroups)
        noise = np.sqrt(made.truth.rate * config.readout.tgroup + 15.0**2)
        struck = (hits > 8 * noise) & lit
        struck[:, 0] = False
        clean = (hits == 0) & lit
        planet = made.truth.curve
        shares = [jumps[when][:, 1:][clean[when][:, 1:]].mean() for when in (planet == 0, planet > 0)]
        found[name] = (jumps[struck].mean(), *shares)
        print(f"{name:15}", struck.sum(), *(f"{value:.5f}" for value in found[name]))
    ours, clipped, two_point = found["in time"], found["sigma clipping"], found["two-point"]
    assert ours[0] > 0.98 and ours[1] < 1.5e-3 and ours[2] < 5e-3
    assert two_point[2] > 100 * ours[2]  # takes the transit for particles
    assert clipped[0] < ours[0] - 0.2  # the transit widens the scatter that particles are compared with
