"""The WCS of a rectified spectrum, evaluated without gwcs, must be what gwcs makes of its tree."""

import numpy as np
import pytest

from webbcal.combine.rectified.trees import Line, rectified_wcs
from webbcal.wcs.tree_wcs import TreeWCS

SCALE = 0.11 / 3600


@pytest.mark.parametrize("dispersion", [0, 1])
@pytest.mark.parametrize("angle", [10.0, 80.0, 200.0])
@pytest.mark.parametrize("falling", [True, False])
def test_forward_and_back(dispersion, angle, falling):
    waves = np.linspace(5.0, 12.0, 30) ** 1.1
    waves = waves[::-1].copy() if falling else waves
    shape = (20, 30) if dispersion == 0 else (30, 20)
    slopes = SCALE * np.cos(np.radians(angle)), SCALE * np.sin(np.radians(angle))
    lines = [Line(slope, -9.5 * slope) for slope in slopes]
    tree = rectified_wcs(*lines, (359.9999, 40.0), waves, shape, dispersion)
    ours, theirs = TreeWCS(tree), tree.resolve()
    y, x = np.mgrid[0 : shape[0] : 3, 0 : shape[1] : 3].astype(float)
    world = ours(x, y)
    for mine, other in zip(world, theirs(x, y), strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-10)
    for given, back, other in zip(
        (x, y), ours.invert(*world), theirs.invert(*world, with_bounding_box=False), strict=True
    ):
        np.testing.assert_allclose(back, given, atol=1e-5)
        np.testing.assert_allclose(back, other, atol=1e-6)
    # Beyond the table wavelengths go on as at its ends.
    outside = [-1.0, -2.0]
    beyond = ours(
        *((outside, [3.0, 3.0]) if dispersion == 0 else ([3.0, 3.0], outside)), with_bounding_box=False
    )
    step = waves[1] - waves[0]
    assert beyond[2][0] == pytest.approx(waves[0] - step)
    assert theirs.array_shape == ours.array_shape == shape
