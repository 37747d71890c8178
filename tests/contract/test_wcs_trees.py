"""A WCS of any number of axes, with bounding boxes of any dimension, against gwcs, which defines it."""

import inspect
import io
import warnings

import asdf
import astropy.units as u
import gwcs
import numpy as np
import pytest
from astropy.coordinates import ICRS
from astropy.modeling import models as m
from astropy.modeling.bounding_box import CompoundBoundingBox
from astropy.modeling.core import fix_inputs
from gwcs import coordinate_frames as cf
from gwcs import examples

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.io import asdf_text
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs import trees
from webbcal.wcs.bounds import CompoundBounds, bounds_in
from webbcal.wcs.kinds.kind import Unknown
from webbcal.wcs.of_model import bounds_of, usable, wcs_of
from webbcal.wcs.tree_wcs import TreeWCS

RNG = np.random.default_rng(6)

DETECTOR = cf.Frame2D(name="detector", axes_order=(0, 1), unit=(u.pix, u.pix))
SKY = cf.CelestialFrame(name="sky", axes_order=(0, 1), reference_frame=ICRS(), unit=(u.deg, u.deg))
WAVE = cf.SpectralFrame(name="wavelength", axes_order=(2,), unit=(u.um,))
WORLD = cf.CompositeFrame([SKY, WAVE], name="world")
SLIT = cf.CoordinateFrame(
    naxes=3, axes_type=("SPATIAL", "SPATIAL", "SPECTRAL"), axes_order=(0, 1, 2), unit=(u.one, u.one, u.um),
    name="slit_frame",
)  # fmt: skip


def boxed(model, box):
    model.bounding_box = box
    return model


def slit():
    """Columns and rows to the sky along a slit and the wavelength along rows, through a frame of three."""
    wave = m.Tabular1D(np.arange(400.0), 5 + 0.01 * np.arange(400.0) ** 1.1)
    into_slit = m.Mapping((0, 1, 1)) | m.Shift(-30.0) & m.Scale(1e-3) & wave
    into_slit.inverse = m.Mapping((0, 2), n_inputs=3) | m.Shift(30.0) & wave.inverse
    into_slit.bounding_box = (-0.0, 398.5), (9.5, 50.5)  # y, x
    onto_sky = m.Pix2Sky_TAN() | m.RotateNative2Celestial(33.0, -20.0, 180.0)
    to_world = (m.Scale(1e-4) & m.Scale(1e-4) | onto_sky) & m.Identity(1)
    return gwcs.WCS([(DETECTOR, into_slit), (SLIT, to_world), (WORLD, None)])


def cube():
    pixels = cf.CoordinateFrame(
        naxes=3, axes_type=("SPATIAL",) * 3, axes_order=(0, 1, 2), unit=(u.pix,) * 3, name="detector"
    )
    sky = m.Shift(-5.0) & m.Shift(-6.0) | m.Scale(1e-4) & m.Scale(1e-4) | m.Pix2Sky_TAN()
    sky = sky | m.RotateNative2Celestial(359.999, 5.0, 180.0)
    model = boxed(sky & m.Linear1D(0.01, 5.0), ((-0.5, 40.5), (-0.5, 11.5), (-0.5, 10.5)))  # z, y, x
    return gwcs.WCS([(pixels, model), (WORLD, None)])


def line():
    """One axis on both sides, bounded by its table alone."""
    pixels = cf.CoordinateFrame(
        naxes=1, axes_type=("SPATIAL",), axes_order=(0,), unit=(u.pix,), name="detector"
    )
    wave = cf.SpectralFrame(name="wavelength", axes_order=(0,), unit=(u.um,))
    return gwcs.WCS([(pixels, m.Tabular1D(np.arange(50.0), np.linspace(5, 9, 50) ** 2)), (wave, None)])


def named():
    """Frames that are but names."""
    return gwcs.WCS(boxed(m.Shift(1.0) & m.Scale(2.0), ((0, 30), (0, 20))), "detector", "somewhere")


ORDERS = {-1: ((0, 20), (5, 30)), 2: ((10, 40), (0, 9))}


def orders(ignore=True):
    """Columns, rows and an order, which has a bounding box of its own."""
    model = m.Shift(1.0) & m.Shift(2.0) & m.Scale(0.5)
    model.inputs = ("x", "y", "order")
    pairs = ORDERS if ignore else {order: (*box, (-3, 3)) for order, box in ORDERS.items()}
    model.bounding_box = CompoundBoundingBox.validate(
        model, pairs, selector_args=[("order", ignore)], order="F"
    )
    pixels = cf.CoordinateFrame(
        naxes=3, axes_type=("SPATIAL", "SPATIAL", "OTHER"), axes_order=(0, 1, 2), unit=(u.pix, u.pix, u.one),
        name="grism_detector",
    )  # fmt: skip
    return gwcs.WCS([(pixels, model), (SLIT, None)])


RANGES = {slit: ((-5, 60), (-20, 420)), cube: ((-2, 12), (-2, 13), (-2, 43)), line: ((-5, 55),),
          named: ((-5, 35), (-5, 35))}  # fmt: skip


def as_tuple(values):
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def quietly(function, *values, **options):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return as_tuple(function(*values, **options))


def evaluated(wcs, *pixels, box=True):
    """Return what the models make of pixels (a gwcs.WCS of one axis fails at its units)."""
    return quietly(wcs.forward_transform, *pixels, with_bounding_box=box)


def check_boxed(found, model, pixels):
    """Compare with a model, whose outputs of scalars alone are scalars: their NaN is not a point's."""
    boxed = quietly(model, *pixels, with_bounding_box=True)
    outside = next(np.isnan(v) for v in boxed if np.ndim(v))
    assert 0 < outside.sum() < outside.size
    for ours, theirs, free in zip(found, boxed, quietly(model, *pixels), strict=True):
        expected = theirs if np.ndim(theirs) else np.where(outside, np.nan, free)
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("make", RANGES, ids=lambda make: make.__name__)
def test_positions_bounds_and_frames_are_those_of_gwcs(make):
    theirs = make()
    ours = TreeWCS(tagged(theirs))
    assert ours.frames == theirs.available_frames
    assert (ours.inputs, ours.outputs) == (
        theirs.forward_transform.n_inputs,
        theirs.forward_transform.n_outputs,
    )
    assert bounds_of(ours) == bounds_of(theirs) == ours.bounding_box
    for shape in ((300,), (20, 3), (1,)):
        pixels = [RNG.uniform(low, high, shape) for low, high in RANGES[make]]
        found, expected = ours(*pixels), evaluated(theirs, *pixels)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-13)
    assert np.isnan(found[0]).all() or np.isfinite(found[0]).all()
    one = ours(*(float(v.flat[0]) for v in pixels))
    np.testing.assert_array_equal(one, [v.flat[0] for v in found])


@pytest.mark.parametrize("make", RANGES, ids=lambda make: make.__name__)
def test_inverses_are_those_of_gwcs(make):
    theirs = make()
    ours = TreeWCS(tagged(theirs))
    pixels = [RNG.uniform(low, high, 300) for low, high in RANGES[make]]
    world = ours(*pixels)
    inside = np.isfinite(world[0])
    assert 0 < inside.sum() < 300
    good = [v[inside] for v in world]
    back = quietly(theirs.invert, *good, with_bounding_box=False)
    for a, b, c in zip(ours.invert(*good), back, pixels, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)
        np.testing.assert_allclose(a, c[inside], atol=1e-6)
    # Beyond the edge: known without the box, NaN with it.
    if make is not slit and make is not line:
        beyond = ours(*pixels, with_bounding_box=False)
        assert np.isfinite(ours.invert(*beyond, with_bounding_box=False)).all()
        np.testing.assert_array_equal(np.isnan(ours.invert(*beyond)[0]), ~inside)


EXAMPLES = [
    function
    for name, function in inspect.getmembers(examples, inspect.isfunction)
    if name.startswith("gwcs_") and not inspect.signature(function).parameters
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_the_examples_of_gwcs(example):
    """Of one to seven axes, galactic, of time and polarisation; those with units are left to gwcs."""
    theirs = example()
    tree = tagged(theirs)
    if (
        example.__name__ == "gwcs_stokes_lookup"
        or theirs.forward_transform.uses_quantity
        or "units" in example.__name__
    ):
        with pytest.raises(Unknown):
            TreeWCS(tree)
        return
    ours = TreeWCS(tree)
    pixels = [RNG.uniform(1, 12, 50) for _ in range(ours.inputs)]
    expected = evaluated(theirs, *pixels)
    for a, b in zip(ours(*pixels), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-13, atol=1e-13)
    if ours.has_inverse:
        back = quietly(theirs.forward_transform.inverse, *expected)
        for a, b in zip(ours.invert(*expected, with_bounding_box=False), back, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)


def test_between_frames():
    theirs = slit()
    ours = TreeWCS(tagged(theirs))
    x, y = RNG.uniform(10, 50, 20), RNG.uniform(0, 398, 20)
    for a, b in zip(
        ours.between("detector", "slit_frame", x, y),
        theirs.transform("detector", "slit_frame", x, y),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    world = ours(x, y)
    for a, b in zip(
        ours.between("world", "slit_frame", *world),
        theirs.transform("world", "slit_frame", *world),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-10)
    assert [(f.name, f.kind, len(f.parts)) for f in ours.described_frames] == [
        ("detector", "frame2d", 0), ("slit_frame", "frame", 0), ("world", "composite_frame", 2)
    ]  # fmt: skip
    assert [f.axes for f in ours.described_frames] == [(0, 1), (0, 1, 2), (0, 1, 2)]
    with pytest.raises(InputError, match="this one is to the frame world"):
        ours.pixel_to_world(1.0, 2.0)


@pytest.mark.parametrize("ignore", [True, False])
def test_a_box_for_each_order(ignore):
    theirs = orders(ignore)
    ours = TreeWCS(tagged(theirs))
    assert isinstance(ours.bounding_box, CompoundBounds) and ours.bounding_box.selectors == (2,)
    x, y = RNG.uniform(-5, 45, (2, 400))
    alone = {}
    for order in ORDERS:
        alone[order] = ours(x, y, order)
        check_boxed(alone[order], theirs.pipeline[0].transform, (x, y, order))
    # gwcs takes one order a call; here each point may have its own.
    mixed = RNG.choice([*ORDERS, np.nan], 400)
    found = ours(x, y, mixed)
    for order in ORDERS:
        chosen = mixed == order
        np.testing.assert_array_equal(np.array(found)[:, chosen], np.array(alone[order])[:, chosen])
    assert np.isnan(np.array(found)[:, np.isnan(mixed)]).all()
    world = ours(x, y, -1, with_bounding_box=False)
    np.testing.assert_array_equal(np.isnan(ours.invert(*world)[0]), np.isnan(alone[-1][0]))
    with pytest.raises(ValueError, match="no bounding box for some values"):
        ours(1.0, 2.0, 7)
    for wcs in (ours, theirs):
        with pytest.raises(InputError, match="fix the input first"):
            bounds_of(wcs)


@pytest.mark.parametrize("fixed", [{"order": 2}, {"y": 3.0}, {"x": 12.0, "order": -1}, {2: -1}], ids=str)
def test_fixed_inputs_leave_the_box_of_the_others(fixed):
    """What jwst gives each slit: the transform of all, of which the slit is fixed."""
    model = fix_inputs(orders().pipeline[0].transform, fixed)
    stored = tagged(model)
    derived = Tagged(stored.tag, {k: v for k, v in stored.value.items() if k != "bounding_box"})
    pixels = [RNG.uniform(-5, 45, 300) for _ in model.inputs]
    if isinstance(model.bounding_box, CompoundBoundingBox):
        pixels[-1] = -1.0
    frame, slit_frame = trees.frame("detector", ("x", "y"), "pixel"), tagged(SLIT)
    ours = [TreeWCS(trees.wcs([(frame, t), (slit_frame, None)])) for t in (stored, derived)]
    assert ours[0].bounding_box == ours[1].bounding_box
    for wcs in ours:
        check_boxed(wcs(*pixels), model, pixels)


def test_a_fixed_order_without_a_box_is_refused():
    bounds = TreeWCS(tagged(orders())).bounding_box
    with pytest.raises(ValueError, match="no bounding box for inputs"):
        bounds.fixed({2: 7})


def test_boxes_of_older_files_and_open_ones():
    assert bounds_in([[1, 2], [3, 4]], None, 2) == ((3, 4), (1, 2))
    assert bounds_in([1, 2], ["x"], 1) == ((1, 2),)
    box = Tagged(
        "tag:stsci.edu:asdf/transform/property/bounding_box-1.0.0",
        {"intervals": {"y": [1, 2]}, "ignore": ["x"]},
    )
    assert bounds_in(box, ["x", "y"], 2) == ((-np.inf, np.inf), (1, 2))
    model = m.Shift(1.0) & m.Shift(2.0)
    model.inputs = ("x", "y")
    model.bounding_box = ((-1, 1), (-2, 2))  # y first
    assert TreeWCS(tagged(gwcs.WCS(model, DETECTOR, "sky"))).bounding_box == ((-2, 2), (-1, 1))
    for node, names, count in (
        (box, ["x", "z"], 2),
        (box, ["x", "y", "z"], 3),
        ([[1, 2]], None, 2),
        ("text", None, 2),
    ):
        with pytest.raises(ValueError):
            bounds_in(node, names, count)


def test_a_model_with_slits_is_evaluated_without_gwcs(tmp_path):
    model = datamodels.ImageModel((400, 60))
    model.meta.wcs = tagged(slit())
    model.save(tmp_path / "x_cal.fits")
    again = datamodels.open(tmp_path / "x_cal.fits")
    wcs = wcs_of(again)
    assert isinstance(wcs, TreeWCS) and isinstance(again.meta.instance["wcs"], Tagged)
    np.testing.assert_allclose(wcs(20.0, 100.0), again.meta.wcs(20.0, 100.0), rtol=1e-13)


def test_a_wcs_without_known_inverse_is_left_to_gwcs():
    model = m.Mapping((0, 1, 1)) | m.Shift(1.0) & m.Shift(2.0) & m.Polynomial1D(1, c0=1, c1=2)
    assert isinstance(usable(tagged(gwcs.WCS(model, DETECTOR, "world"))), gwcs.WCS)


def test_ordered_mappings_are_read_and_written_as_mappings():
    """The converters of gwcs write those of label mappers and selectors as YAML's omap."""
    from wcs_kinds import CASES

    case = next(case for case in CASES if case.kind == "regions_selector")
    buffer = io.BytesIO()
    asdf.AsdfFile({"model": case.model}).write_to(buffer)
    assert b"!!omap" in buffer.getvalue()
    tree = asdf_text.read(buffer.getvalue())
    assert set(tree["model"].value["selector"]) == {"labels", "transforms"}
    again = asdf_text.read(asdf_text.write(tree))["model"].resolve()
    np.testing.assert_array_equal(again(np.arange(3.0), np.ones(3)), case.model(np.arange(3.0), np.ones(3)))
