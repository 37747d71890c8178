"""``webbcal simulate``: exposures with their truth, and the reference files that calibrate them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any

from webbcal.cli.extra import need
from webbcal.core.errors import ParameterError
from webbcal.run.configuration import parse_arguments
from webbcal.run.parameters import ParameterInfo, suggestion

if TYPE_CHECKING:
    from webbcal.simulate import ExposureConfig, Grism, Lrs, Universe
    from webbcal.simulate.guide_star import GuideStar

#: Fields of the configuration that are objects, not values.
_OBJECTS = ("sky", "electronics", "dither", "pointing_error", "soss", "lrs", "grism", "segment")

#: What exposures of a detector have, by the first letters of its name, unless something else is asked for.
_USUAL = {
    "NRS": {"filter": "F290LP", "readpatt": "NRSRAPID"},
    "NIS": {"filter": "F200W", "readpatt": "NIS"},
    "GUIDER": {"filter": "N/A", "readpatt": "FGS"},
    "MIRIFU": {"filter": "N/A", "readpatt": "FASTR1"},
    "MIRIMAGE": {"filter": "F770W", "readpatt": "FASTR1"},
}
#: The prism of MIRI's low-resolution spectrometer.
_PRISM = "P750L"

#: What is simulated with an instrument's grisms where nothing else is said.
_GRISM_DEFAULTS: dict[str, dict[str, Any]] = {
    "NIRCAM": {"detector": "NRCALONG", "filter": "F444W"},
    "NIRISS": {"detector": "NIS", "filter": "F200W", "readpatt": "NIS"},
    "MIRI": {"detector": "MIRIMAGE", "filter": "F1000W", "readpatt": "FASTR1", "ngroups": 30},
}

#: Half a dozen offsets on the sky, in arcseconds; exposures use as many as asked for, and repeat them.
_DITHERS = ((0.0, 0.0), (4.3, 2.1), (-2.2, 4.6), (2.9, -3.8), (-4.1, -1.7), (1.3, 5.2))


def main(words: Sequence[str]) -> int:
    """Simulate a universe into a folder."""
    arguments = parse_arguments(words)
    if not arguments.target or "help" in arguments.flags:
        print(usage())
        return 0 if "help" in arguments.flags else 2
    folder, options = Path(arguments.target), dict(arguments.parameters)
    kind = options.pop("guide_star", None)
    paths: tuple[Path, ...]
    if kind is None:
        world = simulate(folder, options)
        paths, environment = (*world.uncal, *world.truth), world.environment
    else:
        star = guide_star(folder, kind, options)
        paths, environment = (star.path,), star.environment
    for path in paths:
        print(path)
    print("To calibrate with the simulated reference files:")
    for name, value in environment.items():
        print(f"export {name}={value}")
    return 0


def guide_star(folder: Path, kind: str, options: dict[str, Any]) -> GuideStar:
    """Simulate an exposure of a guide star.

    Raises
    ------
    ParameterError
        For an unknown kind or option, or a value that is not allowed.
    """
    need("pysiaf")
    from webbcal.simulate.guide_star import guide_star_universe

    allowed = {"seed": 0, "size": 8}
    for name in options:
        if name not in allowed:
            raise ParameterError(
                f"simulate --guide_star has no option {name!r}{suggestion(name, allowed)}: it has "
                f"{' and '.join(allowed)}"
            )
    numbers = {name: _integer(name, value, allowed[name]) for name, value in options.items()}
    return guide_star_universe(folder, str(kind).upper(), **numbers)


def simulate(folder: Path, options: dict[str, Any]) -> Universe:
    """Simulate one or several dithered exposures with textual options.

    Raises
    ------
    ParameterError
        For an unknown option or a value that is not allowed.
    """
    need("pysiaf")
    from webbcal.simulate import ExposureConfig, ReferenceOptions, Soss, universe

    options = dict(options)
    count = _integer("exposures", options.pop("exposures", 1))
    soss = str(options.pop("soss", "false")).lower() == "true"
    size = _integer("segment_size", options.pop("segment_size", 0), 0)
    grism = _grism(options.pop("grism", ""), str(options.get("subarray", "FULL")))
    of_references = _infos(ReferenceOptions)
    chosen = {n: of_references[n].check(options.pop(n), "simulate") for n in of_references if n in options}
    infos = _infos(ExposureConfig)
    if options.get("filter") == _PRISM:
        options = {"detector": "MIRIMAGE", "ngroups": 30} | options
    if grism is not None:
        options = _GRISM_DEFAULTS[grism.instrument] | options
    for letters, usual in _USUAL.items():
        if str(options.get("detector", "")).startswith(letters):
            options = usual | options
    for name in options:
        if name not in infos:
            raise ParameterError(f"simulate has no option {name!r}{suggestion(name, infos)}")
    values = {n: infos[n].check(v, "simulate") for n, v in options.items()}
    lrs = _spectra(values) if grism is None else None
    config = ExposureConfig(**values, soss=Soss() if soss else None, lrs=lrs, grism=grism)
    return universe(folder, _exposures(config, count, size), ReferenceOptions(**chosen))


def _grism(name: Any, subarray: str) -> Grism | None:
    """Return the grism that is asked for; in one of NIRCam's stripes, it looks at a star in time."""
    from webbcal.simulate import Grism

    return Grism(str(name).upper(), time_series=subarray.startswith("SUBGRISM")) if name else None


def _spectra(values: dict[str, Any]) -> Lrs | None:
    """Return what MIRI's prism looks at, if it does: a star in the slit, or one with a transit without it."""
    from webbcal.simulate import Lrs, planet

    if values.get("filter") != _PRISM:
        return None
    return Lrs() if values.get("subarray", "FULL") == "FULL" else planet()


def _exposures(config: ExposureConfig, count: int, size: int) -> ExposureConfig | list[ExposureConfig]:
    """Return the exposures that are asked for: dithered or nodded, or the segments of one."""
    from webbcal.simulate import dithered, nod_pair, segmented

    if count > 1 and config.lrs is not None:
        if count != 2:
            raise ParameterError(f"exposures={count}: spectra of the slit come one by one or as a nod pair")
        return nod_pair(config)
    if count > 1:
        return dithered(config, [_DITHERS[k % len(_DITHERS)] for k in range(count)])
    return segmented(config, size) if size else config


def _integer(name: str, value: Any, least: int = 1) -> int:
    info = ParameterInfo(name, (int,), (), False, least, "", least, None, "", None)
    return int(info.check(value, "simulate"))


def _infos(cls: Any) -> dict[str, ParameterInfo]:
    """Return the options that a configuration class offers."""
    hints = typing.get_type_hints(cls)
    infos = {}
    for field in dataclasses.fields(cls):
        if field.name in _OBJECTS:
            continue
        hint = hints[field.name]
        members = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, UnionType) else (hint,)
        types = tuple(m for m in members if m is not NoneType)
        infos[field.name] = ParameterInfo(
            field.name, types, (), NoneType in members, field.default, "", None, None, "", None
        )
    return infos


def usage() -> str:
    """Return the help text."""
    from webbcal.simulate import ExposureConfig, ReferenceOptions

    infos = _infos(ExposureConfig) | _infos(ReferenceOptions)
    lines = [f"  --{name}={info.default}" for name, info in infos.items()]
    return "\n".join(
        [
            "usage: webbcal simulate FOLDER [--option=value]",
            "",
            "Writes raw exposures (_uncal), their truth (_truth) and, in FOLDER/crds, a CRDS cache with the",
            "reference files that calibrate them. The same seeds give the same files. Options and defaults:",
            "",
            "  --exposures=1  (dithered exposures of one sky; 2 of a star in MIRI's slit are nodded)",
            "  --filter=P750L  (spectra of MIRI: in the slit, or with --subarray=SLITLESSPRISM a transit)",
            "  --grism=  (GRISMR, GRISMC, GR150C, GR150R or P750L: slitless spectra of a field; or with",
            "      GRISMR and --subarray=SUBGRISM64, 128 or 256 a star with a transiting planet)",
            "  --soss=false  (a star with a transiting planet, on a SUBSTRIP of NIRISS)",
            "  --guide_star=FGS_TRACK  (a kind of guide-star exposure; with --seed and --size only)",
            "  --segment_size=0  (integrations of a file, where a long exposure is cut into several)",
            *lines,
        ]
    )
