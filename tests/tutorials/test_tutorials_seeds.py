"""The field's notebooks on data, products and a time series (seeds 000, 001, 003): cells as they stand.

The notebooks are not part of the repository: WEBBCAL_SEEDS names the folder that has them. Simulated files
stand for those that they download. (That on stage 1, seed 004, is in `test_tutorials_notebook.py`.)
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from dispersed_cases import WFSS
from notebook import cells_of, run
from wfss_fields import Field, write_fields

from webbcal import datamodels, simulate
from webbcal.exposure.geometry.extract_2d import Extract2dStep

SEEDS = os.environ.get("WEBBCAL_SEEDS")
pytestmark = pytest.mark.skipif(not SEEDS, reason="WEBBCAL_SEEDS is not set")

#: Notebook -> how many cells of code it has; all are run.
CELLS = {"000": 34, "001": 61, "003": 31}


@pytest.fixture(autouse=True)
def _no_window() -> None:
    mpl.use("Agg")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that has downloads give files, one after the other."""

    def give(*files: str | Path) -> None:
        left = iter(map(str, files))
        monkeypatch.setattr("astropy.utils.data.download_file", lambda url, **_: next(left))

    return give


def tour(number: str) -> dict[str, Any]:
    """Run the cells of a notebook; return the names that they leave."""
    (path,) = Path(str(SEEDS)).glob(f"{number}*.txt")
    cells = cells_of(path.read_text())
    assert len(cells) == CELLS[number]
    namespace: dict[str, Any] = {}
    run(cells, namespace)
    return namespace


def set_crds(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_the_tour_of_an_uncalibrated_exposure(
    world: Any, downloads: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cell makes a model of `np.empty`, of whatever was in memory: here that is zeros, in every run.
    monkeypatch.setattr(np, "empty", np.zeros)
    with datamodels.open(world.uncal[0]) as small:  # pixels are looked at by number: those of a larger frame
        large = small.copy()
        large.data = np.tile(small.data[:1], (3, 1, 10, 10))
        large.save("large_uncal.fits")
    downloads(Path("large_uncal.fits").resolve())
    names = tour("000")
    assert names["science_data"].shape == (3, 6, 640, 640)
    assert names["im"].meta.instrument.name == "NIRCAM"


def spectra_of(cal: str, name: str) -> str:
    """Write a product of spectra as those of the notebook's time: an HDU each; return its name."""
    product = datamodels.MultiSpecModel()
    with datamodels.open(cal) as model:
        product.update(model, only="PRIMARY")
        for slit in model.slits[:4]:
            spectrum = datamodels.SpecModel()
            spectrum.spec_table = np.zeros(5, spectrum.get_dtype("spec_table"))
            spectrum.source_id, spectrum.spectral_order = slit.source_id, slit.meta.wcsinfo.spectral_order
            product.spec.append(spectrum)
    product.save(name)
    return name


def test_the_tour_of_products(
    field: Any, downloads: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispersed = Field(WFSS[0], sources=12)
    set_crds(write_fields(tmp_path, [dispersed]), monkeypatch)
    rate, cal = str(tmp_path / dispersed.exposure), str(tmp_path / "wfss_cal.fits")
    Extract2dStep().run(rate).save(cal)
    with datamodels.ImageModel(field("rate")) as image:
        cube = datamodels.CubeModel(data=image.data[None], err=image.err[None], dq=image.dq[None])
        cube.update(image, only="PRIMARY")
        cube.save("cube_rateints.fits")
    images = (field("rate"), Path("cube_rateints.fits").resolve(), field("rate"), field("cal"))
    downloads(*images, rate, cal, tmp_path / spectra_of(cal, str(tmp_path / "wfss_x1d.fits")), field("cal"))
    names = tour("001")
    slit = names["cal_wfss"].slits[12]
    assert (names["headers"]["SOURCEID"], names["headers"]["SPORDER"]) == (
        names["spec"].spec[2].source_id, names["spec"].spec[2].spectral_order,
    )  # fmt: skip
    assert np.isfinite(names["x0"]).all() and np.isfinite(names["wave"]).all()
    assert slit.source_id > 0 and names["order"] is not None


def test_the_tour_of_a_time_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP256", filter="F277W", readpatt="NISRAPID", ngroups=6, nints=2,
        soss=simulate.Soss(peak=6500.0),
    )  # fmt: skip
    made = simulate.universe(tmp_path / "world", config)
    set_crds(made.environment, monkeypatch)
    references = Path(made.environment["CRDS_PATH"]) / "references" / "jwst" / "niriss"
    with datamodels.open(made.uncal[0]) as exposure:
        exposure.meta.dither.dither_points = 1
        exposure.save("WASP43_NIS_SOSS-seg002_CLEAR_uncal.fits")
    for kind, number in (("superbias", "0017"), ("linearity", "0013")):
        Path(f"jwst_niriss_{kind}_{number}.fits").symlink_to(next(references.glob(f"*{kind}*.fits")))
    cache = Path("$HOME", "crds_cache", "references", "jwst")  # as the notebook has it, word for word
    cache.mkdir(parents=True)
    (cache / "niriss").symlink_to(references)
    names = tour("003")
    assert names["special_pixels"].any() and names["linearity_results"].data.shape == (2, 6, 256, 2048)
