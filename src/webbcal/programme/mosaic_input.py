"""What a mosaic is made from: how far each exposure is calibrated, and whether they go together."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of, mosaicked_types
from webbcal.core.wording import a_or_an
from webbcal.programme.sources import Exposure, root_and_suffix
from webbcal.run.exposure import Exposure as Metadata


@dataclass(frozen=True, slots=True)
class Given:
    """An exposure that was given.

    Attributes
    ----------
    exposure : Exposure
        How far it is is read from the file, not from its name.
    mode : str
        EXP_TYPE.
    instrument : str
    filters : str
        Filter and pupil, as one text.
    """

    exposure: Exposure
    mode: str
    instrument: str
    filters: str

    @property
    def root(self) -> str:
        """Its name without suffix, which its products share."""
        return self.exposure.root

    def name_as(self, suffix: str) -> str:
        """Return the name of its file when it is so far: as it was given, or as a stage makes it."""
        path = self.exposure.path
        return path.name if self.exposure.suffix == suffix else f"{self.root}_{suffix}.fits"


def look_at(name: str | os.PathLike[str]) -> Given:
    """Read the headers of an exposure.

    Raises
    ------
    InputError
        If it is no exposure of the sky, or not one that `calwebb_detector1` takes or a later stage made.
    """
    path = Path(os.path.abspath(name))  # noqa: PTH100
    with datamodels.open(path) as model:
        stage = _stage_of(model, path)
        known = Metadata.of_model(model).complete()
        if not mode_of(known.exp_type).is_mosaicked:
            types = ", ".join(mosaicked_types())
            raise InputError(f"{path}: EXP_TYPE is {known.exp_type}; mosaics are made of images ({types})")
        wheels = (model.meta.instrument.filter, model.meta.instrument.pupil)
    filters = " + ".join(w for w in wheels if w and w != "N/A")
    exposure = Exposure(path, root_and_suffix(path.name)[0], stage)
    return Given(exposure, known.exp_type, known.instrument, filters)


def _stage_of(model: Any, path: Path) -> str:
    kind, done = type(model).__name__, model.meta.cal_step
    if kind == "Level1bModel":
        return "uncal"
    if kind != "ImageModel":
        raise InputError(f"{path}: is {a_or_an(kind)}; give raw exposures (_uncal), _rate or _cal images")
    if done.resample == "COMPLETE":
        raise InputError(f"{path}: is resampled already; give the exposures that it was made of")
    return "cal" if done.assign_wcs == "COMPLETE" else "rate"


def check_together(given: Sequence[Given], product_name: str) -> None:
    """Make sure that exposures can be combined, and that their products have names of their own.

    Raises
    ------
    InputError
        If they are of several instruments or filters, one is there twice, or the name of the product is
        empty, has a folder, or is that of an exposure.
    """
    if not product_name or Path(product_name).name != product_name:
        raise InputError(f"the product's name {product_name!r} must be a name without folder")
    for what in ("instrument", "filters"):
        kinds = _by(given, what)
        if len(kinds) > 1:
            found = "; ".join(f"{kind or 'none'}: {_names(members)}" for kind, members in kinds.items())
            raise InputError(f"exposures of different {what.rstrip('s')}s make no mosaic ({found})")
    for root, members in _by(given, "root").items():
        if len(members) > 1:
            raise InputError(f"the same exposure is there twice: {_names(members)}; give one of them")
        if root == product_name:
            raise InputError(f"the product cannot have the name of an exposure, {root}; choose another")


def _by(given: Sequence[Given], what: str) -> dict[str, list[Given]]:
    kinds: dict[str, list[Given]] = defaultdict(list)
    for exposure in given:
        kinds[getattr(exposure, what)].append(exposure)
    return dict(kinds)


def _names(members: Sequence[Given]) -> str:
    names = [m.exposure.path.name for m in members]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
