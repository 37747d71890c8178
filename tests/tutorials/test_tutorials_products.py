"""What the field's tutorial on products does for imaging (seed 001), operation by operation, in its order.

docs/tutorials.md lists them all. Simulated exposures stand for the downloaded ones.
"""

import io
from pathlib import Path
from typing import Any

import asdf
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from showing import RATE_ARRAYS, create_image, show

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.pipeline import Image2Pipeline

# ---- 2. Example data: files under names of one's own


def test_files_are_linked_to_local_names(field: Any) -> None:
    Path("example_nircam_imaging_rate.fits").symlink_to(field("rate"))
    rate_image = datamodels.ImageModel("example_nircam_imaging_rate.fits")
    assert rate_image.meta.filename == "example_nircam_imaging_rate.fits"
    assert rate_image.data.shape == (320, 320)
    # Products are named after the name in use, wherever the file is.
    Image2Pipeline.call("example_nircam_imaging_rate.fits", save_results=True, output_dir="out")
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "example_nircam_imaging_cal.fits",
        "example_nircam_imaging_i2d.fits",
    ]


# ---- 3. Stage 1: input, output, examining the products


def test_stage1_makes_rate_rateints_and_ramp(crds: Any) -> None:
    uncal = crds.uncal[0]
    assert main(["run", "calwebb_detector1", str(uncal), "--save_calibrated_ramp=True"]) == 0
    kinds = {"rate": (64, 64), "rateints": (2, 64, 64), "ramp": (2, 6, 64, 64)}
    for suffix, shape in kinds.items():
        with datamodels.open(uncal.name.replace("uncal", suffix)) as model:
            assert model.data.shape == shape
    with fits.open(uncal) as hdus:
        assert hdus["SCI"].shape == kinds["ramp"]
    rate_image = datamodels.ImageModel(uncal.name.replace("uncal", "rate"))
    rateints_image = datamodels.CubeModel(uncal.name.replace("uncal", "rateints"))
    ramp = datamodels.RampModel(uncal.name.replace("uncal", "ramp"))
    assert (rate_image.dq.dtype, rateints_image.dq.ndim, ramp.groupdq.dtype) == ("uint32", 3, "uint8")
    with np.errstate(divide="ignore", invalid="ignore"):  # the rate is the mean of integrations
        weights = 1 / rateints_image.err**2
        mean = np.sum(weights * rateints_image.data, 0) / weights.sum(0)
    good = (rateints_image.dq == 0).all(0)
    assert np.median(np.abs(mean - rate_image.data)[good]) < np.median(rate_image.err[good])


def test_examine_a_rate(crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "calwebb_detector1", str(crds.uncal[0])])
    capsys.readouterr()
    rate_image = datamodels.ImageModel(crds.uncal[0].name.replace("uncal", "rate"))
    assert sorted(show(rate_image, capsys)) == RATE_ARRAYS
    assert rate_image.data.shape == (64, 64)
    np.testing.assert_array_equal(np.ma.filled(create_image(rate_image), np.nan), rate_image.data)
    meta = rate_image.meta.instance
    assert meta["cal_step"]["linearity"] == "COMPLETE"
    assert meta["ref_file"]["linearity"]["name"].startswith("crds://jwst_nircam_linearity")
    assert rate_image.find_fits_keyword("S_LINEAR") == ["meta.cal_step.linearity"]
    found = rate_image.search(key="unit")
    assert "meta.bunit_data" in found.paths and "meta.bunit_data (str): DN/s" in repr(found)
    assert rate_image.meta.bunit_data == "DN/s"


# ---- 4.1 Stage 2, imaging: input and output


@pytest.fixture
def rates(crds: Any) -> dict[str, str]:
    """Small rates in the working directory, and integrations of three kinds of exposure."""
    main(["run", "calwebb_detector1", str(crds.uncal[0])])
    names = {suffix: crds.uncal[0].name.replace("uncal", suffix) for suffix in ("rate", "rateints")}
    for kind in ("NRC_TSIMAGE", "NRC_CORON"):
        with datamodels.open(names["rateints"]) as model:
            model.meta.exposure.type = kind
            names[kind] = f"{kind.lower()}_rateints.fits"
            model.save(names[kind])
    return names


@pytest.mark.parametrize(
    ("pipeline", "kind"),
    [
        ("calwebb_image2", "rate"),
        ("calwebb_image2", "rateints"),
        ("calwebb_tso-image2", "NRC_TSIMAGE"),
        ("calwebb_image2", "NRC_CORON"),
    ],
)
def test_stage2_of_one_exposure(rates: dict[str, str], pipeline: str, kind: str) -> None:
    name = rates[kind]
    assert main(["run", pipeline, name, "--output_dir=out"]) == 0
    product = name.replace("_rate", "_cal")
    # Integrations make no quick-look image.
    expected = {product} | ({name.replace("_rate", "_i2d")} if kind == "rate" else set())
    assert {p.name for p in Path("out").iterdir()} == expected
    with datamodels.open(f"out/{product}") as cal, datamodels.open(name) as rate:
        assert type(cal) is (datamodels.ImageModel if kind == "rate" else datamodels.CubeModel)
        assert cal.shape == rate.shape and cal.meta.bunit_data == "MJy/sr"
        for step in ("assign_wcs", "flat_field", "photom"):
            assert getattr(cal.meta.cal_step, step) == "COMPLETE"
        # Each step acts on every integration alike.
        factor = cal.data / rate.data
        good = np.isfinite(factor) & (np.abs(rate.data) > 1)
        np.testing.assert_allclose((factor / factor[..., :, :].reshape(-1, 64, 64)[0])[good], 1, rtol=1e-5)


def test_stage2_of_an_association_of_several(field: Any) -> None:
    # One exposure at a time: the fixture ran the pipeline on an association of three.
    for number in range(3):
        with datamodels.open(field("cal", number)) as cal:
            assert cal.meta.filename == f"{field.roots[number]}_cal.fits"
            assert cal.meta.asn.table_name == "l2_asn.json"
        i2d = datamodels.DrizProductModel(field("i2d", number))
        assert type(i2d) is datamodels.ImageModel and i2d.meta.resample.pointings == 1
        assert i2d.meta.cal_step.resample == "COMPLETE" and cal.meta.cal_step.resample is None


@pytest.mark.parametrize(("suffix", "background"), [("rate", "rateints"), ("rateints", "rate")])
def test_stage2_saves_background_subtracted_rates(
    rates: dict[str, str], suffix: str, background: str
) -> None:
    words = ["--member", "background", rates[background], rates[suffix]]
    main(["asn", "from-list", "-o", "bkg_asn.json", "-r", "DMSLevel2bBase", *words])
    assert main(["run", "calwebb_image2", "bkg_asn.json", "--save_bsub=true", "--output_dir=out"]) == 0
    product = rates[suffix].replace("_rate", "_bsub")
    with datamodels.open(f"out/{product}") as bsub, datamodels.open(rates[suffix]) as rate:
        assert type(bsub) is type(rate) and bsub.meta.cal_step.bkg_subtract == "COMPLETE"
        assert np.nanmedian(np.abs(bsub.data)) < np.nanmedian(np.abs(rate.data))


def test_examine_a_calibrated_image(field: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cal_image = datamodels.ImageModel(field("cal"))
    assert sorted(show(cal_image, capsys)) == sorted([*RATE_ARRAYS, "area", "var_flat"])
    assert (cal_image.meta.bunit_data, cal_image.meta.bunit_err) == ("MJy/sr", "MJy/sr")
    assert create_image(cal_image).shape == (320, 320)
    meta = cal_image.meta.instance
    assert meta["asn"] == {"pool_name": "none", "table_name": "l2_asn.json"}
    assert meta["wcsinfo"]["ctype1"] == "RA---TAN-SIP"
    assert meta["wcsinfo"]["s_region"].startswith("POLYGON ICRS ")


# ---- 5. WCS deep dive


def test_the_wcs_is_in_the_asdf_extension(field: Any) -> None:
    with fits.open(field("cal")) as hdus:
        content = io.BytesIO(hdus["ASDF"].data.tobytes())
    with asdf.open(content) as file:
        stored = file["meta"]["wcs"](110, 110)
    np.testing.assert_allclose(datamodels.ImageModel(field("cal")).meta.wcs(110, 110), stored, rtol=1e-15)


def test_gwcs_and_what_the_fits_standard_says(field: Any) -> None:
    cal_image = datamodels.ImageModel(field("cal"))
    assert "output_frame=world, input_frame=detector" in repr(cal_image.meta.wcs)
    image_fits_wcs = cal_image.get_fits_wcs()
    assert isinstance(image_fits_wcs, WCS)
    info = cal_image.meta.wcsinfo
    np.testing.assert_array_equal(image_fits_wcs.wcs.crval, [info.crval1, info.crval2])
    np.testing.assert_array_equal(image_fits_wcs.wcs.crpix, [info.crpix1, info.crpix2])
    y, x = np.mgrid[:320:20, :320:20]
    exact, fitted = cal_image.meta.wcs(x, y), image_fits_wcs.pixel_to_world_values(x, y)
    offset = np.hypot((fitted[0] - exact[0]) * np.cos(np.radians(info.dec_ref)), fitted[1] - exact[1])
    pixel = np.sqrt(cal_image.meta.photometry.pixelarea_arcsecsq) / 3600
    assert offset.max() < 0.01 * pixel  # the tutorial says 0.25 pixel


def test_the_approximation_can_be_turned_off_or_controlled(field: Any) -> None:
    def header(**parameters: Any) -> fits.Header:
        steps = {"assign_wcs": parameters, "resample": {"skip": True}}
        (result,) = Image2Pipeline.call(field("rate"), steps=steps)
        result.save("x.fits")
        return fits.getheader("x.fits", "SCI")

    off = header(sip_approx=False)
    assert "A_ORDER" not in off and off["CTYPE1"] == "RA---TAN"
    assert header(sip_degree=4, sip_inv_degree=3)["A_ORDER"] == 4
    assert header(sip_max_pix_error=0.1)["A_ORDER"] < 4


def test_frames(field: Any) -> None:
    wcs = datamodels.ImageModel(field("cal")).meta.wcs
    assert wcs.available_frames == ["detector", "v2v3", "v2v3vacorr", "world"]
    assert (wcs.input_frame.name, wcs.output_frame.name) == ("detector", "world")
    assert str(wcs.output_frame.unit[0]) == "deg"
    assert wcs.bounding_box.bounding_box(order="F") == ((-0.5, 319.5), (-0.5, 319.5))


def test_from_pixels_to_the_sky_and_back(field: Any) -> None:
    cal_image = datamodels.ImageModel(field("cal"))
    detector_to_world = cal_image.meta.wcs.get_transform("detector", "world")
    pix_ra, pix_dec = detector_to_world(110, 110)
    assert (pix_ra, pix_dec) == cal_image.meta.wcs(110, 110)
    world_to_detector = cal_image.meta.wcs.get_transform("world", "detector")
    np.testing.assert_allclose(world_to_detector(pix_ra, pix_dec), 110, atol=1e-4)
    ra, dec = cal_image.meta.wcs([10, 4], [6, 3])
    assert ra.shape == dec.shape == (2,)
    # 0-based: pixel (0, 0) is the first one, whose keywords count from 1.
    info = cal_image.meta.wcsinfo
    np.testing.assert_allclose(
        cal_image.meta.wcs(info.crpix1 - 1, info.crpix2 - 1), [info.crval1, info.crval2], atol=1e-9
    )


def test_exercise_2_there_and_back(field: Any) -> None:
    cal_image = datamodels.ImageModel(field("cal"))
    d2w = cal_image.meta.wcs.get_transform("detector", "world")
    ra, dec = d2w(3, 300)  # the tutorial's image has more rows
    w2d = cal_image.meta.wcs.get_transform("world", "detector")
    np.testing.assert_allclose(w2d(ra, dec), (3, 300), atol=1e-4)
