import numpy as np

from webbcal.kernels import sortnet
from webbcal.kernels.compiling import kernel


@kernel
def sort_columns(a, comparisons):
    sortnet.sort_columns(a, comparisons)


@kernel
def middle(a, x, lo, hi):
    return sortnet.middle(a, x, lo, hi)


def test_sorts_columns_of_any_length():
    rng = np.random.default_rng(1)
    for n in (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 100):
        a = rng.integers(0, 50, (n + 2, 64)).astype(np.float32)
        a[rng.random(a.shape) < 0.1] = np.inf
        expected = a.copy()
        expected[:n] = np.sort(a[:n], axis=0)
        sort_columns(a, sortnet.network(n))
        np.testing.assert_array_equal(a, expected)


def test_middle_is_the_median():
    a = np.array([[1.0], [2.0], [4.0], [9.0]])
    assert middle(a, 0, 0, 4) == 3.0
    assert middle(a, 0, 0, 3) == 2.0
    assert middle(a, 0, 2, 3) == 4.0
    assert np.isnan(middle(a, 0, 2, 2))
