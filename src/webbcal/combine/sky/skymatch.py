"""``skymatch``: measure the sky of images, or balance it where they overlap."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from webbcal.combine.members.list_step import ListStep, Outcome, groups_of
from webbcal.combine.members.opening import has_wcs
from webbcal.combine.sky import overlaps as sky_overlaps
from webbcal.combine.sky.matching import SkyImage, measure, sky_levels
from webbcal.combine.sky.statistics import SkyStatistic
from webbcal.core import dqflags
from webbcal.core.errors import InputError, ParameterError, unreadable
from webbcal.core.suffixes import remove_suffix
from webbcal.core.wording import a_or_an
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes
from webbcal.run.run import Run
from webbcal.wcs.of_model import wcs_of

log = logging.getLogger(__name__)

_ALL_BITS = 0xFFFFFFFF


@dataclass(frozen=True)
class SkyMatchParameters(StepParameters):
    """Parameters of `SkyMatchStep`."""

    skymethod: Literal["local", "global", "match", "global+match", "user"] = param(
        "match",
        "Level of each exposure, the lowest of all, differences in overlaps, both, or the user's",
        synonyms={"localmin": "local", "globalmin": "global", "globalmin+match": "global+match"},
    )
    match_down: bool = param(True, "Match to the lowest level (else the highest)")
    subtract: bool = param(False, "Subtract the levels from the images")
    skylist: str | None = param(None, "File of image names and levels, for skymethod = user")
    stepsize: int | None = param(None, "Distance of vertices of outlines; None: corners only", unit="pixel")
    skystat: Literal["median", "midpt", "mean", "mode"] = param("mode", "Which statistic is the level")
    dqbits: str | None = param("~DO_NOT_USE+NON_SCIENCE", "DQ bits that a pixel in use may have")
    lower: float | None = param(None, "Leave out pixels below this")
    upper: float | None = param(None, "Leave out pixels above this")
    nclip: int = param(5, "Rounds of clipping", ge=0)
    lsigma: float = param(4.0, "Limit of clipping below the mean, in standard deviations", ge=0.0)
    usigma: float = param(4.0, "Limit of clipping above the mean, in standard deviations", ge=0.0)
    binwidth: float = param(0.1, "Bins of mode and midpt, in standard deviations", ge=0.0)
    in_memory: bool = param(True, "Has no effect: pixels are read when needed")


class SkyMatchStep(ListStep):
    """Measure sky levels, or balance them in overlaps; note them (BKGLEVEL) and, if asked for, subtract them.

    Images of one exposure get one and the same change of level.
    """

    class_alias = "skymatch"
    library_bytes = 52_000_000
    Parameters = SkyMatchParameters

    def reason_to_skip(self, models: Sequence[Any], p: SkyMatchParameters) -> str | None:
        """Skip a single exposure, if there is nothing to do but match."""
        alone = p.skymethod == "match" and len(groups_of(models)) < 2
        return "at least two exposures are needed to match" if alone else None

    def why_unusable(self, model: Any, p: SkyMatchParameters) -> str | None:
        """Leave out what is no image, and what cannot be placed on the sky if that is needed."""
        if p.skymethod == "user":
            return None
        if len(model.shape or ()) != 2:
            return f"is {a_or_an(type(model).__name__)}: the sky is measured on images"
        if "match" in p.skymethod and not has_wcs(model):
            return "has no WCS: run assign_wcs on it first"
        return None

    def scratch_bytes(self, sizes: Sizes, p: SkyMatchParameters) -> int:
        """An image for each thread."""
        return 24 * sizes.threads * sizes.pixels

    def apply(self, models: list[Any], p: SkyMatchParameters, run: Run) -> list[Outcome]:
        """Set ``meta.background``, and subtract."""
        for name in ("lsigma", "usigma", "binwidth"):
            if getattr(p, name) == 0:
                raise ParameterError(f"SkyMatchStep.{name} = 0: expected a positive number")
        if p.skymethod == "user":
            outcomes = [
                _finish(m, level, p) for m, level in zip(models, _user_levels(models, p), strict=True)
            ]
        else:
            outcomes = self._measured(models, p, run.resources.threads)
        for model, outcome in zip(models, outcomes, strict=True):
            if outcome.status == "applied":
                log.info("%s: %s", model.meta.filename, outcome.reason)
        return outcomes

    def _measured(self, models: list[Any], p: SkyMatchParameters, threads: int) -> list[Outcome]:
        before = [_level_before(model, p.subtract) for model in models]
        groups = list(groups_of(models).values())
        images = {
            n: SkyImage(g, _reader(models[n], p.dqbits)) for g, members in enumerate(groups) for n in members
        }
        if "match" in p.skymethod:
            _find_overlaps(images, models, p.stepsize)
        statistic = SkyStatistic(**{n: getattr(p, n) for n in SkyStatistic.__dataclass_fields__})
        measure(list(images.values()), statistic, p.skymethod != "match", threads)
        assert p.skymethod != "user", "those levels are given, not measured"
        levels, remark = sky_levels(list(images.values()), p.skymethod, p.match_down)
        if remark:
            log.warning("%s", remark)
        outcomes = []
        for n, model in enumerate(models):
            level = levels[images[n].group]
            if level is None:
                outcomes.append(Outcome("skipped", _why_no_level(images[n], p.skymethod)))
            else:
                outcomes.append(_finish(model, level, p, before[n]))
        return outcomes


def _level_before(model: Any, subtract: bool) -> float:
    """Return the level that an earlier run has subtracted.

    Raises
    ------
    InputError
        If an earlier run's notes are incomplete, or it subtracted and this one is not to, or the reverse.
    """
    background = model.meta.background
    if background.subtracted is None and background.level is None:
        return 0.0
    if background.subtracted is None or background.level is None:
        raise InputError(
            f"{model.meta.filename}: of BKGLEVEL and BKGSUB only one is set: is its sky in it or not?"
        )
    if background.subtracted != subtract:
        done = "subtracted" if background.subtracted else "measured, but not subtracted"
        raise InputError(
            f"{model.meta.filename}: its sky was already {done}; run with "
            f"subtract = {background.subtracted}, or start from the exposure as it was before skymatch"
        )
    return float(background.level) if subtract else 0.0


def _why_no_level(image: SkyImage, method: str) -> str:
    if method == "match":
        return (
            "no usable pixels in overlaps with others"
            if image.overlaps
            else "overlaps with no other exposure"
        )
    return "no usable pixels"


def _reader(model: Any, dqbits: str | None) -> Any:
    """Return a function that reads an image and which of its pixels are good."""
    ignored = dqflags.interpret_bit_flags(dqbits)

    def read() -> tuple[np.ndarray, np.ndarray]:
        data = np.asarray(model.source("data").read(), np.float32)
        good = np.isfinite(data)
        dq = model.source("dq")
        if ignored is not None and dq is not None:
            good &= (dq.read() & np.uint32(~ignored & _ALL_BITS)) == 0
        return data, good

    return read


def _find_overlaps(images: dict[int, SkyImage], models: list[Any], stepsize: int | None) -> None:
    """Tell each image where it overlaps with images of other groups."""
    numbers = list(images)
    wcs = {n: wcs_of(models[n]) for n in numbers}
    outlines = [sky_overlaps.sky_outline(wcs[n], models[n].shape, stepsize) for n in numbers]
    for n, found in zip(numbers, sky_overlaps.all_overlaps(outlines), strict=True):
        group = images[n].group
        others = {k: loops for k, loops in found.items() if images[numbers[k]].group != group}
        for k, loops in sky_overlaps.pixel_loops(wcs[n], others).items():
            images[n].overlaps.setdefault(images[numbers[k]].group, []).extend(loops)


def _finish(model: Any, level: float, p: SkyMatchParameters, before: float = 0.0) -> Outcome:
    """Note a level in a model, and subtract it."""
    if p.subtract:
        model.shift("data", -level)
    background = model.meta.background
    background.level, background.subtracted, background.method = before + level, p.subtract, p.skymethod
    unit = model.meta.bunit_data or ""
    what = "subtracted" if p.subtract else "not subtracted"
    reason = f"sky level {before + level:.6g} {unit}".rstrip() + f" ({p.skymethod}, {what})"
    return Outcome("applied", reason, {"level": before + level, "change": level})


def _user_levels(models: list[Any], p: SkyMatchParameters) -> list[float]:
    """Return the user's level of each image.

    Raises
    ------
    ParameterError
        If no file is given.
    InputError
        If the file cannot be understood, or does not name each image once.
    """
    if p.skylist is None:
        raise ParameterError("skymethod = 'user' needs a file of image names and levels: set skylist")
    try:
        lines = [line.split() for line in Path(p.skylist).read_text().splitlines()]
        entries = [(_stem(w[0]), float(w[1])) for w in lines if w and not w[0].startswith("#")]
    except (OSError, ValueError, IndexError) as error:
        message = f"skylist {p.skylist}: {error}; each line has the name of an image and its level"
        raise unreadable(InputError, message, error) from None
    if len(entries) != len(models):
        raise InputError(f"skylist {p.skylist} has {len(entries)} entries for {len(models)} images")
    levels = []
    for model in models:
        found = [level for stem, level in entries if stem == _stem(str(model.meta.filename))]
        if len(found) != 1:
            raise InputError(f"skylist {p.skylist} names {model.meta.filename} {len(found)} times, not once")
        levels.append(found[0])
    return levels


def _stem(filename: str) -> str:
    return str(remove_suffix(Path(filename).stem)[0])
