"""Each kind of transform that is evaluated here against the models of astropy and gwcs, which define it."""

import copy

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling import models as m
from astropy.modeling.bounding_box import ModelBoundingBox
from gwcs import selector
from wcs_kinds import CASES, oracle, oracle_inverse

from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs import trees
from webbcal.wcs.evaluation import KINDS, backward, forward, transform
from webbcal.wcs.kinds.kind import ASDF, GWCS, JWST, Unknown
from webbcal.wcs.tree_wcs import TreeWCS

CLOSE = {"rtol": 2e-13, "atol": 2e-13}

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def fresh(case):
    """Return the case's model: gwcs changes one when it evaluates it."""
    return copy.deepcopy(case.model)


def test_each_kind_has_a_case():
    # Those of jwst have their own (test_dispersion_kinds).
    known = {tag.rpartition("/")[2] for tag in KINDS if not tag.startswith(JWST)}
    assert {case.kind for case in CASES} == known
    assert all(tag == kind.tag for tag, kind in KINDS.items())


def bare(node):
    """Return a tree without the names of inputs and outputs, which tell their numbers too."""
    if isinstance(node, Tagged):
        return Tagged(node.tag, bare(node.value))
    if isinstance(node, dict):
        kept = {"inputs", "outputs"} if "selector" not in node else set()
        return {key: bare(value) for key, value in node.items() if key not in kept}
    return [bare(value) for value in node] if isinstance(node, list) else node


@every
def test_it_is_the_kind_and_has_the_numbers_of_inputs_and_outputs(case):
    node = tagged(fresh(case))
    assert node.kind == case.kind and node.tag.rpartition("-")[0] in KINDS
    for tree in (node,) if case.note == "by name" else (node, bare(node)):
        found = transform(tree)
        assert (found.inputs, found.outputs) == (case.model.n_inputs, case.model.n_outputs)


@every
@pytest.mark.parametrize("shape", [(60,), (4, 3), (1,), (0,)], ids=str)
def test_forward_of_arrays(case, shape):
    values = case.values(shape)
    found = forward(tagged(fresh(case)))(*values)
    if shape == (0,):
        assert all(np.shape(v) == shape for v in np.broadcast_arrays(*found))
        return
    expected = oracle(fresh(case), *values)
    assert len(found) == len(expected) == case.model.n_outputs
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@every
def test_forward_of_scalars_and_of_scalars_with_arrays(case):
    values, function = case.values((7,)), forward(tagged(fresh(case)))
    expected = oracle(fresh(case), *values)
    one = function(*(float(v[0]) for v in values))
    assert all(np.ndim(v) == 0 for v in one)
    np.testing.assert_allclose(np.array(one, float), [v[0] for v in expected], **CLOSE)
    for fixed in range(1, len(values)):
        mixed = [*(np.full(7, v[0]) for v in values[:fixed]), *values[fixed:]]
        scalars = [*(float(v[0]) for v in values[:fixed]), *values[fixed:]]
        for ours, theirs in zip(function(*scalars), oracle(fresh(case), *mixed), strict=True):
            np.testing.assert_allclose(np.broadcast_to(ours, 7), theirs, **CLOSE)


#: Kinds of which gwcs makes no NaN of NaN: it fails, or leaves memory as it was.
ONLY_OURS = ("label_mapper", "regions_selector")


@every
def test_nan_goes_in_and_comes_out(case):
    function = forward(tagged(fresh(case)))
    for number in range(case.model.n_inputs):
        values = case.values((9,))
        values[number][4] = np.nan
        with np.errstate(invalid="ignore"):
            found = function(*values)
        if case.kind in ONLY_OURS:
            continue
        if case.note.startswith(
            "strict"
        ):  # there gwcs refuses NaN, which is what the bounding box makes of other points
            assert np.isnan(found[0]).tolist() == [k == 4 for k in range(9)]
            continue
        for ours, theirs in zip(found, oracle(fresh(case), *values), strict=True):
            np.testing.assert_array_equal(np.isnan(np.broadcast_to(ours, 9)), np.isnan(theirs))


@every
def test_backward(case):
    node, inverse = tagged(fresh(case)), oracle_inverse(fresh(case))
    if inverse is None:
        with pytest.raises(Unknown):
            backward(node)
        return
    values = oracle(fresh(case), *case.values((60,)))
    for ours, theirs in zip(backward(node)(*values), oracle(inverse, *values), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=case.close)


@every
def test_a_bounding_box_on_it(case):
    """NaN outside, in every output; inside, what it is without the box."""
    model, ranges = fresh(case), case.ranges * (case.model.n_inputs if len(case.ranges) == 1 else 1)
    box = [((3 * low + high) / 4, (low + 3 * high) / 4) for low, high in ranges]
    model.bounding_box = ModelBoundingBox(dict(enumerate(box)), model, order="F")
    detector, world = trees.frame("detector", ("x", "y"), "pixel"), trees.sky()
    wcs = TreeWCS(trees.wcs([(detector, tagged(model)), (world, None)]))
    assert wcs.bounding_box == tuple(box) and (wcs.inputs, wcs.outputs) == (model.n_inputs, model.n_outputs)
    values = case.values((300,))
    inside = np.all([(v >= low) & (v <= high) for v, (low, high) in zip(values, box, strict=True)], axis=0)
    expected = oracle(fresh(case), *values)
    for found, free in zip(wcs(*values), expected, strict=True):
        np.testing.assert_allclose(found, np.where(inside, free, np.nan), rtol=2e-12, atol=2e-13)
    one = [float(v[0]) for v in values]
    np.testing.assert_array_equal(wcs(*one), [v[0] for v in wcs(*values)])


def test_units_and_what_astropy_does_its_own_way_are_left_to_the_libraries():
    for model in (m.Shift(1 * u.pix), m.Const1D(2 * u.um), m.Hermite2D(1, 1)):
        with pytest.raises(Unknown):
            forward(tagged(model))


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (ASDF + "shift", {}),
        (ASDF + "scale", {"factor": "two"}),
        (ASDF + "divide", {"forward": []}),
        (ASDF + "compose", {"forward": [None]}),
        (ASDF + "compose", "text"),
        (ASDF + "rotate_sequence_3d", {"angles": [1.0], "axes_order": "q", "rotation_type": "cartesian"}),
        (ASDF + "rotate3d", {"phi": 1, "theta": 2, "psi": 3, "direction": "around"}),
        (ASDF + "math_functions", {"func_name": "save"}),
        (ASDF + "tabular", {"lookup_table": np.zeros((2, 2, 2))}),
        (ASDF + "tabular", {"lookup_table": np.zeros(3), "points": [[0, 2, 1]]}),
        (ASDF + "tabular", {"lookup_table": np.zeros((3, 3)), "method": "splinef2d"}),
        (ASDF + "polynomial", {"coefficients": np.zeros((2, 2, 2))}),
        (GWCS + "label_mapper", {"mapper": np.zeros(3)}),
        (ASDF + "warp", {}),
        (
            "tag:stsci.edu:jwst_pipeline/grating_equation",
            {"order": 1, "groove_density": 2.0, "output": "wavelength"},
        ),  # not gwcs's
    ],
)
def test_what_is_malformed_or_unheard_of_is_unknown(tag, value):
    with pytest.raises(Unknown):
        forward(Tagged(f"{tag}-1.0.0", value))


def test_a_table_that_knows_its_bounds_refuses_what_is_beyond():
    function = forward(tagged(m.Tabular1D([0.0, 1.0, 2.0], [3.0, 4.0, 5.0])))
    with pytest.raises(ValueError, match="1 values are outside the table \\(0 to 2\\)"):
        function(np.array([0.5, 2.5]))


MASK = np.array([[1, 1, 0, 2, 2]] * 3)


def test_pixels_beyond_a_mask_and_nan_have_no_label():
    """As those at the edge of the detector, where gwcs fails or takes the other edge."""
    label = forward(tagged(selector.LabelMapperArray(MASK)))
    x, y = np.array([[0.0, -0.6, 4.6, 4.4, np.nan, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0, 2.6]])
    np.testing.assert_array_equal(label(x, y)[0], [1, 0, 0, 2, 0, 0])


def test_a_selector_of_named_regions_and_of_one_output():
    words = np.array([["left", "left", "", "right", "right"]] * 3)
    regions = {"left": m.Polynomial2D(1, c0_0=5, c1_0=1), "right": m.Polynomial2D(1, c0_0=-5, c0_1=1)}
    model = selector.RegionsSelector(("x", "y"), ("z",), regions, selector.LabelMapperArray(words))
    (z,) = forward(tagged(model))(np.array([0.0, 1.0, 2.0, 3.0]), 2.0)
    np.testing.assert_array_equal(z, [5, 6, np.nan, -3])
