"""Reference pixels: geometry in all orientations, and drifts that are put in and taken out again."""

import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.kernels.reference_pixels import cpu
from webbcal.kernels.reference_pixels.geometry import (
    Border,
    Geometry,
    axis_positions,
    border_boxes,
    cut_border,
    embed,
    to_detector,
)
from webbcal.kernels.reference_pixels.measure import Options, apply, apply_zeroframe, measure

AXES = [(1, 2), (1, -2), (-1, 2), (-1, -2), (2, 1), (2, -1), (-2, 1), (-2, -1)]
N = 64  # a small detector
REFERENCE = 1 << 31


def frame_to_detector(image, fastaxis, slowaxis):
    """The rule of the keywords, on a whole image."""
    if abs(fastaxis) == 1:
        return image[:: np.sign(slowaxis), :: np.sign(fastaxis)]
    return image[:: np.sign(fastaxis), :: np.sign(slowaxis)].T


@pytest.mark.parametrize("axes", AXES)
def test_strips_turn_into_the_detector_frame(axes):
    image = np.arange(N * N).reshape(N, N)
    geometry = Geometry(Box(0, N, 0, N), *axes, 4, size=N)
    detector = frame_to_detector(image, *axes)
    strips = to_detector(cut_border(image, geometry), geometry)
    expected = Border(detector[:4], detector[-4:], detector[:, :4], detector[:, -4:])
    for got, want in zip(strips, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    band = Box(10, 20, 3, 50)
    fast, slow = axis_positions(geometry, band)
    part = image[band.slices] if geometry.fast_is_x else image[band.slices].T
    np.testing.assert_array_equal(detector[np.ix_(slow, fast)], part)


def test_borders_of_subarrays():
    corner = Geometry(Box(0, 10, 50, 64), 1, 2, 1, size=N)
    bottom, top, left, right = border_boxes(corner)
    assert bottom == Box(0, 4, 0, 14)
    assert right == Box(0, 10, 10, 14)
    assert 0 in top.shape and 0 in left.shape
    assert all(0 in b.shape for b in border_boxes(Geometry(Box(20, 30, 20, 30), 1, 2, 1, size=N)))
    image = np.arange(140).reshape(10, 14)
    full = embed(cut_border(image, corner), corner, -1)
    np.testing.assert_array_equal(full.bottom[:, 50:], image[:4])
    np.testing.assert_array_equal(full.right[:10], image[:, 10:])
    assert (full.top == -1).all() and (full.left == -1).all() and (full.right[10:] == -1).all()


def test_impossible_geometry():
    with pytest.raises(ValueError, match="not two axes"):
        Geometry(Box(0, N, 0, N), 1, -1, 4)
    assert "does not fit" in Geometry(Box(0, 10, 60, 70), 1, 2, 1, size=N).misfit


def drifting(axes, box, noutputs):
    """Zero signal under known drifts: amplifiers, odd and even columns, slow drift from row to row."""
    column, row = np.arange(N), np.arange(N)
    pattern = 10.0 * (column // (N // 4)) if noutputs == 4 else np.zeros(N)
    detector = (pattern + 3.0 * (column % 2))[None, :] + (0.0 if noutputs != 4 else 1.0) * (row // 16)[
        :, None
    ]
    to_science = detector[:: np.sign(axes[1]), :: np.sign(axes[0])]
    if abs(axes[0]) == 2:
        to_science = detector.T[:: np.sign(axes[0]), :: np.sign(axes[1])]
    dq = np.full((N, N), REFERENCE, np.uint32)
    dq[4:-4, 4:-4] = 0
    return to_science[box.slices].astype(np.float32)[None, None].copy(), dq[box.slices].copy()


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize(
    "box, noutputs", [(Box(0, N, 0, N), 4), (Box(0, 20, 0, 30), 1), (Box(40, N, 8, N), 1)]
)
def test_known_drift_disappears(axes, box, noutputs):
    data, dq = drifting(axes, box, noutputs)
    geometry = Geometry(box, *axes, noutputs, size=N)
    options = Options(side_smoothing_length=3)
    correction = measure(cut_border(data, geometry), cut_border(dq, geometry), geometry, options, cpu)
    whole = Box.of_shape(data.shape)
    for band in whole.bands(7):
        part = data[(..., *band.slices)].copy()
        apply(part, correction, band, cpu)
        assert np.abs(part).max() < 1e-5


def test_without_reference_pixels_nothing_happens():
    geometry = Geometry(Box(20, 30, 20, 30), 1, 2, 1, size=N)
    data = np.ones((1, 1, 10, 10), np.float32)
    dq = np.zeros((10, 10), np.uint32)
    correction = measure(cut_border(data, geometry), cut_border(dq, geometry), geometry, Options(), cpu)
    assert correction.reason == "no valid reference pixels"
    apply(data, correction, Box(0, 10, 0, 10), cpu)
    assert (data == 1).all()


def test_zeroframe_keeps_its_zeros():
    geometry = Geometry(Box(0, N, 0, N), 1, 2, 4, size=N)
    data, dq = drifting((1, 2), Box(0, N, 0, N), 4)
    zeroframe = data[:, 0] + 5
    zeroframe[0, 30, 30] = 0
    border = cut_border(zeroframe[:, None], geometry)
    correction = measure(border, cut_border(dq, geometry), geometry, Options(), cpu, continued=True)
    assert not correction.single.any()
    apply_zeroframe(zeroframe, correction, Box(0, N, 0, N), cpu)
    assert zeroframe[0, 30, 30] == 0
    assert np.abs(zeroframe[0, 20, 20]) < 1e-5


def test_part_of_the_integrations():
    rng = np.random.default_rng(1)
    geometry = Geometry(Box(0, N, 0, N), -1, 2, 4, size=N)
    data = rng.normal(0, 5, (3, 2, N, N)).astype(np.float32)
    dq = np.zeros((N, N), np.uint32)
    correction = measure(cut_border(data, geometry), cut_border(dq, geometry), geometry, Options(), cpu)
    whole, part = data.copy(), data[1:3].copy()
    apply(whole, correction, Box(0, N, 0, N), cpu)
    apply(part, correction.integrations(1, 3), Box(0, N, 0, N), cpu)
    np.testing.assert_array_equal(part, whole[1:3])
