"""A WCS with transforms that no installed library knows: kept as it stands, and told when it is asked for."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.io.asdf_text import Tagged
from webbcal.io.missing_library import MissingLibrary
from webbcal.wcs import trees
from webbcal.wcs.imaging import imaging_wcs
from webbcal.wcs.of_model import stored_wcs, wcs_of

#: As those of NIRSpec, which stdatamodels brings; this one is in no version of it.
TAG = "tag:stsci.edu:jwst_pipeline/not_there-1.2.0"


def tree():
    odd = Tagged(TAG, {"model_type": "slits", "slits": [1, 2], "inverse": trees.shift(2.0)})
    return trees.wcs([(trees.frame("detector", ("x", "y"), "pixel"), odd), (trees.sky(), None)])


@pytest.fixture
def path(tmp_path):
    model = datamodels.ImageModel(np.ones((4, 4), np.float32))
    model.meta.wcs = tree()
    return model.save(tmp_path / "x_cal.fits")


def tags(node):
    if isinstance(node, Tagged):
        return [node.tag, *tags(node.value)]
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [tag for value in values for tag in tags(value)]


def test_asking_says_what_is_missing_and_harms_nothing(path, tmp_path):
    with datamodels.open(path) as model:
        with pytest.raises(
            MissingLibrary, match=rf"knows {TAG}\. Install stdatamodels \(the newest\) beside"
        ):
            model.meta.wcs  # noqa: B018
        with pytest.raises(InputError, match=r"x_cal\.fits: its WCS cannot be used: .*stdatamodels"):
            wcs_of(model)
        model.save(tmp_path / "y_cal.fits")
    assert tags(stored_wcs(datamodels.open(tmp_path / "y_cal.fits"))) == tags(tree())


@pytest.mark.filterwarnings("ignore::asdf.exceptions.AsdfWarning")
def test_the_library_keeps_it_too(path, tmp_path):
    """Trees with arrays of complex numbers are written by the library, which needs objects or tags."""
    with datamodels.open(path) as model:
        model.meta.curve = np.arange(1500.0) * 1j
        model.save(tmp_path / "y_cal.fits")
    again = datamodels.open(tmp_path / "y_cal.fits")
    assert sorted(tags(stored_wcs(again))) == sorted(tags(tree()))
    np.testing.assert_array_equal(again.meta.curve, np.arange(1500.0) * 1j)


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("tag:stsci.edu:gwcs/not_there-9.0.0", "Install gwcs "),
        ("tag:stsci.edu:asdf/transform/not_there-9.0.0", "Install asdf-astropy "),
        ("tag:example.org:not_there-1.0.0", "Install what wrote it"),
        ("tag:stsci.edu:asdf/transform/compose-1.4.0", "not laid out as its library expects"),
    ],
)
@pytest.mark.filterwarnings("ignore::asdf.exceptions.AsdfWarning")
def test_the_package_is_named(tag, message):
    with pytest.raises(MissingLibrary, match=message):
        Tagged(tag, {"forward": [1, 2]}).resolve()


class Reference:
    name = "jwst_nircam_distortion_0001.asdf"

    def __init__(self, transform):
        self.model = type("Model", (), {"instance": {"model": transform}})()


def test_a_distortion_reference_without_a_transform_is_refused():
    model = datamodels.ImageModel((4, 4))
    for name in ("v2_ref", "v3_ref", "ra_ref", "dec_ref", "roll_ref"):
        setattr(model.meta.wcsinfo, name, 1.0)
    with pytest.raises(ReferenceFileError, match="but an IrreducibleUnit; give another"):
        imaging_wcs(model, Reference(Tagged("tag:stsci.edu:asdf/unit/unit-1.0.0", "m")))
