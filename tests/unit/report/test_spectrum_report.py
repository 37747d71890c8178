"""A spectrum beside its truth, and the picture of it."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.report.spectrum_picture import spectrum_picture
from webbcal.report.spectrum_truth import compare_spectrum
from webbcal.simulate import Truth
from webbcal.simulate.lrs_light import SPECTRUM_DTYPE

mpl.use("Agg")
PLACES = (7.0, 9.0, 11.0)
ERROR = 1e-4


def true_spectrum(wave: np.ndarray) -> np.ndarray:
    """Return a continuum with three lines, Jy."""
    lines = sum(0.02 * np.exp(-0.5 * ((wave - place) / 0.05) ** 2) for place in PLACES)
    return np.asarray(0.02 + lines)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return an x1d, an s2d and a truth; the spectrum is 1 % too bright and a tenth of a pixel off."""
    wave = np.linspace(14.0, 5.0, 361)  # 0.025 micrometres a pixel
    model = datamodels.SpecModel()
    table = np.zeros(len(wave), model.get_dtype("spec_table"))
    rng = np.random.default_rng(3)
    table["WAVELENGTH"], table["FLUX_ERROR"], table["NPIXELS"] = wave, ERROR, 10.0
    table["FLUX"] = 1.01 * true_spectrum(wave - 0.0025) + ERROR * rng.standard_normal(len(wave))
    table["FLUX"][:4] = np.nan
    product = datamodels.MultiSpecModel()
    product.spec.append({"spec_table": table})
    product.save(tmp_path / "star_x1d.fits")
    image = datamodels.SlitModel(data=np.outer(true_spectrum(wave), np.hanning(21)).astype(np.float32))
    image.wavelength = np.repeat(wave[:, None], 21, axis=1).astype(np.float32)
    image.save(tmp_path / "star_s2d.fits")
    known = np.zeros(len(wave), SPECTRUM_DTYPE)
    known["wavelength"] = wave
    known["flux"] = known["seen"] = true_spectrum(wave)
    empty = np.zeros((2, 2))
    truth = Truth(
        empty, empty, empty, np.zeros((1, 2, 2), np.int16), known[:0], known[:0],
        spectrum=known, lines=np.array([*PLACES, 13.98]),
    )  # fmt: skip
    truth.save(tmp_path / "star_truth.fits")
    return tmp_path / "star_x1d.fits", tmp_path / "star_s2d.fits", tmp_path / "star_truth.fits"


def test_a_spectrum_is_compared_with_its_truth(files: tuple[Path, Path, Path]) -> None:
    x1d, _, truth = files
    found = compare_spectrum(x1d, truth)
    assert len(found.wavelength) == 357 and (np.diff(found.wavelength) > 0).all()
    away = np.all(np.abs(found.wavelength[:, None] - np.array(PLACES)) > 0.3, axis=1)
    assert np.median(found.excess[away]) == pytest.approx(0.01, abs=0.001)
    np.testing.assert_allclose(found.pulls, (found.flux - found.truth) / ERROR)
    assert [line.wavelength for line in found.lines] == list(PLACES), "one is beyond the end"
    for line in found.lines:
        assert line.offset == pytest.approx(0.1, abs=0.02)


def test_it_is_drawn(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    x1d, s2d, truth = files
    picture = tmp_path / "star.png"
    spectrum_picture([("a star", s2d)], x1d, truth, picture)
    pixels = mpl.image.imread(picture)
    assert pixels.shape[:2] == (950, 1300) and 0.02 < (pixels[..., :3].min(axis=2) < 0.5).mean() < 0.6


def test_what_has_no_spectrum_is_refused(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    x1d, _, truth = files
    empty = np.zeros((2, 2))
    nothing = np.zeros(0, SPECTRUM_DTYPE)
    Truth(empty, empty, empty, np.zeros((1, 2, 2), np.int16), nothing, nothing).save(tmp_path / "image.fits")
    with pytest.raises(InputError, match="not of an exposure of spectra"):
        compare_spectrum(x1d, tmp_path / "image.fits")
    with datamodels.open(x1d) as model:
        table = np.array(model.spec[0].spec_table)
    table["FLUX"] = np.nan
    product = datamodels.MultiSpecModel()
    product.spec.append({"spec_table": table})
    product.save(tmp_path / "nothing_x1d.fits")
    with pytest.raises(InputError, match="has no valid flux"):
        compare_spectrum(tmp_path / "nothing_x1d.fits", truth)
