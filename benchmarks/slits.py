"""Models of many slits and spectra beside jwst, in one run: build, save, open, copy, and read.

    WEBBCAL_PEER_PYTHON=.venv-peer/bin/python python benchmarks/slits.py [--no-peer] [--slits 200 1000]

Each package makes the same `MultiSlitModel` (24 × 400 pixels, four arrays, keywords, and a WCS whose
distortion all slits share) and the same `TSOMultiSpecModel` (a row for each integration, 400 wavelengths) in
a process of its own, library loaded, and does with it what a step does. *open* opens the file and asks every
slit for its name and shape; *read* opens it and touches every array. webbcal also reads what jwst wrote.
Prints a table in Markdown, in seconds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (24, 400)
ARRAYS = {"data": np.float32, "dq": np.uint32, "err": np.float32, "var_poisson": np.float32}
WcsOf = Callable[[int, dict[str, Any]], Any]
STAGES = ("build", "save", "open", "copy", "sum", "read")


def of_peer(number: int, shared: dict[str, Any]) -> Any:
    """Return the WCS of a slit as jwst holds it: a gwcs object, with a distortion that all slits share."""
    import gwcs
    from astropy import coordinates
    from astropy import units as u
    from astropy.modeling import models
    from gwcs import coordinate_frames as frames

    if not shared:
        x, y = (models.Polynomial2D(4, c0_0=53.0, c1_0=k + 1e-5, c0_1=1e-6) for k in (0, 1))
        shared["xy"] = models.Mapping((0, 1, 0, 1)) | x & y
        shared["frame"] = frames.Frame2D(name="detector", axes_order=(0, 1), unit=(u.pix, u.pix))
        shared["sky"] = frames.CelestialFrame(name="world", reference_frame=coordinates.ICRS())
    place = models.Shift(float(number)) & models.Shift(2.0 * number)
    return gwcs.WCS([(shared["frame"], place | shared["xy"]), (shared["sky"], None)])


def transform(kind: str, **members: Any) -> Any:
    """Return a transform as it stands in a file."""
    from webbcal.io.asdf_text import Tagged

    return Tagged(f"tag:stsci.edu:asdf/transform/{kind}", members)


def frame(kind: str, name: str, axes: list[str], unit: str, **members: Any) -> Any:
    """Return a coordinate frame as it stands in a file."""
    from webbcal.io.asdf_text import Tagged

    units = [Tagged("tag:stsci.edu:asdf/unit/unit-1.0.0", unit)] * 2
    return Tagged(
        f"tag:stsci.edu:gwcs/{kind}-1.2.0",
        {"name": name, "axes_names": axes, "axes_order": [0, 1], "unit": units} | members,
    )


def of_webbcal(number: int, shared: dict[str, Any]) -> Any:
    """Return the same as webbcal's `assign_wcs` makes it: a tree, as it stands in a file."""
    from webbcal.io.asdf_text import Tagged

    if not shared:
        xy = []
        for k in (0, 1):
            coefficients = np.zeros((5, 5))
            coefficients[0, 0], coefficients[1, 0], coefficients[0, 1] = 53.0, k + 1e-5, 1e-6
            xy.append(transform("polynomial-1.2.0", coefficients=coefficients))
        mapping = transform("remap_axes-1.3.0", mapping=[0, 1, 0, 1])
        both = transform("concatenate-1.3.0", forward=xy)
        icrs = Tagged("tag:astropy.org:astropy/coordinates/frames/icrs-1.1.0", {"frame_attributes": {}})
        world = {"axis_physical_types": ["pos.eq.ra", "pos.eq.dec"], "reference_frame": icrs}
        shared["xy"] = transform("compose-1.3.0", forward=[mapping, both])
        shared["frame"] = frame("frame2d", "detector", ["x", "y"], "pixel")
        shared["sky"] = frame("celestial_frame", "world", ["lon", "lat"], "deg", **world)
    shifts = [transform("shift-1.3.0", offset=float(factor * number)) for factor in (1, 2)]
    place = transform("concatenate-1.3.0", forward=shifts)
    whole = transform("compose-1.3.0", forward=[place, shared["xy"]])
    steps = [{"frame": shared["frame"], "transform": whole}, {"frame": shared["sky"]}]
    tagged = [Tagged("tag:stsci.edu:gwcs/step-1.3.0", step) for step in steps]
    return Tagged("tag:stsci.edu:gwcs/wcs-1.4.0", {"name": "", "steps": tagged, "pixel_shape": None})


def build_slits(datamodels: Any, count: int, wcs_of: WcsOf) -> Callable[[], Any]:
    """Return what builds a `MultiSlitModel` of arrays that are there already."""
    rng = np.random.default_rng(1)
    arrays = [{n: (100 * rng.random(SHAPE)).astype(t) for n, t in ARRAYS.items()} for _ in range(count)]

    def build() -> Any:
        model, shared = datamodels.MultiSlitModel(), {}
        model.meta.instrument.name, model.meta.exposure.type = "NIRSPEC", "NRS_MSASPEC"
        for number, members in enumerate(arrays):
            slit = datamodels.SlitModel(**members)
            slit.name, slit.source_id, slit.slitlet_id = f"S{number}", number, number
            slit.xstart, slit.ystart, slit.xsize, slit.ysize = 1, number + 1, SHAPE[1], SHAPE[0]
            slit.source_ra, slit.source_dec, slit.stellarity = 53.1 + number * 1e-4, -27.8, 0.5
            slit.shutter_state, slit.source_alias, slit.quadrant = "11x11", f"alias {number}", 3
            slit.meta.wcs = wcs_of(number, shared)
            model.slits.append(slit)
        return model

    return build


def build_spectra(datamodels: Any, count: int, _: WcsOf) -> Callable[[], Any]:
    """Return what builds a `TSOMultiSpecModel` of columns that are there already."""
    dtype = datamodels.TSOSpecModel().get_dtype("spec_table")
    rng = np.random.default_rng(1)
    scalar = {n for n in dtype.names if n in ("INT_NUM", "N_ALONGDISP", "SEGMENT") or n[:3] in ("MJD", "TDB")}
    shapes = {name: (count,) if name in scalar else (count, SHAPE[1]) for name in dtype.names}
    columns = {n: (100 * rng.random(shape)).astype(dtype[n].base) for n, shape in shapes.items()}

    def build() -> Any:
        model = datamodels.TSOMultiSpecModel()
        table = np.empty(count, [(n, c.dtype, c.shape[1:]) for n, c in columns.items()])
        for name, column in columns.items():
            table[name] = column
        spectrum = datamodels.TSOSpecModel(spec_table=table)
        spectrum.name, spectrum.spectral_order = "first", 1
        model.spec.append(spectrum)
        return model

    return build


def look(model: Any) -> None:
    """Ask all slits or spectra for what a step asks first."""
    for item in model.slits if hasattr(model, "slits") else model.spec:
        item.name  # noqa: B018


def touch(model: Any) -> None:
    """Touch all arrays."""
    if hasattr(model, "slits"):
        for slit in model.slits:
            for name in ARRAYS:
                getattr(slit, name)[0, 0]
    else:
        for spectrum in model.spec:
            spectrum.spec_table["FLUX"][0]


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long an action took, and what it gave."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def measure(package: str, kind: str, count: int, path: Path) -> dict[str, float]:
    """Do all stages with one package."""
    datamodels = importlib.import_module(f"{package}.datamodels")
    make = build_slits if kind == "slits" else build_spectra
    wcs_of = of_peer if package == "jwst" else of_webbcal
    make(datamodels, 2, wcs_of)().save(path)  # loads what is loaded when it is needed
    found: dict[str, float] = {}
    found["build"], model = seconds(make(datamodels, count, wcs_of))
    found["copy"], copied = seconds(model.copy)
    found["save"], _ = seconds(partial(model.save, path))
    del model, copied

    def opened(action: Callable[[Any], None], file: Path) -> None:
        with datamodels.open(file) as again:
            action(again)

    found["open"], _ = seconds(partial(opened, look, path))
    found["sum"] = sum(found.values())
    found["read"], _ = seconds(partial(opened, touch, path))
    foreign = path.with_name(path.name.replace("webbcal", "jwst"))
    if foreign != path and foreign.exists():
        found["read jwst's"], _ = seconds(partial(opened, touch, foreign))
    return found | {"MB": path.stat().st_size / 1e6}


def row(kind: str, count: int, package: str, found: dict[str, float]) -> str:
    """Return a row of the table."""
    cells = [f"{found[stage]:.2f}" for stage in STAGES]
    foreign = found.get("read jwst's")
    return (
        f"| {count} {kind} | {package} | {found['MB']:.0f} | {' | '.join(cells)} | "
        + ("" if foreign is None else f"{foreign:.2f}")
        + " |"
    )


def main() -> None:
    """Measure both packages, or (as a process of its own) one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slits", type=int, nargs="+", default=[200, 1000], help="how many slits")
    parser.add_argument("--spectra", type=int, nargs="+", default=[1000], help="how many integrations")
    parser.add_argument("--no-peer", action="store_true", help="webbcal alone")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.one:
        package, kind, count = options.one
        path = options.folder / f"{package}_{kind}_{count}.fits"
        print(json.dumps(measure(package, kind, int(count), path)))
        return
    peer = os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")
    pythons = {"webbcal": sys.executable} if options.no_peer else {"jwst": peer, "webbcal": sys.executable}
    print(f"| case | package | MB | {' | '.join(STAGES)} | read jwst's |\n|{'---|' * (4 + len(STAGES))}")
    for kind, counts in {"slits": options.slits, "integrations": options.spectra}.items():
        for count in counts:
            for package, python in pythons.items():
                words = [
                    python,
                    __file__,
                    "--folder",
                    str(options.folder),
                    "--one",
                    package,
                    kind,
                    str(count),
                ]
                done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
                print(row(kind, count, package, json.loads(done.stdout.split("\n")[-2])), flush=True)


if __name__ == "__main__":
    main()
