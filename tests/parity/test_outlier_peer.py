"""Outlier flags against the peer's: the same files and parameters."""

import numpy as np
import pytest
from combine_cases import dithered
from peer_process import needs_peer, run_peer

from webbcal import datamodels
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep

pytestmark = needs_peer

CASES = (
    {},
    {"snr": "4.0 3.0", "scale": "0.5 0.4", "maskpt": 0.2},
    {"weight_type": "exptime", "pixfrac": 0.8, "backg": 0.02},
    {"kernel": "turbo"},
    {"resample_data": False, "snr": "30.0 4.0"},
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return, for each case, our models and the peer's arrays."""
    folder = tmp_path_factory.mktemp("outliers")
    files = []
    for model in dithered(folder)[0]:
        files.append(str(folder / model.meta.filename))
        model.save(files[-1])
    asked = [{"step": "outlier_detection", "files": files, "parameters": p} for p in CASES]
    peer = run_peer("resample_peer.py", asked, folder)
    ours = [OutlierDetectionStep(**p).run([datamodels.open(f) for f in files]) for p in CASES]
    return list(zip(ours, peer, strict=True))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_flags(results, number):
    ours, peer = results[number]
    differ = flagged = 0
    for k, model in enumerate(ours):
        differ += np.count_nonzero(model.dq != peer[f"dq{k}"])
        flagged += np.count_nonzero(model.dq & 16)
        same = model.dq == peer[f"dq{k}"]
        np.testing.assert_array_equal(model.data[same], peer[f"data{k}"][same])
    assert flagged > 100
    # Values at a threshold may fall on either side of it; the peer loses a few pixels at the edges.
    assert differ <= 2
