"""calwebb_spec2 of a field with wfss_contam, whole, against jwst 3.0.0: every product, keyword by keyword.

jwst has two slips there (docs/parity.md). One, half a pixel put on and taken off, does nothing where the
direct image has the pixels of the detector; the other is put into our simulation here.
"""

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from dispersed_cases import WFSS
from peer_process import needs_peer
from products import compare
from slips import without_later_rows
from wfss_fields import NAMES, Field, patched, write_fields

from webbcal.exposure.contamination.simulation import Simulated
from webbcal.pipeline.spec2 import Spec2Pipeline

pytestmark = needs_peer

FIELD = Field(WFSS[4], sources=5, seed=5, extended=0.4, on_detector=True, with_rate=True)
ROLES = {"source_catalog": "sourcecat", "segmentation_map": "segmap", "direct_image": "direct_image"}
STEPS = {
    "flat_field": {"skip": True},
    "wfss_contam": {"skip": False, "save_contam_images": True, "orders": [0, 1]},
    "extract_1d": {"override_apcorr": "N/A"},
}
#: A hundredth of the error of the rates (DN/s), for what has no error of its own: what is subtracted.
FLOOR = 0.001
#: Differences that docs/parity.md names and explains: pattern of the file, pattern of the difference.
KNOWN = [
    (r"", r"SCI: ([AB]P?_\d_\d|SIP\w+) is .*"),
    (r"", r"PRIMARY: ASN(POOL|TABLE) is .* instead of '\(none\)'"),
    (r"_x1d", r"\w+: FILENAME is .*"),
    (r"_(cal|contam)", r"SCI: (JWST_|MJD-|REFFRAME|TDB-|TELAPSE|XPOSURE)\w* is .* instead of '\(none\)'"),
]


def association(folder):
    """Write the association of the exposure and of what goes with it."""
    members = [{"expname": FIELD.rate, "exptype": "science"}]
    members += [{"expname": f"{FIELD.root}_{end}", "exptype": ROLES[name]} for name, end in NAMES.items()]
    path = folder / "field_spec2_asn.json"
    tree = {"asn_type": "spec2", "asn_rule": "DMSLevel2bBase", "asn_pool": "none", "asn_id": "a3001"}
    path.write_text(json.dumps(tree | {"products": [{"name": "field", "members": members}]}))
    return str(path)


def test_the_same_products(tmp_path):
    """Without the light of the others, and with what was taken away beside it."""
    environment = write_fields(tmp_path, [FIELD])
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    path, words = association(tmp_path), {"save_results": True, "steps": STEPS}
    with pytest.MonkeyPatch.context() as patch, patched(environment):
        patch.chdir(tmp_path)  # where jwst looks for catalogues
        patch.setattr(Simulated, "on", without_later_rows(Simulated.on))
        job = {"class": "Spec2Pipeline", "input": path, "output_dir": str(theirs), "parameters": words}
        process = start_peer([job], environment)
        Spec2Pipeline.call(path, output_dir=str(ours), **words)
        (answer,) = finish_peer(process)
    assert "error" not in answer, answer
    names = sorted(p.name for p in ours.iterdir())
    assert names == sorted(p.name for p in theirs.iterdir())
    assert [n.rpartition("_")[2] for n in names] == ["cal.fits", "contam.fits", "x1d.fits"]
    problems = [
        f"{name}: {problem}"
        for name in names
        for problem in compare(ours / name, theirs / name, FLOOR).problems
        if not any(re.search(file, name) and re.fullmatch(what, problem, re.DOTALL) for file, what in KNOWN)
    ]
    assert not problems, "\n".join(problems[:60])
    with fits.open(theirs / "field_contam.fits") as taken:
        assert max(np.nanmax(hdu.data) for hdu in taken if hdu.name == "SCI") > 10 * FLOOR
