"""Corrections of a WCS against those of tweakwcs: the same transforms, under the same names, in the tree."""

import numpy as np
import pytest
from test_image_wcs import TREES, tree_of
from tweakwcs.correctors import JWSTWCSCorrector

from webbcal.combine.alignment.tangent_correction import TangentCorrector
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs import trees
from webbcal.wcs.tree_wcs import TreeWCS

ANGLES = {"v2_ref": 88.7, "v3_ref": -490.8, "roll_ref": 30.0}
OTHER = {"v2_ref": 80.0, "v3_ref": -470.0, "roll_ref": 75.0}
TURN, SHIFT = [[1.0001, 3e-5], [-2e-5, 0.9999]], [0.3, -0.2]
X, Y = np.random.default_rng(7).uniform(0, 1000, (2, 200))


def pair(tree, angles=ANGLES):
    """Return our corrector and theirs."""
    return TangentCorrector(TreeWCS(tree), angles, {}), JWSTWCSCorrector(tree.resolve(), angles)


def same_places(ours, theirs, limit=1e-9):
    """Compare where pixels lie (arcsec), in the sky and in the tangent plane, and there and back."""
    sky = theirs.det_to_world(X, Y)
    assert np.abs(np.subtract(ours.det_to_world(X, Y), sky)).max() * 3600 < limit
    np.testing.assert_allclose(ours.world_to_det(*sky), theirs.world_to_det(*sky), rtol=0, atol=1e-7)
    plane = theirs.det_to_tanp(X, Y)
    np.testing.assert_allclose(ours.det_to_tanp(X, Y), plane, rtol=0, atol=limit)
    np.testing.assert_allclose(ours.tanp_to_det(*plane), theirs.tanp_to_det(*plane), rtol=0, atol=1e-7)
    np.testing.assert_allclose(ours.world_to_tanp(*sky), theirs.world_to_tanp(*sky), rtol=0, atol=limit)
    np.testing.assert_allclose(ours.tanp_to_world(*plane), theirs.tanp_to_world(*plane), rtol=0, atol=1e-12)
    # far outside of the frame, where polynomials make much of the last bits, which depend on the processor
    assert ours.tanp_center_pixel_scale == pytest.approx(theirs.tanp_center_pixel_scale, rel=1e-6)
    assert ours.bounding_box == theirs.bounding_box


@pytest.mark.parametrize("name", [name for name in TREES if name != "mosaic"])
def test_places_before_and_after_corrections(name):
    ours, theirs = pair(TREES[name](), ANGLES)
    same_places(ours, theirs)
    for _ in range(2):
        for corrector in (ours, theirs):
            corrector.set_correction(TURN, SHIFT)
        same_places(ours, theirs)
    assert ours.original_wcs.frames == theirs.original_wcs.available_frames


def test_corrections_in_the_plane_of_another_image():
    """Images are aligned in the tangent plane of the first: its axes have another direction and centre."""
    ours, theirs = pair(tree_of("NRCALONG"))
    others = pair(tree_of("NRCALONG", ra=53.1605), OTHER)
    for corrector, other in zip((ours, theirs), others, strict=True):
        corrector.set_correction(TURN, SHIFT, ref_tpwcs=other)
    same_places(ours, theirs, limit=1e-8)
    mixed, _ = pair(tree_of("NRCALONG"))
    mixed.set_correction(TURN, SHIFT, ref_tpwcs=others[1])
    same_places(mixed, theirs, limit=1e-8)


def test_the_tree_is_the_one_that_tweakwcs_would_leave():
    ours, theirs = pair(tree_of("NRCALONG"))
    for corrector in (ours, theirs):
        corrector.set_correction(TURN, SHIFT)
    again = tagged(ours.wcs.tree.resolve())  # with the names of inputs and outputs that gwcs adds
    same_nodes(again, tagged(theirs.wcs))
    assert ours.wcs.frames == ["detector", "v2v3", "v2v3vacorr", "v2v3corr", "world"]


def same_nodes(ours, theirs):
    if isinstance(theirs, Tagged):
        assert ours.tag == theirs.tag
        ours, theirs = ours.value, theirs.value
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key, value in theirs.items():
            same_nodes(ours[key], value)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same_nodes(a, b)
    elif isinstance(theirs, (float, np.ndarray)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-18)
    else:
        assert ours == theirs


def test_a_wcs_that_cannot_be_corrected_is_refused():
    with pytest.raises(ValueError, match="no frame v2v3"):
        TangentCorrector(TreeWCS(TREES["mosaic"]()), ANGLES, {})
    corrected = TREES["aligned"]()
    with pytest.raises(ValueError, match="another reference point"):
        TangentCorrector(TreeWCS(corrected), OTHER, {})
    steps = list(corrected.value["steps"])
    odd = trees.both(trees.scale(1.0), trees.scale(1.0))
    steps[2] = Tagged(steps[2].tag, steps[2].value | {"transform": odd})
    with pytest.raises(ValueError, match="not made by an alignment"):
        TangentCorrector(TreeWCS(Tagged(corrected.tag, corrected.value | {"steps": steps})), ANGLES, {})
