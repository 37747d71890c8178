"""bkg_subtract: averages by hand, subarrays, integrations, ways to give backgrounds, what it refuses."""

import json

import numpy as np
import pytest
from stage2_cases import CONFIG, SHAPE, rate

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.run.record import runs_of


def run(model, backgrounds, **parameters):
    return BackgroundStep(**parameters).run(model, backgrounds)


def combined(model, backgrounds, tmp_path, **parameters):
    """Return the result and the average background."""
    step = BackgroundStep(save_combined_background=True, output_dir=str(tmp_path), **parameters)
    result = step.run(model, backgrounds)
    (path,) = tmp_path.glob("*_combinedbackground.fits")
    return result, datamodels.open(path)


def test_one_background(tmp_path):
    background = rate(3.0)
    background.dq[2, 3] = 4
    model = rate()
    model.dq[2, 3] = 8
    result, average = combined(model, [background], tmp_path)
    assert (result.data == 7).all() and (result.err == 0.5).all() and (model.data == 10).all()
    assert result.dq[2, 3] == 12 and np.count_nonzero(result.dq) == 1
    assert (average.data == 3).all() and (average.err == 0.5).all() and average.dq[2, 3] == 4
    assert result.meta.cal_step.bkg_subtract == "COMPLETE"
    assert runs_of(result)[0]["steps"][0]["references"] == {}


def test_the_error_is_that_of_the_mean(tmp_path):
    _, average = combined(rate(), [rate(v) for v in (1.0, 2.0, 3.0, 4.0)], tmp_path)
    assert (average.data == 2.5).all()
    np.testing.assert_allclose(average.err, 0.5 / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("sigma", "maxiters", "expected"),
    [
        (3.0, None, 27.875),  # one of four can be 1.7 sigma off at most
        (1.2, None, 1.5),  # 104 goes, then 4.5
        (0.5, 1, 2.5),  # 104 goes
        (0.5, None, 2.0),  # then all but the median
        (0.5, 0, 2.0),  # no limit to the rounds, as in astropy
    ],
)
def test_clipping(tmp_path, sigma, maxiters, expected):
    backgrounds = [rate(v) for v in (1.0, 2.0, 4.5, 104.0)]
    _, average = combined(rate(), backgrounds, tmp_path, sigma=sigma, maxiters=maxiters)
    np.testing.assert_allclose(average.data, expected, rtol=1e-6)


def test_pixels_without_value_do_not_count(tmp_path):
    first, second = rate(2.0), rate(4.0)
    first.data[0, 0] = np.nan
    first.data[0, 1] = second.data[0, 1] = np.nan
    second.data[0, 2] = np.inf
    result, average = combined(rate(), [first, second], tmp_path)
    np.testing.assert_array_equal(average.data[0, :4], [4, 0, 2, 3])
    np.testing.assert_allclose(average.err[0, :4], [0.5, 0, 0.5, 0.5 / np.sqrt(2)], rtol=1e-6)
    assert np.isfinite(result.data).all()


def test_integrations_are_averaged_first(tmp_path):
    background = rate(nints=3)
    background.data[:] = np.array([1.0, 2.0, 6.0], np.float32)[:, None, None]
    background.data[:, 0, 0] = [1.0, np.nan, 3.0]
    background.data[:, 0, 1] = np.nan
    background.err[:] = np.array([0.3, 0.4, 0.5], np.float32)[:, None, None]
    background.dq[1, 5, 5], background.dq[2, 5, 5] = 2, 16
    other = rate(5.0, nints=4)
    result, average = combined(rate(nints=2), [background, other], tmp_path)
    assert result.data.shape == (2, *SHAPE)
    np.testing.assert_array_equal(average.data[0, :3], [3.5, 5.0, 4.0])
    expected = np.sqrt((0.3**2 + 0.4**2 + 0.5**2) / 3 + 0.25) / 2
    np.testing.assert_allclose(average.err[1, 1], expected, rtol=1e-6)
    assert (result.dq[:, 5, 5] == 18).all() and np.count_nonzero(result.dq) == 2


def test_images_and_integrations_may_be_mixed():
    assert (run(rate(), [rate(3.0, nints=2)]).data == 7).all()
    assert (run(rate(nints=2), [rate(3.0)]).data == 7).all()


def test_subarrays_are_put_where_they_belong():
    box = CONFIG.aperture.box
    whole = rate(1.0, **{"subarray.xsize": 2048, "subarray.ysize": 2048})
    whole.meta.subarray.xstart = whole.meta.subarray.ystart = 1
    y, x = np.mgrid[:2048, :2048].astype(np.float32)
    for name in ("err", "var_poisson", "var_rnoise"):
        setattr(whole, name, np.ones((2048, 2048), np.float32))
    whole.dq = np.zeros((2048, 2048), np.uint32)
    whole.data = y + 10000 * x
    result = run(rate(), [whole])
    np.testing.assert_array_equal(result.data, np.float32(10) - whole.data[box.slices])
    shifted = rate(3.0, **{"subarray.xstart": box.x0 + 1 + 60, "subarray.ystart": box.y0 + 1 - 62})
    result = run(rate(), [shifted])
    assert (result.data[:2, 60:] == 7).all() and (result.data == 7).sum() == 8


def test_backgrounds_elsewhere_on_the_detector():
    elsewhere = rate(3.0, **{"subarray.xstart": 1, "subarray.ystart": 1})
    assert (run(rate(), [elsewhere, rate(2.0)]).data == 8).all()
    result = run(rate(), [elsewhere])
    assert result.meta.cal_step.bkg_subtract == "SKIPPED" and (result.data == 10).all()
    assert "no background exposure overlaps" in runs_of(result)[0]["steps"][0]["reason"]


def test_ways_to_give_backgrounds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rate().save("sci_rate.fits")
    for n, value in enumerate((1.0, 3.0)):
        rate(value).save(f"b{n}_rate.fits")
    expected = np.full(SHAPE, 8.0)
    for given in ("b0_rate.fits,b1_rate.fits,", ["b0_rate.fits", "b1_rate.fits"], [rate(1.0), rate(3.0)]):
        np.testing.assert_array_equal(BackgroundStep().run("sci_rate.fits", given).data, expected)
    named = BackgroundStep.call("sci_rate.fits", bkg_list="b0_rate.fits,b1_rate.fits")
    np.testing.assert_array_equal(named.data, expected)
    members = [("sci_rate.fits", "science"), ("b0_rate.fits", "background"), ("b1_rate.fits", "background")]
    entries = [{"expname": name, "exptype": kind} for name, kind in members]
    association = {
        "asn_type": "image2", "asn_id": "a3001", "asn_pool": "none", "asn_rule": "x", "program": "1",
        "products": [{"name": "p", "members": entries}],
    }  # fmt: skip
    (tmp_path / "asn.json").write_text(json.dumps(association))
    # the members of an association come first, and its folder is where they are
    monkeypatch.chdir("/")
    result = BackgroundStep().run(str(tmp_path / "asn.json"), "gone.fits")
    np.testing.assert_array_equal(result.data, expected)


def test_without_backgrounds():
    for given in (None, "", [], ","):
        result = run(rate(), given)
        assert result.meta.cal_step.bkg_subtract == "SKIPPED" and (result.data == 10).all()


@pytest.mark.parametrize(
    ("background", "message"),
    [
        (lambda: "gone_rate.fits", r"gone_rate\.fits does not exist.*bkg_list"),
        (lambda: rate(**{"instrument.detector": "NRCB2"}), "detector NRCB2.*NRCB1"),
        (lambda: rate(**{"instrument.filter": "F150W"}), "filter F150W.*F200W"),
        (lambda: datamodels.RampModel(np.zeros((1, 2, 4, 4), np.float32)), "RampModel"),
        (lambda: rate(**{"subarray.xstart": None, "filename": "b.fits"}), r"b\.fits.*SUBSTRT1"),
    ],
)
def test_backgrounds_that_do_not_fit(background, message):
    with pytest.raises(InputError, match=message):
        run(rate(), [background()])


def test_grisms_without_a_field_have_backgrounds_like_images():
    assert (run(rate(**{"exposure.type": "NRC_GRISM"}), [rate(3.0)]).data == 7).all()


def test_tilts_of_the_grating_must_agree():
    tilts = {"instrument.gwa_xtilt": 0.35, "instrument.gwa_ytilt": 0.13}
    model = rate(**{"instrument.name": "NIRSPEC", **tilts})
    same = rate(3.0, **{"instrument.name": "NIRSPEC", **tilts})
    other = rate(3.0, **{"instrument.name": "NIRSPEC", **tilts, "instrument.gwa_ytilt": 0.14})
    assert (run(model, [same]).data == 7).all()
    assert run(model, [same, other]).meta.cal_step.bkg_subtract == "SKIPPED"


def test_bands_do_not_matter(monkeypatch):
    rng = np.random.default_rng(1)
    backgrounds = [rate() for _ in range(5)]
    for b in backgrounds:
        b.data = rng.standard_t(2, SHAPE).astype(np.float32)
    results = []
    for pixels in (1 << 17, 500):
        monkeypatch.setattr("webbcal.exposure.images._BAND_PIXELS", pixels)
        results.append(run(rate(), backgrounds, sigma=1.5).data)
    np.testing.assert_array_equal(*results)
