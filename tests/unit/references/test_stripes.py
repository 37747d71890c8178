"""Stripes: where lines of an exposure lie on the detector, against the simulator's list of lines."""

from types import SimpleNamespace

import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.references.cutout import Placement, stripe_boxes
from webbcal.references.stripes import stripes_of
from webbcal.simulate import StripeReadout

READOUTS = [
    StripeReadout(),
    StripeReadout(reads1=2, skips1=100, reads2=30, skips2=11, stripes=4, interleave=False),
    StripeReadout(reads1=4, skips1=900, reads2=40, skips2=60, stripes=4, repeat=False, interleave=False),
    StripeReadout(reads1=0, skips1=5, reads2=7, skips2=3, stripes=3, repeat=False),
]


def subarray(readout, slowaxis):
    return SimpleNamespace(
        name=readout.subarray, xstart=1, ystart=1, slowaxis=slowaxis, num_superstripe=0,
        multistripe_reads1=readout.reads1, multistripe_skips1=readout.skips1,
        multistripe_reads2=readout.reads2, multistripe_skips2=readout.skips2,
        repeat_stripe=int(readout.repeat), interleave_reads1=int(readout.interleave),
    )  # fmt: skip


@pytest.mark.parametrize("slowaxis", [2, -2, 1, -1])
@pytest.mark.parametrize("readout", READOUTS)
def test_references_are_cut_to_the_lines_that_were_read(readout, slowaxis):
    lines = readout.lines
    if slowaxis < 0:
        lines = 2047 - lines[::-1]
    n = len(lines)
    by_rows = abs(slowaxis) == 2
    box = Box(0, n, 512, 1024) if by_rows else Box(512, 1024, 0, n)
    stripes = stripes_of(subarray(readout, slowaxis), n, "exposure")
    exposure = Placement("exposure", box, slowaxis=slowaxis, stripes=stripes)
    full = Placement("reference", Box(0, 2048, 0, 2048))
    frame = np.arange(2048 * 2048).reshape(2048, 2048)
    wanted = frame[np.ix_(lines, range(512, 1024))] if by_rows else frame[np.ix_(range(512, 1024), lines)]
    for start, stop in ((0, n), (n // 3, n // 2)):
        part = Box(start, stop, 0, 512) if by_rows else Box(0, 512, start, stop)
        pieces = [frame[b.slices] for b in stripe_boxes(full, exposure, part)]
        got = np.concatenate(pieces, axis=0 if by_rows else 1)
        np.testing.assert_array_equal(got, wanted[part.slices])


def test_what_cannot_be_is_said():
    readout = READOUTS[0]
    assert stripes_of(None, 10, "exposure") == ()
    assert stripes_of(SimpleNamespace(multistripe_reads1=None), 10, "exposure") == ()
    with pytest.raises(InputError, match="end at line 82, but its array has 80 lines"):
        stripes_of(subarray(readout, 2), 80, "exposure")
    with pytest.raises(InputError, match="MSTR_RD2 = 0"):
        stripes_of(subarray(StripeReadout(reads2=0, stripes=1), 2), 80, "exposure")
    with pytest.raises(InputError, match="calwebb_dark take superstripes, and put them together"):
        stripes_of(SimpleNamespace(num_superstripe=4), 80, "exposure")
    stripes = stripes_of(subarray(readout, 2), 82, "exposure")
    exposure = Placement("exposure", Box(0, 82, 0, 2048), slowaxis=2, stripes=stripes)
    small = Placement("gain reference", Box(0, 1024, 0, 2048))
    with pytest.raises(ReferenceFileError, match="stripes all over it"):
        stripe_boxes(small, exposure, Box(0, 82, 0, 2048))
