"""source_catalog: products, names, parameters, and what it says to input it cannot work on."""

import numpy as np
import pytest
from astropy.table import QTable
from catalog_cases import Scene, make

from webbcal import datamodels
from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.core.errors import InputError, ParameterError, ReferenceFileError
from webbcal.run.record import runs_of
from webbcal.simulate import CrdsCache, write_catalog_references


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    made = CrdsCache(tmp_path_factory.mktemp("catalog") / "crds")
    write_catalog_references(made, ["NIRCAM"])
    return made


@pytest.fixture(autouse=True)
def _crds(cache, monkeypatch):
    for name, value in cache.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def mosaic():
    return make(Scene(shape=(140, 140), step=45, faint=500))[0]


def test_products(mosaic, tmp_path):
    mosaic.save(tmp_path / "field_i2d.fits")
    step = SourceCatalogStep()
    step.save_results, step.output_dir = True, str(tmp_path / "out")
    table = step.run(str(tmp_path / "field_i2d.fits"))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["field_cat.ecsv", "field_segm.fits"]
    read = QTable.read(tmp_path / "out" / "field_cat.ecsv")
    assert read.colnames == table.colnames and len(read) == len(table) == 9
    np.testing.assert_array_equal(read["aper50_flux"].value, table["aper50_flux"].value)
    assert read.meta["webbcal"]["status"] == "COMPLETE"
    assert read.meta["webbcal"]["parameters"]["npixels"] == {"value": 25, "origin": "default"}
    assert read.meta["webbcal"]["references"]["apcorr"]["name"].startswith("crds://jwst_nircam_apcorr")
    with datamodels.open(tmp_path / "out" / "field_segm.fits") as labels:
        assert type(labels).__name__ == "SegmentationMapModel" and labels.data.dtype == np.uint32
        assert labels.meta.source_catalog == "field_cat.ecsv"
        assert labels.meta.segmentation_map == labels.meta.filename == "field_segm.fits"
        assert labels.meta.cal_step.source_catalog == "COMPLETE"
        assert runs_of(labels)[-1]["steps"][-1]["step"] == "source_catalog"
        x, y = (np.rint(table[c]).astype(int) for c in ("xcentroid", "ycentroid"))
        np.testing.assert_array_equal(labels.data[y, x], table["label"])
        sky = labels.meta.wcs(table["xcentroid"], table["ycentroid"])
        np.testing.assert_allclose(sky[0], table["sky_centroid"].ra.deg, rtol=0, atol=1e-12)


def test_the_input_model_stays_as_it_was(mosaic):
    data, err = mosaic.data.copy(), mosaic.err.copy()
    table = SourceCatalogStep.call(mosaic)
    assert len(table) == 9
    np.testing.assert_array_equal(mosaic.data, data)
    np.testing.assert_array_equal(mosaic.err, err)
    assert mosaic.meta.bunit_data == "MJy/sr" and mosaic.meta.cal_step.source_catalog is None


def test_nothing_found_is_said(mosaic, caplog):
    step = SourceCatalogStep(snr_threshold=1e6)
    run = step.start(mosaic)
    assert run.result is None
    assert not run.done[0].applied and "no sources found in" in run.done[0].reason
    assert "no sources found" in caplog.text


def test_no_data_at_all(mosaic, caplog):
    mosaic.wht[:] = 0
    step = SourceCatalogStep()
    run = step.start(mosaic)
    assert run.result is None and "no sources found" in run.done[0].reason


def test_columns_follow_the_apertures(mosaic):
    table = SourceCatalogStep.call(mosaic, aperture_ee1=20, aperture_ee2=60, aperture_ee3=80)
    assert {"aper20_flux", "aper60_abmag_err", "aper80_vegamag", "CI_60_20", "CI_80_60"} <= set(
        table.colnames
    )
    assert "aper50_flux" not in table.colnames
    assert np.all(table["aper80_flux"] > table["aper60_flux"])
    shares = [np.median(table[f"aper{p}_flux"] / table["aper_total_flux"]) for p in (20, 60, 80)]
    np.testing.assert_allclose(shares, (0.2, 0.6, 0.8), atol=0.08)


@pytest.mark.parametrize("finder", ["dao", "iraf"])
def test_star_finders_have_no_segments(mosaic, tmp_path, finder):
    step = SourceCatalogStep(starfinder=finder, sharplo=0.0, roundlo=-2.0, roundhi=2.0, snr_threshold=20.0)
    step.save_results, step.output_dir, step.output_file = True, str(tmp_path), "stars_i2d.fits"
    table = step.run(mosaic)
    assert len(table) >= 8 and np.isnan(table["isophotal_area"]).all()
    assert [p.name for p in tmp_path.glob("stars*")] == ["stars_cat.ecsv"]


def test_a_source_at_a_hole_has_no_aperture_flux(mosaic):
    whole = SourceCatalogStep.call(mosaic)
    x, y = (round(float(whole[c][0])) for c in ("xcentroid", "ycentroid"))
    mosaic.data[y, x + 1] = mosaic.err[y, x + 1] = np.nan
    table = SourceCatalogStep.call(mosaic)
    assert np.isnan(table["aper70_flux"].value).sum() == 1 and np.isnan(table["aper_total_abmag"]).sum() == 1
    assert (
        np.isfinite(table["isophotal_flux"].value).all() and np.isfinite(table["aper_bkg_flux"].value).all()
    )


def test_parameters_from_words(mosaic):
    table = SourceCatalogStep.call(mosaic, connectivity="4", npixels="20", kron_params="2.5, 1.4")
    assert len(table) == 9
    with pytest.raises(ParameterError, match="must be increasing"):
        SourceCatalogStep.call(mosaic, aperture_ee1=70, aperture_ee2=50)
    with pytest.raises(ParameterError, match="kron_params"):
        SourceCatalogStep.call(mosaic, kron_params=[2.5])
    with pytest.raises(ParameterError, match="connectivity"):
        SourceCatalogStep.call(mosaic, connectivity=6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: setattr(m.meta, "bunit_data", "DN/s"), "DN/s.*needs MJy/sr"),
        (lambda m: setattr(m.meta.photometry, "pixelarea_steradians", None), "PIXAR_SR"),
        (lambda m: setattr(m.meta, "wcs", None), "no WCS"),
        (lambda m: setattr(m.meta.instrument, "name", "NIRSPEC"), "NIRSPEC"),
    ],
    ids=["units", "area", "wcs", "instrument"],
)
def test_what_is_missing_is_named(mosaic, cache, spoil, message):
    spoil(mosaic)
    folder = cache.root / "references" / "jwst" / "nircam"
    overrides = {f"override_{k}": str(next(folder.glob(f"*_{k}_*"))) for k in ("apcorr", "abvegaoffset")}
    with pytest.raises(InputError, match=message):
        SourceCatalogStep.call(mosaic, **overrides)


def test_an_exposure_is_no_mosaic():
    model = datamodels.ImageModel(np.zeros((8, 8), np.float32))
    model.update(make(Scene(shape=(60, 60)))[0])
    with pytest.raises(InputError, match="no ERR, WHT array"):
        SourceCatalogStep.call(model)


def test_references_without_rows(mosaic, caplog):
    mosaic.meta.instrument.filter = "F150W"
    mosaic.meta.instrument.pupil = "F162M"
    assert SourceCatalogStep.call(mosaic) is None
    assert "has no row for FILTER = F150W, PUPIL = F162M" in caplog.text
    mosaic.meta.instrument.pupil = "CLEAR"
    with pytest.raises(ReferenceFileError, match="no row for the aperture of 35 %"):
        SourceCatalogStep.call(mosaic, aperture_ee1=35)
    assert SourceCatalogStep.call(mosaic, override_apcorr="N/A") is None
    assert "No APCORR reference file found" in caplog.text
