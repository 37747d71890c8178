"""What stage 3 found out of its exposures: alignment and sky, and what is left of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from webbcal.core.html import Markup
from webbcal.report.pages.family import Family
from webbcal.report.pages.html import cell, section, table
from webbcal.report.pages.members import MemberAccount, members_of
from webbcal.report.pages.overlaps import Overlap, overlaps_of
from webbcal.report.pages.picture import panels, plots, tidy
from webbcal.report.pages.stars import Displacements, displacements_of

_BLUE, _RED = "#2b6ca3", "#d62828"
_MOST_ROWS = 60  # of the table of overlaps


def alignment(family: Family) -> Markup | None:
    """Return the section on the exposures of an association."""
    members = members_of(family)
    if not members:
        return None
    overlaps = overlaps_of([member.coarse for member in members])
    stars = displacements_of(members, family.folder / f"{family.root}_cat.ecsv")
    return section(
        "Exposures that are combined",
        _table(members, {one.exposure: one for one in stars}),
        _moved(members, stars),
        _skies(members, overlaps),
        id_="members",
    )


def _table(members: Sequence[MemberAccount], stars: Mapping[int, Displacements]) -> Markup:
    rows = []
    for number, member in enumerate(members, 1):
        aligned = member.steps.get("tweakreg")
        found: Mapping[str, Any] = aligned.results if aligned else {}
        shift = found.get("shift_arcsec")
        told = (aligned.reason or aligned.status) if aligned and not shift else ""
        sky = cell("" if member.sky is None else f"{member.sky:.4g}", member.sky, "number")
        name = cell([member.path.name, " " + told], class_="name")
        rows.append([number, name, _shift(shift), _mas(found.get("rms_arcsec")),
                     found.get("used", ""), *_measured(stars.get(number - 1)), sky])  # fmt: skip
    columns = ["#", "exposure", "moved by", "rms of fit", "stars", "median of stars", "scatter", "sky"]
    return table(columns, rows, "Positions in mas.", numbers=(0, 2, 3, 4, 5, 6, 7))


def _measured(found: Displacements | None) -> list[Markup]:
    if found is None:
        return [cell("", -1), cell("", -1)]
    east, north = found.medians
    median = cell(f"{east:+.2f}, {north:+.2f}", float(np.hypot(east, north)), "number")
    return [median, cell(f"{found.scatter:.2f}", found.scatter, "number")]


def _shift(shift: Any) -> Markup | str:
    pair = _pair(shift)
    if pair is None:
        return ""
    x, y = pair
    return cell(f"{1e3 * x:+.1f}, {1e3 * y:+.1f}", 1e3 * float(np.hypot(x, y)), "number")


def _pair(shift: Any) -> tuple[float, float] | None:
    if isinstance(shift, list) and len(shift) == 2 and all(isinstance(v, (int, float)) for v in shift):
        return float(shift[0]), float(shift[1])
    return None


def _mas(value: Any) -> Markup | str:
    if not isinstance(value, (int, float)):
        return ""
    return cell(f"{1e3 * value:.2f}", 1e3 * value, "number")


def _moved(members: Sequence[MemberAccount], stars: Sequence[Displacements]) -> Markup | None:
    """Return a picture of how far exposures were moved, and of where each has the stars now."""
    found = {k: m.steps["tweakreg"].results for k, m in enumerate(members, 1) if "tweakreg" in m.steps}
    shifts = {k: pair for k, f in found.items() if (pair := _pair(f.get("shift_arcsec"))) is not None}
    if not shifts and not stars:
        return None
    made, (left, right) = panels(1, 2, 4.4)
    _draw_shifts(left, shifts)
    _draw_stars(right, stars)
    caption = (
        "First: how far tweakreg moved each exposure in its last fit (alike where all went to the sky "
        "together). Second: centroids of the catalogue's bright point sources, measured in each exposure and "
        "put on the sky by its WCS, less the catalogue; large marks are medians of exposures."
    )
    return plots(made, caption, "alignment of the exposures")


def _draw_shifts(axes: Any, shifts: Mapping[int, tuple[float, float]]) -> None:
    if not shifts:
        axes.axis("off")
        return
    for number, (x, y) in shifts.items():
        arrow = {"arrowstyle": "-|>", "color": _BLUE, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (1e3 * x, 1e3 * y), (0, 0), arrowprops=arrow)
        axes.annotate(str(number), (1e3 * x, 1e3 * y), fontsize=8, color="0.3")
    reach = 1.25e3 * max(max(abs(x), abs(y)) for x, y in shifts.values()) or 1.0
    tidy(axes, "moved by", xlabel="x (mas)", ylabel="y (mas)", xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_box_aspect(1)


def _draw_stars(axes: Any, stars: Sequence[Displacements]) -> None:
    if not stars:
        axes.axis("off")
        return
    for one in stars:
        (points,) = axes.plot(one.east, one.north, ".", ms=3, alpha=0.6)
        axes.plot(*one.medians, "P", ms=9, mec="white", mew=0.8, color=points.get_color())
    everything = np.concatenate([np.hypot(one.east, one.north) for one in stars])
    reach = max(1.0, 1.3 * float(np.percentile(everything, 90)))
    title = f"{sum(len(one.east) for one in stars)} stars in {len(stars)} exposures"
    tidy(axes, title, xlabel="east (mas)", ylabel="north (mas)", xlim=(reach, -reach), ylim=(-reach, reach))
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.axvline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_box_aspect(1)


def _skies(members: Sequence[MemberAccount], overlaps: Sequence[Overlap]) -> Markup | None:
    """Return a picture and a table of what is left of the sky between exposures."""
    if not overlaps:
        return None
    unit = next(m.coarse.unit for m in members if m.coarse)
    made, (axes,) = panels(1, 1, 2.8)
    values, errors = [o.difference for o in overlaps], [o.error for o in overlaps]
    order = np.argsort(values)
    axes.errorbar(
        range(1, len(order) + 1), np.take(values, order), np.take(errors, order), fmt="o", ms=3.5, lw=1,
        color=_BLUE,
    )  # fmt: skip
    axes.axhline(0, color=_RED, lw=0.8)
    axes.xaxis.get_major_locator().set_params(integer=True)
    tidy(axes, "sky, first less second exposure", xlabel="pairs of exposures that overlap", ylabel=unit)
    rms = float(np.sqrt(np.mean(np.square(values))))
    told = (
        f"Differences of the skies of {len(order)} pairs of exposures where they overlap, after skymatch: "
        f"{rms:.3g} {unit} rms. Each is the median over blocks of pixels, with the error of their scatter."
    )
    picture = plots(made, told, "differences of the sky in overlaps")
    if len(overlaps) > _MOST_ROWS:
        return picture
    rows = [
        [f"{o.first + 1} and {o.second + 1}", o.blocks, _signed(o.difference), _signed(o.error, "")]
        for o in overlaps
    ]
    return Markup(
        picture + table(["exposures", "blocks", f"difference ({unit})", "error"], rows, numbers=(1, 2, 3))
    )


def _signed(value: float, sign: str = "+") -> Markup:
    return cell(f"{value:{sign}.3g}", value, "number")
