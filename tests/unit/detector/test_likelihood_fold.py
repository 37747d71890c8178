"""ramp_fit by likelihood in the pipeline: cut into blocks, its products, and what it says."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.engine import kept_images, passes
from webbcal.run.engine import rows as rows_of_task
from webbcal.run.engine.tiling import Cut

LIKELY = {"ramp_fit": {"algorithm": "LIKELY", "save_opt": True}}


def products(folder: str, steps: dict[str, Any], uncal: Any) -> dict[str, Any]:
    Path(folder).mkdir()
    Detector1Pipeline(save_results=True, output_dir=folder, steps=steps).run(uncal)
    return {p.name.split("_", 4)[-1]: p for p in Path(folder).iterdir()}


@pytest.mark.parametrize(("rows", "kept"), [(5, 0), (64, 1 << 20), (17, 2000)])
def test_blocks_do_not_change_the_result(
    crds: Any, monkeypatch: pytest.MonkeyPatch, rows: int, kept: int
) -> None:
    whole = products("whole", LIKELY, crds.uncal[0])
    monkeypatch.setattr(passes, "cut_rows", lambda shape, halo, threads: Cut(rows, 1, shape[1], 64))
    monkeypatch.setattr(rows_of_task, "KEPT_BYTES", kept)
    monkeypatch.setattr(kept_images, "MOST_BYTES", kept)
    cut = products("cut", LIKELY, crds.uncal[0])
    assert set(cut) == set(whole) == {"rate.fits", "rateints.fits", "likely_chisq.fits"}
    for name, path in cut.items():
        with fits.open(path) as got, fits.open(whole[name]) as expected:
            for hdu in expected:
                if hdu.name in ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE"):
                    np.testing.assert_array_equal(got[hdu.name].data, hdu.data, err_msg=f"{name} {hdu.name}")
    assert np.nanmax(fits.getdata(whole["likely_chisq.fits"])) > 0


def test_parameters_without_effect_say_so(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    steps = {"ramp_fit": {"algorithm": "LIKELY", "suppress_one_group": False, "int_name": "mine"}}
    with caplog.at_level(logging.INFO):
        products("out", steps, crds.uncal[0])
    assert "suppress_one_group has no effect" in caplog.text
    assert "int_name has no effect" in caplog.text


def test_groups_that_are_not_evenly_spaced(crds: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A straight line has its slope whatever the times of its groups are."""
    model = datamodels.RampModel(crds.uncal[0])
    times = np.array([1.0, 2.0, 4.0, 5.0, 9.0, 11.0])
    model.data = np.broadcast_to(3.0 * times[:, None, None], model.data.shape).astype(np.float32)
    model.meta.exposure.read_times = [[t] for t in times]
    rate, _ = RampFitStep().run(model)
    assert "not evenly spaced" in caplog.text
    np.testing.assert_allclose(rate.data[np.isfinite(rate.data)], 3.0, rtol=1e-5)
    assert np.isfinite(rate.data).any()
    model.meta.exposure.read_times = [[1.0], [2.0]]
    with pytest.raises(InputError, match="has 2 entries, but there are 6 groups"):
        RampFitStep().run(model)
