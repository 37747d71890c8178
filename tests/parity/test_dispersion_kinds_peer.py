"""How grisms disperse against `stdatamodels`, which defines it: each form that references have had."""

import numpy as np
import pytest
from dispersion_kinds import CASES
from peer_process import needs_peer, run_peer

from webbcal.io import asdf_text
from webbcal.wcs.evaluation import forward

pytestmark = needs_peer

#: SOSS of old is a tag that no file needs to be written with.
ASKED = [case for case in CASES if "of old" not in case.name]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder, asked = tmp_path_factory.mktemp("kinds"), []
    for n, case in enumerate(ASKED):
        inverses = {k: v for k, v in case.node.value.items() if k.startswith("inv_")}
        path = folder / f"{n}.asdf"
        path.write_bytes(asdf_text.write({"transform": case.node, "inverses": inverses}))
        points = {f"in{k}": values for k, values in enumerate(case.values(50))}
        asked.append({"path": str(path), "arrays": "soss" in case.kind} | points)
    return dict(
        zip((case.name for case in ASKED), run_peer("dispersion_kinds_peer.py", asked, folder), strict=True)
    )


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.name)
def test_points_one_by_one(case, answers):
    peer = answers[case.name]
    for k, found in enumerate(forward(case.node)(*case.values(50))):
        np.testing.assert_allclose(found, peer[f"out{k}"], rtol=1e-11, atol=1e-10, err_msg=f"output {k}")
