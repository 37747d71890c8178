"""Spectra of one and two dimensions, and the outlines of slits."""

import numpy as np
import pytest
from plot_cases import image, rate, slits, spectrum
from rectified_cases import spectrum as rectified
from rectified_cases import wavelengths

from webbcal import datamodels, plots
from webbcal.core.errors import InputError, ParameterError
from webbcal.spectra.tables import VECTORS


def test_spectra_with_errors_and_flags(tmp_path):
    model = spectrum()
    model.save(tmp_path / "jw1_mirimage_x1d.fits")
    for source in (model, tmp_path / "jw1_mirimage_x1d.fits"):
        axes = plots.plot_spectrum(source)
        drawn = {line.get_label(): line for line in axes.get_lines()}
        assert list(drawn) == ["source 1, order 1", "not to be used", "source 2, order 1", drawn_last(axes)]
        np.testing.assert_allclose(np.nanmax(drawn["source 2, order 1"].get_ydata()), 4.0)  # mJy
        np.testing.assert_allclose(drawn["not to be used"].get_xdata(), np.linspace(5, 12, 60)[10])
        assert axes.get_ylabel() == "Flux density (mJy)" and axes.get_xlabel() == "Wavelength (µm)"
        assert axes.get_ylim()[1] < 6  # the wild value does not count
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([np.nanmin(band), np.nanmax(band)], [1.9, 2.1])


def drawn_last(axes):
    """Return the label of the last line."""
    return axes.get_lines()[-1].get_label()


def test_the_spectrum_of_a_source_or_a_number():
    assert plots.plot_spectrum(spectrum(), source=2).get_lines()[0].get_ydata()[0] == pytest.approx(4.0)
    assert plots.plot_spectrum(spectrum(), 1).get_lines()[0].get_ydata()[0] == pytest.approx(4.0)
    both = plots.plot_spectrum([spectrum(1), spectrum(1)], labels=("one", "two"))
    assert {"one", "two"} <= {line.get_label() for line in both.get_lines()}


def test_tables_with_a_row_for_each_source():
    model = datamodels.WFSSMultiSpecModel()
    declared = model.spec.item().get_dtype("spec_table")
    several = dict.fromkeys(VECTORS, (20,))
    table = np.zeros(3, [(n, declared[n], several.get(n, ())) for n in declared.names])
    table["SOURCE_ID"], table["WAVELENGTH"] = [4, 7, 9], np.linspace(3, 4, 20)
    table["WAVELENGTH"][1, 15:] = np.nan
    table["FLUX"] = [[1.0], [2.0], [3.0]]
    model.spec.append(model.spec.item(spec_table=table))
    axes = plots.plot_spectrum(model, source=7)
    (line,) = axes.get_lines()
    assert len(line.get_xdata()) == 15 and (line.get_ydata() == 2.0).all()
    assert len(plots.plot_spectrum(model).get_lines()) == 3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plots.plot_spectrum(image()), InputError, "no extracted spectra"),
        (lambda: plots.plot_spectrum(spectrum(), 5), InputError, "no spectrum number 5"),
        (lambda: plots.plot_spectrum(spectrum(), source=9), InputError, "of source 9"),
        (lambda: plots.plot_spectrum(spectrum(), column="COLOUR"), ParameterError, "FLUX, SURF_BRIGHT"),
        (lambda: plots.plot_spectrum(spectrum(), labels=("a",)), ParameterError, "1 for 2 spectra"),
        (lambda: plots.show_spectrum(slits(), 3), InputError, "no slit 3: it has 3"),
        (lambda: plots.show_spectrum(slits(), source=1, order=2), InputError, "source 1, order 2"),
        (lambda: plots.show_spectrum(rate()), InputError, "no wavelengths"),
        (lambda: plots.show_slits(rate()), InputError, "does not say where its slits are"),
    ],
)
def test_what_cannot_be_drawn_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()


def above(axes, at):
    """Return the wavelength that the axis above has at pixels."""
    (child,) = axes.child_axes
    return child._functions[0](np.asarray(at, float))


def test_wavelengths_of_a_slit():
    axes = plots.show_spectrum(slits(), source=2)
    (drawn,) = axes.get_images()
    np.testing.assert_array_equal(drawn.get_array(), slits().slits[1].data)
    np.testing.assert_allclose(above(axes, [0, 19.5, 39]), [3.0, 3.5, 4.0], rtol=1e-6)
    assert "source 2  order 2" in axes.get_title("left")


def test_a_slit_that_is_dispersed_along_columns_is_turned():
    model = rectified(value=0.0)
    model.data[:] = np.arange(40)[:, None]
    axes = plots.show_spectrum(model)
    (drawn,) = axes.get_images()
    assert drawn.get_array().shape == (21, 40)
    np.testing.assert_allclose(above(axes, [0, 10, 39]), wavelengths(40)[[0, 10, 39]], rtol=1e-6)
    (child,) = axes.child_axes
    np.testing.assert_allclose(child._functions[1](wavelengths(40)[7]), 7.0, rtol=1e-6)


def test_slits_are_drawn_where_they_were_cut_out():
    under = image(shape=(80, 80))
    axes = plots.show_slits(slits(), under)
    boxes = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in axes.patches]
    assert boxes == [(-0.5, -0.5, 40, 9), (10.5, 19.5, 40, 9), (21.5, 39.5, 40, 9)]
    assert [t.get_text() for t in axes.texts] == ["1", "2", "3"]
    assert len(plots.show_slits(slits(), labels=False).texts) == 0
