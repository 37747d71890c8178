"""The detectors of MIRI in the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from webbcal import simulate
from webbcal.core.box import Box
from webbcal.simulate.miri import Chain, Interference, Pixels, clocks_of, interferences
from webbcal.simulate.nonlinearity import linearise
from webbcal.simulate.personality import personality
from webbcal.simulate.references_miri import dark_ramp, raw_polynomial, reset_model

QUIET = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)
CONFIG = simulate.ExposureConfig(
    detector="MIRIMAGE", subarray="SUB64", readpatt="FASTR1", filter="F770W", ngroups=5, nints=2,
    electronics=QUIET, cosmic_rays=False,
)  # fmt: skip


def test_an_exposure_has_a_reference_output_and_the_headers_of_its_mode():
    made = simulate.expose(CONFIG, np.full((64, 72), 50.0, np.float32)).model
    assert made.data.shape == (2, 5, 64, 72) and made.refout.shape == (2, 5, 64, 18)
    assert made.refout.dtype == np.uint16 and abs(np.median(made.refout) - 8000) < 10
    assert (made.meta.exposure.frame_time, made.meta.exposure.nsamples) == (0.08512, 1)
    prism = replace(CONFIG, subarray="SLITLESSPRISM", ngroups=1, nints=1)
    assert simulate.expose(prism).model.meta.exposure.type == "MIR_LRS-SLITLESS"
    slow = replace(CONFIG, detector="MIRIFULONG", subarray="FULL", readpatt="SLOWR1")
    assert slow.readout.tframe == pytest.approx(23.88992) and clocks_of(slow).nsamples == 9


def test_interference_follows_the_clocks_of_pixels():
    chain, clocks = Chain(CONFIG), clocks_of(CONFIG)
    waves = interferences("SUB64", "FASTR1")
    for i, frame, y, x in ((0, 0, 0, 0), (0, 3, 10, 5), (1, 4, 63, 71)):
        time = i * (5 * 8512 + 8512) + frame * 8512 + y * 28 + x // 4
        expected = sum(w.amplitude * w.shape(np.array(w.phase + time * 1e-5 * w.frequency)) for w in waves)
        assert chain.frame(i, frame)[y, x] == pytest.approx(expected, abs=1e-3)
    assert clocks.frame == 8512
    assert Interference(390.625, 1.0, 0.0).period == pytest.approx(256.0)


def test_references_hold_what_pixels_do():
    box = Box(778, 842, 0, 72)
    person = personality("MIRIMAGE", box)
    pixels = Pixels(box, person.reference)
    reset = reset_model(person, CONFIG.readout)
    assert reset.data.shape == (2, 5, 64, 72)
    np.testing.assert_array_equal(reset.data[1, 3], pixels.anomaly(4, [3]))
    assert np.abs(reset.data[0, 0, :, 4:]).min() > 10 and not reset.data[..., :4].any()
    difference = dark_ramp(person, CONFIG.readout, 1, 4) - dark_ramp(person, CONFIG.readout, 0, 4)
    np.testing.assert_allclose(difference, pixels.dark(1, [4]), atol=1e-5)
    signal = np.linspace(0.0, 40_000.0, 5)[:, None, None] * np.ones(box.shape)
    raw = signal + person.superbias
    linear = linearise(raw, raw_polynomial(person)) - person.superbias
    np.testing.assert_allclose(linear, linearise(signal, person.linearity), atol=0.02)
