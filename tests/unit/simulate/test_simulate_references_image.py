"""Distortion and filter offset references of the simulator."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.references.bestrefs import best_references
from webbcal.simulate import CrdsCache, write_image_references
from webbcal.simulate.geometry import load_pysiaf
from webbcal.simulate.references_image import IMAGERS, distortion_model


@pytest.mark.parametrize("detector", sorted(IMAGERS))
def test_distortion_is_the_siafs_and_its_inverse_is_one(detector):
    imager = IMAGERS[detector]
    aperture = load_pysiaf().Siaf(imager.siaf_instrument)[imager.aperture]
    x, y = np.meshgrid(
        np.linspace(-0.5, aperture.XSciSize - 0.5, 17), np.linspace(-0.5, aperture.YSciSize - 0.5, 17)
    )
    model = distortion_model(detector)
    v2, v3 = model(x, y)
    np.testing.assert_allclose((v2, v3), aperture.sci_to_tel(x + 1, y + 1), rtol=0, atol=1e-10)
    assert np.abs(np.subtract(model.inverse(v2, v3), (x, y))).max() < 1e-4


def test_registered_and_read(tmp_path, monkeypatch):
    cache = CrdsCache(tmp_path / "crds")
    write_image_references(cache, ["NRCALONG", "NIS", "GUIDER1"], {"F405N": (1.5, -2.5)})
    for name, value in cache.environment.items():
        monkeypatch.setenv(name, value)
    header = {
        "meta.instrument.name": "NIRCAM",
        "meta.instrument.detector": "NRCALONG",
        "meta.observation.date": "2024-01-01",
        "meta.observation.time": "00:00:00",
    }
    found = best_references(header, ["distortion", "filteroffset"])
    rows = datamodels.open(found["filteroffset"]).filters
    (row,) = (r for r in rows if r.pupil == "F405N")
    assert (row.filter, row.column_offset, row.row_offset) == ("F444W", 1.5, -2.5)
    assert all(r.column_offset == 0 for r in rows if r.pupil != "F405N")
    model = datamodels.open(found["distortion"])
    assert type(model).__name__ == "DistortionModel"
    np.testing.assert_array_equal(model.model(5.0, 7.0), distortion_model("NRCALONG")(5.0, 7.0))
    guider = header | {"meta.instrument.name": "FGS", "meta.instrument.detector": "GUIDER1"}
    assert best_references(guider, ["filteroffset"])["filteroffset"] == "N/A"
