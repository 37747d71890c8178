"""The WCS of dispersed exposures: values by hand, and what is refused."""

import asdf
import numpy as np
import pytest
from dispersed_cases import (
    LRS,
    OFFSETS,
    SCALE,
    SOSS,
    TSGRISM,
    VELOSYS,
    WFSS,
    lrs_table,
    rate,
    specwcs,
    write_lrs,
)

from webbcal import datamodels
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.io.asdf_text import Tagged
from webbcal.simulate.references_image import distortion_model, filter_rows
from webbcal.wcs import soss
from webbcal.wcs.of_model import stored_wcs, wcs_of
from webbcal.wcs.pixels import wavelengths, world_map
from webbcal.wcs.spectral_keywords import dispersion_axis
from webbcal.wcs.tree_wcs import TreeWCS

FACTOR = 1 / (1 + VELOSYS / 299792458.0)


def run(case, folder, change=None, model=None, **overrides):
    """Run the step with the references of a case, changed."""
    path = folder / ("specwcs.fits" if case in LRS else "specwcs.asdf")
    if case in LRS:
        write_lrs(path)
    else:
        content = specwcs(case)
        if change is not None:
            change(content)
        asdf.AsdfFile(content).write_to(path)
    given = image_references(case, folder) | {"specwcs": str(path)}
    others = dict.fromkeys(set(AssignWcsStep.reference_file_types) - set(given), "N/A")
    parameters = {f"override_{kind}": value for kind, value in (others | given | overrides).items()}
    return AssignWcsStep(**parameters).run(rate(case) if model is None else model)


def image_references(case, folder):
    """Return the references of the direct image, written once for a detector."""
    paths = {kind: folder / f"{case.detector}_{kind}.asdf" for kind in ("distortion", "filteroffset")}
    if not paths["filteroffset"].exists():
        distortion, offset = datamodels.DistortionModel(), datamodels.FilteroffsetModel()
        distortion.model = distortion_model(case.detector).copy()
        offset.filters = filter_rows(case.instrument, OFFSETS)
        for reference, kind in ((distortion, "distortion"), (offset, "filteroffset")):
            reference.meta.reftype, reference.meta.instrument.name = kind, case.instrument
            reference.meta.instrument.detector = case.detector
            reference.save(paths[kind])
    return {kind: str(path) for kind, path in paths.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("specwcs")


@pytest.fixture(scope="module")
def slit(folder):
    return run(LRS[0], folder)


# LRS


def test_lrs_wavelengths_are_those_of_the_table(slit):
    """At the rows of the table, within what smoothing takes away (0.002 µm² over 388 rows)."""
    table, wcs = lrs_table(), wcs_of(slit)
    rows = table["y_center"] + 300.7 - 1
    columns = table["x_center"] + 326.13 - 1
    inside = (rows > -0.5) & (rows < 381)
    ra, dec, found = wcs(columns[inside], rows[inside])
    np.testing.assert_allclose(found, table["wavelength"][inside] * FACTOR, atol=0.02)
    # The whole trace is one place on the sky: the centre of the slit.
    assert np.ptp(ra) * 3600 < 0.02 and np.ptp(dec) * 3600 < 0.02


def test_lrs_centre_is_where_the_slit_is(slit):
    v2, v3, _ = wcs_of(slit).between("alpha_beta", "v2v3", 0.0, 0.0, 8.0)
    np.testing.assert_allclose((v2, v3), distortion_model("MIRIMAGE")(325.13, 299.7), rtol=1e-12)


def test_lrs_bounds_by_hand(slit):
    (x0, x1), (y0, y1) = wcs_of(slit).bounding_box
    table = lrs_table()
    assert (x0, x1) == (np.floor(table["x0"].min() + 325.13) - 0.5, np.ceil(table["x1"].max() + 325.13) + 0.5)
    assert (y0, y1) == (table["y_center"].min() + 299.7, table["y_center"].max() + 299.7)


def test_lrs_there_and_back(slit):
    wcs = wcs_of(slit)
    x, y = np.random.default_rng(1).uniform([[310], [5]], [[340], [370]], (2, 100))
    np.testing.assert_allclose(wcs.invert(*wcs(x, y)), (x, y), atol=2e-3)


def test_lrs_reference_position_is_found_by_name(slit):
    """`pathloss` of jwst asks for these parameters."""
    transform = slit.meta.wcs.get_transform("detector", "alpha_beta")
    assert (transform.offset_1.value, transform.offset_2.value) == pytest.approx((-325.13, -299.7))


def test_lrs_without_dither_or_corners(folder, caplog, slit):
    model = rate(LRS[0])
    model.meta.dither.x_offset = None
    found = run(LRS[0], folder, model=model)
    assert found.meta.dither.dithered_ra is None and "no dither offsets (XOFFSET, YOFFSET)" in caplog.text
    assert slit.meta.dither.dithered_ra == pytest.approx(53.16, abs=0.4 / 3600 / np.cos(np.radians(27.79)))


def test_slitless_wavelengths_are_attached(folder):
    found = run(LRS[1], folder)
    assert found.wavelength.shape == (416, 72) and found.wavelength.dtype == np.float32
    assert np.isnan(found.wavelength[:, :4]).all() and np.isfinite(found.wavelength[50:250, 4:]).all()


# Grisms


@pytest.mark.parametrize("case", WFSS, ids=lambda case: case.name)
def test_a_source_stays_where_it_is(case, folder):
    found = run(case, folder)
    wcs, image = wcs_of(found), wcs_of(run(case, folder)).between("detector", "world", 700.0, 600.0, 2.0, 1.0)
    ra, dec, _, order = wcs(710.0, 605.0, 700.0, 600.0, 1.0)
    assert (ra, dec, order) == (image[0], image[1], 1.0)
    place = np.array(wcs.between("world", "detector", *image))
    np.testing.assert_allclose(place[:2], (700.0, 600.0), atol=1e-3)


def test_wavelength_along_a_trace_by_hand(folder):
    """Offset -333.05 of a line from -983.4 with a slope of 1300.7: half way."""
    wcs = wcs_of(run(WFSS[0], folder))
    x0, y0, t = 800.0, 300.0, 0.5
    wave = [3.85 + 2e-7 * x0 - 1e-6 * y0, 1.30 + 3e-6 * x0 + 1e-6 * y0, 0.004 - 1e-6 * x0 + 1e-6 * y0]
    _, _, found, _ = wcs(x0 - 983.4 + 650.35, 77.0, x0, y0, 1)
    assert found == pytest.approx((wave[0] + wave[1] * t + wave[2] * t**2) * FACTOR, rel=1e-12)


def test_inverses_of_a_reference_are_used_and_kept(folder, tmp_path):
    """Files of `jwst` lose them; ours do not."""

    def change(content):
        from astropy.modeling.models import Polynomial1D

        content["invdispx"] = [[Polynomial1D(2, c0=0.7561, c1=7.7e-4, c2=1e-8)]] * 2

    found = run(WFSS[0], folder, change)
    x = 800.0 - 333.0
    expected = 0.7561 - 333.0 * 7.7e-4 + 333.0**2 * 1e-8
    assert wcs_of(found)(x, 300.0, 800.0, 300.0, 1)[2] == pytest.approx(
        wcs_of(run(WFSS[0], folder))(800.0 - 983.4 + 1300.7 * expected, 0.0, 800.0, 300.0, 1)[2], rel=1e-9
    )
    found.save(tmp_path / "x.fits")
    with datamodels.open(tmp_path / "x.fits") as again:
        assert wcs_of(again)(x, 300.0, 800.0, 300.0, 1)[2] == wcs_of(found)(x, 300.0, 800.0, 300.0, 1)[2]


def test_references_in_memory(folder):
    """What a user gives as a model holds objects, not the text of a file."""
    model = datamodels.NIRCAMGrismModel(**{k: v for k, v in specwcs(WFSS[0]).items() if k != "meta"})
    model.meta.reftype, model.meta.instrument.detector = "specwcs", "NRCALONG"
    found, expected = run(WFSS[0], folder, specwcs=model), run(WFSS[0], folder)
    point = 700.0, 300.0, 800.0, 300.0, 2
    np.testing.assert_array_equal(wcs_of(found)(*point), wcs_of(expected)(*point))


@pytest.mark.parametrize(
    ("case", "change", "message"),
    [
        (WFSS[0], lambda c: c.pop("displ"), r"specwcs\.asdf has no 'displ'"),
        (WFSS[0], lambda c: c["dispy"].pop(), "1 transforms dispy for 2 orders"),
        (WFSS[4], lambda c: c.pop("invdispl"), "has no 'invdispl'"),
        (WFSS[4], lambda c: c.pop("fwcpos_ref"), "has no 'fwcpos_ref'"),
        (SOSS[0], lambda c: c.pop(2), "has no wavelengths of order 2"),
        (SOSS[0], lambda c: c.update({3: 5.0}), "order 3 is no transform"),
        (WFSS[0], lambda c: c["displ"].__setitem__(1, [1.0]), "transforms of another layout"),
        (WFSS[0], lambda c: c["dispy"][0].append(c["dispx"][0][0]), "transforms of another layout"),
    ],
)
def test_references_that_lack_something(case, change, message, folder):
    with pytest.raises(ReferenceFileError, match=message):
        run(case, folder, change)


@pytest.mark.parametrize("case", [LRS[0], WFSS[0], TSGRISM[0], SOSS[0]], ids=lambda case: case.name)
def test_no_specwcs(case, folder):
    with pytest.raises(ReferenceFileError, match="CRDS has no SPECWCS reference"):
        run(case, folder, specwcs="N/A")


def test_lrs_with_a_reference_of_something_else(folder):
    path = folder / "other.asdf"
    asdf.AsdfFile(specwcs(WFSS[6])).write_to(path)
    with pytest.raises(ReferenceFileError, match="has no WAVETABLE"):
        run(LRS[0], folder, specwcs=str(path))


@pytest.mark.parametrize(
    ("case", "path", "value", "message"),
    [
        (WFSS[4], "instrument.filter_position", None, "FWCPOS"),
        (WFSS[4], "instrument.filter", "CLEAR", "GR150C and GR150R"),
        (TSGRISM[0], "wcsinfo.siaf_xref_sci", None, "XREF_SCI"),
        (TSGRISM[0], "instrument.module", "B", "module A"),
        (TSGRISM[0], "instrument.pupil", "GDHS0", "DHS"),
        (SOSS[0], "target.ra", None, "TARG_RA"),
    ],
)
def test_keywords_that_are_missing(case, path, value, message, folder):
    model = rate(case)
    node, name = path.split(".")
    setattr(getattr(model.meta, node), name, value)
    with pytest.raises(InputError, match=message):
        run(case, folder, model=model)


def test_the_source_of_a_time_series_is_at_the_reference_position(folder):
    wcs = wcs_of(run(TSGRISM[0], folder))
    x0, y0, _, _ = wcs.between("grism_detector", "direct_image", [3.0, 900.0], [10.0, 200.0], 1.0)
    np.testing.assert_array_equal((x0, y0), np.array([[858.0] * 2, [35.0] * 2]))


@pytest.mark.parametrize(
    ("case", "axis"),
    [*zip(WFSS, (1, 2, 1, 2, 2, 1, 2), strict=True), (LRS[0], 2), (SOSS[0], 1), (TSGRISM[0], 1)],
    ids=str,
)
def test_dispersion_axis(case, axis):
    assert dispersion_axis(rate(case)) == axis


# SOSS


def test_soss_by_order(folder):
    found = run(SOSS[0], folder)
    whole = wcs_of(found)
    for order, longest in ((1, 2.83), (2, 1.43), (3, 0.96)):
        one = TreeWCS(soss.of_order(stored_wcs(found), order))
        assert one.frames == ["detector", "world"] and one.bounding_box == ((-0.5, 2047.5), (-0.5, 255.5))
        ra, dec, wavelength = one(0.0, 3.0)
        assert (ra, dec) == (53.2, -27.7)
        assert wavelength == pytest.approx((longest + 1e-6 * (1792 + 3)) * FACTOR, rel=1e-9)
        np.testing.assert_array_equal(whole(7.0, 9.0, order), one(7.0, 9.0))
    mixed = whole(np.full(3, 7.0), np.full(3, 9.0), np.array([3.0, 1.0, 2.0]))[2]
    assert mixed.tolist() == [whole(7.0, 9.0, k)[2] for k in (3, 1, 2)]
    with pytest.raises(InputError, match="spectral order 4 is not there"):
        soss.of_order(stored_wcs(found), 4)


def test_maps_of_pixels(folder):
    wcs = wcs_of(run(SOSS[0], folder))
    ra, _, wave = world_map(wcs, (256, 2048), 1)
    assert ra.shape == wave.shape == (256, 2048)
    assert wave[200, 1000] == wcs(1000.0, 200.0, 1)[2]
    np.testing.assert_array_equal(wavelengths(wcs, (256, 2048), 1), wave)


def test_large_tables_are_kept_as_they_are(folder, tmp_path):
    """Those of SOSS do not fit into the text of a tree."""
    found = run(SOSS[0], folder)
    found.save(tmp_path / "soss.fits")
    with datamodels.open(tmp_path / "soss.fits") as again:
        tree = stored_wcs(again)
        assert isinstance(tree, Tagged)
        np.testing.assert_array_equal(TreeWCS(tree)(99.5, 31.0, 2), wcs_of(found)(99.5, 31.0, 2))


def test_velocity_aberration_is_about_the_reference_position(folder):
    wcs = wcs_of(run(WFSS[6], folder))
    info = rate(WFSS[6]).meta.wcsinfo
    at = wcs.between("v2v3", "v2v3vacorr", [info.v2_ref, info.v2_ref + 100], [info.v3_ref] * 2, 10.0, 1.0)
    np.testing.assert_allclose(at[0] - info.v2_ref, [0, 100 * SCALE], atol=1e-9)
