from dataclasses import replace

import numpy as np
import pytest

from webbcal import simulate
from webbcal.core.errors import ParameterError
from webbcal.core.readout import PATTERNS
from webbcal.simulate.forward import Detector
from webbcal.simulate.nonlinearity import linearise
from webbcal.simulate.personality import personality

QUIET = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)
EMPTY = simulate.Sky(stars=0.0, galaxies=0.0)


def config(**changes):
    base = {
        "subarray": "SUB64P",
        "readpatt": "RAPID",
        "ngroups": 5,
        "electronics": QUIET,
        "sky": EMPTY,
        "cosmic_rays": False,
    }
    return simulate.ExposureConfig(**(base | changes))


def expose(c, rate):
    """Expose to a uniform rate (e-/s); return the samples and the detector's character."""
    person = personality(c.detector, c.aperture.box, c.detector_seed)
    image = np.float32(rate) * (person.sensitivity > 0)
    return Detector(c, person, image).expose(), person


def normal_pixels(person):
    return (person.mask == 0) & (person.dark < 0.2) & (person.read_noise < 10)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    c = config(
        cosmic_rays=300.0, electronics=simulate.Electronics(), readpatt="BRIGHT2", zeroframe=True, nints=2
    )
    first, second = simulate.expose(c), simulate.expose(c)
    np.testing.assert_array_equal(first.model.data, second.model.data)
    np.testing.assert_array_equal(first.model.zeroframe, second.model.zeroframe)
    np.testing.assert_array_equal(first.truth.hits, second.truth.hits)
    other = simulate.expose(replace(c, seed=2))
    assert not np.array_equal(first.model.data, other.model.data)
    # the detector and the sky stay
    np.testing.assert_array_equal(first.truth.rate, other.truth.rate)


def test_the_number_of_threads_does_not_matter(monkeypatch):
    c = config(subarray="SUB160", electronics=simulate.Electronics(), cosmic_rays=100.0)
    many, _ = expose(c, 50.0)
    monkeypatch.setattr("webbcal.simulate.forward.os.cpu_count", lambda: 1)
    one, _ = expose(c, 50.0)
    np.testing.assert_array_equal(many.data, one.data)


def test_integrations_differ():
    raw, _ = expose(config(nints=2), 100.0)
    assert not np.array_equal(raw.data[0], raw.data[1])


@pytest.mark.parametrize("readpatt", ["RAPID", "BRIGHT1", "SHALLOW4", "DEEP8"])
def test_groups_have_the_mean_of_their_frames(readpatt):
    c = config(subarray="SUB160", readpatt=readpatt, ngroups=4)
    rate = 2000.0 / c.readout.total_frames / c.readout.tframe * 5
    raw, person = expose(c, rate)
    good = normal_pixels(person)
    signal = linearise(raw.data[0] - person.superbias, person.linearity[:, None]) * person.gain
    expected = (rate + person.dark) * c.readout.mean_times[:, None, None]
    difference = (signal - expected)[:, good]
    error = difference.std(axis=1) / np.sqrt(good.sum())
    assert (np.abs(difference.mean(axis=1)) < 4.5 * error).all()
    # nframes and groupgap of the pattern set the spacing of the groups
    nframes, gap = PATTERNS[readpatt]
    assert np.diff(c.readout.mean_times) == pytest.approx((nframes + gap) * c.readout.tframe)


@pytest.mark.parametrize(
    ("readpatt", "nframes"), [("RAPID", 1), ("BRIGHT2", 2), ("SHALLOW4", 4), ("MEDIUM8", 8)]
)
def test_read_noise_falls_with_the_number_of_frames(readpatt, nframes):
    raw, person = expose(config(subarray="SUB160", readpatt=readpatt, ngroups=2), 0.0)
    good = normal_pixels(person)
    cds = (raw.data[0, 1].astype(float) - raw.data[0, 0])[good] / person.read_noise[good]
    # each group is rounded to whole DN (1/12), and each of its frames before (1/12 each)
    rounding = (
        2 * (1 / 12 + (1 / 12 / nframes if nframes > 1 else 0.0)) / np.mean(person.read_noise[good] ** 2)
    )
    # dark current adds a little Poisson noise
    assert cds.var() == pytest.approx(2.0 / nframes + rounding, rel=0.05)


@pytest.mark.parametrize("rate", [300.0, 20_000.0])
def test_photon_noise_is_poisson(rate):
    c = config(subarray="SUB160", ngroups=2)
    raw, person = expose(c, rate)
    good = normal_pixels(person)
    signal = linearise(raw.data[0] - person.superbias, person.linearity[:, None]) * person.gain
    step = (signal[1] - signal[0])[good]
    electrons = rate * c.readout.tframe
    response = 1.0 + 2 * 8e-7 * 2 * electrons / 1.82  # read noise is amplified by the slope of the correction
    expected = electrons + 2 * np.mean((person.read_noise * person.gain * response)[good] ** 2)
    assert step.var() == pytest.approx(expected, rel=0.04)
    assert step.mean() == pytest.approx(electrons, abs=4.5 * np.sqrt(expected / good.sum()))


def test_photon_noise_within_an_averaged_group():
    # The mean of n cumulative counts with steps of mean m has the variance m (n + 1)(2n + 1) / 6n.
    c = config(subarray="SUB160", readpatt="SHALLOW4", ngroups=1)
    raw, person = expose(c, 3000.0)
    good = normal_pixels(person)
    signal = linearise(raw.data[0, 0] - person.superbias, person.linearity) * person.gain
    m, n = 3000.0 * c.readout.tframe, 4
    reset = c.electronics.ktc**2
    expected = (
        m * (n + 1) * (2 * n + 1) / (6 * n)
        + reset
        + np.mean((person.read_noise * person.gain)[good] ** 2) / n
    )
    assert signal[good].var() == pytest.approx(expected, rel=0.05)


def test_reset_noise_is_constant_within_an_integration():
    c = config(subarray="SUB160", nints=2, ngroups=3, electronics=replace(QUIET, ktc=200.0))
    raw, person = expose(c, 0.0)
    good = normal_pixels(person)
    signal = (raw.data - person.superbias) * person.gain
    assert signal[:, 0][:, good].std() == pytest.approx(200.0, rel=0.03)
    within = (signal[:, 2] - signal[:, 0])[:, good]
    assert within.std() < 20
    between = np.corrcoef(signal[0, 0][good], signal[1, 0][good])[0, 1]
    assert abs(between) < 0.05


def test_the_zeroframe_is_the_first_frame():
    c = config(readpatt="SHALLOW4", zeroframe=True, nints=2)
    raw, person = expose(c, 2000.0)
    assert raw.zeroframe is not None and raw.zeroframe.shape == (2, 64, 64)
    good = normal_pixels(person)
    signal = (raw.zeroframe - person.superbias)[:, good] * person.gain[good]
    assert signal.mean() == pytest.approx(2000.0 * c.readout.tframe, abs=5 * 30 / np.sqrt(signal.size))
    rapid, _ = expose(config(readpatt="RAPID", zeroframe=True), 2000.0)
    assert rapid.zeroframe is None  # its first group is the first frame


def test_reference_pixels_see_no_light():
    c = config(detector="NRCB1", subarray="SUB160", filter="F200W")
    raw, person = expose(c, 5e4)
    assert person.reference.sum() == 160**2 - 156**2
    rise = raw.data[0, -1].astype(float) - raw.data[0, 0]
    assert abs(rise[person.reference].mean()) < 2
    assert rise[~person.reference].mean() > 10_000


def test_full_wells_stop_and_the_truth_knows_when():
    c = config(ngroups=8, readpatt="BRIGHT2")
    raw, person = expose(c, 83_000.0 / (8 * c.readout.tframe))
    first = raw.first_saturated[0]
    good = normal_pixels(person)
    # the well fills in the eighth frame, which is the second of the group that begins with the seventh
    assert np.isin(first[good], (3, 4)).all() and (first[good] == 3).mean() > 0.2
    truth = simulate.Truth(*(np.zeros(1),) * 3, raw.first_saturated, raw.hits, np.zeros(0))
    saturated = truth.saturated(8)[0]
    assert not saturated[0].any() and saturated[5][good].all()
    above = raw.data[0] >= person.saturation
    assert (above[5:, good]).all()
    late = raw.data[0, 7].astype(float) - raw.data[0, 6]
    assert abs(late[good].mean()) < 1


def test_samples_are_clipped_to_16_bits():
    c = config(ngroups=2)
    person = personality(c.detector, c.aperture.box)
    high = replace(person, superbias=person.superbias + 60_000)
    low = replace(person, superbias=person.superbias - 60_000)
    light = np.zeros(c.aperture.shape, np.float32)
    assert (Detector(c, high, light).expose().data == 65535).all()
    assert (Detector(c, low, light).expose().data == 0).all()


def test_every_particle_is_in_the_samples_and_in_the_record():
    # The photons of an exposure do not depend on its particles, so the difference is the particles alone.
    clean, person = expose(config(readpatt="BRIGHT2", ngroups=6), 100.0)
    hit, _ = expose(config(readpatt="BRIGHT2", ngroups=6, cosmic_rays=3000.0), 100.0)
    assert len(clean.hits) == 0 and len(hit.hits) > 30
    linear = [
        linearise(r.data[0] - person.superbias, person.linearity[:, None]) * person.gain for r in (clean, hit)
    ]
    seen = linear[1] - linear[0]
    expected = np.zeros_like(seen)
    for h in hit.hits:
        assert h["integration"] == 0 and 0 <= h["frame"] < 2
        expected[h["group"], h["y"], h["x"]] += h["electrons"] * (2 - h["frame"]) / 2
        expected[h["group"] + 1 :, h["y"], h["x"]] += h["electrons"]
    usable = (hit.first_saturated[0] == 6) & (expected.max(axis=0) < 40_000)
    # what is left: rounding to whole DN, and averaging on the curved response within a group
    tolerance = 3.0 + 0.02 * expected
    assert (np.abs(seen - expected) < tolerance)[:, usable].all()
    truth = simulate.Truth(*(np.zeros(1),) * 3, hit.first_saturated, hit.hits, np.zeros(0))
    assert truth.hit_map(6).sum() == pytest.approx(hit.hits["electrons"].sum())


def test_particles_spare_reference_pixels_and_come_between_all_frames():
    corner = {"detector": "NRCB1", "subarray": "SUB160", "filter": "F200W"}
    raw, person = expose(config(**corner, readpatt="DEEP2", ngroups=4, cosmic_rays=50.0), 0.0)
    assert not person.reference[raw.hits["y"], raw.hits["x"]].any()
    first_frames = raw.hits["frame"] == 0
    # a group follows 18 dropped frames: most particles come in the gap and are in the group's first frame
    later = raw.hits["group"] > 0
    assert first_frames[later].mean() == pytest.approx(19 / 20, abs=0.03)


def test_snowballs_are_marked_in_the_record():
    raw, _ = expose(config(subarray="SUB160", snowballs=400.0), 0.0)
    assert raw.hits["snowball"].any()
    assert (raw.first_saturated < 5).any()


def test_coupling_shares_the_voltage_and_keeps_the_sum():
    c = config(ngroups=2)
    person = personality(c.detector, c.aperture.box)
    flat = replace(person, dark=np.zeros_like(person.dark), superbias=np.full_like(person.superbias, 10_000))
    light = np.zeros(c.aperture.shape, np.float32)
    light[30, 30] = 20_000.0 / c.readout.tframe
    frames = [
        np.mean(
            [
                Detector(replace(c, ipc=ipc, seed=s), flat, light).expose().data[0].astype(float)
                for s in range(40)
            ],
            axis=0,
        )
        for ipc in (False, True)
    ]
    single, coupled = (f[1] - f[0] for f in frames)
    peak = single[30, 30]
    assert coupled[30, 31] / peak == pytest.approx(0.006, abs=4e-4)
    assert coupled[29, 30] / peak == pytest.approx(0.006, abs=4e-4)
    assert coupled[28:33, 28:33].sum() == pytest.approx(peak, rel=2e-3)


@pytest.mark.parametrize(
    "bad",
    [
        {"detector": "NRCX"},
        {"readpatt": "FAST"},
        {"ngroups": 0},
        {"nints": 0},
        {"cosmic_rays": -1.0},
        {"filter": "F999W"},
        {"detector": "NIS", "readpatt": "RAPID"},
    ],
)
def test_impossible_exposures_are_refused(bad):
    with pytest.raises(ParameterError):
        config(**bad)


def test_dithers_are_separate_exposures_of_one_sky():
    steps = simulate.dithered(config(), [(0.0, 0.0), (1.0, 0.5)])
    assert [c.exposure for c in steps] == [1, 2] and steps[0].seed != steps[1].seed
    assert steps[1].rootname == "jw01234001001_02101_00002_nrcalong"
    assert steps[1].start_mjd > steps[0].start_mjd
    a, b = (c.pointing for c in steps)
    assert (b.dec - a.dec) * 3600 == pytest.approx(0.5)
    assert (b.ra - a.ra) * 3600 * np.cos(np.radians(a.dec)) == pytest.approx(1.0)
