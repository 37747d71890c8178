"""Stage 1 of NIRSpec against jwst 3.0.0 after each step: traditional read-outs in subarrays, and IRS2."""

import re

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import JUMP_DET, SATURATED, Case, compare_folders, flags_of, run_both
from peer_process import needs_peer

from webbcal import simulate
from webbcal.detector.picture_frame import PictureFrameStep
from webbcal.detector.refpix import RefPixStep

BAD_REF_PIXEL = 131072
NO_PARITY = {"refpix": {"odd_even_columns": False}}
LEVELS = {
    "refpix": {"irs2_mean_subtraction": True, "ovr_corr_mitigation_ftr": 1.8},
    "saturation": {"n_pix_grow_sat": 2},
}
FRAMED = {
    "picture_frame": {
        "skip": False,
        "mask_science_regions": False,
        "save_results": True,
        "save_mask": True,
        "save_correction": True,
    }
}
#: What is saved beside the ramps has the header of its step, and no empty arrays (docs/parity.md).
BESIDE = re.compile(r"_pctfrm_\w+\.fits: (HDUs|PRIMARY: S_|SCI: BUNIT)")
#: Steps that are run alone, too: with which parameters, and on which product.
ALONE = {
    "irs2": (RefPixStep, {"preserve_irs2_refpix": True}, "superbias"),
    "full_frame": (PictureFrameStep, {"mask_science_regions": False, "save_correction": True}, "rate"),
}


def spectra(detector, subarray, readpatt, ngroups, nints=1, runs=({},), picture_frame=0.0, cosmic_rays=3.0):
    """Return a case: spectra with saturated lines, and many particles."""
    extra = {"picture_frame": picture_frame, "sky": simulate.Sky()}
    return Case(detector, subarray, readpatt, ngroups, nints, "F290LP", cosmic_rays, extra=extra, runs=runs)


CASES = {
    "no_reference_pixels": spectra("NRS1", "SUB32", "NRSRAPID", 5, 2, ({}, NO_PARITY), 0.0, 100_000.0),
    "no_reference_pixels_turned": spectra(
        "NRS2", "SUB512S", "NRSRAPIDD1", 4, 3, ({}, NO_PARITY), 0.0, 2000.0
    ),
    "bright_object": spectra("NRS1", "SUB2048", "NRSRAPID", 4, 3, ({}, NO_PARITY), 0.0, 30.0),
    "all_slits": spectra("NRS2", "ALLSLITS", "NRS", 4),
    "full_frame": spectra("NRS1", "FULL", "NRSRAPID", 3, 1, (FRAMED,), 4.0),
    "irs2": spectra("NRS2", "FULL", "NRSIRS2RAPID", 2, 1, ({}, LEVELS)),
    "irs2_averaged": spectra("NRS1", "FULL", "NRSIRS2", 3, 2, (LEVELS,)),
}


@needs_peer
@pytest.mark.parametrize("name", CASES)
def test_every_step_equals_the_official_pipeline(name, tmp_path, monkeypatch):
    folders = run_both(CASES[name], tmp_path, monkeypatch, alone=ALONE.get(name))
    assert flags_of(folders[0][0], "rate") & (SATURATED | JUMP_DET), "the exposure is too easy"
    if name == "irs2":
        _check_kept(next((tmp_path / "alone_ours").glob("*_alone.fits")))
    problems = [f"{ours.name}: {p}" for ours, theirs in folders for p in compare_folders(ours, theirs)]
    problems = [p for p in problems if not BESIDE.search(p)]
    assert not problems, "\n".join(problems)


def _check_kept(path):
    """The reference pixels that the simulator makes noisy are found."""
    rows = (fits.getdata(path, "PIXELDQ") & BAD_REF_PIXEL).any(axis=1)
    assert rows.shape == (3200,)
    assert rows[3199 - np.array([1548, 1549, 2870, 2871])].all() and rows.sum() < 60
