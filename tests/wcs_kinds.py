"""Models of astropy and gwcs, at least one for each kind of transform that webbcal evaluates itself."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.modeling import math_functions
from astropy.modeling import models as m
from astropy.modeling.core import fix_inputs
from gwcs import geometry, selector, spectroscopy
from gwcs.fitswcs import FITSImagingWCSTransform

_RNG = np.random.default_rng(11)


@dataclass(frozen=True)
class Case:
    """A model, and the ranges that its inputs are drawn from (one for all, or one each)."""

    kind: str
    model: Any
    ranges: tuple = ((-1.0, 1.0),)
    note: str = ""
    close: float = 2e-12  # absolute, of the inverse

    @property
    def name(self):
        return f"{self.kind} {self.note}".strip()

    def values(self, shape):
        ranges = self.ranges * (self.model.n_inputs if len(self.ranges) == 1 else 1)
        rng = np.random.default_rng([*self.name.encode()])  # its own: whatever else was drawn before
        return [rng.uniform(low, high, shape) for low, high in ranges]


def _with_inverse(model, inverse):
    model.inverse = inverse
    return model


def _poly2d(degree, **windows):
    names = [f"c{i}_{j}" for i in range(degree + 1) for j in range(degree + 1 - i)]
    return m.Polynomial2D(degree, **windows, **dict(zip(names, _RNG.uniform(-1, 1, len(names)), strict=True)))


def _series(cls, *degrees, **windows):
    if len(degrees) == 1:
        names = [f"c{i}" for i in range(degrees[0] + 1)]
    else:
        names = [f"c{i}_{j}" for i in range(degrees[0] + 1) for j in range(degrees[1] + 1)]
    return cls(*degrees, **windows, **dict(zip(names, _RNG.uniform(-1, 1, len(names)), strict=True)))


_UP, _DOWN = [0.0, 1.0, 3.0, 4.5], [10.0, 7.0, 2.0, 1.5]
_SURFACE = _RNG.uniform(0, 1, (4, 3))
_SKY = ((0.0, 360.0), (-90.0, 90.0))

#: Labels of a detector of 6 × 5 pixels: 1 and 2 on the left and right, 3 without a transform, and none.
_MASK = np.array([[1, 1, 0, 2, 2]] * 5 + [[3] * 5])
_MAPPER = selector.LabelMapperArray(_MASK)
_REGIONS = {1: m.Shift(1.0) & m.Scale(2.0), 2: m.Shift(-5.0) & m.Scale(-1.0)}
_PIXELS = ((-0.4, 4.4), (-0.4, 5.4))
_BY_KEY = {1.0: m.Const1D(4.0), 2.0: m.Mapping((0,), n_inputs=1) | m.Shift(10.0)}


def _selector():
    return selector.RegionsSelector(("x", "y"), ("a", "b"), _REGIONS, _MAPPER, undefined_transform_value=-7.5)


def _invertible_selector():
    """Regions that are told by the first input there, and by the first output back."""
    there = selector.LabelMapperRange(
        ("x", "y"),
        {(0, 2): m.Mapping((0,), 2) | m.Const1D(1), (2, 5): m.Mapping((0,), 2) | m.Const1D(2)},
        m.Mapping((0,), 2),
    )
    back = selector.LabelMapperRange(
        ("a", "b"),
        {(0, 20): m.Mapping((0,), 2) | m.Const1D(1), (20, 60): m.Mapping((0,), 2) | m.Const1D(2)},
        m.Mapping((0,), 2),
    )
    regions = {1: m.Scale(10.0) & m.Shift(1.0), 2: m.Scale(10.0) & m.Shift(-1.0)}
    return selector.RegionsSelector(("x", "y"), ("a", "b"), regions, _with_inverse(there, back))


def _mapped(cls, mapper, **options):
    """A mapper of three inputs, of which the third tells the label."""
    return cls(("a", "b", "key"), mapper, m.Mapping((2,), n_inputs=3), **options)


def _third(model):
    return m.Mapping((2,), n_inputs=3) | model


CASES = [
    # combinations
    Case("compose", m.Shift(2.0) & m.Scale(3.0) | m.AffineTransformation2D([[1, 0.2], [-0.1, 0.9]], [3, 4])),
    Case("compose", m.Polynomial1D(1, c0=1, c1=2) | m.Shift(1.0), note="of no inverse"),
    Case(
        "compose",
        _with_inverse(m.Polynomial1D(1, c0=1, c1=2) | m.Shift(1.0), m.Shift(-2.0) | m.Scale(0.5)),
        note="with an inverse of its own",
    ),
    Case("concatenate", m.Shift(3.0) & m.Scale(2.0) & m.Identity(2)),
    Case("concatenate", m.Const2D(3.0) & m.Shift(1.0), note="of constants"),
    Case("add", m.Shift(3.0) + m.Scale(2.0)),
    Case("subtract", m.Mapping((0, 1)) - m.Mapping((1, 0))),
    Case("multiply", m.Shift(3.0) * m.Polynomial1D(2, c0=1, c2=3)),
    Case("divide", m.Mapping((0, 1)) / m.Mapping((1, 1))),
    Case("power", m.Shift(3.0) ** m.Const1D(2.5)),
    Case("fix_inputs", fix_inputs(_poly2d(3) & m.Shift(2.0), {"x0": 0.5}), note="by name"),
    Case("fix_inputs", fix_inputs(_poly2d(3) & m.Shift(2.0), {0: 0.5, 2: -1}), note="by number"),
    # linear
    Case("shift", m.Shift(3.0)),
    Case("scale", m.Scale(-2.0)),
    Case("multiplyscale", m.Multiply(3.0)),
    Case("linear1d", m.Linear1D(3.0, -2.0)),
    Case("planar2d", m.Planar2D(3.0, -2.0, 0.5)),
    Case("affine", m.AffineTransformation2D([[1.0, 0.2], [-0.1, 0.9]], [3.0, 4.0])),
    Case("rotate2d", m.Rotation2D(33.0)),
    Case("identity", m.Identity(1)),
    Case("identity", m.Identity(3), note="of three"),
    Case("constant", m.Const1D(2.5)),
    Case("constant", m.Const2D(2.5), note="of two"),
    Case("remap_axes", m.Mapping((2, 0, 1))),
    Case("remap_axes", m.Mapping((1, 0, 1, 0)), note="that repeats"),
    Case("remap_axes", m.Mapping((0, 2), n_inputs=4), note="that drops"),
    # polynomials
    Case("polynomial", m.Polynomial1D(0, c0=3.0), note="a constant"),
    Case("polynomial", m.Polynomial1D(4, c0=1, c1=2, c2=-3, c3=0.5, c4=0.1)),
    Case(
        "polynomial",
        m.Polynomial1D(2, domain=(0, 2000), window=(0, 2), c0=1, c1=2, c2=-3),
        ((0, 2000),),
        "in a window",
    ),
    Case("polynomial", _poly2d(0), note="a constant of two"),
    Case("polynomial", _poly2d(5), note="of two"),
    Case("polynomial", _poly2d(2, x_domain=(0, 2000), y_domain=(-5, 5)), ((0, 2000), (-5, 5)), "in windows"),
    Case("polynomial", _poly2d(2, y_domain=(-5, 5), y_window=(0, 1)), ((-5, 5),), "one in a window"),
    *(
        Case("ortho_polynomial", _series(cls, *degrees), note=cls.__name__)
        for cls, *degrees in (
            (m.Chebyshev1D, 6),
            (m.Legendre1D, 6),
            (m.Hermite1D, 4),
            (m.Chebyshev1D, 0),
            (m.Chebyshev2D, 3, 2),
            (m.Legendre2D, 2, 4),
        )
    ),
    Case("ortho_polynomial", _series(m.Chebyshev1D, 3, domain=(0, 2000)), ((0, 2000),), "in a window"),
    Case(
        "ortho_polynomial",
        _series(m.Legendre2D, 3, 3, x_domain=(0, 9), y_domain=(-1, 4)),
        ((0, 9), (-1, 4)),
        "in windows",
    ),
    # tables
    Case("tabular", m.Tabular1D(_UP, [3.0, 5.0, 8.0, 9.0], bounds_error=False), ((-1, 5),), "rising"),
    Case(
        "tabular",
        m.Tabular1D(_DOWN, [3, 5, 8, 9], bounds_error=False, fill_value=-1),
        ((0, 12),),
        "over a falling grid",
    ),
    Case("tabular", m.Tabular1D(_UP, [9.0, 5.0, 4.0, 1.0], bounds_error=False), ((-1, 5),), "falling"),
    Case(
        "tabular",
        m.Tabular1D(_UP, [9.0, 5.0, 6.0, 1.0], bounds_error=False, fill_value=None),
        ((-1, 5),),
        "extrapolated",
    ),
    Case(
        "tabular",
        m.Tabular1D(_UP, [9.0, 5.0, 4.0, 1.0], "nearest", bounds_error=False),
        ((-1, 5),),
        "nearest",
    ),
    Case("tabular", m.Tabular1D(_UP, [9.0, 5.0, 4.0, 1.0]), ((0, 4.5),), "strict"),
    Case("tabular", m.Tabular1D(lookup_table=np.arange(1500.0) ** 2), ((0, 1499),), "strict, large"),
    Case(
        "tabular",
        m.Tabular2D((_UP, [0, 1, 2]), _SURFACE, bounds_error=False),
        ((-1, 5), (-0.5, 2.5)),
        "of two",
    ),
    Case(
        "tabular",
        m.Tabular2D((_UP, [0, 1, 2]), _SURFACE, "nearest", bounds_error=False, fill_value=None),
        ((-1, 5), (-0.5, 2.5)),
        "of two, nearest",
    ),
    # directions
    Case("spherical_cartesian", geometry.SphericalToCartesian(wrap_lon_at=180), _SKY),
    Case("spherical_cartesian", geometry.SphericalToCartesian(wrap_lon_at=360), _SKY, "from 0"),
    Case("spherical_cartesian", geometry.CartesianToSpherical(wrap_lon_at=180), note="back"),
    Case("spherical_cartesian", geometry.CartesianToSpherical(wrap_lon_at=360), note="back from 0"),
    Case("direction_cosines", geometry.ToDirectionCosines()),
    Case("direction_cosines", geometry.FromDirectionCosines(), note="back"),
    Case("rotate_sequence_3d", m.RotationSequence3D([10.0, -20.0, 30.0, 5.0], "zyxz")),
    Case("rotate_sequence_3d", m.SphericalRotationSequence([10.0, -20.0, 30.0], "xyz"), _SKY, "of angles"),
    Case("rotate3d", m.EulerAngleRotation(10.0, -20.0, 30.0, "zxz"), _SKY),
    Case("rotate3d", m.EulerAngleRotation(10.0, -20.0, 30.0, "xyz"), _SKY, "about three axes"),
    Case("rotate3d", m.RotateNative2Celestial(33.0, -60.0, 180.0), _SKY, "to the sky"),
    Case("rotate3d", m.RotateCelestial2Native(33.0, -60.0, 170.0), _SKY, "from the sky"),
    # projections
    Case("gnomonic", m.Pix2Sky_TAN()),
    Case("gnomonic", m.Sky2Pix_TAN(), ((-180, 180), (-90, 90)), "back"),
    Case(
        "fitswcs_imaging",
        FITSImagingWCSTransform(
            m.Pix2Sky_TAN(),
            crpix=[900.0, 1100.0],
            crval=[0.01, -60.0],
            cdelt=[2e-5, 1e-5],
            pc=[[-0.8, 0.6], [0.6, 0.8]],
        ),
        ((0, 2000),),
        close=1e-7,
    ),
    # functions of numpy
    *(
        Case(
            "math_functions",
            getattr(math_functions, f"{name[0].upper()}{name[1:]}Ufunc")(),
            ((0.1, 0.9),),
            name,
        )
        for name in dict.fromkeys(math_functions.supported_ufuncs)
    ),
    # regions
    Case("label_mapper", _MAPPER, _PIXELS, "of pixels"),
    Case(
        "label_mapper",
        selector.LabelMapperArray(_MASK, m.Mapping((1, 2), n_inputs=3), inputs=("a", "x", "y")),
        ((0, 1), *_PIXELS),
        "of pixels among others",
    ),
    Case(
        "label_mapper",
        selector.LabelMapper(("a", "b", "key"), m.Scale(2.0), inputs_mapping=m.Mapping((2,), n_inputs=3)),
        note="of a transform",
    ),
    Case(
        "label_mapper",
        _mapped(
            selector.LabelMapperRange, {(0.0, 0.3): _third(m.Const1D(4.0)), (0.5, 1.0): _third(m.Shift(10.0))}
        ),
        note="of ranges",
    ),
    Case(
        "label_mapper",
        _mapped(
            selector.LabelMapperDict, {0.0: _third(m.Const1D(4.0)), 0.5: _third(m.Shift(10.0))}, atol=0.2
        ),
        note="of values",
    ),
    Case("regions_selector", _selector(), _PIXELS),
    Case("regions_selector", _invertible_selector(), ((0.1, 4.9), (0, 1)), "with an inverse"),
    # optics
    Case(
        "grating_equation",
        spectroscopy.AnglesFromGratingEquation3D(20000.0, -1),
        ((1e-6, 5e-6), (-0.9, 0.9), (-0.9, 0.9)),
        "angles",
    ),
    Case("grating_equation", spectroscopy.WavelengthFromGratingEquation(20000.0, 2), note="wavelength"),
    Case("snell3d", spectroscopy.Snell3D(), ((1.3, 3.5), (-1, 1), (-1, 1), (-1, 1))),
    Case(
        "sellmeier_glass",
        spectroscopy.SellmeierGlass([0.58, 0.46, 3.89], [0.0025, 0.01, 1200.6]),
        ((0.6, 5.0),),
    ),
    Case(
        "sellmeier_zemax",
        spectroscopy.SellmeierZemax(
            65.0,
            35.0,
            1.0,
            0.5,
            [0.58, 0.46, 3.89],
            [0.0025, 0.01, 1200.6],
            [-2e-5, 1e-8, -1e-11],
            [1e-7, 1e-10, 0.2],
        ),
        ((0.6, 5.0),),
    ),
]


def oracle(model, *values):
    """Return what a model makes of arrays, as a tuple of arrays of their shape."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        made = model(*(np.array(v) for v in values))
    made = made if isinstance(made, (tuple, list)) else (made,)
    shape = np.shape(values[0])
    return tuple(np.full(shape, v) if np.size(v) == 1 else np.reshape(v, shape) for v in made)


def oracle_inverse(model):
    """Return the inverse of a model, or None."""
    try:
        return model.inverse
    except NotImplementedError:
        return None
