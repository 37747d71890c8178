"""clean_flicker_noise: cut into blocks, alone and in the pipeline, on ramps and rates, and when it cannot."""

import os
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import ParameterError, PlanError
from webbcal.core.threads import run_on_threads
from webbcal.detector import draft_rate, flicker_scan, scene_mask
from webbcal.detector.clean_flicker_noise import CleanFlickerNoiseStep
from webbcal.detector.flicker_frame import FrameCleaner
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.kernels.flicker import fourier
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.engine import block_plan, tiling

SAVED = {"save_mask": True, "save_background": True, "save_noise": True}
EXTRA = ("mask", "flicker_bkg", "flicker_noise")


def run(uncal: Any, folder: str, **parameters: Any) -> dict[str, np.ndarray]:
    """Run stage 1 with the step; return the arrays of all that it saves."""
    words = {"skip": False, "save_results": True, **parameters}
    Detector1Pipeline.call(
        uncal, output_dir=folder, save_results=True, save_calibrated_ramp=True,
        steps={"clean_flicker_noise": words},
    )  # fmt: skip
    found = {}
    for name in os.listdir(folder):  # noqa: PTH208
        with fits.open(f"{folder}/{name}") as hdus:
            kind = name.removesuffix(".fits").partition("nrcb1_")[2]
            found |= {f"{kind}.{h.name}": h.data.copy() for h in hdus if isinstance(h, fits.ImageHDU)}
    return found


@pytest.mark.parametrize("single", [True, False])
def test_blocks_do_not_matter(crds: Any, monkeypatch: pytest.MonkeyPatch, single: bool) -> None:
    expected = run(crds.uncal[0], "whole", single_mask=single, **SAVED)
    assert {f"{kind}.SCI" for kind in EXTRA} <= set(expected)
    monkeypatch.setattr(tiling, "FRAMES_BYTES", 4 * 64 * 64 * 2)  # two groups at a time
    monkeypatch.setattr(block_plan.BlockPlan, "kept_bytes", property(lambda self: 0))  # in scratch space
    monkeypatch.setattr(flicker_scan, "run_on_threads", lambda w, items, _: run_on_threads(w, items, 3))
    found = run(crds.uncal[0], "blocks", single_mask=single, **SAVED)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_boxes_that_do_not_divide_a_frame_are_told_once(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    run(crds.uncal[0], "model", background_method="model", background_box_size=[30, 64])
    assert caplog.text.count("do not divide an image of (64, 64) pixels") == 1


def test_boxes_that_cannot_be(crds: Any) -> None:
    with pytest.raises(PlanError, match="a box has at least one pixel"):
        CleanFlickerNoiseStep(background_method="model", background_box_size="0, 4").run(crds.uncal[0])
    with pytest.raises(ParameterError, match="list of int with a length >= 2 and <= 2"):
        CleanFlickerNoiseStep(background_box_size=[4])


def test_what_is_saved_fits_together(crds: Any) -> None:
    found = run(crds.uncal[0], "one", **SAVED)
    before = run(crds.uncal[0], "none", skip=True)
    noise = found["flicker_noise.SCI"]
    np.testing.assert_array_equal(noise, found["ramp.SCI"] - before["ramp.SCI"])
    assert not noise[:, 0].any() and noise[:, 1:].any()
    assert set(np.unique(found["mask.SCI"])) == {0.0, 1.0}
    np.testing.assert_array_equal(found["clean_flicker_noise.SCI"], found["ramp.SCI"])


def test_alone_it_is_what_it_is_in_the_pipeline(crds: Any) -> None:
    expected = run(crds.uncal[0], "pipeline")
    run(crds.uncal[0], "before", skip=True)
    (ramp,) = (f"before/{n}" for n in os.listdir("before") if n.endswith("_ramp.fits"))  # noqa: PTH208
    alone = CleanFlickerNoiseStep().run(ramp)
    np.testing.assert_array_equal(alone.data, expected["ramp.SCI"])
    assert alone.meta.cal_step.clean_flicker_noise == "COMPLETE"


def test_rates_are_cleaned_too(crds: Any) -> None:
    rate, rateints = Detector1Pipeline.call(crds.uncal[0]), None
    run(crds.uncal[0], "rates", skip=True)
    (path,) = (f"rates/{n}" for n in os.listdir("rates") if n.endswith("_rateints.fits"))  # noqa: PTH208
    rateints = datamodels.open(path)
    for model in (rate, rateints):
        before = np.array(model.data)
        for single in (True, False):
            cleaned = CleanFlickerNoiseStep(single_mask=single).run(model)
            assert type(cleaned) is type(model)
            assert not np.array_equal(cleaned.data, before, equal_nan=True)
            np.testing.assert_array_equal(np.isnan(cleaned.data), np.isnan(before))
            np.testing.assert_array_equal(cleaned.err, model.err)


def test_the_draft_is_the_rate(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft, seen by a step that keeps it, equals what ramp_fit makes of the same ramps."""
    run(crds.uncal[0], "before", skip=True)
    (ramp,) = (f"before/{n}" for n in os.listdir("before") if n.endswith("_ramp.fits"))  # noqa: PTH208
    seen = {}

    def keep(exposure: Any, references: Any, survey: Any) -> Any:
        each = draft_rate.DraftIntegrations(exposure, references, survey)
        seen["ints"] = [each.rate(i) for i in survey.ints]
        seen["rate"] = draft(exposure, references, survey)
        return seen["rate"]

    draft = draft_rate.draft_rate
    monkeypatch.setattr(scene_mask, "draft_rate", keep)
    CleanFlickerNoiseStep().run(ramp)
    rate, rateints = RampFitStep().run(ramp)
    np.testing.assert_array_equal(seen["rate"].data, rate.data)
    np.testing.assert_array_equal(seen["rate"].dq, rate.dq)
    np.testing.assert_array_equal([d.data for d in seen["ints"]], rateints.data)
    np.testing.assert_array_equal([d.dq for d in seen["ints"]], rateints.dq)


@pytest.mark.parametrize(
    "parameters, said",
    [({"fit_method": "fft"}, "fft does not apply"), ({"user_mask": "m.fits"}, "m.fits has shape")],
)
def test_what_cannot_be_done_fails_and_leaves_the_ramps(
    crds: Any, parameters: Any, said: str, caplog: Any
) -> None:
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 3), np.float32), name="SCI")]).writeto(
        "m.fits"
    )
    before = run(crds.uncal[0], "before", skip=True)
    with caplog.at_level("INFO"):
        after = run(crds.uncal[0], "after", save_mask=True, **parameters)
    np.testing.assert_array_equal(after["ramp.SCI"], before["ramp.SCI"])
    assert "mask.SCI" not in after
    (rate,) = (f"after/{n}" for n in os.listdir("after") if n.endswith("_rate.fits"))  # noqa: PTH208
    with datamodels.open(rate) as model:
        assert model.meta.cal_step.clean_flicker_noise == "FAILED"


@pytest.mark.parametrize("shape", [(2048, 2048), (16, 16)])
def test_an_image_whose_frequencies_cannot_be_told_apart_is_left(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    """Rounding hardly ever leaves equations exactly singular, so that LAPACK's answer is put here."""

    def singular(*_: Any) -> Any:
        raise np.linalg.LinAlgError("Singular matrix")

    image, mask = np.ones(shape, np.float32), np.ones(shape, np.bool_)
    cleaner = FrameCleaner("fft", "median", None, 2.0, 0, 1, "NRS1", "FULL")
    assert cleaner.clean(image, mask.copy()) is not None
    monkeypatch.setattr(fourier.np.linalg, "solve", singular)
    assert cleaner.clean(image, mask) is None


def test_slits_of_nirspec_are_asked_for_in_a_sentence(crds: Any) -> None:
    with datamodels.open(crds.uncal[0]) as model:
        model.meta.instrument.name, model.meta.exposure.type = "NIRSPEC", "NRS_BRIGHTOBJ"
        with pytest.raises(PlanError, match="user_mask"):
            CleanFlickerNoiseStep(mask_science_regions=True).run(model)
