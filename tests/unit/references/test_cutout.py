"""Where an exposure lies in a reference."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.references.cutout import Placement, check_detector, exposure_box, placement_of

EXPOSURE = Placement("exposure.fits", Box(800, 960, 512, 832), "NIRCAM", "NRCALONG", -1, 2)
FULL = Placement("gain reference g.fits", Box(0, 2048, 0, 2048), "NIRCAM", "NRCALONG", -1, 2)


def model(instrument="NIRCAM", detector="NRCALONG", **subarray):
    keys = ("xstart", "ystart", "xsize", "ysize", "fastaxis", "slowaxis")
    meta = SimpleNamespace(instrument=SimpleNamespace(name=instrument, detector=detector))
    meta.subarray = SimpleNamespace(**(dict.fromkeys(keys) | subarray))
    return SimpleNamespace(meta=meta)


def test_cut_from_full_frame_and_from_a_larger_subarray():
    assert exposure_box(FULL, EXPOSURE) == Box(800, 960, 512, 832)
    larger = replace(FULL, box=Box(700, 1000, 500, 900))
    assert exposure_box(larger, EXPOSURE) == Box(100, 260, 12, 332)
    assert exposure_box(replace(FULL, box=EXPOSURE.box), EXPOSURE) == Box(0, 160, 0, 320)


def test_placement_from_keywords():
    m = model(xstart=513, ystart=801, xsize=320, ysize=160, fastaxis=-1, slowaxis=2)
    assert placement_of(m, (5, 10, 160, 320), "exposure.fits") == EXPOSURE
    assert placement_of(m, None, "kernel").box is None


def test_no_keywords_means_full_frame():
    assert placement_of(model(), (2048, 2048), "r").box == Box(0, 2048, 0, 2048)
    assert placement_of(model("MIRI", "MIRIMAGE"), (60, 1024, 1032), "r").box == Box(0, 1024, 0, 1032)
    with pytest.raises(InputError, match="320 × 160"):
        placement_of(model(), (160, 320), "r")
    with pytest.raises(InputError, match="2048 × 2048"):
        placement_of(model("MIRI"), (2048, 2048), "r")


def test_array_counts_where_it_differs_from_the_keywords(caplog):
    with caplog.at_level(logging.WARNING):
        place = placement_of(model(xstart=1, ystart=1, xsize=2048, ysize=2048), (3200, 2048), "r")
    assert place.box == Box(0, 3200, 0, 2048)
    assert "2048 × 3200" in caplog.text


def test_corners_count_from_one():
    with pytest.raises(InputError, match="SUBSTRT"):
        placement_of(model(xstart=0, ystart=1, xsize=8, ysize=8), (8, 8), "r")


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"detector": "NRCBLONG"}, ("NRCBLONG", "NRCALONG")),
        ({"instrument": "NIRISS"}, ("NIRISS", "NIRCAM")),
        ({"fastaxis": 1}, ("FASTAXIS = 1", "-1")),
        ({"slowaxis": -2}, ("SLOWAXIS = -2", "2")),
        ({"box": Box(900, 1100, 0, 2048)}, ("rows 901–1100", "rows 801–960")),
        ({"box": Box(0, 2048, 0, 800)}, ("columns 1–800", "columns 513–832")),
    ],
)
def test_a_reference_that_does_not_fit_is_refused_with_both_values(change, values):
    with pytest.raises(ReferenceFileError) as error:
        check_detector(replace(FULL, **change), EXPOSURE)
        exposure_box(replace(FULL, **change), EXPOSURE)
    for value in (*values, "g.fits", "exposure.fits"):
        assert value in str(error.value)


def test_another_detector_may_be_warned_of_but_not_other_axes(caplog):
    check_detector(replace(FULL, instrument="NIRISS", detector="NIS"), EXPOSURE, warn_only=True)
    assert caplog.text.count("NIRISS") == 1 and "NIRCAM" in caplog.text
    with pytest.raises(ReferenceFileError, match="FASTAXIS"):
        check_detector(replace(FULL, fastaxis=1), EXPOSURE, warn_only=True)


@pytest.mark.parametrize("every", [None, "ANY", "N/A", "MULTIPLE"])
def test_references_for_all_detectors_fit(every):
    check_detector(replace(FULL, detector=every), EXPOSURE)
