"""Flat field and unit conversion, by hand."""

import numpy as np
import pytest

from webbcal.core.dqflags import pixel as DQ
from webbcal.kernels.images.arithmetic import (
    Flat,
    ImageArrays,
    convert_units,
    divide_flat,
    match_invalid,
    multiply_flat,
    prepare_flat,
)

BAD = DQ["DO_NOT_USE"] | DQ["NO_FLAT_FIELD"]


def image(shape=(2, 3), variances=True):
    full = lambda value: np.full(shape, value, np.float32)  # noqa: E731
    extra = {"var_poisson": full(0.6), "var_rnoise": full(0.3), "var_flat": full(0.0)} if variances else {}
    return ImageArrays(full(8.0), full(0.9), np.zeros(shape, np.uint32), **extra)


def flat(value=2.0, dq=0, err=0.1):
    return Flat(*(np.full((2, 3), v, t) for v, t in ((value, "f4"), (dq, "u4"), (err, "f4"))))


@pytest.mark.parametrize(
    ("value", "dq", "expected"),
    [
        (np.nan, 0, (1.0, BAD)),
        (np.inf, 0, (1.0, BAD)),
        (0.0, 4, (1.0, BAD | 4)),
        (0.8, DQ["NO_FLAT_FIELD"], (1.0, BAD)),
        (0.8, DQ["DO_NOT_USE"], (1.0, DQ["DO_NOT_USE"])),
        (0.8, DQ["UNRELIABLE_FLAT"], (0.8, DQ["UNRELIABLE_FLAT"])),
        (-0.5, 0, (-0.5, 0)),
    ],
)
def test_which_values_of_a_flat_are_used(value, dq, expected):
    f = flat(value, dq)
    prepare_flat(f)
    assert f.data[0, 0] == np.float32(expected[0]) and f.dq[0, 0] == expected[1]


def test_errors_of_data_and_flat_add_up():
    i = image()
    divide_flat(i, flat())
    assert i.data[0, 0] == 4.0
    # relative errors: flat 0.1/2; the variance is that of the flat-fielded value over the flat once more
    assert i.var_flat[0, 0] == pytest.approx((4.0 / 2.0) ** 2 * 0.1**2)
    assert i.var_poisson[0, 0] == pytest.approx(0.6 / 4) and i.var_rnoise[0, 0] == pytest.approx(0.3 / 4)
    assert i.err[0, 0] == pytest.approx(np.sqrt(0.9 / 4 + i.var_flat[0, 0]))
    assert i.data.dtype == i.err.dtype == np.float32


def test_without_variances_the_error_itself_is_propagated():
    i = image(variances=False)
    i.var_flat = np.zeros((2, 3), np.float32)
    divide_flat(i, flat())
    assert i.err[0, 0] == pytest.approx(np.hypot(0.45, 0.2))
    i = image(variances=False)
    divide_flat(i, Flat(np.full((2, 3), 2.0, np.float32), np.zeros((2, 3), np.uint32)))
    assert i.err[0, 0] == pytest.approx(0.45)


def test_multiplying_undoes_dividing():
    i = image((4, 2, 3))
    divide_flat(i, flat())
    multiply_flat(i, flat())
    np.testing.assert_allclose(i.data, 8.0)
    np.testing.assert_allclose(i.var_poisson, 0.6, rtol=1e-6)
    np.testing.assert_allclose(i.err, np.sqrt(0.9), rtol=1e-6)
    assert not i.var_flat.any()
    bare = image(variances=False)
    multiply_flat(bare, flat())
    np.testing.assert_allclose(bare.err, 1.8, rtol=1e-6)


def test_a_pixel_without_flat_is_invalid_everywhere():
    i, f = image((4, 2, 3)), flat()
    f.data[1, 2] = np.nan
    prepare_flat(f)
    divide_flat(i, f)
    assert (i.dq[:, 1, 2] == BAD).all() and (i.dq[:, 0] == 0).all()
    for array in (i.data, i.err, *i.variances):
        assert np.isnan(array[:, 1, 2]).all() and np.isnan(array).sum() == 4


def test_any_nan_makes_a_pixel_invalid():
    i = image()
    i.data[0, 0], i.err[0, 1], i.var_rnoise[0, 2] = np.nan, np.nan, np.nan
    i.dq[1, 0] = DQ["DO_NOT_USE"] | DQ["HOT"]
    match_invalid(i)
    assert (i.dq == [[1, 1, 1], [1 | DQ["HOT"], 0, 0]]).all()
    for array in (i.data, i.err, *i.variances):
        np.testing.assert_array_equal(np.isnan(array), i.dq != 0)


def test_units():
    i = image((3, 2, 3))
    convert_units(i, np.float32(0.5))
    assert (i.data == 4.0).all() and i.err[0, 0, 0] == np.float32(0.9) * np.float32(0.5)
    assert i.var_poisson[0, 0, 0] == np.float32(0.6) * np.float32(0.25)
    convert_units(i, np.float64(0.5), inverse=True)
    np.testing.assert_allclose(i.data, 8.0)
    assert i.data.dtype == np.float32


def test_rows_are_views():
    i = image((3, 2, 3))
    i.rows(1, 2).data[...] = 0
    assert (i.data[:, 1] == 0).all() and (i.data[:, 0] == 8).all()
