"""The steps' own evaluation of the WCS of images against gwcs, which defines what is right."""

import io
import subprocess
import sys

import asdf
import astropy.units as u
import gwcs
import numpy as np
import pytest
from astropy.modeling import models as m
from astropy.table import QTable, Table
from tweakwcs.correctors import JWSTWCSCorrector
from wcs_cases import Case, image

from webbcal import datamodels
from webbcal.io import asdf_text
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.simulate.references_image import distortion_model
from webbcal.wcs import trees
from webbcal.wcs.imaging import imaging_wcs
from webbcal.wcs.kinds.kind import Unknown
from webbcal.wcs.of_model import bounds_of, wcs_of
from webbcal.wcs.tree_wcs import TreeWCS

TURN = [[-0.8, 0.6], [0.6, 0.8]]
RNG = np.random.default_rng(5)


class Held:
    """A reference in memory."""

    name = "the test's reference"

    def __init__(self, **content):
        self.model = type("Model", (), {"instance": content})()


def tree_of(detector, **pointing):
    model = image(Case(detector, filter="N/A" if "GUIDER" in detector else "F444W", **pointing))
    return imaging_wcs(model, Held(model=distortion_model(detector)))


def aligned_tree():
    """The WCS of an image that tweakreg has moved."""
    angles = {"v2_ref": 88.7, "v3_ref": -490.8, "roll_ref": 30.0}
    corrector = JWSTWCSCorrector(tree_of("NRCALONG").resolve(), angles)
    corrector.set_correction([[1.0, 2e-5], [-2e-5, 1.0]], [0.3, -0.2])
    return tagged(corrector.wcs)


TREES = {
    "nircam": lambda: tree_of("NRCALONG"),
    "niriss": lambda: tree_of("NIS", ra=0.001, dec=80.0),
    "miri": lambda: tree_of("MIRIMAGE", ra=359.999, dec=-5.0),
    "fgs": lambda: tree_of("GUIDER1"),
    "aligned": aligned_tree,
    "mosaic": lambda: trees.wcs(
        [
            (
                trees.frame("detector", ("x", "y"), "pixel"),
                trees.bounded(
                    trees.tangent_plane((900.0, 1100.0), (0.01, -60.0), (2e-5, 1e-5), TURN),
                    ((-0.5, 1999.5), (-0.5, 2099.5)),
                    ("x", "y"),
                ),
            ),
            (trees.sky(), None),
        ],
        pixel_shape=(2000, 2100),
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_positions_and_bounds_are_those_of_gwcs(name):
    tree = TREES[name]()
    ours, theirs = TreeWCS(tree), tree.resolve()
    assert isinstance(theirs, gwcs.WCS)
    assert bounds_of(ours) == bounds_of(theirs) == ours.bounding_box
    assert ours.array_shape == theirs.array_shape
    x, y = RNG.uniform(-30, 2080, (2, 500))
    sky = theirs(x, y, with_bounding_box=False)
    difference = np.subtract(ours(x, y, with_bounding_box=False), sky)
    assert np.abs((difference + 180) % 360 - 180).max() < 3e-13  # degrees; a nanoarcsecond
    pixels = theirs.invert(*sky, with_bounding_box=False)
    assert np.abs(np.subtract(ours.invert(*sky, with_bounding_box=False), pixels)).max() < 1e-7
    np.testing.assert_array_equal(np.isnan(ours(x, y)), np.isnan(theirs(x, y)))
    assert 0 < np.isnan(ours(x, y)[0]).sum() < 500


@pytest.mark.parametrize("name", TREES)
def test_trees_come_back_as_they_were_from_a_file_and_from_gwcs(name):
    tree = TREES[name]()
    x, y = RNG.uniform(0, 2000, (2, 50))
    expected = TreeWCS(tree)(x, y)
    for again in (asdf_text.read(asdf_text.write({"wcs": tree}))["wcs"], tagged(tree.resolve())):
        np.testing.assert_array_equal(TreeWCS(again)(x, y), expected)


@pytest.mark.parametrize("name", TREES)
def test_tags_are_those_that_gwcs_writes(name):
    """So whoever reads the files of jwst reads ours."""

    def tags(node, seen):
        if isinstance(node, Tagged):
            if id(node) in seen:
                return set()
            seen.add(id(node))
            return {node.tag} | tags(node.value, seen)
        values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return set().union(*(tags(value, seen) for value in values))

    tree = TREES[name]()
    assert tags(tree, set()) == tags(tagged(tree.resolve()), set())


def test_what_is_not_known_is_left_to_gwcs(tmp_path):
    detector, sky = trees.frame("detector", ("x", "y"), "pixel"), trees.sky()
    odd = m.Scale(1e-5) & m.Scale(1e-5) | m.Pix2Sky_SIN() | m.RotateNative2Celestial(10, 20, 180)
    tree = trees.wcs([(detector, tagged(odd)), (sky, None)])
    with pytest.raises(Unknown):
        TreeWCS(tree)
    model = datamodels.ImageModel((5, 5))
    model.meta.wcs = tree
    model.save(tmp_path / "x_cal.fits")
    wcs = wcs_of(datamodels.open(tmp_path / "x_cal.fits"))
    assert isinstance(wcs, gwcs.WCS)
    np.testing.assert_allclose(wcs(1.0, 2.0), odd(1.0, 2.0))


def test_a_wcs_that_was_asked_for_is_what_counts(tmp_path):
    """Somebody may have changed it."""
    model = datamodels.ImageModel((5, 5))
    model.meta.wcs = TREES["mosaic"]()
    assert isinstance(wcs_of(model), TreeWCS)
    model.meta.wcs.bounding_box = ((0.5, 3.5), (1.5, 2.5))
    assert wcs_of(model) is model.meta.wcs
    model.save(tmp_path / "x_cal.fits")
    again = datamodels.open(tmp_path / "x_cal.fits")
    assert wcs_of(again).bounding_box == ((0.5, 3.5), (1.5, 2.5))
    assert wcs_of(datamodels.ImageModel((3, 3))) is None


@pytest.mark.parametrize("dtype", ["f8", ">f4", "i2", ">u4", "?"])
def test_large_arrays_are_written_as_blocks(dtype):
    """They are those that the library reads; what is shared is stored once."""
    big = (np.arange(5000) % 200).astype(dtype).reshape(50, 100)
    content = asdf_text.write({"one": big, "two": [big, big[:, ::2]], "small": np.arange(3)})
    assert content.count(b"\xd3BLK") == 2
    with asdf.open(io.BytesIO(content), lazy_load=False) as file:
        for found in (file["one"], file["two"][0], asdf_text.read(content)["one"]):
            np.testing.assert_array_equal(found, big)
            assert np.asarray(found).dtype.kind == big.dtype.kind
        np.testing.assert_array_equal(file["two"][1], big[:, ::2])
        np.testing.assert_array_equal(file["small"], np.arange(3))


def test_binary_blocks_and_shared_nodes_are_read(tmp_path):
    transform = m.Polynomial2D(2, c0_0=1.5, c1_0=2.5)
    transform.inverse = m.Polynomial2D(2, c0_0=-1.5)
    transform.inverse.inverse = transform
    buffer = io.BytesIO()
    tree = {"a": transform, "b": transform, "big": np.arange(5000.0), "flags": np.array([True, False])}
    asdf.AsdfFile(tree).write_to(buffer)
    read = asdf_text.read(buffer.getvalue())
    assert read["a"] is read["b"] and read["a"].value["inverse"].value["inverse"] is read["a"]
    np.testing.assert_array_equal(read["a"].value["coefficients"][:2, 0], [1.5, 2.5])
    np.testing.assert_array_equal(read["big"], np.arange(5000.0))
    assert read["flags"].dtype == bool
    compressed = io.BytesIO()
    asdf.AsdfFile({"x": np.arange(5000.0)}).write_to(compressed, all_array_compression="zlib")
    with pytest.raises(asdf_text.NotPlain):
        asdf_text.read(compressed.getvalue())


def test_a_table_in_a_tree_is_read_as_the_library_reads_it():
    fields = [("n", "<i4"), ("time", ">f8"), ("pair", "<f4", (2,)), ("name", "S5")]
    table = np.zeros(3, fields)
    table["n"], table["time"], table["name"] = [1, 2, 3], [0.5, np.pi, -1e9], b"ab"
    table["pair"] = np.arange(6).reshape(3, 2)
    buffer = io.BytesIO()
    asdf.AsdfFile({"table": table}).write_to(buffer)
    found = asdf_text.read(buffer.getvalue())["table"]
    assert found.dtype.isnative and found.dtype.names == table.dtype.names
    for name in table.dtype.names:
        np.testing.assert_array_equal(found[name], table[name])


def test_objects_with_large_arrays_are_made():
    model = m.Tabular1D(points=np.linspace(0, 1, 5000), lookup_table=RNG.uniform(0, 1, 5000))
    buffer = io.BytesIO()
    asdf.AsdfFile({"model": model}).write_to(buffer)
    again = asdf_text.read(buffer.getvalue())["model"].resolve()
    np.testing.assert_array_equal(again.lookup_table, model.lookup_table)


def test_tables_are_read_as_the_library_reads_them():
    content = {
        "name": np.array(["F200W", "F444W\u00b5"]),
        "code": np.array([b"ab", b"c"]),
        "offset": np.array([1.5, -2.5]),
        "number": np.array([3, 4], np.int16),
    }
    buffer = io.BytesIO()
    asdf.AsdfFile({"table": Table(content)}).write_to(buffer)
    array = asdf_text.table_array(asdf_text.read(buffer.getvalue())["table"])
    assert array.dtype.names == tuple(content)
    assert array["name"].tolist() == ["F200W", "F444W\u00b5"] and array["code"].tolist() == ["ab", "c"]
    assert array["offset"].tolist() == [1.5, -2.5] and array["number"].tolist() == [3, 4]
    made = asdf_text.read(buffer.getvalue())["table"].resolve()
    assert isinstance(made, Table) and made.colnames == list(content)
    assert made["name"].tolist() == ["F200W", "F444W\u00b5"] and list(made["code"]) == ["ab", "c"]
    for odd in (QTable({"x": [1.0] * u.m}), Table({"x": np.zeros((2, 2))}), Table({"x": [1]}, masked=True)):
        buffer = io.BytesIO()
        asdf.AsdfFile({"table": odd}).write_to(buffer)
        with pytest.raises(asdf_text.NotPlain):
            asdf_text.table_array(asdf_text.read(buffer.getvalue())["table"])


def test_opening_and_saving_an_image_loads_no_library(tmp_path):
    model = datamodels.ImageModel((5, 5))
    model.meta.wcs = TREES["nircam"]()
    path = model.save(tmp_path / "x_cal.fits")
    code = (
        "import sys; from webbcal import datamodels; from webbcal.wcs.of_model import wcs_of\n"
        f"m = datamodels.open({str(path)!r}); wcs_of(m)(1.0, 2.0); m.save({str(path)!r})\n"
        "print([name for name in ('astropy', 'asdf', 'gwcs', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    np.testing.assert_allclose(
        datamodels.open(path).meta.wcs(1.0, 2.0), TreeWCS(TREES["nircam"]())(1.0, 2.0), rtol=1e-14
    )
