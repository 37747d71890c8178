from dataclasses import replace

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.errors import InputError
from webbcal.simulate.headers import exposure_metadata, iso_time

CONFIG = simulate.ExposureConfig(
    subarray="SUB64P", readpatt="SHALLOW4", ngroups=3, nints=2, zeroframe=True, cosmic_rays=500.0,
    sky=simulate.Sky(stars=3e4), start_mjd=60000.25,
)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    return simulate.expose(CONFIG)


def test_the_model_holds_the_exposure(made):
    model = made.model
    assert type(model).__name__ == "Level1bModel"
    assert model.data.shape == (2, 3, 64, 64) and model.data.dtype == np.uint16
    assert model.zeroframe.shape == (2, 64, 64) and model.zeroframe.dtype == np.uint16
    e = model.meta.exposure
    assert (e.nints, e.ngroups, e.nframes, e.groupgap, e.readpatt) == (2, 3, 4, 1, "SHALLOW4")
    assert (e.type, e.zero_frame, e.noutputs) == ("NRC_IMAGE", True, 1)
    assert e.group_time == pytest.approx(5 * 0.05016) and e.frame_time == pytest.approx(0.05016)
    assert (model.meta.instrument.channel, model.meta.instrument.module) == ("LONG", "A")
    assert (model.meta.instrument.filter, model.meta.instrument.pupil) == ("F444W", "CLEAR")


def test_metadata_fit_the_keyword_table():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for detector, pattern, band in (
            ("NRCA3", "DEEP8", "F200W"),
            ("NIS", "NIS", "F150W"),
            ("GUIDER1", "FGS", "N/A"),
        ):
            config = simulate.ExposureConfig(detector=detector, readpatt=pattern, filter=band)
            model = datamodels.Level1bModel(strict_validation=True)
            from webbcal.simulate.headers import assign

            assign(model, exposure_metadata(config))
            assert model.meta.instrument.detector == detector


def test_every_keyword_reaches_the_file(made, tmp_path):
    uncal, truth = made.save(tmp_path)
    assert uncal.name == "jw01234001001_02101_00001_nrcalong_uncal.fits"
    assert truth is not None and truth.name.endswith("_truth.fits")
    with datamodels.open(uncal) as model:
        for path, value in exposure_metadata(CONFIG).items():
            node = model.meta
            for name in path.split("."):
                node = getattr(node, name)
            assert node == pytest.approx(value) if isinstance(value, float) else node == value, path
        np.testing.assert_array_equal(model.data, made.model.data)
        np.testing.assert_array_equal(model.zeroframe, made.model.zeroframe)


def test_tables_follow_the_clock(made):
    group, ints = made.model.group, made.model.int_times
    assert len(group) == 6 and len(ints) == 2
    assert list(group["group_number"]) == [1, 2, 3, 1, 2, 3]
    assert list(group["integration_number"]) == [1, 1, 1, 2, 2, 2]
    steps = np.diff(group["bary_end_time"]) * 86400
    frame = 0.05016
    # five frames from group to group; the next integration begins after one frame of reset
    np.testing.assert_allclose(steps, [5 * frame, 5 * frame, 5 * frame, 5 * frame, 5 * frame], rtol=1e-3)
    assert group["end_day"][0] == 60000 - 51544
    length = (ints["int_end_MJD_UTC"] - ints["int_start_MJD_UTC"]) * 86400
    np.testing.assert_allclose(length, 14 * frame, rtol=1e-3)
    assert ints["int_start_MJD_UTC"][0] == 60000.25
    np.testing.assert_allclose(
        (ints["int_start_BJD_TDB"] - ints["int_start_MJD_UTC"]) * 86400, 69.184, rtol=1e-4
    )


def test_times_are_written_as_dates():
    assert iso_time(60000.25) == "2023-02-25T06:00:00.000"
    assert iso_time(60000.99999999999) == "2023-02-26T00:00:00.000"


def test_truth_survives_saving(made, tmp_path):
    path = tmp_path / "t.fits"
    made.truth.save(path)
    back = simulate.Truth.load(path)
    for name in ("rate", "rate_dn", "dark", "first_saturated", "hits", "sources"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made.truth, name))
        assert getattr(back, name).dtype.isnative
    with pytest.raises(InputError, match="truth"):
        uncal, _ = made.save(tmp_path, with_truth=False)
        simulate.Truth.load(uncal)


def test_a_universe_has_exposures_truth_and_references(tmp_path):
    configs = simulate.dithered(
        simulate.ExposureConfig(subarray="SUB64P", ngroups=2), [(0.0, 0.0), (0.5, 0.0)]
    )
    world = simulate.universe(tmp_path, configs, simulate.ReferenceOptions(subarray_only=True))
    names = [f"jw01234001001_02101_0000{k}_nrcalong_uncal.fits" for k in (1, 2)]
    assert [p.name for p in world.uncal] == names
    assert all(p.exists() for p in (*world.uncal, *world.truth))
    assert world.environment["CRDS_PATH"] == str(tmp_path / "crds")
    assert (tmp_path / "crds/config/jwst/server_config").exists()
    again = simulate.universe(tmp_path, configs, simulate.ReferenceOptions(subarray_only=True))
    references = sorted(p.name for p in (tmp_path / "crds/references/jwst/nircam").iterdir())
    parameters = [name for name in references if "_pars-" in name]
    assert (len(references), len(parameters)) == (16, 2), references  # written over, not beside
    with datamodels.open(again.uncal[1]) as a, datamodels.open(world.uncal[1]) as b:
        np.testing.assert_array_equal(a.data, b.data)


def test_a_pointing_error_moves_the_sky_but_not_the_header():
    off = simulate.expose(replace(CONFIG, pointing_error=(0.2, -0.1)))
    straight = simulate.expose(CONFIG)
    assert off.model.meta.wcsinfo.ra_ref == straight.model.meta.wcsinfo.ra_ref
    ids, i, j = np.intersect1d(off.truth.sources["id"], straight.truth.sources["id"], return_indices=True)
    assert len(ids) > 10
    a, b = off.truth.sources[i], straight.truth.sources[j]
    np.testing.assert_allclose(
        np.hypot(a["x"] - b["x"], a["y"] - b["y"]), np.hypot(0.2, 0.1) / 0.063, rtol=0.03
    )
