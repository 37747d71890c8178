"""The whole of stage 1 against jwst 3.0.0 on simulated exposures, after each step and at the end.

Each exposure is simulated with its reference files; both pipelines run it, with several sets of parameters,
and save what every step makes. One process of the peer serves all runs of an exposure.
"""

import asdf
import numpy as np
import pytest
from detector1_runs import JUMP_DET, SATURATED, Case, compare_folders, flags_of, run_both
from peer_process import needs_peer

#: Sets of parameters: step -> parameters.
SHARP_JUMPS = {
    "jump": {
        "rejection_threshold": 3.0,
        "three_group_rejection_threshold": 4.0,
        "four_group_rejection_threshold": 4.0,
        "max_jump_to_flag_neighbors": 300.0,
        "min_jump_to_flag_neighbors": 6.0,
    }
}
AFTER_JUMPS = {
    "jump": {
        "after_jump_flag_dn1": 10.0,
        "after_jump_flag_time1": 1.5,
        "after_jump_flag_dn2": 500.0,
        "after_jump_flag_time2": 20.0,
        "flag_4_neighbors": False,
        "min_diffs_single_pass": 2,
    }
}
CLIPPED_JUMPS = {"jump": {"minimum_sigclip_groups": 4, "only_use_ints": False}}
ONE_GROUP = {"ramp_fit": {"suppress_one_group": False, "save_opt": True}}
BRIGHT = {"charge_migration": {"skip": False, "signal_threshold": 12000.0}, "ramp_fit": {"save_opt": True}}
GROWN = {"saturation": {"n_pix_grow_sat": 2, "use_readpatt": False}}
PLAIN_SATURATION = {"saturation": {"n_pix_grow_sat": 0}}
RANGE = {"ramp_fit": {"firstgroup": 1, "lastgroup": 4}}
DARK = {"dark_current": {"average_dark_current": 1.5}}
LIKELY = {"ramp_fit": {"algorithm": "LIKELY"}}
LIKELY_CHISQ = {"ramp_fit": {"algorithm": "LIKELY", "save_opt": True}, "jump": {"skip": True}}
LIKELY_RANGE = {"ramp_fit": {"algorithm": "LIKELY", "firstgroup": 1, "lastgroup": 4}}
NO_PARITY = {"refpix": {"odd_even_columns": False, "side_gain": 0.7, "side_smoothing_length": 21}}
#: Kernels of NIRISS, which the test writes into the working directory; for other detectors medians are used.
SIRS = {
    "refpix": {"refpix_algorithm": "sirs", "override_sirskernel": "kernels.asdf", "gaussmooth": 1.5},
}
NO_SIDES = {"refpix": {"use_side_ref_pixels": False}, "dark_current": {"skip": True}}


CASES = {
    "nircam_full": Case(
        "NRCALONG", "FULL", "SHALLOW4", 5, cosmic_rays=2.0, bright=14.0, stars=150.0,
        extra={"ipc": True, "zeroframe": True},
    ),
    "nircam_sub160": Case(
        "NRCBLONG", "SUB160", "BRIGHT2", 6, 2, cosmic_rays=200.0, extra={"zeroframe": True},
        runs=({}, ONE_GROUP, BRIGHT, GROWN, RANGE, DARK, SHARP_JUMPS, AFTER_JUMPS, PLAIN_SATURATION),
    ),
    "nircam_sub64p": Case(
        "NRCB1", "SUB64P", "RAPID", 12, 3, "F150W", 1000.0, 6.0, 20000.0, {"ipc": True},
        runs=({}, BRIGHT, AFTER_JUMPS, CLIPPED_JUMPS, ONE_GROUP),
    ),
    "nircam_subgrism64": Case(
        "NRCALONG", "SUBGRISM64", "MEDIUM8", 4, extra={"zeroframe": True},
        runs=({}, NO_PARITY, NO_SIDES, GROWN, SHARP_JUMPS),
    ),
    "nircam_sub400p": Case(
        "NRCBLONG", "SUB400P", "DEEP8", 3, extra={"zeroframe": True, "ipc": True},
        runs=({}, ONE_GROUP, SHARP_JUMPS),
    ),
    "nircam_two_groups": Case(
        "NRCA3", "SUB320", "SHALLOW2", 2, 2, "F200W", extra={"zeroframe": True},
        runs=({}, ONE_GROUP), dark_frames=5,
    ),
    "nircam_one_group": Case(
        "NRCA1", "SUB160", "MEDIUM2", 1, 2, "F200W", 200.0, 7.0, 8000.0, runs=({}, ONE_GROUP)
    ),
    "nircam_likely": Case(
        "NRCBLONG", "SUB64P", "BRIGHT2", 6, 3, "F444W", 200.0, 6.0, 20000.0, {"zeroframe": True},
        runs=(LIKELY, LIKELY_CHISQ, LIKELY_RANGE, LIKELY | DARK),
    ),
    "nircam_likely_rapid": Case(
        "NRCB1", "SUB64P", "RAPID", 12, 1, "F150W", 1000.0, 6.0, 20000.0, runs=(LIKELY, LIKELY_CHISQ)
    ),
    "nircam_likely_few_groups": Case(
        "NRCA1", "SUB160", "SHALLOW4", 3, 1, "F200W", runs=(LIKELY | {"dark_current": {"skip": True}},)
    ),
    "niriss_stripe": Case("NIS", "SUBSTRIP96", "NISRAPID", 5, 2, "F200W", runs=({}, NO_PARITY, BRIGHT)),
    "niriss_sub64": Case(
        "NIS", "SUB64", "NIS", 5, 2, "F380M", 500.0, 6.0, 20000.0, {"ipc": True}, runs=({}, SHARP_JUMPS)
    ),
    "niriss_ami_sub80": Case(
        "NIS", "SUB80", "NISRAPID", 6, 3, "F480M", 500.0, 5.0, 30000.0, runs=({}, NO_PARITY)
    ),
    "niriss_soss_substrip256": Case("NIS", "SUBSTRIP256", "NISRAPID", 3, 2, "F277W", runs=({}, NO_SIDES)),
    "niriss_wfss_full": Case("NIS", "FULL", "NIS", 2, 1, "F200W", 2.0, 10.0, 150.0, runs=(SIRS,)),
    "fgs_sub128ll": Case("GUIDER1", "SUB128LL", "FGSRAPID", 6, 2, "N/A", 500.0, 9.0, 8000.0),
    "fgs_full": Case("GUIDER1", "FULL", "FGSRAPID", 2, 1, "N/A", 2.0, 10.0, 150.0, runs=(SIRS,)),
    "fgs_sub128": Case("GUIDER2", "SUB128CNTR", "FGS", 9, 1, "N/A", 200.0, runs=({}, AFTER_JUMPS, RANGE)),
}  # fmt: skip


@needs_peer
@pytest.mark.parametrize("name", CASES)
def test_every_step_equals_the_official_pipeline(name, tmp_path, monkeypatch, caplog):
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    if SIRS in case.runs:
        _write_kernels("kernels.asdf")
    folders = run_both(case, tmp_path, monkeypatch)
    if SIRS in case.runs:
        assert ("no kernels of" in caplog.text) == (case.detector != "NIS")
    flags = flags_of(folders[0][0])
    assert flags & SATURATED and (flags & JUMP_DET or case.ngroups < 3), "the exposure is too easy"
    problems = [f"{run}: {p}" for f, run in zip(folders, case.runs, strict=True) for p in compare_folders(*f)]
    assert not problems, "\n".join(problems)


def _write_kernels(path):
    """Write kernels that smooth the side columns, of each amplifier a little otherwise."""
    frequency = np.arange(1025.0)
    weights = [np.exp(-frequency / (40.0 + 10 * channel)) / 2 + 0j for channel in range(4)]
    meta = {"telescope": "JWST", "reftype": "sirskernel", "model_type": "SIRSKernelModel"}
    kernels = {"gamma": np.array(weights), "zeta": np.array(weights[::-1])}
    asdf.AsdfFile({"meta": meta, "nis": kernels}).write_to(path)
