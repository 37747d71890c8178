"""Ramps of some pixels, with what was flagged and the line that was fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.core.html import Markup
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import section
from webbcal.report.pages.picture import panels, plots, tidy
from webbcal.run.exposure import meta_value

_UNUSABLE = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["REFERENCE_PIXEL"]
_JUMP, _SATURATED = dqflags.pixel["JUMP_DET"], dqflags.pixel["SATURATED"]
_BLUE, _RED, _GREY = "#2b6ca3", "#d62828", "0.6"
_CAPTIONS = {
    "ramp": "Corrected ramps (_ramp)",
    "uncal": "Raw ramps (_uncal; those that were fitted are kept with --save_calibrated_ramp=true)",
}


@dataclass(frozen=True)
class _Ramp:
    """A pixel's ramp in one integration, and the rate that was fitted."""

    title: str
    time: np.ndarray  # s
    counts: np.ndarray
    flags: np.ndarray | None
    rate: float


def ramps(family: Family) -> Markup | None:
    """Return the section on sample ramps: needs ramps, raw or corrected, and rates beside them."""
    kind, fitted = family.has("ramp", "uncal"), family.has("rateints", "rate")
    if kind is None or fitted is None:
        return None
    sampled = list(_sampled(family, kind, fitted))
    if not sampled:
        return None
    rows = -(-len(sampled) // 3)
    made, axes = panels(rows, 3, 2.6 * rows)
    for each, ramp in zip(axes, sampled, strict=False):
        _draw(each, ramp)
    for each in axes[len(sampled) :]:
        each.axis("off")
    caption = (
        f"{_CAPTIONS[kind]} of the first integration, and lines with the rates of _{fitted}. Red rings: "
        "jumps; crosses: saturated; grey: not used for another reason."
    )
    return section("Ramps", plots(made, caption, "ramps of some pixels"), id_="ramps")


def _sampled(family: Family, kind: str, fitted: str) -> Iterator[_Ramp]:
    with family.open(fitted) as rates:
        rate, flags = _first(rates.source("data")), _first(rates.source("dq"))
    if rate is None or rate.ndim != 2:
        return
    if flags is None or flags.shape != rate.shape:
        flags = np.zeros(rate.shape, np.uint32)
    with family.open(kind) as model:
        counts, group_flags = model.source("data"), model.source("groupdq")
        if counts is None or len(counts.shape) != 4 or counts.shape[-2:] != rate.shape:
            return
        step = meta_value(model, "meta.exposure.group_time")
        time = np.arange(counts.shape[1]) * (float(step) if isinstance(step, (int, float)) else 1.0)
        for title, y, x in chosen(rate, flags):
            place = (0, slice(None), slice(y, y + 1), slice(x, x + 1))
            ramp = counts.read(*place).ravel().astype(np.float64)
            known = None if group_flags is None else group_flags.read(*place).ravel()
            yield _Ramp(f"{title} ({x}, {y})", time, ramp, known, float(rate[y, x]))


def _first(source: Any) -> np.ndarray | None:
    """Return an image, or that of the first integration."""
    if source is None:
        return None
    array: np.ndarray = source.read(*([0] * (len(source.shape) - 2)))
    return array


def chosen(rate: np.ndarray, flags: np.ndarray) -> list[tuple[str, int, int]]:
    """Return what pixels are drawn: (why, row, column), the same ones for the same image.

    Parameters
    ----------
    rate : (ny, nx) float
    flags : (ny, nx) uint32
    """
    usable = (flags & _UNUSABLE == 0) & np.isfinite(rate)
    whole = usable & (flags & (_JUMP | _SATURATED) == 0)
    random = np.random.default_rng(0)
    picked: list[tuple[str, int, int]] = []
    for title, mask in (
        ("a jump", usable & (flags & _JUMP != 0)),
        ("a jump", usable & (flags & _JUMP != 0)),
        ("saturated", np.isfinite(rate) & (flags & _SATURATED != 0)),
    ):
        places = np.flatnonzero(mask)
        if places.size:
            picked.append((title, *_position(int(random.choice(places)), rate)))
    values = np.where(whole, rate, np.nan)
    if whole.any():
        for title, share in (("the brightest", 100.0), ("typical", 50.0), ("faint", 5.0)):
            level = np.nanpercentile(values, share)
            picked.append((title, *_position(int(np.nanargmin(np.abs(values - level))), rate)))
    places_of = {(y, x): (title, y, x) for title, y, x in reversed(picked)}
    return list(reversed(places_of.values()))


def _position(index: int, image: np.ndarray) -> tuple[int, int]:
    y, x = divmod(index, image.shape[1])
    return y, x


def _draw(axes: Any, ramp: _Ramp) -> None:
    flags = np.zeros(ramp.counts.shape, int) if ramp.flags is None else ramp.flags.astype(int)
    saturated, jump = flags & _SATURATED != 0, flags & _JUMP != 0
    unused = flags & dqflags.pixel["DO_NOT_USE"] != 0
    good = ~saturated & ~unused
    axes.plot(ramp.time[good], ramp.counts[good], "o", ms=3.2, color=_BLUE)
    axes.plot(ramp.time[unused & ~saturated], ramp.counts[unused & ~saturated], "o", ms=3.2, color=_GREY)
    axes.plot(ramp.time[saturated], ramp.counts[saturated], "x", ms=4.5, color=_RED)
    axes.plot(ramp.time[jump], ramp.counts[jump], "o", ms=8, mfc="none", mec=_RED)
    if np.isfinite(ramp.rate):
        for part in _segments(good, jump):
            line = ramp.rate * ramp.time[part]
            axes.plot(ramp.time[part], line + np.median(ramp.counts[part] - line), color="0.25", lw=1.0)
    tidy(axes, f"{ramp.title}: {ramp.rate:.4g} DN/s", xlabel="s", ylabel="DN")


def _segments(good: np.ndarray, jump: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the positions of the groups between jumps, where there are two or more."""
    number = np.cumsum(jump)
    for segment in np.unique(number):
        part = np.flatnonzero(good & (number == segment))
        if part.size > 1:
            yield part
