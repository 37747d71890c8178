"""Make the pictures of docs/plots.md: simulate small exposures, calibrate them, and draw each plot.

    python docs/make_plots.py [FOLDER [PART ...]]

The exposures stay in FOLDER (a temporary one by default); it takes some minutes and 1 GB. Parts are ramps,
linearity, field and slitless.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from webbcal import plots, simulate
from webbcal.associations.association import Association, Member, Product
from webbcal.pipeline import Detector1Pipeline, Image2Pipeline, Image3Pipeline
from webbcal.pipeline.spec2 import Spec2Pipeline

PICTURES = Path(__file__).parent / "images" / "plots"
_LARGEST = 120_000  # bytes of a picture


def association(folder: Path, name: str, kind: str, members: list[Member]) -> str:
    """Write the association of a product; return its path."""
    made = Association.of_products([Product(name, tuple(members))], asn_type=kind, asn_id="a3001")
    return str(made.save(folder / f"{name}_{kind}_asn.json"))


def product(root: Path, suffix: str) -> str:
    """Return the path of a product beside a raw exposure or a rate."""
    return str(root.with_name(root.name.rsplit("_", 1)[0] + f"_{suffix}.fits"))


def ramps(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield plots of stage 1: an exposure of NIRCam with cosmic rays and saturated stars."""
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB160", filter="F200W", readpatt="MEDIUM8", ngroups=8, seed=5,
        cosmic_rays=20.0, sky=simulate.Sky(stars=20000.0, bright=15.0, faint=22.0, star_slope=0.1),
    )  # fmt: skip
    world = simulate.universe(folder, config, simulate.ReferenceOptions(subarray_only=True))
    os.environ |= world.environment
    (uncal,) = world.uncal
    saved = {name: {"save_results": True} for name in ("superbias", "refpix", "jump")}
    Detector1Pipeline.call(str(uncal), output_dir=str(folder), save_results=True, steps=saved)
    rate, jump = product(uncal, "rate"), product(uncal, "jump")
    pair = product(uncal, "superbias"), product(uncal, "refpix")
    yield "side_by_side", plots.side_by_side(*pair, group=0, difference=True)
    drawn = plots.plot_jumps(jump, rate=rate, count=9)
    x, y = pixels_of(drawn)[0]
    yield "plot_jumps", drawn
    yield "plot_jump", plots.plot_jump(jump, x, y, rate, time=True)
    yield "plot_ramps", plots.plot_ramps(jump, pixels_of(drawn)[:4])
    yield "show_dq", plots.show_dq(rate)
    yield "show_rate", plots.show_image(rate, pixels=[(x, y)])


def pixels_of(drawn: Any) -> list[tuple[int, int]]:
    """Return the pixels that `plot_jumps` has chosen."""
    titles = [axes.get_title("left").strip("()").split(",") for axes in drawn.ravel() if axes.axison]
    return [(int(x), int(y)) for x, y in titles]


def linearity(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield plots of the linearity of NIRISS: a bright star, dispersed."""
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP96", filter="F277W", readpatt="NISRAPID", ngroups=6, nints=2,
        soss=simulate.Soss(peak=4000.0),
    )  # fmt: skip
    world = simulate.universe(folder, config, simulate.ReferenceOptions(subarray_only=True))
    os.environ |= world.environment
    (uncal,) = world.uncal
    saved = {name: {"save_results": True} for name in ("refpix", "linearity")}
    Detector1Pipeline.call(str(uncal), output_dir=str(folder), save_results=True, steps=saved)
    yield "linearity_before", plots.plot_linearity(product(uncal, "refpix"))
    yield "linearity_after", plots.plot_linearity(product(uncal, "linearity"))


def field(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield plots of stages 2 and 3: four dithers of a field, one of which points a little off."""
    first = simulate.ExposureConfig(
        detector="NRCBLONG", subarray="SUB320", filter="F444W", readpatt="MEDIUM8", ngroups=9, seed=11,
        sky=simulate.Sky(stars=900.0, galaxies=60.0, faint=24.0),
    )  # fmt: skip
    configs = simulate.dithered(first, [(0.0, 0.0), (4.1, 0.8), (-1.2, 4.5), (3.0, 5.2)])
    configs[1] = replace(configs[1], pointing_error=(0.04, -0.03))
    world = simulate.rate_universe(folder, configs, subarray_only=True)
    os.environ |= world.environment
    cals = []
    for rate in world.rate:
        Image2Pipeline.call(str(rate), output_dir=str(folder), save_results=True)
        cals.append(product(rate, "cal"))
    members = [Member(Path(cal).name) for cal in cals]
    asn = association(folder, "field", "image3", members)
    Image3Pipeline.call(asn, output_dir=str(folder), save_results=True)
    yield "show_image", plots.show_image(folder / "field_i2d.fits")
    yield "plot_footprints", plots.plot_footprints([*cals, folder / "field_i2d.fits"])
    crfs = sorted(folder.glob("*_crf.fits"))
    yield "residuals_before", plots.plot_residuals(cals)
    yield "residuals_after", plots.plot_residuals(crfs)


def slitless(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield plots of spectra: a field that MIRI disperses without a slit."""
    direct = simulate.ExposureConfig(
        detector="MIRIMAGE", filter="F1000W", readpatt="FASTR1", ngroups=60, sky=simulate.Sky(background=12.0)
    )
    sky = simulate.grism_field(direct, 6, (15.0, 18.0), galaxies=0.2, seed=1)
    direct = replace(direct, sky=sky)
    dispersed = replace(direct, exposure=2, seed=2, grism=simulate.Grism("P750L"))
    world = simulate.rate_universe(folder, [direct, dispersed])
    os.environ |= world.environment
    image, spectra = world.rate
    quick = {name: {"skip": True} for name in ("tweakreg", "skymatch", "outlier_detection")}
    alone = {"resample": {"skip": True}}
    Image2Pipeline.call(str(image), output_dir=str(folder), save_results=True, steps=alone)
    asn = association(folder, "direct", "image3", [Member(Path(product(image, "cal")).name)])
    Image3Pipeline.call(asn, output_dir=str(folder), save_results=True, steps=quick)
    helpers = {"i2d.fits": "direct_image", "cat.ecsv": "sourcecat", "segm.fits": "segmap"}
    members = [Member(spectra.name), *(Member(f"direct_{name}", role) for name, role in helpers.items())]
    asn = association(folder, spectra.name.rsplit("_", 1)[0], "spec2", members)
    Spec2Pipeline.call(asn, output_dir=str(folder), save_results=True)
    cal, x1d = product(spectra, "cal"), product(spectra, "x1d")
    yield "show_slits", plots.show_slits(cal, str(spectra))
    yield "show_spectrum", plots.show_spectrum(cal)
    yield "plot_spectrum", plots.plot_spectrum(x1d)


def main(folder: Path, chosen: Sequence[str] = ()) -> None:
    """Draw all plots, or those of some parts, and keep each as a small picture."""
    logging.getLogger().setLevel(logging.ERROR)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for make in (ramps, linearity, field, slitless):
        if chosen and make.__name__ not in chosen:
            continue
        part = folder / make.__name__
        part.mkdir(parents=True, exist_ok=True)
        for name, drawn in make(part):
            picture = next(p for dpi in (90, 75, 60, 40) if len(p := plots.png(drawn, dpi)) < _LARGEST)
            (PICTURES / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture) / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), sys.argv[2:])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
