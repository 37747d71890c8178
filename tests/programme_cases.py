"""Small programmes: some exposures of one simulated one, and how they are run."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from webbcal.programme.driver import Driver, Result
from webbcal.programme.executors.making import make_executor
from webbcal.programme.planning import plan_jobs
from webbcal.programme.settings import Settings, settings_of

ROOT = "jw01234001001_02101_{number:05d}_nrcb1"
#: Stage 3 of a few pixels, of which nothing is to be learned about alignment.
QUICK = {
    "image3": {
        name: {"skip": True} for name in ("tweakreg", "skymatch", "outlier_detection", "source_catalog")
    },
    "image2": {"resample": {"skip": True}},
}


def exposures(uncal: Path, folder: Path, count: int = 2) -> Path:
    """Copy an exposure as if it were several; return their folder."""
    folder.mkdir()
    for number in range(1, count + 1):
        path = folder / f"{ROOT.format(number=number)}_uncal.fits"
        shutil.copy(uncal, path)
        with fits.open(path, mode="update") as file:
            file[0].header["EXPOSURE"] = f"{number:05d}"
    return folder


def settings(inputs: Sequence[Path] | Path, out: Path, **words: Any) -> Settings:
    """Return the settings of a programme with a quick stage 3."""
    given = [inputs] if isinstance(inputs, Path) else inputs
    force = words.pop("force", False)
    tree = {
        "inputs": list(map(str, given)), "output_dir": str(out), "parameters": QUICK,
        "executor": {"kind": "serial", "threads": "1"}, **words,
    }  # fmt: skip
    return settings_of(tree, force=force)


def same(path: Path, expected: Path) -> bool:
    """Tell whether two products are the same, but for dates, and the run record that has them."""
    dates = ["DATE", "CHECKSUM", "DATASUM"]
    rules = {"ignore_keywords": dates, "ignore_fields": dates, "ignore_hdus": ["ASDF"]}
    return bool(fits.FITSDiff(path, expected, **rules).identical)


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}
        self.states: dict[str, str] = {}

    def began(self, job: Any, reason: str) -> None:
        self.reasons[job.name] = reason

    def ended(self, job: Any, state: str, record: dict[str, Any], text: str) -> None:
        self.states[job.name] = state


def run(told: Settings, listener: Listener | None = None) -> Result:
    """Run a programme to its end."""
    driver = Driver(plan_jobs(told), told, listener or Listener())
    return driver.run(make_executor(told.executor))


def described(folder: Path, root: str, suffix: str = "uncal", **keywords: Any) -> Path:
    """Write a file with the header of an exposure, and nothing else."""
    visit = root.split("_")[0]
    cards = {
        "TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": root.rpartition("_")[2].upper(),
        "CHANNEL": "SHORT", "FILTER": "F200W", "PUPIL": "CLEAR", "SUBARRAY": "FULL", "EXP_TYPE": "NRC_IMAGE",
        "PROGRAM": visit[2:7], "OBSERVTN": visit[7:10], "VISIT": visit[10:13], "VISITGRP": "02",
        "ACT_ID": "01", "TARGNAME": "A field", "TARGTYPE": "FIXED", "VISITYPE": "PRIME_TARGETED_FIXED",
        "TSOVISIT": False, "BKGDTARG": False, "IS_PSF": False, "PATT_NUM": 1,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"{root}_{suffix}.fits"
    fits.PrimaryHDU(header=fits.Header(list((cards | keywords).items()))).writeto(path)
    return path
