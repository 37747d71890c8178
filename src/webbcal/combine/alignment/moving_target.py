"""``assign_mtwcs``: let the sky of exposures move with their target.

A comet or planet moves between exposures. Their WCS gets one frame more, in which the target is where it was
on average: right ascension and declination are shifted by how far the target was from there. Plain shifts in
degrees, as in jwst 3.0.0: RA is not stretched with declination, so that positions far from the target, in
fields near a pole, are off by as much as the target has moved times the change of 1/cos(dec) over the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.combine.members.list_step import ListStep, Outcome
from webbcal.datamodels.lists import items_of
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run
from webbcal.wcs import trees
from webbcal.wcs.footprint import update_s_region
from webbcal.wcs.of_model import stored_wcs

_FRAME = "moving_target"


class AssignMTWcsStep(ListStep):
    """Append the frame ``moving_target`` to the WCS of each exposure, and of each of its slits."""

    class_alias = "assign_mtwcs"
    gives_library = True

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `AssignMTWcsStep`."""

        suffix: str | None = param("assign_mtwcs", "Suffix of file names")
        output_use_model: bool = param(True, "Name files after the models")

    def reason_to_skip(self, models: Sequence[Any], p: Parameters) -> str | None:
        """Skip if the target's place is not known in all of them."""
        for model in models:
            if not all(_has_target(item) for item in items_of(model)):
                return f"{model.meta.filename} does not say where its target was (MT_RA, MT_DEC)"
        return None

    def apply(self, models: list[Any], p: Parameters, run: Run) -> list[Outcome]:
        """Move all of them to the mean position of the target."""
        average = np.mean([_target(items_of(model)[0]) for model in models], axis=0)
        for model in models:
            for item in items_of(model):
                _move(item, average)
            if type(model).__name__ == "ImageModel":
                update_s_region(model)
        return [Outcome(results={"mt_avra": average[0], "mt_avdec": average[1]}) for _ in models]


def _has_target(item: Any) -> bool:
    info = item.meta.wcsinfo
    return None not in (getattr(info, "mt_ra", None), getattr(info, "mt_dec", None))


def _target(item: Any) -> tuple[float, float]:
    return item.meta.wcsinfo.mt_ra, item.meta.wcsinfo.mt_dec


def _move(item: Any, average: np.ndarray) -> None:
    """Append the frame to the WCS of a model or slit."""
    stored = stored_wcs(item)
    wcs = stored if isinstance(stored, Tagged) else tagged(stored)
    assert isinstance(wcs.value, dict)
    *before, last = wcs.value["steps"]
    world = last.value["frame"]
    east, north = (float(a - t) for a, t in zip(average, _target(item), strict=True))
    move = trees.both(trees.shift(east), trees.shift(north))
    if world.kind == "composite_frame":
        move = trees.both(move, trees.identity(1))
    moving = Tagged(world.tag, world.value | {"name": _FRAME})
    steps = [
        *before,
        Tagged(last.tag, last.value | {"transform": move}),
        Tagged(last.tag, {"frame": moving, "transform": None}),
    ]
    item.meta.wcs = Tagged(wcs.tag, wcs.value | {"steps": steps})
    item.meta.wcsinfo.mt_avra, item.meta.wcsinfo.mt_avdec = map(float, average)
