"""What demonstrations of several stages share: associations, and pipelines run as a user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from webbcal.associations.association import Association, Member, Product

#: Parameters of stage 1 that are not the default, by instrument: MIRI's frames have patterns of some hertz
#: (horizontal stripes, common to all pixels of a row), which `emicorr` removes when it is asked to.
STAGE_1: dict[str, tuple[str, ...]] = {"miri": ("--steps.emicorr.skip=false",)}


def association(folder: Path, kind: str, name: str, members: Sequence[Member]) -> str:
    """Write the association of one product; returns its path."""
    made = Association.of_products([Product(name, tuple(members))], asn_type=kind, asn_id="a3001")
    return str(made.save(folder / f"{name}_{kind}_asn.json"))


def run(folder: Path, *words: str) -> int:
    """Run a pipeline in a process of its own; returns its exit status."""
    command = [sys.executable, "-m", "webbcal", "run", *words, f"--output_dir={folder}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout.strip())
    return done.returncode
