"""The simulated NIRSpec: subarrays, spectra, raw IRS2 frames and the weights for their noise; guide stars."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.errors import ParameterError
from webbcal.core.irs2 import Interleaving
from webbcal.simulate.guide_star import KINDS, guide_star_universe
from webbcal.simulate.irs2 import LEVEL, NOISY, OUTPUT_LEVEL, Irs2Frames, filters, spread
from webbcal.simulate.references_irs2 import refpix_model


def config(**values: Any) -> simulate.ExposureConfig:
    """Return an exposure of NRS1."""
    return simulate.ExposureConfig(detector="NRS1", filter="F290LP", **values)


@pytest.mark.parametrize(
    ("subarray", "shape", "time"),
    [("FULL", (2048, 2048), 10.74), ("ALLSLITS", (256, 2048), 5.49), ("SUB2048", (32, 2048), 0.90),
     ("SUB512S", (16, 512), 0.144), ("SUB32", (32, 32), 0.015)],
)  # fmt: skip
def test_subarrays(subarray: str, shape: tuple[int, int], time: float) -> None:
    exposure = config(subarray=subarray, readpatt="NRSRAPID")
    assert exposure.aperture.shape == shape
    assert exposure.readout.tframe == pytest.approx(time, rel=0.01)


def test_spectra_are_bright_strips() -> None:
    made = simulate.expose(config(subarray="SUB32", readpatt="NRSRAPID", ngroups=3, cosmic_rays=False))
    assert made.model.meta.exposure.type == "NRS_BRIGHTOBJ" and made.model.meta.instrument.grating == "G395H"
    rows = np.median(made.truth.rate, axis=1)
    assert rows.max() > 5 * np.median(rows)
    again = simulate.expose(config(subarray="SUB32", readpatt="NRSRAPID", ngroups=3, cosmic_rays=False))
    np.testing.assert_array_equal(made.model.data, again.model.data)


def test_irs2_reads_full_frames() -> None:
    assert config(readpatt="NRSIRS2").readout.tgroup == pytest.approx(5 * 14.5889, abs=1e-3)
    with pytest.raises(ParameterError, match="full frames only"):
        config(readpatt="NRSIRS2RAPID", subarray="SUB32")


def test_raw_frames() -> None:
    exposure = config(readpatt="NRSIRS2RAPID", electronics=simulate.Electronics(pedestal_drift=0.0))
    layout = Interleaving(turned=False)
    image = np.arange(2048.0)[:, None] * np.ones(2048)
    raw = spread(image, layout, LEVEL, OUTPUT_LEVEL)
    np.testing.assert_array_equal(raw[layout.science], image)
    assert (raw[:640] == OUTPUT_LEVEL).all() and (raw[648:652] == LEVEL).all()
    frames = Irs2Frames(exposure, layout)
    noise = frames.frame(0, 0)
    assert noise.shape == (3200, 2048) and noise.std() == pytest.approx(2.5, rel=0.4)
    means = [noise[640 * k : 640 * (k + 1)].mean(axis=0) for k in range(5)]
    assert np.corrcoef(means).min() > 0.3, "the outputs share a part of it"
    read = frames.read_noise(np.full((2048, 2048), 5.0))
    assert read[list(NOISY)].min() > 5 * np.median(read)


def test_weights_leave_less_than_there_was() -> None:
    layout = Interleaving(turned=False)
    weights = filters(simulate.Electronics(one_over_f=9.0), layout)
    assert weights.before == pytest.approx(9.0, rel=0.01) and weights.left < 0.5 * weights.before
    assert (weights.alpha[:, 0] == 0).all()
    assert (weights.alpha[:, 40_000] > 0.5).all(), "what is fast comes from the reference output"
    table = np.asarray(refpix_model(config(readpatt="NRSIRS2"), layout).irs2_table["beta_0"])
    full = table[::2]
    np.testing.assert_array_equal(full[1:], full[:0:-1])  # real series stay real
    assert not table[1::2].any()


@pytest.mark.parametrize("kind", KINDS)
def test_guide_stars(kind: str, tmp_path: Any) -> None:
    made = guide_star_universe(tmp_path, kind, min(KINDS[kind].size, 48))
    with datamodels.open(made.path) as model:
        assert type(model).__name__ == "GuiderRawModel" and model.meta.exposure.type == kind
        assert model.data.shape[:2] == (KINDS[kind].nints, KINDS[kind].ngroups)
        change = model.data[:, -1] - model.data[:, 0]
        steps = (KINDS[kind].ngroups - 1) * KINDS[kind].group_time
        brightest = np.unravel_index(np.argmax(made.rate), made.rate.shape)
        assert change.mean(axis=0)[brightest] == pytest.approx(made.rate[brightest] * steps, rel=0.2, abs=6)
    assert len(list((tmp_path / "crds/references/jwst/fgs").glob("*.fits"))) == 4
