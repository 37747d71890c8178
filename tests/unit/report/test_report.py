"""Pictures, and catalogues beside the truth."""

from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.report import mosaic_truth
from webbcal.report.pictures import stage1_picture

mpl.use("Agg")
#: Position in arcsec, magnitude, and whether it is a galaxy: two isolated stars, a pair, and a galaxy.
SKY = [(0.0, 0.0, 20.0, False), (30.0, 0.0, 18.0, False), (0.0, 30.0, 21.0, False),
       (0.4, 30.0, 21.5, False), (30.0, 30.0, 19.0, True)]  # fmt: skip


def truth(saturated: int | None = None) -> Any:
    """Return what an exposure of that sky knows: pixels of 3 arcsec; one star may saturate."""
    columns = [
        ("id", int),
        ("ra", float),
        ("dec", float),
        ("abmag", float),
        ("galaxy", bool),
        ("x", float),
        ("y", float),
    ]
    sources = np.zeros(len(SKY), columns)
    for k, (x, y, magnitude, galaxy) in enumerate(SKY):
        sources[k] = (k, 10 + x / 3600, y / 3600, magnitude, galaxy, x / 3, y / 3)
    first = np.full((1, 12, 12), 9)
    if saturated is not None:
        first[0, int(sources["y"][saturated]), int(sources["x"][saturated])] = 1
    return SimpleNamespace(sources=sources, first_saturated=first)


def catalog(offset: float) -> QTable:
    """Return a catalogue in which all is `offset` mas to the east and 0.1 mag too bright."""
    ra = [10 + (x + offset / 1000) / 3600 for x, *_ in SKY]
    places = SkyCoord(ra, [y / 3600 for _, y, *_ in SKY], unit="deg")
    magnitudes = np.array([m - 0.1 for *_, m, _ in SKY])
    return QTable(
        {
            "sky_centroid": places,
            "aper_total_abmag": magnitudes,
            "aper_total_abmag_err": np.full(len(SKY), 0.05),
        }
    )


def test_isolated_stars_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    exposures = {"a": truth(), "b": truth(saturated=1)}
    monkeypatch.setattr(mosaic_truth, "Truth", SimpleNamespace(load=exposures.__getitem__))
    found = mosaic_truth.compare(catalog(offset=7.0), ["a", "b"])  # type: ignore[list-item]
    np.testing.assert_array_equal(found.magnitude, [18.0, 20.0])  # by magnitude; no pair, no galaxy
    np.testing.assert_allclose(found.east, 7.0, atol=1e-3)
    np.testing.assert_allclose(found.north, 0.0, atol=1e-3)
    np.testing.assert_allclose(found.excess, -0.1)
    np.testing.assert_array_equal(found.error, 0.05)
    np.testing.assert_array_equal(found.saturated, [True, False])
    assert len(found.of(found.saturated).magnitude) == 1


def test_what_is_far_from_all_sources_is_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosaic_truth, "Truth", SimpleNamespace(load=lambda path: truth()))
    assert len(mosaic_truth.compare(catalog(offset=400.0), ["a"]).east) == 0  # type: ignore[list-item]


def test_the_picture_of_stage_1(crds: Any, tmp_path: Any) -> None:
    Detector1Pipeline(save_results=True).run(crds.uncal[0])
    rate = tmp_path / crds.uncal[0].name.replace("_uncal", "_rate")
    sizes = []
    for known in (None, crds.truth[0]):
        stage1_picture(crds.uncal[0], rate, tmp_path / "picture.png", known)
        sizes.append(mpl.image.imread(tmp_path / "picture.png").shape)
    assert sizes[1][0] == sizes[0][0] > 400 and sizes[1][1] > sizes[0][1]  # a panel more
