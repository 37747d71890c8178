"""The step: what it attaches, what it keeps, and what it refuses."""

import logging

import asdf
import numpy as np
import pytest
from astropy.io import fits
from wcs_cases import Case, image

from webbcal import datamodels
from webbcal.core.errors import InputError, PlanError, ReferenceFileError
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.simulate.references_image import distortion_model, filter_rows

SUB = Case("NRCALONG", "SUB160")


def distortion(**changes):
    model = datamodels.DistortionModel()
    model.meta.reftype, model.meta.instrument.name = "distortion", "NIRCAM"
    model.meta.instrument.detector = "NRCALONG"
    model.model = distortion_model("NRCALONG").copy()
    for name, value in changes.items():
        setattr(model.model, name, value)
    return model


def offsets(rows):
    model = datamodels.FilteroffsetModel()
    model.meta.reftype, model.meta.instrument.name = "filteroffset", "NIRCAM"
    model.filters = rows
    return model


def run(model, **parameters):
    parameters.setdefault("override_distortion", distortion())
    parameters.setdefault("override_filteroffset", offsets(filter_rows("NIRCAM", {})))
    others = set(AssignWcsStep.reference_file_types) - {"distortion", "filteroffset"}
    parameters |= {f"override_{kind}": "N/A" for kind in others}
    return AssignWcsStep(**parameters).run(model)


@pytest.fixture(scope="module")
def done():
    return run(image(SUB))


def test_frames_transforms_and_bounds(done):
    wcs = done.meta.wcs
    assert wcs.available_frames == ["detector", "v2v3", "v2v3vacorr", "world"]
    assert wcs.bounding_box.bounding_box(order="F") == ((-0.5, 159.5), (-0.5, 159.5))
    assert np.isnan(wcs(-2.0, 10.0)).all() and np.isfinite(wcs(159.4, 0.0)).all()
    info = done.meta.wcsinfo
    centre = wcs.invert(info.ra_ref, info.dec_ref)
    np.testing.assert_allclose(centre, (info.siaf_xref_sci - 1, info.siaf_yref_sci - 1), atol=1e-4)
    v2, v3 = wcs.get_transform("detector", "v2v3vacorr")(*centre)
    np.testing.assert_allclose((v2, v3), (info.v2_ref, info.v3_ref), atol=1e-4)
    back = wcs.get_transform("world", "v2v3")(info.ra_ref, info.dec_ref)
    np.testing.assert_allclose(back, (info.v2_ref, info.v3_ref), atol=1e-6)
    assert done.meta.cal_step.assign_wcs == "COMPLETE"


def test_input_is_not_changed():
    model = image(SUB)
    run(model)
    assert not model.meta.hasattr("wcs") and model.meta.wcsinfo.cd1_1 is None


def test_saved_and_read_again(done, tmp_path):
    path = tmp_path / "x_cal.fits"
    done.save(path)
    with datamodels.open(path) as model:
        assert model.meta.wcsinfo.s_region == done.meta.wcsinfo.s_region
        x, y = np.mgrid[:160:13, :160:13]
        np.testing.assert_array_equal(model.meta.wcs(x, y), done.meta.wcs(x, y))
        assert model.data.shape == (160, 160)
        model.save(tmp_path / "again.fits")
    with datamodels.open(tmp_path / "again.fits") as model:
        np.testing.assert_array_equal(model.meta.wcs(3.0, 4.0), done.meta.wcs(3.0, 4.0))


def test_s_region_is_the_footprint_of_the_outer_edges(done):
    corners = np.array(done.meta.wcsinfo.s_region.split()[2:], float).reshape(4, 2)
    x, y = done.meta.wcs.invert(*corners.T, with_bounding_box=False)
    np.testing.assert_allclose((x, y), ([-0.5, -0.5, 159.5, 159.5], [-0.5, 159.5, 159.5, -0.5]), atol=1e-4)


def test_sip_is_as_good_as_it_says(done, tmp_path):
    """Measured here on all pixels, from the file's header, both ways."""
    path = tmp_path / "x_cal.fits"
    run(image(Case("NRCALONG"))).save(path)
    with datamodels.open(path) as model:
        approximate, exact = model.get_fits_wcs(), model.meta.wcs
        info = model.meta.wcsinfo.instance
    assert info["sipmxerr"] < 0.01 and info["sipiverr"] < 0.01
    assert "cdelt1" not in info and "pc1_1" not in info and info["ctype1"] == "RA---TAN-SIP"
    x, y = np.meshgrid(np.linspace(0, 2047, 50), np.linspace(0, 2047, 50))
    assert approximate.array_shape == (2048, 2048)
    ra, dec = exact(x, y)
    to_x, to_y = exact.invert(*approximate.all_pix2world(x, y, 0))
    assert np.hypot(to_x - x, to_y - y).max() < 1e-5 + 1.1 * info["sipmxerr"]
    # The inverse polynomials alone, from intermediate pixels to true ones, term by term.
    u, v = np.subtract(approximate.wcs_world2pix(ra, dec, 1), approximate.wcs.crpix[:, None, None])
    back = [pixel + _polynomial(info, name, u, v) for name, pixel in (("ap", u), ("bp", v))]
    expected = np.array([x, y]) + 1 - approximate.wcs.crpix[:, None, None]
    assert np.hypot(*(back - expected)).max() < 1.1 * info["sipiverr"]


def _polynomial(info, name, u, v):
    terms = (key.split("_")[1:] for key in info if key.startswith(name + "_") and key != f"{name}_order")
    return sum(info[f"{name}_{i}_{j}"] * u ** int(i) * v ** int(j) for i, j in terms)


def test_a_file_has_no_rests_of_the_linear_wcs(tmp_path):
    """CDELT and PC beside CD would be two answers. They are in the input's header and in its ASDF tree."""
    rate, cal = tmp_path / "x_rate.fits", tmp_path / "x_cal.fits"
    image(SUB).save(rate)
    assert fits.getval(rate, "PC1_1", "SCI") and fits.getval(rate, "CDELT1", "SCI")
    run(str(rate)).save(cal)
    header = fits.getheader(cal, "SCI")
    assert "CD1_1" in header and "SIPMXERR" in header and "AP_1_0" in header
    assert not {"CDELT1", "CDELT2", "PC1_1", "PC1_2", "PC2_1", "PC2_2"} & set(header)


def test_sip_parameters(caplog):
    assert run(image(SUB), sip_degree=3, sip_inv_degree=4).meta.wcsinfo.a_order == 3
    plain = run(image(SUB), sip_approx=False).meta.wcsinfo
    assert plain.a_order is None and plain.pc1_1 is not None and plain.s_region
    with caplog.at_level(logging.WARNING):
        coarse = run(image(Case("NRCALONG")), sip_max_inv_pix_error=1e-7)
    assert "not within 1e-07" in caplog.text and coarse.meta.wcsinfo.sipiverr > 1e-7


def test_filter_offset_shifts_pixels():
    rows = [{"filter": "F444W", "pupil": "CLEAR", "column_offset": 2.0, "row_offset": -1.5}]
    shifted, plain = run(image(SUB), override_filteroffset=offsets(rows)), run(image(SUB))
    np.testing.assert_allclose(shifted.meta.wcs(10.0, 20.0), plain.meta.wcs(12.0, 18.5), rtol=1e-14)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"filter": "F444W", "pupil": "F405N", "column_offset": 2.0, "row_offset": 1.0}],
        [{"filter": "F444W", "pupil": "CLEAR"}],
    ],
)
def test_without_an_offset_for_the_filter(rows, done):
    found = run(image(SUB), override_filteroffset=offsets(rows))
    np.testing.assert_array_equal(found.meta.wcs(10.0, 20.0), done.meta.wcs(10.0, 20.0))


def test_two_offsets_for_one_filter_are_refused():
    row = {"filter": "F444W", "pupil": "CLEAR", "column_offset": 2.0, "row_offset": 1.0}
    with pytest.raises(ReferenceFileError, match="2 offsets for F444W/CLEAR"):
        run(image(SUB), override_filteroffset=offsets([row, row]))


def test_bounds_of_the_reference_are_kept_but_not_beyond_the_image():
    from astropy.modeling import bind_bounding_box

    reference = distortion()
    bind_bounding_box(reference.model, ((3.5, 4000.0), (-0.5, 2043.5)), order="F")
    full = run(image(Case("NRCALONG")), override_distortion=reference)
    assert full.meta.wcs.bounding_box.bounding_box(order="F") == ((3.5, 2047.5), (-0.5, 2043.5))
    sub = run(image(SUB), override_distortion=reference)
    assert sub.meta.wcs.bounding_box.bounding_box(order="F") == ((-0.5, 159.5), (-0.5, 159.5))


@pytest.mark.parametrize("name", ["ra_ref", "dec_ref", "roll_ref", "v2_ref", "v3_ref"])
def test_missing_pointing_is_named(name):
    model = image(SUB)
    setattr(model.meta.wcsinfo, name, None)
    with pytest.raises(InputError, match=rf"missing: {name.upper()} .*webbcal pointing"):
        run(model)


def test_a_scale_that_is_not_positive():
    model = image(SUB)
    model.meta.velocity_aberration.scale_factor = -1.0
    with pytest.raises(InputError, match="VA_SCALE"):
        run(model)


def test_no_distortion_reference():
    with pytest.raises(ReferenceFileError, match="override_distortion"):
        run(image(SUB), override_distortion="N/A")


def test_a_reference_with_transforms_of_the_jwst_package(tmp_path):
    path = tmp_path / "d.asdf"
    distortion().save(path)
    foreign = b"!<tag:stsci.edu:jwst_pipeline/unknown-1.4.0>"
    path.write_bytes(path.read_bytes().replace(b"!transform/compose-1.4.0", foreign, 1))
    with pytest.raises(ReferenceFileError, match=r"d\.asdf: .*stdatamodels.*override_distortion"):
        run(image(SUB), override_distortion=str(path))


def test_a_damaged_reference(tmp_path):
    path = tmp_path / "d.asdf"
    distortion().save(path)
    path.write_bytes(path.read_bytes().replace(b"!transform/compose-", b"!<transform compose-", 1))
    with pytest.raises(ReferenceFileError, match=r"d\.asdf"):
        run(image(SUB), override_distortion=str(path))


def test_a_reference_from_a_file(tmp_path, done):
    path = tmp_path / "d.asdf"
    distortion().save(path)
    with asdf.open(path) as file:
        assert file["meta"]["reftype"] == "distortion"
    found = run(image(SUB), override_distortion=str(path))
    np.testing.assert_array_equal(found.meta.wcs(10.0, 20.0), done.meta.wcs(10.0, 20.0))


@pytest.mark.parametrize("exp_type", ["NRS_FIXEDSLIT", "NRS_MSASPEC", "NRS_IFU", "MIR_MRS"])
def test_modes_to_come(exp_type):
    model = image(SUB)
    model.meta.exposure.type = exp_type
    with pytest.raises(PlanError, match=f"{exp_type} is not available yet"):
        run(model)


def test_skipped_without_a_wcs():
    model = image(SUB)
    model.meta.exposure.type = "NRC_DARK"
    assert run(model).meta.cal_step.assign_wcs == "SKIPPED"


def test_integrations():
    model = image(SUB)
    cube = datamodels.CubeModel(np.zeros((3, 160, 160), np.float32))
    cube.update(model)
    found = run(cube)
    assert found.meta.wcs.bounding_box.bounding_box(order="F") == ((-0.5, 159.5), (-0.5, 159.5))
    assert found.meta.wcsinfo.a_order
