"""The notebook on stage 1 (seed 004), its cells run as they stand on simulated exposures.

The notebook is not part of the repository: WEBBCAL_SEEDS names the folder that has it. Its exposure is a full
frame (it looks at pixels by number), so this takes some minutes; its last cells are on a subarray of MIRI.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import asdf
import matplotlib as mpl
import numpy as np
import pytest
from astropy.io import fits
from notebook import cells_of, run

from webbcal import simulate

SEEDS = os.environ.get("WEBBCAL_SEEDS")
NAMES = [f"jw98765001001_01101_0000{n}_nrcb5" for n in (2, 3)]
FIRST = simulate.ExposureConfig(
    detector="NRCBLONG", readpatt="RAPID", ngroups=2, traps=True, cosmic_rays=30.0,
    sky=simulate.Sky(stars=300.0, bright=12.0, background=2.0),
)  # fmt: skip
SECOND = replace(
    FIRST, ngroups=10, exposure=2, seed=2, dither=(3.0, 2.0), start_mjd=FIRST.start_mjd + 120.0 / 86400.0
)

MIRI = simulate.ExposureConfig(
    detector="MIRIMAGE", subarray="SUB64", filter="F770W", readpatt="FASTR1", ngroups=8, cosmic_rays=30.0
)
MIRI_NAME = "miri_F770W_exp1_uncal.fits"

#: Words of the four cells that are left out: on pixels with a rate of exactly zero (none today).
LEFT_OUT = ("idx = 45", "scipix[y-4", "linearity.data[0, :, y", "linearity.groupdq")
#: What the exercise that is run last begins with.
EXERCISE = "# Using the run() method:\n# Instantiate the pipeline\nmiri1"


def parameter_file(name: str, cls: str, parameters: dict[str, Any], steps: Any = None) -> None:
    """Write a parameter file, as the notebook downloads it."""
    tree = {"class": cls, "name": cls.rpartition(".")[2], "parameters": parameters}
    asdf.AsdfFile(tree | ({"steps": steps} if steps else {})).write_to(name)


def downloads(world: simulate.Universe) -> None:
    """Put into the working directory what the notebook downloads."""
    for name, uncal in zip(NAMES, world.uncal, strict=True):
        Path(f"{name}_uncal.fits").symlink_to(uncal)
    before = str(world.uncal[0]).replace("_uncal", "_truetraps")
    Path(f"{NAMES[0]}_trapsfilled.fits").symlink_to(before)
    step = {"class": "jwst.refpix.refpix_step.RefPixStep", "name": "refpix"}
    parameter_file(
        "detector1pipeline_modified_paramfile.asdf", "jwst.pipeline.calwebb_detector1.Detector1Pipeline",
        {"save_results": True}, [{**step, "parameters": {"use_side_ref_pixels": True}}],
    )  # fmt: skip
    for name, sides in (("refpix_paramfile", True), ("refpix_no_side_pix_paramfile", False)):
        parameter_file(f"{name}.asdf", step["class"], {"use_side_ref_pixels": sides})
    Path(MIRI_NAME).touch()
    steps = {"dark_current.dark_current_step.DarkCurrentStep": {"skip": True},
             "jump.jump_step.JumpStep": {"rejection_threshold": 3, "save_results": True}}  # fmt: skip
    parameter_file(
        "miri_detector1_param_file.asdf", "jwst.pipeline.calwebb_detector1.Detector1Pipeline",
        {"save_results": True},
        [{"class": f"jwst.{name}", "name": name.partition(".")[0], "parameters": parameters}
         for name, parameters in steps.items()],
    )  # fmt: skip


def test_cells_end_where_prose_begins() -> None:
    text = "In [None]:\n%matplotlib inline\na = 1\n\n# more\nb = 2\n\nLet's look:\n\nIn [None]:\nprint(a)\n"
    assert [cell.code for cell in cells_of(text)] == ["a = 1\n\n# more\nb = 2\n", "print(a)\n"]


@pytest.mark.skipif(not SEEDS, reason="WEBBCAL_SEEDS is not set")
def test_the_cells_of_the_notebook_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    world = simulate.universe(
        tmp_path / "world", [FIRST, SECOND], simulate.ReferenceOptions(grouped_dark=True)
    )
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    downloads(world)
    (path,) = Path(str(SEEDS)).glob("004*.txt")
    cells = [c for c in cells_of(path.read_text()) if not any(word in c.code for word in LEFT_OUT)]
    assert len(cells) == 124
    namespace: dict[str, Any] = {}
    exercise = next(number for number, cell in enumerate(cells) if cell.code.startswith(EXERCISE))
    run(cells[:exercise], namespace)
    subtracted = fits.getdata(f"{NAMES[1]}_output_pers.fits")
    assert subtracted.shape == (1, 10, 2048, 2048) and np.max(subtracted) > 1.0
    assert Path(f"{NAMES[1]}_trapsfilled.fits").exists()
    # today's rates of pixels that are saturated from the start are not zero, but not a number
    assert np.isnan(namespace["scipix"]).sum() > 45
    assert namespace["persist"].meta.cal_step.persistence == "COMPLETE"
    miri = simulate.universe(tmp_path / "miri", MIRI, simulate.ReferenceOptions(subarray_only=True))
    for key, value in miri.environment.items():
        monkeypatch.setenv(key, value)
    Path(MIRI_NAME).unlink()
    Path(MIRI_NAME).symlink_to(miri.uncal[0])
    run(cells[exercise:], namespace)
    assert namespace["miri_output"].meta.cal_step.dark_sub == "SKIPPED"
    assert namespace["miri_rate"].data.shape == namespace["miri_output"].data.shape
