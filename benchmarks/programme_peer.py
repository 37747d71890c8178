"""Raw full frames through stages 1 and 2: `webbcal batch`, one after another, and jwst by its own recipe.

    WEBBCAL_PEER_PYTHON=.venv-peer/bin/python python benchmarks/programme_peer.py [N [folder]]

jwst's documentation advises a `multiprocessing.Pool` over exposures; its part here has as many processes as
there are processors, each keeping to one thread. One after another is `webbcal run`, a process for each stage
of each exposure, on all processors. Whole processes, start-up and writing included; kernels are compiled
before, inputs and references are in the page cache. Nobody makes the quick-look mosaic of image2.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import measure

from webbcal import simulate
from webbcal.associations import asn_from_list

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from programme_cases import exposures

WEBBCAL = str(Path(sys.executable).parent / "webbcal")
RECIPE = """
import multiprocessing, os, sys
from pathlib import Path

def calibrate(uncal, out):
    from jwst.pipeline import Detector1Pipeline, Image2Pipeline
    Detector1Pipeline.call(uncal, output_dir=out, save_results=True)
    rate = Path(out) / Path(uncal).name.replace("_uncal", "_rate")
    Image2Pipeline.call(str(rate), output_dir=out, save_results=True, steps={"resample": {"skip": True}})

if __name__ == "__main__":
    out, *names = sys.argv[1:]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        pool.starmap(calibrate, [(name, out) for name in names], chunksize=1)
"""
ONE_BY_ONE = """
set -e
out=$1; shift
for uncal in "$@"; do
  {webbcal} run calwebb_detector1 $uncal --output_dir=$out
  rate=$out/$(basename $uncal _uncal.fits)_rate.fits
  {webbcal} run calwebb_image2 $rate --output_dir=$out --steps.resample.skip=true
done
"""


def ways(peer: Path, folder: Path, raw: list[Path]) -> dict[str, list[str]]:
    """Return the commands by name; ``{out}`` stands for the output folder."""
    recipe, script = folder / "recipe.py", folder / "one_by_one.sh"
    recipe.write_text(RECIPE)
    script.write_text(ONE_BY_ONE.replace("{webbcal}", WEBBCAL))
    # With an association of stage 2 nothing is combined: these are dithers of one place.
    rates = [path.name.replace("_uncal", "_rate") for path in raw]
    level2 = folder / "raw" / "rates_asn.json"
    level2.write_text(asn_from_list(rates, rule="DMSLevel2bBase").dump()[1])
    names = [str(path) for path in raw]
    return {
        "webbcal run, the first alone": ["sh", str(script), "{out}", names[0]],
        "webbcal run, one after another": ["sh", str(script), "{out}", *names],
        "webbcal batch": [
            WEBBCAL, "batch", *names, str(level2), "--output-dir={out}", "--image2.resample.skip=true",
        ],
        f"jwst 3.0.0, Pool({os.cpu_count()})": [str(peer), str(recipe), "{out}", *names],
    }  # fmt: skip


def main(count: int = 8, root: Path | None = None) -> None:
    """Print a line for each way."""
    peer = Path(os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")).absolute()
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder = Path(name)
        world = simulate.universe(folder / "world", simulate.ExposureConfig(seed=5, ngroups=10))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment = {**os.environ, **world.environment, **threads}
        raw = sorted(exposures(world.uncal[0], folder / "raw", count).iterdir())
        files = [*raw, *(folder / "world").rglob("*.fits")]
        print("| | wall s | user + sys s | peak memory MB | products |\n|---|---|---|---|---|", flush=True)
        for way, command in ways(peer, folder, raw).items():
            out = folder / "out"
            out.mkdir()
            measure.warm(files)
            words = [word.replace("{out}", str(out)) for word in command]
            took = measure.run(words, environment, folder / "log")
            products = len(list(out.glob("*_cal.fits")))
            told = f"{took.wall:.1f} | {took.cpu:.1f} | {took.memory:.0f} | {products}"
            print(f"| {way} | {told} |", flush=True)
            shutil.rmtree(out)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *map(Path, sys.argv[2:3]))
