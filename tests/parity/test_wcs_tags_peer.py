"""A WCS that the peer writes, of slices and of its own transforms: evaluated here, or kept as it stands."""

import numpy as np
import pytest
from peer_process import assert_same, needs_peer, run_peer

from webbcal import datamodels
from webbcal.io.missing_library import MissingLibrary
from webbcal.wcs.of_model import stored_wcs
from webbcal.wcs.tree_wcs import TreeWCS

pytestmark = needs_peer


def test_slices_are_evaluated_and_jwsts_own_transforms_kept(tmp_path):
    x, y = np.random.default_rng(3).uniform([[0], [0]], [[63], [2000]], (2, 200))
    paths = [tmp_path / "slices_cal.fits", tmp_path / "own_cal.fits"]
    asked = [{"path": str(path), "own": own, "x": x, "y": y} for path, own in zip(paths, (0, 1), strict=True)]
    written = run_peer("wcs_tags_peer.py", asked, tmp_path)
    assert 0 < np.isnan(written[0]["a"]).sum() < 200
    saved = [tmp_path / f"again_{path.name}" for path in paths]
    for path, copy, case, expected in zip(paths, saved, asked, written, strict=True):
        with datamodels.open(path) as model:
            if not case["own"]:
                found = TreeWCS(stored_wcs(model))(x, y)
                assert_same(dict(zip("abc", found, strict=True)), expected, "slices")
            else:
                with pytest.raises(MissingLibrary, match=r"jwst_pipeline/coords-.*Install stdatamodels"):
                    model.meta.wcs  # noqa: B018
            model.save(copy)
    again = [{"path": str(path), "own": None, "x": x, "y": y} for path in saved]
    for ours, theirs in zip(run_peer("wcs_tags_peer.py", again, tmp_path), written, strict=True):
        assert_same(ours, theirs, "saved again")
