"""Steps on MIRI LRS with parameters of their own against jwst 3.0.0, product by product."""

import re

import pytest
from astropy.io import fits
from lrs_steps import CASES, SERIES, TOGETHER, lrs  # noqa: F401
from peer_process import needs_peer
from products import compare

from webbcal import datamodels
from webbcal.run.registry import step_class
from webbcal.wcs.of_model import wcs_of

pytestmark = needs_peer

#: Differences that docs/parity.md names and explains.
KNOWN = (
    r"SCI: S_REGION is .*",  # the last digit (1e-9 degrees): the peer goes through a position angle
    r"PRIMARY: NDRIZ is 1 instead of [2-9]",  # intermediate products: the peer counts on
)


def problems(ours, theirs):
    return [p for p in compare(ours, theirs).problems if not any(re.fullmatch(k, p) for k in KNOWN)]


@pytest.mark.parametrize("name", [*CASES, *SERIES])
def test_one_exposure(lrs, name):  # noqa: F811
    assert not problems(*lrs.pair(name))


@pytest.mark.parametrize("name", TOGETHER)
def test_both_nods(lrs, name):  # noqa: F811
    job = lrs.together(name, "ours")
    step_class(job["class"]).call(job["input"], output_dir=job["output_dir"], **job["parameters"])
    sides = ((lrs.folder / side / name).glob("*.fits") for side in ("ours", "theirs"))
    ours, theirs = ({path.name: path for path in paths} for paths in sides)
    assert sorted(ours) == sorted(theirs)
    found = {file: problems(ours[file], theirs[file]) for file in ours}
    assert not any(found.values()), found


def test_s_region_is_the_same_but_for_the_last_digit(lrs):  # noqa: F811
    regions = []
    for path in lrs.pair("s2d"):
        with fits.open(path) as hdus:
            regions.append([float(v) for v in hdus["SCI"].header["S_REGION"].split()[2:]])
    assert regions[0] == pytest.approx(regions[1], abs=3e-9)


def test_wcs_of_the_rectified_spectrum(lrs):  # noqa: F811
    """Both packages' trees say the same, forward and back."""
    ours, theirs = (wcs_of(datamodels.open(path)) for path in lrs.pair("s2d"))
    for x, y in ((3.0, 40.0), (20.5, 333.3)):
        world = [float(v) for v in ours(x, y)]
        assert world == pytest.approx([float(v) for v in theirs(x, y)], abs=1e-10)
        assert [float(v) for v in ours.invert(*world)] == pytest.approx((x, y), abs=1e-6)
    assert ours.bounding_box == theirs.bounding_box and ours.array_shape == theirs.array_shape
