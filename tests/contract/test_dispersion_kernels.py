"""The compiled dispersion must equal the NumPy reference, and conserve flux."""

import numpy as np
import pytest

from webbcal.kernels.dispersion import cpu, reference

RNG = np.random.default_rng(11)


def source(wavelengths=30, pixels=12, planes=2):
    """A source of some pixels whose spectrum runs to the right and slightly up, with its nodes."""
    v, u = (n.ravel() for n in np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], indexing="ij"))
    t = np.linspace(0, 1, wavelengths)[:, None]
    x = 3 + 25 * t + 2 * u + 0.1 * u * v
    y = 8 + 2 * t + 2 * v - 0.05 * u**2
    nodes = np.stack([x + 0 * y, y + 0 * x], axis=-1)
    u, v = RNG.uniform(-1, 1, (2, pixels))
    flux = RNG.uniform(0.5, 2, pixels)
    return nodes, reference.node_weights(u, v), flux, RNG.uniform(0, 1, (wavelengths, planes))


@pytest.mark.parametrize("corner", [(0, 0), (5, 10), (-3, -2), (100, 100)])
def test_spread(corner):
    nodes, weights, flux, factors = source()
    ours, expected = np.zeros((2, 20, 26, 2))
    cpu.spread(nodes, weights, flux, factors, corner, ours)
    reference.spread(nodes, weights, flux, factors, corner, expected)
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)
    assert ours.any() == (corner[0] < 100)


def test_flux_is_conserved_and_lands_where_the_nodes_say():
    nodes, weights, flux, factors = source()
    out = np.zeros((40, 60, 2))
    cpu.spread(nodes, weights, flux, factors, (-10, -10), out)
    np.testing.assert_allclose(out.sum(axis=(0, 1)), factors.sum(axis=0) * flux.sum(), rtol=1e-12)
    at = np.einsum("pk,lkc->lpc", weights, nodes)
    counts = factors[:, None, 0] * flux
    for axis, positions in enumerate((at[..., 1], at[..., 0])):
        index = np.arange(out.shape[axis]) - 10
        centroid = (out[..., 0].sum(axis=1 - axis) * index).sum() / out[..., 0].sum()
        np.testing.assert_allclose(centroid, (counts * positions).sum() / counts.sum(), rtol=1e-12)


def test_positions_of_second_order_are_exact():
    u, v = RNG.uniform(-1, 1, (2, 50))
    nodes_v, nodes_u = (n.ravel() for n in np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], indexing="ij"))
    curve = lambda u, v: 1 + 2 * u - v + 0.5 * u * v - 0.3 * u**2 + 0.2 * v**2  # noqa: E731
    np.testing.assert_allclose(
        reference.node_weights(u, v) @ curve(nodes_u, nodes_v), curve(u, v), rtol=1e-13
    )


def test_off_the_image_is_nothing_and_nan_is_nowhere():
    nodes, weights, flux, factors = source()
    nodes[3] = np.nan
    out, expected = np.zeros((2, 20, 26, 2))
    cpu.spread(nodes, weights, flux, factors, (0, 0), out)
    kept = np.arange(30) != 3
    reference.spread(nodes[kept], weights, flux, factors[kept], (0, 0), expected)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
