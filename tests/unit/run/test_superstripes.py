"""Superstripes: where the lines of each integration belong, against the simulator's list of lines."""

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError, PlanError
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline import Detector1Pipeline
from webbcal.pipeline.superstriped import put_together
from webbcal.run import superstripes
from webbcal.run.superstripes import Assembly, Cycle, Woven, cycle_times, position, read_times, whole_frame
from webbcal.simulate import StripeReadout

ALONE = StripeReadout("FULL_SUPSTP120", 4, 900, 40, 0, 1, False, False, superstripes=3, step=40)
READOUTS = [
    ALONE,
    StripeReadout("SUB64P_SUPSTP032", 0, 700, 30, 0, 1, False, False, superstripes=2, step=35),
    StripeReadout("SUB64P_SUPSTP008", 1, 30, 0, 0, 1, False, False, superstripes=4, step=30),
    StripeReadout("SUB64P_SUPSTP002", 1, 500, 20, 0, 2, True, False, superstripes=2, step=20),
    StripeReadout("SUB204STRIPE_SOSS", 4, 100, 200, 0, 1, False, False, superstripes=3, step=200),
]
FAST, GROUPS = 6, 2


def superstriped(readout, slowaxis, cycles=2):
    """Return ramps whose samples are the line of the detector, and 10000 for each group."""
    nints = cycles * readout.superstripes
    lines = np.stack([readout.lines_of(k) for k in range(nints)])
    if slowaxis < 0:
        lines = 2047 - lines[:, ::-1]
    data = np.broadcast_to(lines[:, None, :, None], (nints, GROUPS, lines.shape[1], FAST)).astype(np.float32)
    data += 10000 * np.arange(GROUPS, dtype=np.float32)[:, None, None]
    by_rows = abs(slowaxis) == 2
    model = datamodels.RampModel(data if by_rows else data.swapaxes(-1, -2))
    model.meta.filename = "exposure.fits"
    sub, exposure = model.meta.subarray, model.meta.exposure
    sub.name, sub.xstart, sub.ystart = readout.subarray, 1, 1
    sub.ysize, sub.xsize = model.data.shape[-2:]
    sub.slowaxis, sub.fastaxis = slowaxis, 1 if by_rows else 2
    sub.multistripe_reads1, sub.multistripe_skips1 = readout.reads1, readout.skips1
    sub.multistripe_reads2, sub.multistripe_skips2 = readout.reads2, readout.skips2
    sub.repeat_stripe, sub.interleave_reads1 = int(readout.repeat), int(readout.interleave)
    sub.num_superstripe, sub.superstripe_step = readout.superstripes, readout.step
    exposure.nints, exposure.ngroups, exposure.nframes, exposure.groupgap = nints, GROUPS, 1, 0
    exposure.noutputs = 4
    return model


@pytest.mark.parametrize("slowaxis", [2, -2, 1, -1])
@pytest.mark.parametrize("readout", READOUTS, ids=lambda r: r.subarray)
def test_lines_are_put_where_they_were_read(readout, slowaxis, tmp_path):
    model = superstriped(readout, slowaxis)
    cycle = Cycle.of_model(model)
    frame, woven = Assembly(model, cycle, tmp_path), Woven(model, cycle, tmp_path)
    for k in range(readout.superstripes):
        for cycles in cycle.stretches(model.data.shape):
            part = position(model, cycle, k, cycles)
            frame.add(k, cycles, part)
            woven.add(k, cycles, part)
    np.testing.assert_array_equal(woven.finish().data, model.data)
    assert woven.finish().meta.subarray.num_superstripe == readout.superstripes
    ramp = frame.finish()
    sub = ramp.meta.subarray
    by_rows = abs(slowaxis) == 2
    data = ramp.data if by_rows else ramp.data.swapaxes(-1, -2)
    unread = np.isnan(data)
    first = (sub.ystart if by_rows else sub.xstart) - 1
    repeats = readout.stripes if readout.repeat else 1
    wanted = first + np.arange(data.shape[2])[:, None] + 10000 * (np.arange(GROUPS * repeats) // repeats)[
        :, None, None
    ]  # fmt: skip
    np.testing.assert_array_equal(data, np.where(unread, np.nan, np.broadcast_to(wanted, data.shape)))
    read = {line for k in range(readout.superstripes) for line in readout.lines_of(k)[readout.reads1 :]}
    read -= set(range(readout.reads1))
    assert (~unread[0, 0, :, 0]).sum() == len(read)
    flags = ramp.pixeldq if by_rows else ramp.pixeldq.T
    np.testing.assert_array_equal(flags == 2**31, unread[0, 0])
    assert (sub.ysize, sub.xsize) == ramp.data.shape[-2:] == whole_frame(model).data.shape[-2:]
    assert sub.num_superstripe is None
    assert sub.multistripe_reads1 is None
    assert (ramp.meta.exposure.nints, ramp.meta.exposure.ngroups) == ramp.data.shape[:2]


@pytest.mark.parametrize("readout", READOUTS[:1], ids=lambda r: r.subarray)
def test_what_is_large_goes_through_scratch_space_some_cycles_at_a_time(readout, monkeypatch, tmp_path):
    monkeypatch.setattr(superstripes, "_IN_MEMORY", 100)
    monkeypatch.setattr(superstripes, "_AT_ONCE", 1)
    model = superstriped(readout, -2)
    assert Cycle.of_model(model).stretches(model.data.shape) == [range(1), range(1, 2)]
    assert isinstance(superstripes._room((5, 5), np.float64, tmp_path), np.memmap)
    test_lines_are_put_where_they_were_read(readout, -2, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cycle_lasts_from_its_first_integration_to_its_last():
    names = [f"int_{what}_{scale}" for scale in ("MJD_UTC", "BJD_TDB") for what in ("start", "mid", "end")]
    times = np.zeros(6, [("integration_number", "i4"), *((name, "f8") for name in names)])
    times["integration_number"] = np.arange(6) + 7
    times["int_start_MJD_UTC"], times["int_end_MJD_UTC"] = np.arange(6), np.arange(6) + 0.5
    whole, each = cycle_times(times, 3, 3)
    assert whole["integration_number"].tolist() == [3, 4]
    assert whole["int_start_MJD_UTC"].tolist() == [0, 3]
    assert whole["int_mid_MJD_UTC"].tolist() == [1.25, 4.25]
    assert whole["int_end_MJD_UTC"].tolist() == [2.5, 5.5]
    assert each["integration_number"].tolist() == [3, 3, 3, 4, 4, 4]
    assert each["stripe_number"].tolist() == [1, 2, 3, 1, 2, 3]
    assert each["int_start_MJD_UTC"].tolist() == list(range(6))


def test_lines_that_are_read_twice_have_times_of_their_own():
    model = superstriped(READOUTS[3], 2)
    times = read_times(model, 2)
    assert len(times) == 2 * GROUPS
    line = (FAST / 4 + 12) * 1e-5
    np.testing.assert_allclose(np.ravel(times)[:2], [22 * line + 1e-5, 43 * line + 1e-5], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_superstripe": 4}, "no whole cycles of SSTR_NST = 4"),
        ({"superstripe_step": 0, "multistripe_reads2": 0}, "neither MSTR_RD2 nor SSTR_STP"),
        ({"multistripe_reads1": None}, "there is no MSTR_RD1"),
        ({"multistripe_reads2": 20}, "several stripes in a frame"),
        ({"multistripe_reads2": 41}, "its array has 44 lines"),
        ({"superstripe_step": 600}, "end at line"),
    ],
)
def test_what_cannot_be_is_said(change, sentence):
    model = superstriped(ALONE, 2)
    for name, value in change.items():
        setattr(model.meta.subarray, name, value)
    with pytest.raises(InputError, match=sentence):
        Cycle.of_model(model)


def test_segments_begin_with_a_cycle():
    model = superstriped(ALONE, 2)
    model.meta.exposure.integration_start = 3
    with pytest.raises(InputError, match="integrations 3–8 are no whole cycles"):
        Cycle.of_model(model)
    model.meta.exposure.integration_start, model.meta.exposure.integration_end = 7, 12
    exposure = whole_frame(model).meta.exposure
    assert (exposure.integration_start, exposure.integration_end) == (3, 4)


def test_a_step_alone_takes_each_position_by_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = superstriped(ALONE, -2)
    exposure = model.meta.exposure
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCA2"
    exposure.type, exposure.frame_time, exposure.group_time = "NRC_IMAGE", 10.0, 10.0
    lines = np.arange(2048, dtype=np.float32)[:, None] * np.ones((1, FAST), np.float32)
    mask = datamodels.MaskModel(dq=(lines % 2).astype(np.uint32))
    bias = datamodels.SuperBiasModel(data=lines)
    for reference in (mask, bias):
        sub = reference.meta.subarray
        sub.xstart, sub.ystart, sub.xsize, sub.ysize, sub.fastaxis, sub.slowaxis = 1, 1, FAST, 2048, 1, -2
    flagged = DQInitStep.call(model, override_mask=mask, save_results=True, output_file="a.fits")
    (first,) = tmp_path.glob("a_*.fits")
    levelled = SuperBiasStep.call(str(first), override_superbias=bias)
    assert type(flagged).__name__ == type(levelled).__name__ == "SuperstripeRampModel"
    assert levelled.pixeldq.shape == (ALONE.superstripes, *model.data.shape[-2:])
    np.testing.assert_array_equal(levelled.data, np.broadcast_to([[[0.0]], [[10000.0]]], model.data.shape))
    on_detector = 2047 - np.stack([ALONE.lines_of(k)[::-1] for k in range(ALONE.superstripes)])
    np.testing.assert_array_equal(levelled.pixeldq[..., 0], on_detector % 2)
    assert levelled.meta.cal_step.superbias == levelled.meta.cal_step.dq_init == "COMPLETE"
    with pytest.raises(InputError, match=r"exposure.fits: .* linearity works on the frame that they make up"):
        LinearityStep().run(model)


def test_steps_that_see_only_a_part_take_no_hooks():
    pipeline = Detector1Pipeline(steps={"refpix": {"skip": True}})
    with pytest.raises(PlanError, match="cannot be skipped"):
        put_together(pipeline, ["dq_init", "refpix"], None, None)
    pipeline = Detector1Pipeline(steps={"superbias": {"post_hooks": [print]}})
    with pytest.raises(PlanError, match="superbias of superstripes"):
        put_together(pipeline, ["superbias"], None, None)
