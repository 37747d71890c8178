"""What the field's tutorial on products does for slitless spectra (seed 001), operation by operation.

The products are those of `webbcal demo wfss`: raw ramps of a direct image and of two slitless exposures,
taken through stage 1, image2 and image3 (catalogue), spec2 and spec3, each as a user would. So this is the
test of that command, too. docs/tutorials.md lists the operations.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from showing import RATE_ARRAYS, create_image, create_slit_image, show

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.simulate import Truth

pytestmark = pytest.mark.xdist_group("demo wfss")  # on one worker: the products are made once

#: What is asked of the demo: few sources, few groups.
WORDS = ("--instrument=nircam", "--sources=3", "--ngroups=3")


@dataclass(frozen=True)
class Spectra:
    """The products of the demo, by the names that the tutorial gives them."""

    folder: Path

    def only(self, pattern: str) -> str:
        """Return the first file of a name."""
        return str(sorted(self.folder.glob(pattern))[0])

    @property
    def wfss_rate_file(self) -> str:
        return self.only("*_00002_*_rate.fits")

    @property
    def wfss_cal_file(self) -> str:
        return self.only("*_00002_*_cal.fits")

    @property
    def wfss_x1d_file(self) -> str:
        return self.only("*_00002_*_x1d.fits")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spectra]:
    """The products of the demo; CRDS's variables are put back as they were."""
    folder = tmp_path_factory.mktemp("wfss")
    with mock.patch.dict(os.environ):
        assert main(["demo", "wfss", f"--output_dir={folder}", *WORDS]) == 0
    yield Spectra(folder)


def shown(model: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `info` prints."""
    capsys.readouterr()
    model.info(max_rows=None)
    return capsys.readouterr().out


# ---- 3.D Exercise 1


def test_exercise_1_a_dispersed_image(made: Spectra, capsys: pytest.CaptureFixture[str]) -> None:
    wfss_image = datamodels.ImageModel(made.wfss_rate_file)
    assert wfss_image.meta.exposure.type.endswith("_WFSS")
    assert sorted(show(wfss_image, capsys)) == RATE_ARRAYS
    assert create_image(wfss_image).shape == wfss_image.data.shape


# ---- 4.2 Spectroscopy


def test_the_calibrated_slits(made: Spectra, capsys: pytest.CaptureFixture[str]) -> None:
    cal_wfss = datamodels.MultiSlitModel(made.wfss_cal_file)
    printed = shown(cal_wfss, capsys)
    assert "slits (list)" in printed and "wavelength (array)" in printed
    assert not cal_wfss.hasattr("data") and cal_wfss.meta.bunit_data == "MJy/sr"
    s_num = len(cal_wfss.slits) - 1
    meta = cal_wfss.slits[s_num].meta.instance
    assert meta["photometry"]["pixelarea_steradians"] > 0 and "wcs" in meta
    orders = {(slit.source_id, slit.meta.wcsinfo.spectral_order) for slit in cal_wfss.slits}
    assert len(orders) == len(cal_wfss.slits) and {order for _, order in orders} >= {1}
    catalogue = Table.read(made.folder / "direct_cat.ecsv", format="ascii.ecsv")
    assert {source for source, _ in orders} <= set(catalogue["label"].tolist())
    slit = cal_wfss.slits[s_num]
    ny, nx = slit.data.shape
    assert np.isfinite([slit.source_xpos, slit.source_ypos]).all()
    image, title = create_slit_image(cal_wfss, s_num)
    assert image.shape == (ny, nx)
    assert title == f"object {slit.source_id} order = {slit.meta.wcsinfo.spectral_order}"


def test_the_extracted_spectra_as_a_file(made: Spectra, capsys: pytest.CaptureFixture[str]) -> None:
    fits.info(made.wfss_x1d_file)
    listing = [line.split() for line in capsys.readouterr().out.splitlines() if "EXTRACT1D" in line]
    cal_wfss = datamodels.MultiSlitModel(made.wfss_cal_file)
    # One table an order since jwst 1.18; in the tutorial's year there was one for each source and order.
    orders = {slit.meta.wcsinfo.spectral_order for slit in cal_wfss.slits}
    assert len(listing) == len(orders) and {line[3] for line in listing} == {"BinTableHDU"}
    headers = [fits.getheader(made.wfss_x1d_file, k + 1) for k in range(len(listing))]
    assert {header["SPORDER"] for header in headers} == orders
    datamodels.MultiSpecModel(made.wfss_x1d_file).save("by_source_x1d.fits")
    found = [fits.getheader("by_source_x1d.fits", k + 1) for k in range(len(cal_wfss.slits))]
    expected = {(s.source_id, s.meta.wcsinfo.spectral_order) for s in cal_wfss.slits}
    assert {(header["SOURCEID"], header["SPORDER"]) for header in found} == expected


def test_the_extracted_spectra_as_a_model(made: Spectra, capsys: pytest.CaptureFixture[str]) -> None:
    spec = datamodels.MultiSpecModel(made.wfss_x1d_file)
    assert "spec (list)" in shown(spec, capsys)
    cal_wfss = datamodels.MultiSlitModel(made.wfss_cal_file)
    assert len(spec.spec) == len(cal_wfss.slits)
    assert spec.spec[2].source_id in {slit.source_id for slit in cal_wfss.slits}
    assert spec.spec[2].spectral_order in (1, 2)
    # What was simulated comes out, but for what boxes miss of galaxies.
    truth = Truth.load(made.only("*_00002_*_truth.fits"))
    compared = 0
    for one in spec.spec:
        near = _nearest(truth.sources, one.source_ra, one.source_dec)
        if near is None or one.spectral_order != 1:  # a particle in three groups is a source, too
            continue
        known = truth.spectrum[(truth.spectrum["order"] == 1) & (truth.spectrum["source"] == near)]
        known = np.sort(known, order="wavelength")
        table = one.spec_table
        inside = np.isfinite(table["FLUX"]) & (table["WAVELENGTH"] > known["wavelength"][20])
        inside &= table["WAVELENGTH"] < known["wavelength"][-20]
        if inside.sum() < 50:
            continue
        seen = np.interp(table["WAVELENGTH"][inside], known["wavelength"], known["seen"])
        if np.median(seen / table["FLUX_ERROR"][inside]) < 5:
            continue  # in three groups the background is not known well enough for faint ones
        assert np.median(table["FLUX"][inside] / seen) == pytest.approx(1.0, abs=0.15)
        compared += 1
    assert compared


def _nearest(sources: Any, ra: float, dec: float) -> int | None:
    """Return the number of the source at a place, or None."""
    distance = np.hypot((sources["ra"] - ra) * np.cos(np.radians(dec)), sources["dec"] - dec)
    return int(sources["id"][np.argmin(distance)]) if distance.min() * 3600 < 0.3 else None


# ---- 5. WCS deep dive


def test_the_wcs_of_a_slit(made: Spectra) -> None:
    cal_wfss = datamodels.MultiSlitModel(made.wfss_cal_file)
    for slit in cal_wfss.slits:
        wcs = slit.meta.wcs
        assert wcs.available_frames[0] == "grism_slit" and wcs.available_frames[-1] == "world"
        assert {"grism_detector", "detector"} <= set(wcs.available_frames)
        ny, nx = slit.data.shape
        bounds = wcs.bounding_box.bounding_box(order="F")
        assert bounds == ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
        ra, dec, wavelength, order = wcs(nx // 2, ny // 2)
        assert order == slit.meta.wcsinfo.spectral_order
        assert wavelength == pytest.approx(slit.wavelength[ny // 2, nx // 2], rel=1e-6)
        assert (ra, dec) == pytest.approx((slit.source_ra, slit.source_dec), abs=1e-6)


def test_there_and_back_through_a_slit(made: Spectra) -> None:
    cal_wfss = datamodels.MultiSlitModel(made.wfss_cal_file)
    slit = cal_wfss.slits[0]
    along = slit.data.shape[slit.meta.wcsinfo.dispersion_direction % 2]
    x, y = ([along // 2, along // 3], [6, 3])
    pixels = (x, y) if slit.meta.wcsinfo.dispersion_direction == 1 else (y, x)
    ra, dec, wavelength, order = slit.meta.wcs(*pixels)
    assert order.tolist() == [slit.meta.wcsinfo.spectral_order] * 2 and wavelength[0] != wavelength[1]
    world_to_detector = slit.meta.wcs.get_transform("world", "detector")
    x0, y0, wave, order2 = world_to_detector(ra, dec, wavelength, order)
    # The place of the source in an image without the grism, whatever pixel of its spectrum was asked for.
    np.testing.assert_allclose(x0, slit.source_xpos, atol=1e-3)
    np.testing.assert_allclose(y0, slit.source_ypos, atol=1e-3)
    np.testing.assert_array_equal(order2, order)
    detector_to_world = slit.meta.wcs.get_transform("detector", "world")
    again = detector_to_world(x0, y0, wave, order2)
    np.testing.assert_allclose(again, (ra, dec, wavelength, order), atol=1e-9)
    back = slit.meta.wcs.get_transform("world", "grism_slit")(ra, dec, wavelength, order)
    along_back = np.asarray(back[0 if slit.meta.wcsinfo.dispersion_direction == 1 else 1])
    np.testing.assert_allclose(along_back, x, atol=1.0)


# ---- The command itself


def test_the_demo_makes_a_picture(made: Spectra) -> None:
    assert Path(made.only("*_wfss.png")).read_bytes().startswith(b"\x89PNG")
    with datamodels.open(made.only("*_wfss_c1d.fits")) as combined:
        assert type(combined).__name__ == "WFSSMultiCombinedSpecModel"
        assert int(np.nanmax(combined.spec[0].spec_table["N_INPUT"])) == 2
