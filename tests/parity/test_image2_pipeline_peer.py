"""Image2Pipeline as a whole against jwst 3.0.0, on the four imagers: every product, keyword and value."""

import re

import numpy as np
import pytest
from astropy.io import fits
from imaging_scenes import SCENES
from mosaics import compare_headers, compare_mosaics, compare_trees
from peer_process import needs_peer
from products import compare

from webbcal import datamodels

pytestmark = [needs_peer, pytest.mark.xdist_group("imaging")]

RUNS = (*SCENES, "ints", "background")

#: Differences that docs/parity.md names and explains.
KEYWORDS = (
    r"PRIMARY: S_BKDSUB is 'SKIPPED' instead of '\(none\)'",
    r"SCI: ([AB]P_(0_1|1_0)|SIP(MX|IV)ERR) is .* instead of '\(none\)'",
)
TREE = (
    r"meta\.(date|calibration_software_\w+|ref_file\.crds\.\w+|filename) is .*",
    r"meta\.cal_step\.bkg_subtract is 'SKIPPED' instead of '\(none\)'",
    r"meta\.wcsinfo\.([ab]p_(0_1|1_0)|sip\w+err) is .*",
    r"meta\.(asn\.exptype|group_id|wcsinfo\.(latpole|lonpole|mjdref|radesys|wcsname)) is '\(none\)' .*",
)


def unknown(problems, known):
    """Return the problems that are not known."""
    return [p for p in problems if not any(re.fullmatch(k, p, re.DOTALL) for k in known)]


@pytest.mark.parametrize("run", RUNS)
def test_same_files(calibrated, run):
    ours, theirs = (sorted(p.name for p in f.glob("*.fits")) for f in calibrated.pair(run))
    assert ours == theirs
    suffixes = {name.rpartition("_")[2] for name in ours}
    expected = {"ints": {"calints.fits"}, "background": {"bsub.fits", "combinedbackground.fits"}}
    assert suffixes >= expected.get(run, set()) | ({"cal.fits", "i2d.fits"} if run != "ints" else set())


@pytest.mark.parametrize("run", RUNS)
def test_calibrated_exposures(calibrated, run):
    """Flags are the same bit for bit, numbers to 1e-6, the keywords and the tree the same."""
    ours, theirs = calibrated.pair(run)
    products = [p.name for p in ours.iterdir() if re.search(r"_(cal|calints|bsub)\.fits", p.name)]
    assert products
    for name in products:
        found = compare(ours / name, theirs / name)
        assert not unknown([p for p in found.problems if " is " not in p], KEYWORDS), name
        assert not unknown(compare_headers(ours / name, theirs / name), KEYWORDS), name
        assert max(share for _, share in found.worst.values()) < 0.01, (name, found.worst)
        assert not unknown(compare_trees(ours / name, theirs / name), TREE), name
        with fits.open(ours / name) as a, fits.open(theirs / name) as b:
            for hdu in ("SCI", "ERR", "VAR_RNOISE", "VAR_POISSON"):
                np.testing.assert_allclose(a[hdu].data, b[hdu].data, rtol=1e-6, err_msg=f"{name} {hdu}")
            assert (a["DQ"].data & 1).any() and a["SCI"].data[np.isfinite(a["SCI"].data)].std() > 0


@pytest.mark.parametrize("run", (*SCENES, "ints"))
def test_world_coordinates(calibrated, run):
    """Sky positions agree to 1e-6 arcsec, pixel positions to 1e-6 pixel."""
    ours, theirs = calibrated.pair(run)
    for path in ours.glob("*_cal*.fits"):
        with datamodels.open(path) as mine, datamodels.open(theirs / path.name) as other:
            ny, nx = mine.shape[-2:]
            x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9)))
            sky = mine.meta.wcs(x, y)
            assert np.ptp(sky[0]) > 1e-3
            np.testing.assert_allclose(sky, other.meta.wcs(x, y), rtol=0, atol=1e-6 / 3600)
            back = (m.meta.wcs.invert(*sky) for m in (mine, other))
            np.testing.assert_allclose(*back, rtol=0, atol=1e-6)
            assert mine.meta.wcs.available_frames == other.meta.wcs.available_frames


@pytest.mark.parametrize("run", (*SCENES, "background"))
def test_quick_looks(calibrated, run):
    """Mosaics of one exposure agree away from its edges; at the edges at most 2% of the pixels differ."""
    ours, theirs = calibrated.pair(run)
    for path in ours.glob("*_i2d.fits"):
        exposure = path.with_name(path.name.replace("_i2d", "_cal"))
        found = compare_mosaics(path, theirs / path.name, [exposure])
        assert not found.problems, path.name
        assert found.differs.mean() < 0.02, (path.name, found.differs.sum())
        assert not unknown(compare_headers(path, theirs / path.name), KEYWORDS), path.name
        assert not unknown(compare_trees(path, theirs / path.name), TREE), path.name
