"""The reference files of slitless spectra open, and validate strictly, as the peer's models."""

from dataclasses import replace

import pytest
from peer_process import needs_peer, run_peer

from webbcal import simulate
from webbcal.simulate.grisms.references import write_grism_references

FIELD = {"apcorr", "area", "bkg", "flat", "photom", "specwcs", "wavelengthrange"}
DIRECT = simulate.ExposureConfig()
SERIES = simulate.Grism(time_series=True)
CONFIGS = {
    "NRC_WFSS": replace(DIRECT, grism=simulate.Grism("GRISMC")),
    "NRC_TSGRISM": replace(DIRECT, subarray="SUBGRISM128", readpatt="RAPID", grism=SERIES),
    "NIS_WFSS": replace(
        DIRECT, detector="NIS", filter="F150W", readpatt="NIS", grism=simulate.Grism("GR150C")
    ),
    "MIR_WFSS": replace(
        DIRECT, detector="MIRIMAGE", filter="F770W", readpatt="FASTR1", grism=simulate.Grism("P750L")
    ),
}  # fmt: skip


@needs_peer
@pytest.mark.filterwarnings("ignore")
def test_the_peer_opens_all_of_them(tmp_path):
    cases = []
    for kind, config in CONFIGS.items():
        write_grism_references(simulate.CrdsCache(tmp_path / kind), [config], subarray_only=True)
        cases.append({"cache": str(tmp_path / kind), "exposure_type": kind})
    for kind, found in zip(CONFIGS, run_peer("grism_references_peer.py", cases, tmp_path), strict=True):
        expected = FIELD - {"apcorr", "bkg"} if kind == "NRC_TSGRISM" else FIELD
        assert set(found["opened"].tolist()) == expected
