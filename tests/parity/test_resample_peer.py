"""Mosaics against the peer's: the same files and parameters."""

import numpy as np
import pytest
from astropy.io import fits
from combine_cases import dithered
from peer_process import needs_peer, run_peer
from products import VOLATILE

from webbcal import datamodels
from webbcal.combine.mosaic.resample import ResampleStep

pytestmark = needs_peer

CASES = {
    "defaults": {},
    "exptime": {"weight_type": "exptime"},
    "pixfrac": {"pixfrac": 0.7, "pixel_scale_ratio": 0.6},
    "scale": {"pixel_scale": 0.1, "fillval": "0"},
    "rotation": {"rotation": 10.0, "propagate_dq": True},
    "placed": {"output_shape": [220, 210], "crpix": [104.0, 99.0], "crval": [53.16, -27.79]},
    "point": {"kernel": "point"},
    "turbo": {"kernel": "turbo", "pixfrac": 0.9},
    "gaussian": {"kernel": "gaussian"},
    "lanczos3": {"kernel": "lanczos3"},
    "no errors": {"enable_err": False, "enable_ctx": False},
}
ARRAYS = ("SCI", "WHT", "ERR", "VAR_RNOISE", "VAR_FLAT", "VAR_POISSON", "CON", "DQ")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the files of the peer and ours for each case."""
    folder = tmp_path_factory.mktemp("mosaics")
    files = []
    for model in dithered(folder, rays=0)[0]:
        files.append(str(folder / model.meta.filename))
        model.save(files[-1])
    asked, ours = [], []
    for number, parameters in enumerate(CASES.values()):
        (folder / str(number)).mkdir()
        asked.append(
            {"step": "resample", "files": files, "parameters": parameters, "save": str(folder / str(number))}
        )
        model = ResampleStep(**parameters).run([datamodels.open(f) for f in files])
        ours.append(folder / str(number) / "ours_i2d.fits")
        model.save(ours[-1])
    run_peer("resample_peer.py", asked, folder)
    theirs = [path.with_name("peer_i2d.fits") for path in ours]
    return dict(zip(CASES, zip(ours, theirs, strict=True), strict=True))


def same_where_both_have_data(ours, theirs):
    """Return which pixels the peer has: it loses some at the edges of images and of the output."""
    weights = ours["WHT"].data, theirs["WHT"].data
    return np.isclose(*weights, rtol=1e-4, atol=0), weights


@pytest.mark.parametrize("name", CASES)
def test_arrays(results, name):
    with fits.open(results[name][0]) as ours, fits.open(results[name][1]) as theirs:
        assert {h.name for h in ours} == {h.name for h in theirs}
        same, weights = same_where_both_have_data(ours, theirs)
        # Point kernels put a pixel into one of two output pixels by its last digits, others lose edges.
        assert (~same).mean() < 0.01, (~same).sum()
        assert np.count_nonzero((weights[0] == 0) & (weights[1] != 0)) <= (12 if name == "point" else 0)
        for array in ARRAYS:
            if array not in ours:
                continue
            a, b = ours[array].data, theirs[array].data
            if a.dtype.kind != "f":
                assert (a != b)[..., same].sum() == 0, array
                continue
            # At the edge of an image the peer extrapolates the positions of corners, and we know them.
            atol = 1e-5 * np.nanmax(np.abs(b)) if "lanczos" in name else 0
            close, near = (np.isclose(a, b, rtol=r, atol=atol, equal_nan=True) | ~same for r in (2e-5, 1e-3))
            assert (~close).mean() < 0.01, (array, (~close).sum())
            assert near.all(), (array, (~near).sum(), a[~near][:3], b[~near][:3])


@pytest.mark.parametrize("name", CASES)
def test_keywords(results, name):
    with fits.open(results[name][0]) as ours, fits.open(results[name][1]) as theirs:
        for hdu in ("PRIMARY", "SCI"):
            a, b = ours[hdu].header, theirs[hdu].header
            for key in sorted((set(a) | set(b)) - VOLATILE - {"FILENAME", "S_REGION", "ASNPOOL", "ASNTABLE"}):
                x, y = a.get(key), b.get(key)
                # Areas of small polygons: the peer sums angles, of which few digits are left.
                limit = 1e-5 if key == "PXSCLRT" else 1e-9
                assert x == y or (isinstance(x, float) and x == pytest.approx(y, rel=limit)), (key, x, y)
        corners = [np.array(h["SCI"].header["S_REGION"].split()[2:], float) for h in (ours, theirs)]
        # The peer cuts at the centres of the outer pixels of a given grid, we at their edges.
        np.testing.assert_allclose(*corners, rtol=0, atol=2e-5 if name == "placed" else 3e-9)
        columns = [c for c in theirs["HDRTAB"].columns.names if not c.startswith("ASN")]
        assert ours["HDRTAB"].columns.names == columns
        for column in columns:
            assert (ours["HDRTAB"].data[column] == theirs["HDRTAB"].data[column]).all(), column
