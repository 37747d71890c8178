"""The WCS of a grism as a `gwcs.WCS`, where `stdatamodels` is not installed: used as in STScI's notebooks."""

import copy
import importlib.util
import pickle

import numpy as np
import pytest
from dispersion_kinds import ACROSS, ALONG, ALONG_T, COLUMN, ROW, WAVE, nircam

from webbcal import datamodels
from webbcal.io.asdf_library import own_extensions
from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees
from webbcal.wcs.grism_slits import slit_tree
from webbcal.wcs.of_model import stored_wcs, wcs_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("stdatamodels") is not None, reason="stdatamodels brings objects of its own"
)
SPECTRUM = trees.spectrum("spectral", "wavelength")


def exposure(row=True):
    """Return the WCS of an exposure: a grism, then a tangent plane."""
    forward = nircam(ROW if row else COLUMN, *(([ALONG_T], ACROSS) if row else (ACROSS, ALONG)), WAVE)
    back = Tagged(forward.tag, forward.value | {
        "model_type": "NIRCAMBackwardGrismDispersion", "inputs": ["x", "y", "wavelength", "order"],
        "outputs": ["x", "y", "x0", "y0", "order"],
    })  # fmt: skip
    plane = trees.tangent_plane([1024, 1024], [53.1, -27.8], [1.7e-5, 1.7e-5], np.eye(2))
    return trees.wcs(
        [
            (trees.frame("grism_detector", ("x", "y"), "pixel"), trees.with_inverse(forward, back)),
            (
                trees.composite("detector", trees.frame("pixels", ("x", "y"), "pixel"), SPECTRUM),
                trees.both(plane, trees.identity(2)),
            ),
            (trees.composite("world", trees.sky("sky"), SPECTRUM), None),
        ]
    )


@pytest.fixture(params=[True, False], ids=["row", "column"])
def product(request, tmp_path):
    """A product of two spectra, from its file."""
    model, tree = datamodels.MultiSlitModel(), exposure(request.param)
    for number, (x, y) in enumerate(((700.0, 300.0), (900.5, 400.0))):
        item = model.slits.item(data=np.ones((20, 30), np.float32), name=str(number))
        item.meta.wcs = slit_tree(tree, (290, 50), (20, 30), (x, y), 1)
        model.slits.append(item)
    model.save(tmp_path / "x_cal.fits")
    with datamodels.open(tmp_path / "x_cal.fits") as opened:
        yield opened


def test_as_notebooks_use_it(product):
    slit = product.slits[1]
    expected = wcs_of(product.slits[1])
    wcs = slit.meta.wcs
    assert type(wcs).__module__.startswith("gwcs")
    assert wcs.available_frames == ["grism_slit", "grism_detector", "detector", "world"]
    assert wcs.bounding_box.bounding_box(order="F") == ((-0.5, 29.5), (-0.5, 19.5))
    ra, dec, wavelength, order = wcs([10, 4], [6, 3])
    for found, value in zip((ra, dec, wavelength, order), expected([10, 4], [6, 3]), strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-14)
    assert order.tolist() == [1, 1] and wavelength[0] != wavelength[1] and ra[0] == ra[1]
    x0, y0, wave, number = wcs.get_transform("world", "detector")(ra, dec, wavelength, order)
    np.testing.assert_allclose((x0, y0), [[900.5] * 2, [400.0] * 2], atol=1e-6)
    again = wcs.get_transform("detector", "world")(x0, y0, wave, number)
    np.testing.assert_allclose(again, (ra, dec, wavelength, order), atol=1e-9)
    np.testing.assert_allclose(wcs(10, 6), [v[0] for v in (ra, dec, wavelength, order)], rtol=1e-14)
    assert np.isnan(wcs(100, 4)[:3]).all()


def test_grids(product):
    """Whatever the shape, each pixel has its own wavelength, and all have the place of their source."""
    wcs = product.slits[0].meta.wcs
    y, x = np.mgrid[:20, :30]
    world = wcs(x, y)
    for found, one in zip(
        world, zip(*(wcs(*pixel) for pixel in zip(x.flat, y.flat, strict=True)), strict=True), strict=True
    ):
        np.testing.assert_allclose(found, np.reshape(one, (20, 30)), rtol=1e-14)
    assert np.ptp(world[0]) == 0


def test_members_are_attributes(product):
    model = product.slits[0].meta.wcs.get_transform("grism_detector", "detector")
    assert model.orders == [1, 2] and len(model.xmodels) == 2 and model.n_inputs == 5
    assert model.inverse.outputs == ("x", "y", "x0", "y0", "order")
    with pytest.raises(AttributeError, match="no attribute 'theta'"):
        model.theta  # noqa: B018


def test_copies_and_pickles(product):
    wcs = product.slits[0].meta.wcs
    expected = wcs(3.0, 4.0)
    for other in (copy.deepcopy(wcs), pickle.loads(pickle.dumps(wcs))):
        assert other(3.0, 4.0) == expected


def test_what_was_asked_for_is_saved(product, tmp_path):
    values = [slit.meta.wcs(3.0, 4.0) for slit in product.slits]
    product.save(tmp_path / "y_cal.fits")
    with datamodels.open(tmp_path / "y_cal.fits") as again:
        assert all(isinstance(stored_wcs(slit), Tagged) for slit in again.slits)
        assert [slit.meta.wcs(3.0, 4.0) for slit in again.slits] == values


def test_slits_share_what_follows_their_own_step(product, tmp_path):
    product.save(tmp_path / "y_cal.fits")
    with datamodels.open(tmp_path / "y_cal.fits") as again:
        first, second = (stored_wcs(slit).value["steps"] for slit in again.slits)
    assert all(a is b for a, b in zip(first[1:], second[1:], strict=True)) and first[0] is not second[0]


def test_a_changed_one_is_saved_changed(product, tmp_path):
    from astropy.modeling.models import Identity, Shift

    wcs = product.slits[0].meta.wcs
    expected = wcs.get_transform("grism_slit", "world")(5.0, 4.0)
    wcs.insert_transform("grism_slit", Shift(2.0) & Identity(1), after=True)
    product.save(tmp_path / "z_cal.fits")
    with datamodels.open(tmp_path / "z_cal.fits") as again:
        found = wcs_of(again.slits[0]).between("grism_slit", "world", 3.0, 4.0)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_extension_is_ours_alone():
    import asdf

    assert [type(one).__name__ for one in own_extensions()] == ["JwstTransforms"]
    assert not asdf.AsdfFile().extension_manager.handles_tag(
        f"{exposure().value['steps'][0].value['transform'].tag}"
    )
