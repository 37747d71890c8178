"""Spectra: continuum and lines, at wavelengths and over bins."""

import numpy as np
import pytest

from webbcal.core.errors import ParameterError
from webbcal.simulate.spectrum import Line, Spectrum


def test_a_power_law_has_its_level_at_the_pivot() -> None:
    spectrum = Spectrum(0.5, pivot=10.0, slope=-2.0)
    np.testing.assert_allclose(spectrum(np.array([5.0, 10.0, 20.0])), [2.0, 0.5, 0.125])


def test_a_black_body_follows_planck() -> None:
    spectrum = Spectrum(1.0, pivot=10.0, temperature=300.0)
    # hc/k = 14387.77 micrometre kelvin: exponents 4.7959 and 2.39796
    expected = (10.0 / 20.0) ** 3 * np.expm1(14387.77 / 3000.0) / np.expm1(14387.77 / 6000.0)
    assert spectrum(np.array(20.0)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "edges", [np.linspace(9.0, 11.0, 201), np.linspace(11.0, 9.0, 5), np.array([9.0, 11.0])]
)
def test_bins_of_any_width_hold_the_whole_line(edges: np.ndarray) -> None:
    spectrum = Spectrum(0.0, lines=(Line(10.003, 0.02, sigma=0.001), Line(10.5, -0.01, sigma=0.1)))
    total = np.sum(spectrum.mean(edges) * np.abs(np.diff(edges)))
    assert total == pytest.approx(0.01, rel=1e-5)


def test_bins_agree_with_the_spectrum_where_it_is_smooth() -> None:
    spectrum = Spectrum(0.3, slope=-1.0, lines=(Line(9.0, 0.05, sigma=0.2),))
    edges = np.linspace(5.0, 14.0, 4001)
    np.testing.assert_allclose(spectrum.mean(edges), spectrum((edges[1:] + edges[:-1]) / 2), rtol=1e-4)


def test_what_is_no_spectrum_is_refused() -> None:
    with pytest.raises(ParameterError, match="negative"):
        Spectrum(-1.0)
    with pytest.raises(ParameterError, match="a line needs"):
        Line(5.0, 1.0, sigma=0.0)
