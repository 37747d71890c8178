"""The same thing twice: exposures in a mosaic, a step on its own product, an exposure as its background."""

import logging
import shutil

import numpy as np
import pytest
from combine_cases import dithered
from stage2_cases import flat, rate

from webbcal import datamodels
from webbcal.associations import asn_from_list
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.core.errors import InputError
from webbcal.detector.superbias import SuperBiasStep
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.library import ModelContainer
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.run.registry import step_class


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    models, _ = dithered(tmp_path_factory.mktemp("twice"), ((0.0, 0.0), (5.3, -3.6)))
    return models


@pytest.mark.parametrize("step", [ResampleStep, SkyMatchStep, Image3Pipeline])
@pytest.mark.parametrize("held", [list, tuple, ModelContainer])
def test_one_model_twice_is_refused(step, held, pair):
    with pytest.raises(InputError, match=r"nrcalong_cal\.fits.* twice"):
        step().run(held([pair[0], pair[1], pair[0]]))


def test_copies_of_one_exposure_are_told(pair, tmp_path, caplog):
    path = pair[0].save(tmp_path / "a_cal.fits")
    shutil.copy(path, tmp_path / "b_cal.fits")
    ResampleStep.call([path, str(tmp_path / "b_cal.fits")])
    assert "a_cal.fits, b_cal.fits are one exposure of one detector" in caplog.text
    assert "counts 2 times" in caplog.text


def test_two_exposures_are_not(pair, caplog):
    ResampleStep.call(pair)
    other = pair[0].copy()
    other.meta.instrument.detector = "NRCA1"
    ResampleStep.call([pair[0], other])
    assert "one exposure" not in caplog.text


@pytest.mark.parametrize("spelling", ["{}", "./{}", "link_{}"])
def test_an_exposure_as_its_own_background(spelling, tmp_path):
    rate().save("a_rate.fits")
    (tmp_path / "link_a_rate.fits").symlink_to("a_rate.fits")
    members = [("a_rate.fits", "science"), (spelling.format("a_rate.fits"), "background")]
    with pytest.raises(InputError, match="is its own background"):
        Image2Pipeline.call(asn_from_list(members, product_name="m", with_exptype=True))


def ramp():
    model = datamodels.RampModel(data=np.full((1, 2, 4, 4), 5.0, "f4"))
    model.meta.filename = "a_ramp.fits"
    return model


def test_a_step_on_its_own_product_says_so(caplog):
    bias = datamodels.SuperBiasModel(data=np.ones((4, 4), "f4"))
    once = SuperBiasStep.call(ramp(), override_superbias=bias)
    assert "again" not in caplog.text
    twice = SuperBiasStep.call(once, override_superbias=bias)
    assert (
        "superbias was applied to it already, and is applied again: the data are changed twice" in caplog.text
    )
    assert (twice.data == 3).all()  # steps alone do what they are told


def test_jumps_are_looked_for_again_with_a_word(caplog):
    model = ramp()
    model.meta.cal_step.jump = "COMPLETE"
    model.meta.exposure.nframes, model.meta.exposure.group_time = 1, 10.0
    gain, noise = datamodels.GainModel(data=np.ones((4, 4))), datamodels.ReadnoiseModel(data=np.ones((4, 4)))
    step_class("jump").call(model, override_gain=gain, override_readnoise=noise)
    assert "a_ramp.fits: jump was applied to it already, and is applied again: the flags" in caplog.text


def test_what_undoes_a_step_is_no_repetition(caplog):
    others = dict.fromkeys(("override_fflat", "override_sflat", "override_dflat"), "N/A")
    with caplog.at_level(logging.WARNING):
        once = FlatFieldStep.call(rate(), override_flat=flat(), **others)
        FlatFieldStep.call(once, override_flat=flat(), inverse=True, **others)
        assert "again" not in caplog.text
        FlatFieldStep.call(once, override_flat=flat(), **others)
    assert "flat_field was applied to it already, and is applied again" in caplog.text
