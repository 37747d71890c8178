"""Cleaning of single images of 1/f noise, against jwst 3.0.0: all methods, orientations and sizes."""

import numpy as np
import pytest
from peer_process import needs_peer, run_peer

from webbcal.detector.flicker_frame import FrameCleaner


def _image(seed, shape, lit):
    """Return an image with noise along rows, a sloped background, light in some rows, and missing pixels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(3.0, 2.0, shape) + 4.0 * np.cumsum(rng.normal(0, 0.2, (shape[0], 1)), axis=0)
    image += np.linspace(0, 5, shape[1])
    image += rng.normal(0, 1, (1, shape[1]))
    rows = slice(shape[0] // 3, shape[0] // 3 + lit)
    image[rows] += rng.exponential(80.0, image[rows].shape)
    image[rng.random(shape) < 0.002] = np.nan
    mask = np.ones(shape, bool)
    mask[rows] = rng.random(image[rows].shape) < 0.1
    return image.astype(np.float32), mask


def _case(
    shape=(64, 128), lit=10, seed=1, fit="median", background="median", n_sigma=2.0, detector="NRS1", **more
):
    image, mask = _image(seed, shape, lit)
    known = {"axis": 2, "by_channel": False, "box": None, "fc": [1061, 1211, 49943, 49957]}
    known |= {"fit_method": fit, "background_method": background, "n_sigma": n_sigma, "detector": detector}
    return {"image": image, "mask": mask, **known, **more}


def _full_frame():
    """Return a full frame with a gap in every line; only some lines have background at all, which saves time.

    No pixel of the background stands alone: jwst's single precision would not survive its weight.
    """
    case = _case((2048, 2048), 300, fit="fft", detector="NRS2", axis=1, background=None)
    case["mask"][600:1100] = False
    case["mask"][:, :-200] = False
    return case


CASES = {
    "median": _case(),
    "median_columns": _case(axis=1, seed=2),
    "no_clipping": _case(n_sigma=0.0),
    "no_background": _case(background=None),
    "model": _case(background="model"),
    "model_boxes": _case(background="model", box=[20, 24], seed=3),
    "odd_size": _case((31, 47), 4, background="model"),
    "channels": _case((8, 2048), 1, by_channel=True),
    "fft_nrs1": _case((512, 96), 100, fit="fft", axis=1),
    "fft_nrs2": _case((96, 480), 20, fit="fft", detector="NRS2", background="model", axis=1),
    "fft_small": _case((32, 64), 8, fit="fft", background=None, axis=1),
    "fft_allslits": _case((256, 64), 40, fit="fft", fc=[150, 200, 49943, 49957], axis=1),
    "fft_full_nrs2": _full_frame(),
}  # fmt: skip


@needs_peer
def test_images_are_cleaned_as_by_the_official_step(tmp_path):
    theirs = run_peer("flicker_peer.py", list(CASES.values()), tmp_path)
    for (name, case), expected in zip(CASES.items(), theirs, strict=True):
        cleaner = FrameCleaner(
            case["fit_method"], case["background_method"], case["box"], case["n_sigma"], case["axis"] - 1,
            4 if case["by_channel"] else 1, case["detector"],
            "ALLSLITS" if case["fc"][0] == 150 else "FULL",
        )  # fmt: skip
        mask = case["mask"].copy()
        found = cleaner.clean(case["image"], mask)
        np.testing.assert_array_equal(mask, expected["mask"], err_msg=name)
        np.testing.assert_array_equal(found.background, expected["background"], err_msg=name)
        if case["fit_method"] == "median":
            np.testing.assert_array_equal(found.image, expected["cleaned"], err_msg=name)
        else:  # jwst solves in single precision; the noise of a pixel is 2
            off = np.abs(found.image - expected["cleaned"])
            assert np.nanmax(off) < 0.01, (name, np.nanmax(off))
            assert np.nanstd(off) < 2e-4, (name, np.nanstd(off))


def test_an_image_without_background_is_left_alone():
    image, mask = _image(1, (16, 16), 2)
    cleaner = FrameCleaner("median", "median", None, 2.0, 1, 1, "NRCA1", "SUB160")
    assert cleaner.clean(image, np.zeros_like(mask)) is None


@pytest.mark.parametrize("method", ["median", "model", None])
def test_missing_pixels_stay_missing(method):
    image, mask = _image(5, (64, 64), 4)
    cleaned = FrameCleaner("median", method, None, 2.0, 1, 1, "NRCA1", "SUB160").clean(image, mask)
    np.testing.assert_array_equal(np.isnan(cleaned.image), np.isnan(image))
    rows = [np.nanstd(np.nanmedian(a[40:], axis=1)) for a in (cleaned.image, image)]
    assert rows[0] < 0.5 * rows[1]
