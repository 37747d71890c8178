"""What exposure types mean for associations; the facts stand in ``../tables/exposure_types.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

_TABLE: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent.parent / "tables" / "exposure_types.toml").read_text(encoding="utf-8")
)


def _types(table: str, *names: str) -> frozenset[str]:
    return frozenset(word for name in names or _TABLE[table] for word in _TABLE[table][name].split())


#: Kind of exposures that are never science, by exposure type.
KIND_OF_TYPE = {word: kind for kind, words in _TABLE["kinds"].items() for word in words.split()}
#: Kind of other exposures, by the column that tells; the first counts.
KIND_OF_FLAG = _TABLE["flags"]
CORONAGRAPHY = _types("integrations", "coronagraphy")
#: Exposure types of which each integration is used, and those of which none is.
BY_INTEGRATION = _types("integrations", "interferometry", "time_series")
NEVER_BY_INTEGRATION = _types("integrations", "never")
#: Detectors that no mask covers in full frames, by the pupil.
UNMASKED = {pupil: frozenset(words.split()) for pupil, words in _TABLE["unmasked"].items()}
CALIBRATED = _types("calibrated")
DIRECT_IMAGES = _types("direct")
