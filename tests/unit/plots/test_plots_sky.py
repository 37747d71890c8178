"""Plots on the sky: axes of RA and Dec, footprints, and residuals of an alignment."""

from pathlib import Path

import numpy as np
import pytest
from combine_cases import dithered
from matplotlib.figure import Figure

from webbcal import datamodels, plots
from webbcal.associations.association import Association, Member, Product
from webbcal.core.errors import InputError
from webbcal.plots.matching import residuals_of
from webbcal.plots.tangent import Tangent
from webbcal.wcs.footprint import update_s_region


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Four dithered images of one sky."""
    models, _ = dithered(tmp_path_factory.mktemp("dithers"), rays=0)
    for model in models:
        assert update_s_region(model)
    return models


def test_axes_of_an_image_are_those_of_its_wcs(exposures):
    axes = plots.show_image(exposures[0])
    ra, dec = exposures[0].meta.wcs(30.0, 100.0)
    found = axes.wcs.pixel_to_world(30.0, 100.0)
    np.testing.assert_allclose([found.ra.deg, found.dec.deg], [ra, dec], rtol=0, atol=1e-8)
    assert axes.coords[0].get_axislabel() == "Right ascension (ICRS)"
    assert plots.show_image(exposures[0], sky=False).get_xlabel() == "Column (pixel)"


def test_offsets_on_the_sky_where_right_ascension_begins():
    tangent = Tangent.around(np.array([[359.9999, 60.0], [0.0001, 60.0001]]))
    east, north = tangent.offsets([0.0001, 359.9999], [60.0001, 60.0])
    np.testing.assert_allclose(east[0] - east[1], 0.72 * np.cos(np.radians(60)), rtol=1e-4)
    np.testing.assert_allclose(north[0] - north[1], 0.36, rtol=1e-4)
    x, y = tangent.wcs.wcs_world2pix([[0.0001, 60.0001]], 0)[0]
    np.testing.assert_allclose([-x, y], [east[0], north[0]], atol=1e-6)


def test_footprints_of_models_paths_and_an_association(exposures, tmp_path):
    paths = []
    for model in exposures[:2]:
        paths.append(tmp_path / Path(model.meta.filename).name)
        model.save(paths[-1])
    members = tuple(Member(path.name) for path in paths)
    association = tmp_path / "a_asn.json"
    Association.of_products([Product("a", members)], asn_type="image3", asn_id="a3001").save(association)
    outlines = []
    for source in (exposures[:2], paths, association, str(association)):
        axes = plots.plot_footprints(source)
        assert axes.get_legend() is not None and len(axes.patches) == 4
        outlines.append([patch.get_xy() for patch in axes.patches])
    for other in outlines[1:]:
        np.testing.assert_allclose(other, outlines[0], atol=1e-5)
    own = Figure().add_subplot()
    plots.plot_footprints(exposures[:2], ax=own)
    np.testing.assert_allclose(own.patches[0].get_xy() * [-1, 1], outlines[0][0], atol=1e-9)
    sides = np.hypot(*np.diff(own.patches[0].get_xy(), axis=0).T)
    np.testing.assert_allclose(sides, 160 * 0.063, rtol=0.03)


def test_residuals_are_what_an_exposure_is_off(exposures):
    moved = [model.copy() for model in exposures[:3]]
    before = plots.plot_residuals(moved, snr_threshold=10)
    wcs = moved[0].meta.wcs
    from astropy.modeling.models import Shift

    first = wcs.available_frames[0]
    wcs.insert_transform(first, Shift(1.0) & Shift(0.0), after=True)  # one pixel: 63 mas
    after = plots.plot_residuals(moved, tolerance=0.2, snr_threshold=10)

    def rms(axes):
        return [float(t.get_text().split(": ")[1].split()[0]) for t in axes.get_legend().get_texts()]

    assert max(rms(before)) < 12
    assert 63 * 0.55 < rms(after)[0] < 63 * 0.75  # two thirds: the mean of three moves along
    assert "mas rms" in after.get_title("left")


def test_residuals_from_positions_that_are_known():
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    off = np.array([0.03, -0.01])
    one, two = residuals_of([truth + off, truth[:2]], 0.1, truth)
    np.testing.assert_allclose(one.vectors, [off] * 3)
    assert one.rms == pytest.approx(np.hypot(*off)) and two.rms == 0 and len(two.places) == 2
    first, second, third = residuals_of([truth, truth[1:] + off, np.zeros((0, 2))], 0.1)
    np.testing.assert_allclose(first.vectors, [-off / 2] * 2)
    np.testing.assert_allclose(second.vectors, [off / 2] * 2)
    assert len(third.vectors) == 0 and np.isnan(third.rms)


def test_what_is_not_on_the_sky_is_told(exposures):
    lost = exposures[0].copy()
    lost.meta.wcsinfo.s_region = None
    with pytest.raises(InputError, match="no footprint on the sky"):
        plots.plot_footprints([lost])
    with pytest.raises(InputError, match="no exposures to draw"):
        plots.plot_footprints([])
    lost.meta.wcsinfo.ctype1 = None
    with pytest.raises(InputError, match="has no WCS"):
        plots.plot_residuals([lost])
    with pytest.raises(InputError, match="in two of these exposures within"):
        plots.plot_residuals(exposures[:1], snr_threshold=10)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (datamodels.FlatModel((4, 4)), "FlatModel: no footprint on the sky"),
        (datamodels.MultiSpecModel(), "MultiSpecModel: no footprint on the sky"),
        (None, "NoneType is no model; give paths, models or an association"),
        ([np.zeros((4, 4))], "ndarray is no model"),
    ],
)
def test_what_has_no_footprint_is_told(given, sentence):
    with pytest.raises(InputError, match=sentence):
        plots.plot_footprints(given)
