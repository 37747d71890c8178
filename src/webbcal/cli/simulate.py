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
    from webbcal.simulate import Universe

#: Fields of the configuration that are objects, not values.
_OBJECTS = ("sky", "electronics", "dither", "pointing_error")

#: Half a dozen offsets on the sky, in arcseconds; exposures use as many as asked for, and repeat them.
_DITHERS = ((0.0, 0.0), (4.3, 2.1), (-2.2, 4.6), (2.9, -3.8), (-4.1, -1.7), (1.3, 5.2))


def main(words: Sequence[str]) -> int:
    """Simulate a universe into a folder."""
    arguments = parse_arguments(words)
    if not arguments.target or "help" in arguments.flags:
        print(usage())
        return 0 if "help" in arguments.flags else 2
    world = simulate(Path(arguments.target), arguments.parameters)
    for path in (*world.uncal, *world.truth):
        print(path)
    print("To calibrate with the simulated reference files:")
    for name, value in world.environment.items():
        print(f"export {name}={value}")
    return 0


def simulate(folder: Path, options: dict[str, Any]) -> Universe:
    """Simulate one or several dithered exposures with textual options.

    Raises
    ------
    ParameterError
        For an unknown option or a value that is not allowed.
    """
    need("pysiaf")
    from webbcal.simulate import ExposureConfig, ReferenceOptions, dithered, universe

    options = dict(options)
    count = _integer("exposures", options.pop("exposures", 1))
    of_references = _infos(ReferenceOptions)
    chosen = {n: of_references[n].check(options.pop(n), "simulate") for n in of_references if n in options}
    infos = _infos(ExposureConfig)
    for name in options:
        if name not in infos:
            raise ParameterError(f"simulate has no option {name!r}{suggestion(name, infos)}")
    config = ExposureConfig(**{n: infos[n].check(v, "simulate") for n, v in options.items()})
    offsets = [_DITHERS[k % len(_DITHERS)] for k in range(count)]
    exposures = dithered(config, offsets) if count > 1 else config
    return universe(folder, exposures, ReferenceOptions(**chosen))


def _integer(name: str, value: Any) -> int:
    return int(ParameterInfo(name, (int,), (), False, 1, "", 1, None, "", None).check(value, "simulate"))


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
            "  --exposures=1  (dithered exposures of one sky)",
            *lines,
        ]
    )
