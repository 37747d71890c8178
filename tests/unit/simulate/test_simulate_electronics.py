import numpy as np
import pytest

from webbcal.core.errors import ParameterError
from webbcal.simulate.cosmic_rays import rays
from webbcal.simulate.electronics import Electronics, ReadoutChain, pink
from webbcal.simulate.geometry import find_aperture
from webbcal.simulate.nonlinearity import linearise, respond
from webbcal.simulate.seeds import stream


def test_streams_depend_on_seed_and_key_only():
    a = stream(1, "read", 2, 3).random(4)
    stream(1, "read", 2, 4).random(100)
    np.testing.assert_array_equal(a, stream(1, "read", 2, 3).random(4))
    for other in (stream(2, "read", 2, 3), stream(1, "photons", 2, 3), stream(1, "read", 3, 2)):
        assert not np.array_equal(a, other.random(4))


def test_pink_noise_has_unit_variance_and_a_one_over_f_spectrum():
    draws = [pink(stream(k, "pink"), 2**14) for k in range(60)]
    assert np.mean([d.var() for d in draws]) == pytest.approx(1.0, abs=0.04)
    power = np.mean([np.abs(np.fft.rfft(d)) ** 2 for d in draws], axis=0)
    low, high = power[10:20].mean(), power[1000:2000].mean()
    assert low / high == pytest.approx(100.0, rel=0.1)


def chain(detector="NRCALONG", subarray="FULL", seed=1, **settings):
    quiet = {"pedestal_drift": 0.0, "odd_even": 0.0, "one_over_f": 0.0}
    return ReadoutChain(find_aperture(detector, subarray, "F444W"), Electronics(**(quiet | settings)), seed)


def test_pedestals_wander_by_output():
    one = chain(subarray="SUBGRISM64", pedestal_drift=2.0)
    levels = []
    for frame in range(30):
        image = one.frame(0, frame)
        blocks = image.reshape(64, 4, 512)
        assert (np.ptp(blocks, axis=(0, 2)) == 0).all()
        levels.append(blocks[0, :, 0])
    steps = np.diff(levels, axis=0)
    assert np.std(steps) == pytest.approx(2.0 * np.sqrt(0.3406), rel=0.25)
    assert len(np.unique(levels[-1])) == 4


def test_pedestals_wander_more_over_a_gap():
    def step(gap, seed):
        one = chain(subarray="SUB64P", pedestal_drift=1.0, seed=seed)
        return float(one.frame(0, 0)[0, 0]) - float(one.frame(0, gap)[0, 0])

    near, far = (np.std([step(gap, seed) for seed in range(150)]) for gap in (1, 16))
    assert far / near == pytest.approx(4.0, rel=0.3)


def test_odd_and_even_columns_differ_along_the_fast_axis():
    image = chain(odd_even=2.0).frame(0, 0)
    assert np.ptp(image[:, 0:512:2]) == 0.0 and np.ptp(image[:, 1:512:2]) == 0.0
    assert image[0, 0] != image[0, 1]
    niriss = chain("NIS", odd_even=2.0).frame(0, 0)  # read along columns
    assert np.ptp(niriss[0:512:2, :]) == 0.0 and niriss[0, 0] != niriss[1, 0]


def test_one_over_f_noise_is_shared_between_outputs_as_told():
    noise = chain(one_over_f=3.0, common=0.7).frame(0, 0)
    noise = noise[:, ::-1].reshape(2048, 4, 512)  # NRCALONG is read from the right
    assert noise.std() == pytest.approx(3.0, rel=0.15)
    first, second = noise[:, 0].ravel(), noise[:, 1, ::-1].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.7, abs=0.1)
    # slow noise: neighbours along a row are alike, pixels far apart are not
    assert np.mean((noise[:, 0, 1:] - noise[:, 0, :-1]) ** 2) < 0.5 * 2 * noise.var()


def test_what_reference_pixels_leave_of_one_over_f_noise():
    settings = Electronics(one_over_f=3.0)
    assert 0.6 * 3.0 < settings.one_over_f_left < 3.0
    # remove what is slower than the smoothing length from a real frame and compare
    noise = chain(one_over_f=3.0, common=1.0).frame(0, 0).reshape(2048, 4, 512)[:, 3].astype(float)
    means = noise.mean(axis=1)
    smooth = np.convolve(np.pad(means, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    left = (noise - smooth[:, None]).std()
    assert settings.one_over_f_left == pytest.approx(left, rel=0.1)


@pytest.mark.parametrize("bad", [{"ktc": -1.0}, {"common": 1.5}])
def test_impossible_electronics_are_refused(bad):
    with pytest.raises(ParameterError):
        Electronics(**bad)


def test_the_response_inverts_the_polynomial():
    rng = np.random.default_rng(1)
    coefficients = np.zeros((5, 40, 50), np.float32)
    coefficients[1:] = np.array([1.0, 8e-7, 6e-12, 2e-17], np.float32)[:, None, None] * rng.uniform(
        0.8, 1.2, (4, 40, 50)
    )
    linear = rng.uniform(-60.0, 46000.0, (40, 50))
    measured = respond(linear, coefficients, start=np.zeros((40, 50)))
    np.testing.assert_allclose(linearise(measured, coefficients), linear, rtol=0, atol=1e-6)
    np.testing.assert_allclose(respond(linear, coefficients, start=linear), measured, atol=1e-6)


def test_a_response_that_cannot_be_inverted_is_reported():
    falling = np.array([0.0, 1.0, -1e-5])[:, None, None] * np.ones((3, 2, 2))
    with pytest.raises(ArithmeticError, match="increase"):
        respond(np.full((2, 2), 60000.0), falling, start=np.zeros((2, 2)))


def test_particles_arrive_at_their_rate_with_plausible_charge():
    deposits = [rays(stream(k, "rays"), (256, 256), 100.0, 1.0, True) for k in range(20)]
    for d in deposits:
        assert len(np.unique(d.index)) == len(d.index)
        assert d.index.min() >= 0 and d.index.max() < 256**2
        assert (d.electrons >= 1).all() and (d.electrons == np.rint(d.electrons)).all()
    expected = 5.0 * (18e-4) ** 2 * 256**2 * 100.0  # particles in one exposure
    total = np.mean([d.electrons.sum() for d in deposits])
    assert 1500 < total / expected < 12000  # mean charge of a particle
    touched = np.mean([len(d.index) for d in deposits])
    assert 1.5 < touched / expected < 8


def test_particles_scale_with_the_rate():
    many = sum(len(rays(stream(k, "r"), (128, 128), 100.0, 10.0, True).index) for k in range(5))
    few = sum(len(rays(stream(k, "r"), (128, 128), 100.0, 1.0, True).index) for k in range(50))
    assert many == pytest.approx(few, rel=0.2)


def test_grazing_particles_leave_tracks():
    d = rays(stream(3, "rays"), (512, 512), 400.0, 1.0, True)
    image = np.zeros(512**2)
    image[d.index] = d.electrons
    from scipy.ndimage import find_objects, label

    found, _ = label(image.reshape(512, 512) > 200, structure=np.ones((3, 3)))
    lengths = [max(s.stop - s.start for s in box) for box in find_objects(found)]
    assert max(lengths) >= 5 and np.median(lengths) <= 3
