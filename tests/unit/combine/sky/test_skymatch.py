"""Sky levels: known ones are recovered, whatever the method; and what cannot be measured is told."""

import numpy as np
import pytest
from sky_scenes import DITHERS, SIZE, Pointing, exposure, exposures

from webbcal import datamodels
from webbcal.combine.sky import overlaps as sky_overlaps
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.combine.sky.statistics import SkyStatistic
from webbcal.core.errors import InputError, ParameterError
from webbcal.io.arrays import ShiftedArray
from webbcal.run import record

SKIES = (0.42, 0.30, 0.35, 0.51)
POINTINGS = [Pointing(d, sky=s) for d, s in zip(DITHERS, SKIES, strict=True)]
CLOSE = 0.005  # half the noise of a pixel: what the mode of a small image is good for


@pytest.fixture(scope="module")
def four():
    return exposures(POINTINGS)


def levels(models):
    return np.array([m.meta.background.level for m in models], float)


EXPECTED = {
    "local": SKIES,
    "global": [min(SKIES)] * 4,
    "match": [s - min(SKIES) for s in SKIES],
    "global+match": SKIES,
}


@pytest.mark.parametrize("skystat", ["mode", "median", "midpt", "mean"])
@pytest.mark.parametrize("method", EXPECTED)
def test_levels_are_recovered(four, method, skystat):
    # The mean keeps wings of stars that clipping leaves.
    close = 0.015 if skystat == "mean" else CLOSE
    result = SkyMatchStep(skymethod=method, skystat=skystat, usigma=2.5).run(four)
    np.testing.assert_allclose(levels(result), EXPECTED[method], atol=close)
    for before, model in zip(four, result, strict=True):
        assert model.meta.background.method == method
        assert model.meta.background.subtracted is False
        assert model.meta.cal_step.skymatch == "COMPLETE"
        np.testing.assert_array_equal(model.data, before.data)
    assert four[0].meta.background.level is None


def test_matching_up_and_with_many_vertices(four):
    result = SkyMatchStep(match_down=False, stepsize=20).run(four)
    np.testing.assert_allclose(levels(result), np.array(SKIES) - max(SKIES), atol=CLOSE)


def test_subtracting_twice_adds_up(four, tmp_path):
    once = SkyMatchStep(subtract=True).run(four)
    for before, model in zip(four, once, strict=True):
        level = np.float32(model.meta.background.level)
        np.testing.assert_allclose(model.data, before.data - level, atol=1e-6)
    path = once[0].save(tmp_path / "once_skymatch.fits")
    from astropy.io import fits

    assert fits.getval(path, "BKGLEVEL") == pytest.approx(0.12, abs=CLOSE)
    assert fits.getval(path, "BKGSUB") is True
    assert fits.getval(path, "S_SKYMAT") == "COMPLETE"
    twice = SkyMatchStep(subtract=True, skymethod="local").run(once)
    np.testing.assert_allclose(levels(twice), SKIES, atol=CLOSE)
    assert np.median(twice[3].data) == pytest.approx(0.0, abs=0.01)


def test_levels_are_subtracted_when_pixels_are_read(four, tmp_path):
    """Hundreds of exposures are not in memory because their sky is to be subtracted."""
    files = [m.save(tmp_path / f"{k}_cal.fits") for k, m in enumerate(four)]
    models = [datamodels.open(file) for file in files]
    result = SkyMatchStep(subtract=True).run(models)
    for k, (model, before) in enumerate(zip(result, four, strict=True)):
        expected = before.data - np.float32(model.meta.background.level)
        assert isinstance(model.source("data"), ShiftedArray)
        region = np.zeros((3, 5), np.float64)
        model.source("data").read_into(region, slice(7, 10), slice(20, 25))
        np.testing.assert_allclose(region, expected[7:10, 20:25], atol=1e-6)
        again = datamodels.open(model.save(tmp_path / f"{k}_skymatch.fits"))
        np.testing.assert_array_equal(again.data, expected)
        np.testing.assert_array_equal(model.data, expected)
        np.testing.assert_array_equal(datamodels.open(files[k]).data, before.data)


def test_detectors_of_one_exposure_change_together():
    a, b = Pointing(DITHERS[0], sky=0.4), Pointing(DITHERS[1], sky=0.3)
    models = [exposure(1, a), exposure(1, a, detector="NRCBLONG"), exposure(2, b)]
    models[1].data += 0.01
    result = SkyMatchStep().run(models)
    assert levels(result)[0] == levels(result)[1]
    assert levels(result)[0] == pytest.approx(0.105, abs=CLOSE)
    local = SkyMatchStep(skymethod="local").run(models)
    assert levels(local)[0] == levels(local)[1] == pytest.approx(0.4, abs=CLOSE)


def test_without_overlap_and_without_pixels(caplog):
    far = Pointing((100.0, 0.0), sky=0.2)
    models = [*exposures(POINTINGS[:3]), exposure(4, far)]
    models[2].dq |= 1
    result = SkyMatchStep().run(models)
    assert [m.meta.cal_step.skymatch for m in result] == ["COMPLETE", "COMPLETE", "SKIPPED", "SKIPPED"]
    np.testing.assert_allclose(levels(result)[:2], [0.12, 0.0], atol=CLOSE)
    reasons = [record.runs_of(m)[-1]["steps"][-1]["reason"] for m in result]
    assert reasons[2] == "no usable pixels in overlaps with others"
    assert reasons[3] == "overlaps with no other exposure"
    assert result[3].meta.background.level is None


def test_separate_sets_are_told(caplog):
    pointings = [
        Pointing((east + 300.0 * n, 0.0), sky=0.3 + 0.1 * k) for n in (0, 1) for k, east in enumerate((0, 3))
    ]
    result = SkyMatchStep().run(exposures(pointings))
    assert "do not overlap with each other" in caplog.text
    np.testing.assert_allclose(np.diff(levels(result))[[0, 2]], 0.1, atol=CLOSE)


def test_one_exposure_alone_is_skipped():
    (model,) = SkyMatchStep().run([exposure(1, Pointing())])
    assert model.meta.cal_step.skymatch == "SKIPPED"
    (model,) = SkyMatchStep(skymethod="local").run([exposure(1, Pointing())])
    assert model.meta.background.level == pytest.approx(0.3, abs=CLOSE)


def test_missing_wcs_fails_one_and_not_the_others(four):
    models = [m.copy() for m in four]
    models[1].meta.wcs = None
    result = SkyMatchStep().run(models)
    assert [m.meta.cal_step.skymatch for m in result] == ["COMPLETE", "FAILED", "COMPLETE", "COMPLETE"]
    np.testing.assert_allclose(levels(result)[[0, 2, 3]], [0.07, 0.0, 0.16], atol=CLOSE)


def test_dqbits(four):
    """A patch that is flagged counts only if its flag is allowed."""
    models = [m.copy() for m in four[:2]]
    models[0].data[:150] += 0.5
    models[0].dq[:150] |= 4  # JUMP_DET
    strict = SkyMatchStep(dqbits="0", skymethod="local").run(models)
    loose = SkyMatchStep(dqbits="~DO_NOT_USE", skymethod="local").run(models)
    assert levels(strict)[0] == pytest.approx(0.42, abs=CLOSE)
    assert levels(loose)[0] == pytest.approx(0.92, abs=CLOSE)


def test_the_users_levels(four, tmp_path):
    lines = [f"{m.meta.filename.replace('_cal', '_rate')} {0.1 * n}" for n, m in enumerate(four)]
    (tmp_path / "sky.txt").write_text("\n".join(lines[::-1]) + "\n")
    result = SkyMatchStep(skymethod="user", skylist="sky.txt", subtract=True).run(four)
    np.testing.assert_allclose(levels(result), [0.0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(result[3].data, four[3].data - 0.3, atol=1e-6)


BAD_LISTS = {"few": "a 1", "twice": "{0} 1\n{0} 2", "no number": "{0} 1\n{1} x", "word": "{0} 1\n{1}"}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_bad_lists_of_levels(four, tmp_path, name):
    text = BAD_LISTS[name].format(*(m.meta.filename for m in four))
    (tmp_path / "sky.txt").write_text(text)
    with pytest.raises(InputError, match=r"skylist sky\.txt"):
        SkyMatchStep(skymethod="user", skylist="sky.txt").run(four[:2])


def test_bad_state_and_parameters(four):
    models = SkyMatchStep(subtract=True).run(four[:2])
    with pytest.raises(InputError, match="already subtracted"):
        SkyMatchStep().run(models)
    models[0].meta.background.level = None
    with pytest.raises(InputError, match="only one is set"):
        SkyMatchStep(subtract=True).run(models)
    with pytest.raises(ParameterError, match="set skylist"):
        SkyMatchStep(skymethod="user").run(four)
    with pytest.raises(ParameterError, match="binwidth"):
        SkyMatchStep(binwidth=0.0).run(four)


# Statistics


def test_statistics_of_few_or_equal_values():
    for skystat in ("mean", "median", "mode", "midpt"):
        s = SkyStatistic(skystat)
        assert s(np.zeros(0, np.float32)) is None
        assert s(np.full(30, 2.5, np.float32)) == (2.5, 30)
        assert SkyStatistic(skystat, lower=9.0)(np.full(30, 2.5, np.float32)) is None


def test_the_mode_ignores_what_the_mean_does_not():
    rng = np.random.default_rng(5)
    values = rng.normal(1.0, 0.1, 200_000).astype(np.float32)
    values[:40_000] += rng.exponential(0.5, 40_000).astype(np.float32)
    mean, mode = SkyStatistic("mean")(values)[0], SkyStatistic("mode")(values)[0]
    assert abs(mode - 1.0) < 0.02 < mean - 1.0


# Overlaps


def test_filling_whole_rectangles():
    mask = np.zeros((12, 15), bool)
    sky_overlaps.fill(mask, np.array([2.0, 9, 9, 2, 2]), np.array([3.0, 3, 8, 8, 3]))
    expected = np.zeros_like(mask)
    expected[3:9, 2:10] = True
    np.testing.assert_array_equal(mask, expected)


def test_filling_beyond_the_edges_and_nothing():
    mask = np.zeros((6, 7), bool)
    sky_overlaps.fill(mask, np.array([-5.0, 30, 30, -5, -5]), np.array([-4.0, -4, 40, 40, -4]))
    assert mask.all()
    mask[:] = False
    for x, y in (
        ([1, 1, 1, 1], [0, 3, 5, 0]),
        ([1, np.nan, 5, 1], [0, 3, 5, 0]),
        ([1, 4, 6, 1], [2, 2, 2, 2]),
    ):
        sky_overlaps.fill(mask, np.array(x, float), np.array(y, float))
    assert not mask.any()


def test_filling_is_as_wide_as_the_polygon():
    """The area of many random triangles is that of the pixels, but for their edges."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        x, y = rng.uniform(-20, 120, (2, 3))
        mask = np.zeros((400, 400), bool)
        sky_overlaps.fill(mask, np.append(x, x[0]) + 100, np.append(y, y[0]) + 100)
        area = 0.5 * abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
        edge = np.hypot(np.diff(np.append(x, x[0])), np.diff(np.append(y, y[0]))).sum()
        assert abs(mask.sum() - area) <= edge + 4


@pytest.mark.parametrize("stepsize", [None, 30])
def test_overlaps_of_images(stepsize):
    """Half of an image overlaps with one that is shifted by half its width, at any place on the sky."""
    from astropy.modeling.models import Pix2Sky_TAN, RotateNative2Celestial, Scale, Shift

    for ra, dec in ((0.0, 0.0), (359.9999, 60.0), (120.0, -89.999), (10.0, 90.0)):
        to_sky = Scale(1e-5) & Scale(1e-5) | Pix2Sky_TAN() | RotateNative2Celestial(ra, dec, 180)
        outlines = [
            sky_overlaps.sky_outline(_Plain(Shift(dx) & Shift(0.0) | to_sky), (SIZE, SIZE), stepsize)
            for dx in (0.0, SIZE / 2, 3.0 * SIZE)
        ]
        found = sky_overlaps.all_overlaps(outlines)
        assert [sorted(f) for f in found] == [[1], [0], []]
        loops = sky_overlaps.pixel_loops(_Plain(Shift(0.0) & Shift(0.0) | to_sky), found[0])[1]
        assert len(loops) == 1
        x, y = loops[0]
        np.testing.assert_allclose([x.min(), x.max()], [SIZE / 2 - 0.5, SIZE - 0.5], atol=1e-3)
        np.testing.assert_allclose([y.min(), y.max()], [-0.5, SIZE - 0.5], atol=1e-3)


class _Plain:
    """What a WCS is to the overlaps: a map and its inverse."""

    def __init__(self, model):
        self.model = model

    def __call__(self, x, y, with_bounding_box):
        return self.model(x, y)

    def invert(self, ra, dec, with_bounding_box):
        return self.model.inverse(ra, dec)
