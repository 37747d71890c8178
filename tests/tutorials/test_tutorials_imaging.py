"""What the field's notes on stages 2 and 3 do for imaging (seed 002), operation by operation, in their order.

docs/tutorials.md lists them all.
"""

import io
import json
from pathlib import Path
from typing import Any

import asdf
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.core.dqflags import pixel as DQ
from webbcal.datamodels import ImageModel
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline import Image2Pipeline, Image3Pipeline, calwebb_image2, calwebb_image3
from webbcal.run.record import runs_of

QUICK3 = {name: {"skip": True} for name in ("tweakreg", "outlier_detection", "source_catalog")}


def files(folder: str) -> list[str]:
    """Return the names of the files in a folder, sorted."""
    return sorted(p.name for p in Path(folder).iterdir())


def write(name: str, tree: Any) -> str:
    """Write an association; return its name."""
    Path(name).write_text(json.dumps(tree))
    return name


# ---- JWST info: the pipeline by command and by class; ASDF info


def test_the_pipelines_have_the_names_of_the_field(field: Any) -> None:
    for name in ("jwst.pipeline.Image2Pipeline", "Image2Pipeline", "calwebb_image2"):
        assert main(["run", name, "--help"]) == 0
    assert calwebb_image2.Image2Pipeline is Image2Pipeline
    assert calwebb_image3.Image3Pipeline is Image3Pipeline


def test_the_asdf_extension_holds_the_metadata(field: Any) -> None:
    for name in ("rate", "cal", "l3_results_i2d.fits"):
        with fits.open(field(name)) as hdus:
            content = io.BytesIO(hdus["ASDF"].data.tobytes())
            with asdf.open(content) as file:
                assert file["meta"]["instrument"]["filter"] == "F444W" == hdus[0].header["FILTER"]


# ---- Pipeline stages: inputs and outputs


def test_stage2_makes_cal_and_i2d_of_each_exposure(field: Any) -> None:
    for number, root in enumerate(field.roots):
        for suffix, kind in (("cal", "ImageModel"), ("i2d", "ImageModel")):
            assert type(datamodels.open(field(suffix, number))).__name__ == kind
        assert fits.getval(field("cal", number), "FILENAME") == f"{root}_cal.fits"


def test_stage2_in_python(field: Any) -> None:
    steps = {"assign_wcs": {"sip_approx": False}, "resample": {"skip": True}}
    by_call = Image2Pipeline.call([field("rate"), field("rate", 1)], steps=steps)
    image2 = Image2Pipeline()
    image2.assign_wcs.sip_approx = False
    image2.resample.pixfrac = 0.8
    image2.save_results, image2.output_dir = True, "python"
    (by_run,) = image2.run(field("rate"))
    np.testing.assert_array_equal(by_call[0].data, by_run.data)
    assert files("python") == [f"{field.roots[0]}_cal.fits", f"{field.roots[0]}_i2d.fits"]
    assert fits.getval(f"python/{field.roots[0]}_i2d.fits", "PIXFRAC") == 0.8


def test_stage3_makes_crf_i2d_and_cat(field: Any) -> None:
    made = {p.name for p in field.folder.iterdir()}
    crf = {f"{root}_a3001_crf.fits" for root in field.roots}
    assert {*crf, "l3_results_i2d.fits", "l3_results_cat.ecsv", "l3_results_segm.fits"} <= made
    header = fits.getheader(field("l3_results_i2d.fits"))
    steps = ("S_TWKREG", "S_SKYMAT", "S_OUTLIR", "S_RESAMP", "S_SRCCAT")
    assert [header[step] for step in steps] == ["COMPLETE"] * 5
    assert (header["ASNTABLE"], header["SCATFILE"]) == ("l3_asn.json", "l3_results_cat.ecsv")


def test_stage3_in_python(field: Any) -> None:
    steps = QUICK3 | {"skymatch": {"skymethod": "local"}}
    mosaic = Image3Pipeline.call([field("cal"), field("cal", 1)], steps=steps)
    entries = {s["step"]: s for s in runs_of(mosaic)[-1]["steps"]}
    assert entries["skymatch"]["parameters"]["skymethod"] == {"value": "local", "origin": "user"}
    image3 = Image3Pipeline()
    for name in QUICK3:
        getattr(image3, name).skip = True
    image3.skymatch.skymethod = "local"
    image3.save_results, image3.output_dir, image3.output_file = True, "python", "pair"
    image3.run([field("cal"), field("cal", 1)])
    assert files("python") == ["pair_i2d.fits"]
    np.testing.assert_array_equal(fits.getdata("python/pair_i2d.fits"), mosaic.data)


def test_stage3_of_one_exposure_only_resamples_and_catalogues(field: Any) -> None:
    assert main(["run", "calwebb_image3", field("cal"), "--output_dir=one"]) == 0
    products = [f"{field.roots[0]}_{end}" for end in ("cat.ecsv", "crf.fits", "i2d.fits", "segm.fits")]
    assert files("one") == products
    done = ImageModel(f"one/{field.roots[0]}_i2d.fits").meta.cal_step
    assert (done.tweakreg, done.skymatch, done.outlier_detection) == ("SKIPPED",) * 3
    assert (done.resample, done.source_catalog) == ("COMPLETE",) * 2


# ---- Stage 2, step by step


def test_background(field: Any) -> None:
    entries = [("rate", 0, "science"), ("rate", 1, "background"), ("rate", 2, "background")]
    members = [{"expname": field(suffix, n), "exptype": kind} for suffix, n, kind in entries]
    asn = write("bkg_asn.json", {"products": [{"name": "target", "members": members}]})
    words = ["--save_bsub=true", "--steps.bkg_subtract.save_combined_background=true"]
    assert main(["run", "calwebb_image2", asn, *words]) == 0
    bsub, rate = fits.open("target_bsub.fits"), fits.open(field("rate"))
    combined = fits.open("target_combinedbackground.fits")
    assert bsub[0].header["S_BKDSUB"] == "COMPLETE"
    np.testing.assert_array_equal(bsub["ERR"].data, rate["ERR"].data)  # ERR of the target is unchanged
    np.testing.assert_array_equal(bsub["DQ"].data, rate["DQ"].data | combined["DQ"].data)
    good = np.isfinite(combined["SCI"].data)
    difference = rate["SCI"].data - combined["SCI"].data
    np.testing.assert_allclose(bsub["SCI"].data[good], difference[good], rtol=1e-6, atol=1e-6)
    planes = [fits.open(field("rate", number)) for number in (1, 2)]
    data, err = (np.stack([p[name].data for p in planes]) for name in ("SCI", "ERR"))
    both = np.isfinite(data).all(0)  # two values are never clipped
    np.testing.assert_allclose(combined["SCI"].data[both], data.mean(0)[both], rtol=1e-5, atol=1e-6)
    of_mean = np.sqrt(np.sum(err**2, 0)) / 2
    np.testing.assert_allclose(combined["ERR"].data[both], of_mean[both], rtol=1e-5)
    result = BackgroundStep.call(field("rate"), [field("rate", 1), field("rate", 2)])
    np.testing.assert_array_equal(result.data, bsub["SCI"].data)


def test_assign_wcs(field: Any) -> None:
    assert main(["run", "assign_wcs", field("rate")]) == 0
    name = f"{field.roots[0]}_assignwcsstep.fits"
    exp = ImageModel(name)
    info, header = exp.meta.wcsinfo, fits.getheader(name, "SCI")
    for keyword in ("RA_REF", "DEC_REF", "V2_REF", "V3_REF", "ROLL_REF"):
        assert header[keyword] == getattr(info, keyword.lower())
    assert fits.getval(name, "S_WCS") == "COMPLETE"
    # The position of the aperture is where the pointing keywords say.
    x, y = info.siaf_xref_sci - 1, info.siaf_yref_sci - 1
    ra, dec = exp.meta.wcs(x, y)
    np.testing.assert_allclose((ra, dec), (info.ra_ref, info.dec_ref), atol=0.001 / 3600)
    np.testing.assert_array_equal(fits.getdata(name), fits.getdata(field("rate")))


def test_flat_field(field: Any) -> None:
    model = ImageModel(field("rate"))
    applied = FlatFieldStep.call(model)
    reference = next((field.folder / "crds/references/jwst/nircam").glob("*flat_*"))
    with datamodels.FlatModel(reference) as flat:
        good = (flat.dq == 0) & (model.dq == 0)
        np.testing.assert_allclose(applied.data[good], (model.data / flat.data)[good], rtol=1e-6)
        flat.data[10, 10:20] = np.nan
        flat.data[11, 10:20] = 0
        flat.save("my_flat.fits")
    variances = [np.nan_to_num(getattr(applied, f"var_{n}")) for n in ("poisson", "rnoise", "flat")]
    np.testing.assert_allclose(applied.err[good], np.sqrt(sum(variances))[good], rtol=1e-5)
    mine = FlatFieldStep.call(model, user_supplied_flat="my_flat.fits")
    assert (mine.dq[10:12, 10:20] & DQ["NO_FLAT_FIELD"] != 0).all()
    assert ((mine.dq & applied.dq) == applied.dq).all()
    assert mine.meta.cal_step.flat_field == "COMPLETE"


def test_photom(field: Any) -> None:
    rate, header = FlatFieldStep.call(field("rate")), fits.getheader(field("cal"), "SCI")
    assert fits.getval(field("cal"), "S_PHOTOM") == "COMPLETE"
    assert header["BUNIT"] == "MJy/sr"
    with ImageModel(field("cal")) as cal:
        good = cal.dq == 0
        np.testing.assert_allclose(cal.data[good], rate.data[good] * header["PHOTMJSR"], rtol=1e-6)
        assert cal.area.shape == cal.shape and abs(cal.area.mean() - 1) < 0.02
        arcsec = cal.meta.wcs(np.array([160.0, 161.0]), np.array([160.0, 160.0]))
    assert header["PHOTUJA2"] == pytest.approx(23.50443 * header["PHOTMJSR"], rel=1e-5)
    assert header["PIXAR_SR"] == pytest.approx(header["PIXAR_A2"] * np.radians(1 / 3600) ** 2, rel=1e-6)
    side = SkyCoord(*arcsec, unit="deg")
    assert side[0].separation(side[1]).arcsec == pytest.approx(np.sqrt(header["PIXAR_A2"]), rel=0.01)
    alone = PhotomStep.call(rate)
    assert (alone.meta.bunit_data, alone.meta.cal_step.photom) == ("MJy/sr", "COMPLETE")


def test_resample_of_stage2(field: Any) -> None:
    one = ResampleStep.call(field("cal"))
    i2d = ImageModel(field("i2d"))
    np.testing.assert_array_equal(one.data, i2d.data)
    assert i2d.meta.wcs.available_frames == ["detector", "world"]
    for corner in ((0.0, 0.0), (0.0, 319.0), (319.0, 0.0), (319.0, 319.0)):
        x, y = i2d.meta.wcs.invert(*ImageModel(field("cal")).meta.wcs(*corner), with_bounding_box=False)
        assert -1 < x < i2d.shape[1] and -1 < y < i2d.shape[0]


# ---- Stage 3, step by step


def offset_mas(model: Any, truth: Path) -> float:
    """Return how far the stars that the simulator put in an image are from where its WCS has them."""
    stars = Table.read(truth, hdu="SOURCES")
    stars = stars[(stars["x"] > 20) & (stars["x"] < 300) & (stars["y"] > 20) & (stars["y"] < 300)]
    ra, dec = model.meta.wcs(stars["x"], stars["y"])
    east = (ra - stars["ra"]) * np.cos(np.radians(dec))
    return float(3.6e6 * np.hypot(np.median(east), np.median(dec - stars["dec"])))


def test_tweakreg(field: Any) -> None:
    assert offset_mas(ImageModel(field("cal", 1)), field.truth[1]) > 50
    for number in range(3):
        assert offset_mas(ImageModel(field("a3001_crf", number)), field.truth[number]) < 5
    frames = ImageModel(field("a3001_crf", 1)).meta.wcs.available_frames
    assert frames == ["detector", "v2v3", "v2v3vacorr", "v2v3corr", "world"]
    # photutils' daofind, whose roundness is around zero
    shapes = {"sharplo": 0.2, "sharphi": 1.0, "roundlo": -1.0, "roundhi": 1.0, "tolerance": 0.2}
    by_dao = TweakRegStep.call([field("cal"), field("cal", 1)], starfinder="dao", **shapes)
    assert [m.meta.cal_step.tweakreg for m in by_dao] == ["COMPLETE"] * 2
    assert offset_mas(by_dao[1], field.truth[1]) < 5


def test_tweakreg_with_the_users_catalogues(field: Any) -> None:
    # The sky is the simulator's: no network. So are the catalogues of the images.
    lines = []
    for number in range(2):
        stars = Table.read(field.truth[number], hdu="SOURCES")
        stars = stars[(stars["abmag"] < 22) & ~stars["galaxy"]]
        Table({"x": stars["x"], "y": stars["y"]}).write(f"{number}.ecsv")
        lines.append(f"{field.roots[number]}_cal.fits {number}.ecsv\n")
    Path("catfile.txt").write_text("".join(lines))
    Table({"RA": stars["ra"], "DEC": stars["dec"]}).write("sky.ecsv")
    cals = [field("cal"), field("cal", 1)]
    given = {"use_custom_catalogs": True, "catfile": "catfile.txt", "abs_refcat": "sky.ecsv"}
    aligned = TweakRegStep.call(cals, minobj=5, abs_minobj=5, **given)
    for model, truth in zip(aligned, field.truth, strict=False):
        assert offset_mas(model, truth) < 2


@pytest.mark.parametrize(
    "method", ["local", "localmin", "global", "globalmin", "match", "globalmin+match", "global+match"]
)
def test_skymatch(field: Any, method: str) -> None:
    images = [ImageModel(field("cal", number)) for number in range(2)]
    images[1].data = images[1].data + 0.1
    matched = SkyMatchStep.call(images, skymethod=method, subtract=True)
    first, second = (m.meta.background.level for m in matched)
    now = "+".join(part.removesuffix("min") for part in method.split("+"))
    assert {m.meta.background.method for m in matched} == {now} and matched[0].meta.background.subtracted
    if method.startswith("global") and "match" not in method:
        assert first == second > 0.15
    else:
        assert second - first == pytest.approx(0.1, abs=0.02)
        assert (min(first, second) > 0.15) == (method != "match")
    np.testing.assert_allclose(matched[1].data, images[1].data - np.float32(second), atol=1e-6)


def test_outlier_detection(field: Any) -> None:
    for number in range(3):
        with ImageModel(field("a3001_crf", number)) as crf, ImageModel(field("cal", number)) as cal:
            new = crf.dq & ~cal.dq
            assert set(np.unique(new)) <= {
                0,
                DQ["DO_NOT_USE"],
                DQ["DO_NOT_USE"] | DQ["OUTLIER"],
                DQ["OUTLIER"],
            }
            hits = Table.read(field.truth[number], hdu="HITS")
            hit = np.zeros(crf.shape)
            np.add.at(hit, (hits["y"], hits["x"]), hits["electrons"])
            strong = (hit > 1500) & (cal.dq & DQ["DO_NOT_USE"] == 0)
            strong = strong[45:-45, 45:-45]  # where exposures overlap
            assert strong.sum() > 50 and (crf.dq[45:-45, 45:-45][strong] & DQ["OUTLIER"] != 0).mean() > 0.98
            same = new == 0
            np.testing.assert_array_equal(crf.data[same], cal.data[same])
    images = [ImageModel(field("cal", number)) for number in range(3)]
    flagged = OutlierDetectionStep.call(images, save_intermediate_results=True, output_dir="medians")
    assert all((m.dq & DQ["OUTLIER"] != 0).any() for m in flagged)
    assert any(name.endswith("_median.fits") for name in files("medians"))


def test_resample_of_stage3(field: Any) -> None:
    mosaic, first = ImageModel(field("l3_results_i2d.fits")), ImageModel(field("cal"))
    scale = mosaic.meta.wcsinfo.cdelt1 * 3600
    assert scale == pytest.approx(np.sqrt(first.meta.photometry.pixelarea_arcsecsq), rel=0.01)
    assert mosaic.meta.resample.pointings == 3 and mosaic.shape > first.shape
    for number in range(3):  # the output holds all inputs
        x, y = mosaic.meta.wcs.invert(*ImageModel(field("a3001_crf", number)).meta.wcs([0, 319], [0, 319]))
        assert min(*x, *y) > -1 and max(x) < mosaic.shape[1] and max(y) < mosaic.shape[0]
    images = [field("cal"), field("cal", 1)]
    coarse = ResampleStep.call(
        images, pixel_scale_ratio=2.0, rotation=0.0, weight_type="exptime", kernel="point"
    )
    assert coarse.meta.wcsinfo.cdelt1 * 3600 == pytest.approx(2 * scale, rel=0.01)


def test_source_catalog(field: Any) -> None:
    cat = Table.read(field("l3_results_cat.ecsv"))
    wanted = """isophotal_flux isophotal_flux_err isophotal_abmag isophotal_abmag_err isophotal_area
    semimajor_sigma semiminor_sigma orientation sky_bbox_ll sky_bbox_ul sky_bbox_lr sky_bbox_ur"""
    assert set(wanted.split()) <= set(cat.colnames)
    stars = Table.read(field.truth[0], hdu="SOURCES")
    inside = np.all([(stars[axis] > 9) & (stars[axis] < 310) for axis in "xy"], axis=0)
    stars = stars[inside & ~stars["galaxy"] & (stars["abmag"] > 19) & (stars["abmag"] < 22)]
    index, distance, _ = SkyCoord(stars["ra"], stars["dec"], unit="deg").match_to_catalog_sky(
        cat["sky_centroid"]
    )
    found = distance.arcsec < 0.06
    assert found.mean() > 0.6  # the others are blends
    magnitudes = cat["aper_total_abmag"][index[found]]
    assert abs(np.median(magnitudes - stars["abmag"][found])) < 0.05
    segments = fits.getdata(field("l3_results_segm.fits"))
    assert set(np.unique(segments)) - {0} == set(cat["label"])
    again = SourceCatalogStep.call(field("l3_results_i2d.fits"), snr_threshold=20)
    assert 0 < len(again) < len(cat)
