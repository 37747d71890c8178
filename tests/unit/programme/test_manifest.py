"""What the manifest tells of: products of this programme, and of others in the same folder."""

import json
from pathlib import Path

from webbcal.programme.folder import Folder, write_json
from webbcal.programme.job import Input, Job
from webbcal.programme.manifest import write_manifest


def test_products_of_earlier_programmes_of_a_folder_are_still_told_of(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    roots = ("kept", "removed", "ours")
    write_json(folder.manifest, {"products": {f"{r}_rate.fits": {"job": f"{r}.detector1"} for r in roots}})
    for root in ("kept", "ours"):
        (tmp_path / f"{root}_rate.fits").touch()
    job = Job("ours.detector1", "calwebb_detector1", 1, (Input(tmp_path / "ours_uncal.fits"),))
    write_manifest(folder, [job], {job.name: {"state": "failed", "error": "it was damaged"}})
    told = json.loads(folder.manifest.read_text())
    assert told["products"] == {"kept_rate.fits": {"job": "kept.detector1"}}
    assert told["not_done"] == {"ours.detector1": "it was damaged"}
