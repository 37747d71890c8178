"""What jwst goes on with from our assign_wcs: spectra cut out as from its own."""

import numpy as np
import pytest
from dispersed_cases import TSGRISM, WFSS
from peer_process import needs_peer, run_peer
from wfss_fields import Field, write_fields

pytestmark = needs_peer

CASES = (WFSS[0], WFSS[4], TSGRISM[0])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handover")
    fields = [Field(case, sources=8) for case in CASES]
    shared = {"folder": str(folder), "environment": write_fields(folder, fields)}
    asked = [{"ours": str(folder / field.exposure), **shared} for field in fields]
    answers = run_peer("dispersed_handover_peer.py", asked, folder)
    yield dict(zip((case.name for case in CASES), answers, strict=True))
    for path in folder.glob("*.fits"):
        path.unlink()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_spectra(case, results):
    found = results[case.name]
    assert len(found["own_places"]) > (3 if case in WFSS else 0)
    for what, tolerance in (
        ("places", 1e-6),
        ("orders", 0),
        ("lengths", 0),
        ("wavelengths", 1e-9),
        ("sky", 1e-9),
    ):
        ours, own = found[f"ours_{what}"], found[f"own_{what}"]
        np.testing.assert_allclose(ours, own, rtol=0, atol=tolerance, err_msg=what)
    assert np.isfinite(found["own_wavelengths"]).any()
