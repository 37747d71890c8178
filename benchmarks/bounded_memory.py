"""Memory and time of calwebb_detector1 on exposures that do not fit into memory.

    python benchmarks/bounded_memory.py [--cases ...] [--scale 1.0] [words ...]
    python benchmarks/bounded_memory.py --curves docs/images/bounded_memory.png

A case is measured beside a short exposure of the same kind: peak memory of the process (products saved), and
nanoseconds a sample. ``--scale`` takes a part of its integrations. Other words go to the
command line, such as ``--steps.clean_flicker_noise.skip=false``. ``--curves`` measures small exposures
against the number of integrations and of groups, and draws a picture.

Exposures are made on the fly: a few integrations are simulated, and longer ones repeat them with noise of
their own. They lie in a folder of ``--folder`` (by default that of temporary files) that is removed at the
end, with their products.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import measure
import numpy as np

from webbcal import datamodels, simulate
from webbcal.core.errors import ParameterError
from webbcal.datamodels.product_writer import ProductWriter
from webbcal.simulate.headers import assign, exposure_metadata, integration_table


@dataclass(frozen=True)
class Case:
    """An exposure by its size: how it is read, and the memory (MB) that it has to go through in."""

    keywords: dict[str, object]
    nints: int
    ngroups: int
    most: int

    @property
    def config(self) -> simulate.ExposureConfig:
        """The exposure, as the simulator has it.

        Raises
        ------
        ParameterError
            If the simulator does not know such exposures.
        """
        return simulate.ExposureConfig(nints=self.nints, ngroups=self.ngroups, **self.keywords)


_SOSS = {"detector": "NIS", "subarray": "SUBSTRIP256", "filter": "F277W", "readpatt": "NISRAPID"}
CASES = {
    "8GB": Case(_SOSS, 1300, 6, 1500),
    "SUB2048": Case(
        {"detector": "NRS1", "subarray": "SUB2048", "filter": "CLEAR", "readpatt": "NRSRAPID"}, 3000, 3, 1000
    ),
    "SUB400P": Case(
        {"detector": "NRCB1", "subarray": "SUB400P", "filter": "F150W", "readpatt": "RAPID"}, 580, 10, 1000
    ),
    "SUB256": Case(
        {"detector": "MIRIMAGE", "subarray": "SUB256", "filter": "F770W", "readpatt": "FASTR1"}, 500, 60, 1000
    ),
}
#: What short exposures have (integrations), and what curves are measured at.
SHORT = 10
INTEGRATIONS, GROUPS = (1, 2, 5, 10, 20, 50, 100, 200), (2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Row:
    """A measured exposure: samples, bytes on disk, and what it took."""

    samples: int
    size: int
    found: measure.Measurement

    @property
    def ns(self) -> float:
        """Nanoseconds of wall clock a sample."""
        return 1e9 * self.found.wall / self.samples

    @property
    def cpu_ns(self) -> float:
        """Nanoseconds of processor time a sample."""
        return 1e9 * self.found.cpu / self.samples

    def line(self, what: str, goal: str = "") -> str:
        """Return it as a row of the table."""
        numbers = (
            f"{self.size / 1e6:.0f} | {self.found.memory:.0f} | {goal} | {self.ns:.0f} | {self.cpu_ns:.0f}"
        )
        return f"| {what} | {numbers} |"


class Workshop:
    """A folder with exposures of one kind and the references that calibrate them."""

    def __init__(self, folder: Path, longest: simulate.ExposureConfig, options: Sequence[str]) -> None:
        self._folder, self._options = folder, list(options)
        self._few = replace(longest, nints=2, ngroups=2)
        cache = simulate.CrdsCache(folder / "crds")
        references = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
        simulate.write_references(cache, [longest], references)
        self._environment = dict(os.environ) | cache.environment
        made = simulate.expose(self._few)
        self._first = made.model.data[:, 0].astype(np.int32)
        self._growth = made.model.data[:, 1].astype(np.int32) - self._first

    def measure(self, nints: int, ngroups: int) -> Row:
        """Make an exposure, run stage 1 on it, and remove it with its products."""
        uncal = self._write(replace(self._few, nints=nints, ngroups=ngroups))
        command = [sys.executable, "-m", "webbcal", "run", "calwebb_detector1", str(uncal)]
        command += [f"--output_dir={self._folder / 'out'}", *self._options]
        found = measure.run(command, self._environment, self._folder / "log")
        samples = nints * ngroups * self._first[0].size
        size = uncal.stat().st_size
        uncal.unlink()
        shutil.rmtree(self._folder / "out")
        return Row(samples, size, found)

    def _write(self, config: simulate.ExposureConfig) -> Path:
        """Write an exposure piece by piece: ramps that grow as the simulated ones, with noise."""
        path = self._folder / f"{config.rootname}_uncal.fits"
        rng = np.random.default_rng(config.nints)
        model = datamodels.Level1bModel()
        assign(model, exposure_metadata(config))
        model.int_times = integration_table(config, model.get_dtype("int_times"))
        shape = (config.nints, config.ngroups, *self._first.shape[1:])
        with ProductWriter(path, model, arrays={"data": (shape, np.uint16)}) as writer:
            for number in range(config.nints):
                first, growth = (a[number % len(a)] for a in (self._first, self._growth))
                for group in range(config.ngroups):
                    level = first + growth * group + rng.integers(-9, 10, first.shape, np.int32)
                    samples = level.clip(0, 65535).astype(np.uint16)[None, None]
                    writer.write("data", samples, slice(number, number + 1), slice(group, group + 1))
            writer.commit(model)
        return path


def case_rows(name: str, case: Case, scale: float, folder: Path, options: Sequence[str]) -> list[str]:
    """Measure a case beside a short exposure; return rows of the table."""
    try:
        workshop = Workshop(folder, case.config, options)
    except ParameterError as error:
        return [f"| {name} | not simulated here: {error} | | | | | |"]
    long = max(SHORT, round(scale * case.nints))
    workshop.measure(1, case.ngroups)  # compiles, and hashes the references
    rows = {n: workshop.measure(n, case.ngroups) for n in (SHORT, long)}
    shape = " × ".join(map(str, case.config.aperture.shape))
    return [row.line(f"{name} | {n} × {case.ngroups} × {shape}", str(case.most)) for n, row in rows.items()]


def curves(folder: Path, picture: Path, options: Sequence[str]) -> list[str]:
    """Measure small exposures against integrations and groups; draw them, and return rows of a table."""
    keywords = {"detector": "NRCB1", "subarray": "SUB400P", "filter": "F150W", "readpatt": "RAPID"}
    workshop = Workshop(folder, simulate.ExposureConfig(ngroups=max(GROUPS), **keywords), options)
    workshop.measure(1, 2)
    shapes = {"integrations": [(n, 5) for n in INTEGRATIONS], "groups": [(2, n) for n in GROUPS]}
    found = {name: [workshop.measure(*shape) for shape in some] for name, some in shapes.items()}
    draw(picture, {"integrations": INTEGRATIONS, "groups": GROUPS}, found)
    return [
        row.line(f"{name} | {nints} × {ngroups}")
        for name, some in shapes.items()
        for (nints, ngroups), row in zip(some, found[name], strict=True)
    ]


def draw(picture: Path, numbers: dict[str, Sequence[int]], found: dict[str, list[Row]]) -> None:
    """Draw peak memory and processor time against the number of integrations and of groups."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axis, (name, rows) in zip(axes, found.items(), strict=True):
        axis.loglog(numbers[name], [r.found.memory for r in rows], "o-", label="peak memory, MB")
        axis.loglog(
            numbers[name], [r.size / 1e6 for r in rows], "--", color="0.6", label="exposure, MB on disk"
        )
        axis.loglog(
            numbers[name], [10 * r.found.cpu for r in rows], "s-", label="processor, tenths of a second"
        )
        axis.set_xlabel(f"number of {name}")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(picture, dpi=110)


def main() -> None:
    """Measure the chosen cases, or the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--folder", type=Path)
    chosen, words = parser.parse_known_args()
    print("| case | exposure | MB on disk | peak memory MB | goal MB | ns a sample | of processor |")
    print("|---|---|---|---|---|---|---|")
    for name in ["curves"] if chosen.curves else chosen.cases:
        with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="bounded-") as folder:
            if chosen.curves:
                rows = curves(Path(folder), chosen.curves, words)
            else:
                rows = case_rows(name, CASES[name], chosen.scale, Path(folder), words)
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
