"""Slitless spectra with all that goes with them: rates, direct image, catalogue, associations, references.

The caches serve both packages. Catalogue, segmentation map and mosaic are those of our own image pipelines,
of the same sky as the spectra.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from webbcal import simulate
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.simulate import Grism, grism_field

#: Instrument and grism -> detector, filter, read pattern, groups, dispersers.
MODES = {
    ("nircam", "R"): ("NRCALONG", "F444W", "SHALLOW4", 10, "GRISMR"),
    ("nircam", "C"): ("NRCALONG", "F444W", "SHALLOW4", 10, "GRISMC"),
    ("nircamb", "R"): ("NRCBLONG", "F356W", "SHALLOW4", 10, "GRISMR"),
    ("nircamb", "C"): ("NRCBLONG", "F356W", "SHALLOW4", 10, "GRISMC"),
    ("niriss", "R"): ("NIS", "F200W", "NIS", 10, "GR150R"),
    ("niriss", "C"): ("NIS", "F200W", "NIS", 10, "GR150C"),
    ("miri", "P"): ("MIRIMAGE", "F1000W", "FASTR1", 60, "P750L"),
}
_DITHERS = ((0.0, 0.0), (2.371, 1.843), (-1.662, 2.914), (1.218, -2.437))
_BACKGROUNDS = {"nircam": 0.25, "nircamb": 0.2, "niriss": 0.12, "miri": 12.0}
#: AB magnitudes of the brightest and the faintest source.
MAGNITUDES = {"nircam": (18.0, 21.0), "nircamb": (18.0, 21.0), "niriss": (17.5, 20.5), "miri": (15.0, 18.0)}


@dataclass(frozen=True)
class GrismCase:
    """What `wfss` and `tsgrism` make.

    Attributes
    ----------
    folder : Path
    environment : dict
        The variables with which CRDS serves the references.
    configs : tuple of ExposureConfig
        The dispersed exposures.
    rates, truths : tuple of Path
        Of each.
    spec2 : tuple of Path
        Level-2 associations of each: science, and for fields the members direct_image, sourcecat, segmap.
    spec3 : Path
        The level-3 association of the products of `spec2`.
    direct, i2d, catalog, segmentation : Path
        The direct image (rate) and what image3 makes of it; not for time series.
    """

    folder: Path
    environment: dict[str, str]
    configs: tuple[simulate.ExposureConfig, ...]
    rates: tuple[Path, ...]
    truths: tuple[Path, ...]
    spec2: tuple[Path, ...]
    spec3: Path
    direct: Path | None = None
    i2d: Path | None = None
    catalog: Path | None = None
    segmentation: Path | None = None


def wfss(
    folder: Path,
    instrument: str = "nircam",
    grism: str = "R",
    number: int = 6,
    exposures: int = 1,
    sky: simulate.Sky | None = None,
    galaxies: float = 0.2,
    both: bool = False,
    seed: int = 1,
) -> GrismCase:
    """Simulate a slitless field.

    Parameters
    ----------
    folder : Path
    instrument, grism : str
        One of `MODES`.
    number : int
        Sources of the field (few are alone; of 500, most overlap).
    exposures : int
        Dithered exposures a grism, up to four.
    sky : Sky, optional
        Another field.
    galaxies : float
        Share of galaxies.
    both : bool
        Both grisms, in the order R, C; the level-3 association has the first only.
    seed : int
    """
    folder = Path(folder)
    detector, band, pattern, groups, name = MODES[instrument, grism]
    config = simulate.ExposureConfig(
        detector=detector, filter=band, readpatt=pattern, ngroups=groups, seed=seed,
        sky=simulate.Sky(background=_BACKGROUNDS[instrument]),
    )  # fmt: skip
    sky = sky or grism_field(config, number, MAGNITUDES[instrument], galaxies, seed=seed)
    config = replace(config, sky=sky)
    others = [m[-1] for key, m in MODES.items() if key[0] == instrument and m[-1] != name] if both else []
    dispersed = [
        replace(c, grism=Grism(g))
        for k, g in enumerate([name, *others])
        for c in simulate.dithered(_first(config, k, exposures), list(_DITHERS[:exposures]))
    ]
    world = simulate.rate_universe(folder, [config, *dispersed])
    i2d, catalog, segmentation = imaged(folder, world.rate[0], world.environment)
    members = [(i2d, "direct_image"), (catalog, "sourcecat"), (segmentation, "segmap")]
    spec2 = tuple(_spec2(folder, rate, members) for rate in world.rate[1:])
    spec3 = _spec3(
        folder, world.rate[1 : 1 + exposures], f"jw01234-o001_t001_{instrument}_{band}-{name}".lower()
    )
    return GrismCase(
        folder, world.environment, tuple(dispersed), world.rate[1:], world.truth[1:], spec2, spec3,
        world.rate[0], i2d, catalog, segmentation,
    )  # fmt: skip


def _first(config: simulate.ExposureConfig, grism: int, exposures: int) -> simulate.ExposureConfig:
    """Return the first exposure with a grism: numbers go on, seeds of noise are their own."""
    return replace(config, exposure=2 + grism * exposures, seed=config.seed + 100 * (grism + 1))


def tsgrism(
    folder: Path, subarray: str = "SUBGRISM64", band: str = "F444W", nints: int = 6, ngroups: int = 6
) -> GrismCase:
    """Simulate a time series of a star with a transit through NIRCam's grism: integrations' rates."""
    config = simulate.ExposureConfig(
        detector="NRCALONG", filter=band, subarray=subarray, readpatt="RAPID", ngroups=ngroups, nints=nints,
        grism=Grism("GRISMR", time_series=True), sky=simulate.Sky(background=0.25, stars=0.0, galaxies=0.0),
    )  # fmt: skip
    options = simulate.RateOptions(integrations=True)
    world = simulate.rate_universe(Path(folder), [config], options, subarray_only=subarray != "FULL")
    spec2 = tuple(_spec2(Path(folder), rate, []) for rate in world.rate)
    spec3 = _spec3(
        Path(folder), world.rate, f"jw01234-o001_t001_nircam_{band}-grismr-{subarray}".lower(), "tso3"
    )
    return GrismCase(Path(folder), world.environment, (config,), world.rate, world.truth, spec2, spec3)


def ramps(folder: Path, instrument: str = "nircam", grism: str = "R", number: int = 4) -> simulate.Universe:
    """Simulate raw ramps of a direct image and of one slitless exposure of the same field."""
    detector, band, pattern, _, name = MODES[instrument, grism]
    direct = simulate.ExposureConfig(
        detector=detector,
        filter=band,
        readpatt=pattern,
        ngroups=6 if instrument != "miri" else 30,
        sky=simulate.Sky(background=_BACKGROUNDS[instrument]),
    )
    direct = replace(direct, sky=grism_field(direct, number, MAGNITUDES[instrument]))
    options = simulate.ReferenceOptions(grouped_dark=True)
    return simulate.universe(
        folder, [direct, replace(direct, exposure=2, seed=2, grism=Grism(name))], options
    )


def imaged(folder: Path, rate: Path, environment: dict[str, str]) -> tuple[Path, Path, Path]:
    """Return mosaic, catalogue and segmentation map of a direct image."""
    with mock.patch.dict(os.environ, environment):
        Image2Pipeline.call(
            str(rate), output_dir=str(folder), save_results=True, steps={"resample": {"skip": True}}
        )
        cal = Path(str(rate).replace("_rate", "_cal"))
        asn = _write(folder / "direct_image3_asn.json", "image3", "direct", [(cal, "science")])
        quick = {name: {"skip": True} for name in ("tweakreg", "skymatch", "outlier_detection")}
        Image3Pipeline.call(str(asn), output_dir=str(folder), save_results=True, steps=quick)
    return folder / "direct_i2d.fits", folder / "direct_cat.ecsv", folder / "direct_segm.fits"


def _spec2(folder: Path, rate: Path, members: Sequence[tuple[Path, str]]) -> Path:
    name = rate.name.rsplit("_", 1)[0]
    return _write(folder / f"{name}_spec2_asn.json", "spec2", name, [(rate, "science"), *members])


def _spec3(folder: Path, rates: Sequence[Path], name: str, kind: str = "spec3") -> Path:
    suffix = "calints" if kind == "tso3" else "cal"
    cals = [(rate.with_name(rate.name.rsplit("_", 1)[0] + f"_{suffix}.fits"), "science") for rate in rates]
    return _write(folder / f"{name}_{kind}_asn.json", kind, name, cals)


def _write(path: Path, kind: str, name: str, members: Sequence[tuple[Path, str]]) -> Path:
    tree = {
        "asn_type": kind,
        "asn_rule": "Asn_Lv2WFSS" if kind == "spec2" else "Asn_Lv3WFSSNIS",
        "asn_id": "a3001",
        "asn_pool": "none",
        "program": "01234",
        "target": "t001",
        "products": [
            {"name": name, "members": [{"expname": p.name, "exptype": kind} for p, kind in members]}
        ],
    }
    path.write_text(json.dumps(tree, indent=1))
    return path
