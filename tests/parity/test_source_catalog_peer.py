"""Source catalogues against the peer's: the same mosaics and references, source by source."""

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from catalog_cases import Scene, make
from peer_process import needs_peer, run_peer

from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.simulate import CrdsCache, write_catalog_references

pytestmark = needs_peer

NIRISS = Scene("niriss", "NIRISS", "NIS", "F200W", "CLEAR", "F200W", "NIS_IMAGE", seed=2, holes=True)
FGS = Scene("fgs", "FGS", "GUIDER1", "N/A", None, None, "FGS_IMAGE", seed=3)
MIRI = Scene("miri", "MIRI", "MIRIMAGE", "F770W", "F770W", None, "MIR_IMAGE", seed=4, ratio=0.8)
CASES = (
    (Scene(pairs=6, galaxies=5, holes=True), {}),
    (Scene("options", pairs=6, galaxies=3, seed=1), {"aperture_ee1": 40, "aperture_ee2": 60, "npixels": 12}),
    (Scene("linear", pairs=6, seed=6), {"multithresh_mode": "linear", "connectivity": "4", "nlevels": 16}),
    (Scene("meshes", seed=7), {"bkg_boxsize": 60, "snr_threshold": 5.0, "deblend": False}),
    (Scene("ring", seed=8), {"localbkg_width": 12, "kernel_fwhm": 3.0, "ci1_star_threshold": 1.2}),
    (NIRISS, {"npixels": 9}),
    (FGS, {"npixels": 9}),
    (MIRI, {}),
    (dataclasses.replace(NIRISS, name="iraf"), {"starfinder": "iraf", "snr_threshold": 5.0}),
    (Scene("dao", seed=9), {"starfinder": "dao", "sharplo": 0.2, "roundlo": -1.0, "roundhi": 1.0}),
    (Scene("single", shape=(70, 64), step=64, faint=900.0, seed=5), {}),
)
EMPTY = (Scene("empty", faint=1e-3, bright=2e-3), {})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return for each case its name, our folder and table, and the peer's folder and number of sources."""
    folder = tmp_path_factory.mktemp("catalogs")
    cache = CrdsCache(folder / "crds")
    write_catalog_references(cache, ("NIRCAM", "NIRISS", "FGS", "MIRI"))
    ours, asked = [], []
    (folder / "ours").mkdir()
    (folder / "peer").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cache.environment.items():
            patch.setenv(name, value)
        for scene, parameters in (*CASES, EMPTY):
            path = folder / f"{scene.name}_i2d.fits"
            make(scene)[0].save(path)
            saved = {"save_results": True, "output_dir": str(folder / "ours")}
            ours.append(SourceCatalogStep.call(str(path), **saved, **parameters))
            shared = {"environment": cache.environment, "folder": str(folder / "peer")}
            asked.append(shared | {"path": str(path), "parameters": parameters})
    numbers = [int(a["number"]) for a in run_peer("source_catalog_peer.py", asked, folder)]
    names = [scene.name for scene, _ in (*CASES, EMPTY)]
    yield folder, dict(zip(names, zip(ours, numbers, strict=True), strict=True))
    for path in folder.rglob("*.fits"):
        path.unlink()


@pytest.mark.parametrize("scene", [scene for scene, _ in CASES], ids=lambda s: s.name)
def test_source_by_source(results, scene):
    folder, found = results
    assert found[scene.name][1] >= (15 if scene.name != "single" else 1)
    ours, peer = (QTable.read(folder / who / f"{scene.name}_cat.ecsv") for who in ("ours", "peer"))
    assert len(ours) == len(peer) == len(found[scene.name][0])
    assert ours.colnames == peer.colnames
    for name in peer.colnames:
        mine, theirs = ours[name], peer[name]
        if hasattr(theirs, "separation"):
            assert mine.separation(theirs).arcsec.max() < 1e-6, name
            continue
        assert mine.info.format == theirs.info.format
        known = np.isfinite(np.asarray(getattr(theirs, "value", theirs), float))
        if known.any():  # the peer gives columns that it knows nothing of no unit
            assert getattr(mine, "unit", None) == getattr(theirs, "unit", None), name
        mine, theirs = (np.asarray(getattr(v, "value", v)) for v in (mine, theirs))
        if theirs.dtype.kind in "iub":
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
        elif name.endswith("centroid"):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6, err_msg=name)
        else:
            small = 1e-6 if name == "roundness" else 0
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=small, err_msg=name)


@pytest.mark.parametrize("name", ["nircam", "meshes", "niriss", "miri"])
def test_segmentation_maps(results, name):
    folder, _ = results
    ours, peer = (folder / who / f"{name}_segm.fits" for who in ("ours", "peer"))
    np.testing.assert_array_equal(fits.getdata(ours), fits.getdata(peer))
    mine, theirs = (fits.getheader(path, "SCI") for path in (ours, peer))
    wcs = [k for k in theirs if k.startswith(("CRPIX", "CRVAL", "CTYPE", "CDELT", "PC", "CUNIT"))]
    assert len(wcs) >= 12
    for key in wcs:  # astropy rounds numbers of headers to 16 digits or less
        number = isinstance(theirs[key], float)
        assert mine[key] == (pytest.approx(theirs[key], rel=1e-14) if number else theirs[key]), key
    for key in ("SCATFILE", "DATAMODL", "INSTRUME", "FILTER", "FILENAME"):
        assert fits.getval(ours, key) == fits.getval(peer, key)


def test_metadata_of_catalogues(results):
    folder, _ = results
    ours, peer = (QTable.read(folder / who / "miri_cat.ecsv").meta for who in ("ours", "peer"))
    assert set(peer) <= set(ours)
    for key, value in peer["aperture_params"].items():
        np.testing.assert_allclose(ours["aperture_params"][key], value, rtol=1e-6)
    for key in ("abvega_offset", "kron_params", "local_bkg_width", "aperture_mask_method"):
        assert ours[key] == peer[key]


def test_nothing_found(results):
    folder, found = results
    assert found["empty"] == (None, -1)
    assert not list((folder / "ours").glob("empty*")) and not list((folder / "peer").glob("empty*"))
