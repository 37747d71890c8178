"""The picture of a mosaic of simulated exposures: image, sources, coverage, and how right they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.report.mosaic_truth import Comparison, compare

_MARK, _TRUTH = "#3fd0e8", "#d62828"
_SHAPE = ("xcentroid", "ycentroid", "semimajor_sigma", "semiminor_sigma", "orientation")
_SIGMAS, _LEAST_RADIUS = 3.0, 5.0  # of the ellipses drawn around sources; pixels
_FAINT_ERROR = 0.05  # magnitudes: stars with a larger one say little about positions


@dataclass(frozen=True)
class _Mosaic:
    """What is drawn of a mosaic."""

    data: np.ndarray
    exposures: np.ndarray
    wcs: Any
    scale: float  # arcsec a pixel
    title: str
    sources: np.ndarray  # (n, 5): x, y, semi-axes and angle of each source, pixels and degrees


def mosaic_picture(i2d: Path, catalog: Path, truths: Sequence[Path], path: Path) -> Comparison:
    """Draw a mosaic and its catalogue, and compare them with the truth.

    Parameters
    ----------
    i2d, catalog : Path
        Mosaic and its catalogue (ECSV).
    truths : sequence of Path
        Truth files of the exposures.
    path : Path
        PNG file to write.

    Returns
    -------
    Comparison
        What the lower panels show.
    """
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from webbcal import plots

    table = QTable.read(catalog)
    mosaic, comparison = _read(i2d, table), compare(table, truths)
    figure: Any = Figure(figsize=(16.0, 7.3), layout="constrained", facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.17))
    panels = right.subplot_mosaic("zc;af")
    zoom = _best_part(mosaic)
    _show_mosaic(left.subplots(), mosaic, zoom)
    _show_zoom(panels["z"], mosaic, zoom)
    _show_coverage(panels["c"], mosaic, right)
    _show_positions(panels["a"], comparison, right)
    _show_fluxes(panels["f"], comparison)
    path.write_bytes(plots.png(figure, dpi=100))
    return comparison


def _read(i2d: Path, table: Any) -> _Mosaic:
    with datamodels.open(i2d) as model:
        data, wcs = np.array(model.data), model.meta.wcs
        exposures = _count(model.con)
        data[exposures == 0] = np.nan
        i = model.meta.instrument
        scale = float(np.sqrt(model.meta.photometry.pixelarea_arcsecsq))
        members = int(exposures.max())
    names = {"NIRCAM": "NIRCam", "FGS": f"FGS {i.detector or ''}"}
    filters = " ".join(w for w in (i.filter, i.pupil) if w and w not in ("N/A", "CLEAR", "CLEARP"))
    name = f"{names.get(i.name, i.name)} {filters}".strip()
    ny, nx = data.shape
    title = f"{name}: {members} exposures, {nx} × {ny} pixels, {len(table)} sources"
    sources = np.stack([np.asarray(table[column], float) for column in _SHAPE], axis=1)
    return _Mosaic(data, exposures, wcs, scale, title, sources)


def _count(context: np.ndarray) -> np.ndarray:
    """Return how many exposures contribute to each pixel."""
    planes = np.ascontiguousarray(context, np.int32)
    bits = sum(((planes >> k) & 1).sum(axis=0, dtype=np.int16) for k in range(32))
    return np.asarray(bits)


def _best_part(mosaic: _Mosaic) -> Box:
    """Return the square part, an eighth of the mosaic wide, with most sources among those of full depth."""
    side = max(min(mosaic.data.shape) // 8, 80)
    full = mosaic.exposures == mosaic.exposures.max()
    best, found = Box(0, side, 0, side), -1
    x, y = mosaic.sources[:, :2].T
    for y0 in range(0, mosaic.data.shape[0] - side, side // 2):
        for x0 in range(0, mosaic.data.shape[1] - side, side // 2):
            box = Box(y0, y0 + side, x0, x0 + side)
            inside = np.sum((x > x0) & (x < x0 + side) & (y > y0) & (y < y0 + side))
            if inside > found and full[box.slices].mean() > 0.95:
                best, found = box, int(inside)
    return best


def _image(axes: Any, mosaic: _Mosaic, **options: Any) -> None:
    """Show the image stretched about the sky, in units of its noise, so that faint and bright are seen."""
    from matplotlib.colors import AsinhNorm

    good = mosaic.data[np.isfinite(mosaic.data)]
    sky = np.median(good)
    signal = (mosaic.data - sky) / _spread(good - sky)
    norm = AsinhNorm(linear_width=2.0, vmin=-2.5, vmax=400.0)
    axes.imshow(signal, origin="lower", cmap=_colours(), norm=norm, **options)
    axes.set_facecolor("black")
    axes.set(xticks=[], yticks=[])


def _colours() -> Any:
    """Return a scale from black through blue-grey and warm white: like starlight, and even in lightness."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = ["#000004", "#151b33", "#3d4a73", "#8f8f9f", "#e2cfa8", "#fff6e0", "#ffffff"]
    return LinearSegmentedColormap.from_list("starlight", steps)


def _show_mosaic(axes: Any, mosaic: _Mosaic, zoom: Box) -> None:
    from matplotlib.patches import Rectangle

    _image(axes, mosaic, interpolation="antialiased")
    frame = Rectangle((zoom.x0, zoom.y0), zoom.x1 - zoom.x0, zoom.y1 - zoom.y0, fill=False, ec=_MARK, lw=1)
    axes.add_patch(frame)
    axes.set_title(mosaic.title, fontsize=12)
    ny, nx = mosaic.data.shape
    _scale_bar(axes, mosaic)
    _compass(axes, mosaic)
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))


def _scale_bar(axes: Any, mosaic: _Mosaic) -> None:
    ny, nx = mosaic.data.shape
    arcsec = max(s for s in (0.5, 1, 2, 5, 10, 20, 50) if s < 0.2 * nx * mosaic.scale or s == 0.5)
    x0, y0, length = 0.04 * nx, 0.035 * ny, arcsec / mosaic.scale
    axes.plot(
        [x0, x0 + length], [y0, y0], color="white", lw=2, solid_capstyle="butt", path_effects=_outline()
    )
    _label(axes, x0 + length / 2, y0 + 0.03 * ny, f"{arcsec:g}″")


def _outline() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="black")]


def _label(axes: Any, x: float, y: float, text: str) -> None:
    axes.text(x, y, text, color="white", ha="center", va="center", path_effects=_outline())


def _compass(axes: Any, mosaic: _Mosaic) -> None:
    """Draw where north and east are."""
    ny, nx = mosaic.data.shape
    x0, y0, length = 0.9 * nx, 0.085 * ny, 0.055 * ny
    ra, dec = mosaic.wcs(x0, y0)
    step = 1.0 / 3600.0
    for name, to in (("N", (ra, dec + step)), ("E", (ra + step / np.cos(np.radians(dec)), dec))):
        x, y = mosaic.wcs.invert(*to, with_bounding_box=False)
        way = np.array([x - x0, y - y0]) / np.hypot(x - x0, y - y0)
        tip = np.array([x0, y0]) + length * way
        arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", tip, (x0, y0), arrowprops=arrow)
        beyond = tip + 0.024 * ny * way
        _label(axes, beyond[0], beyond[1], name)


def _show_zoom(axes: Any, mosaic: _Mosaic, zoom: Box) -> None:
    from matplotlib.collections import EllipseCollection

    _image(axes, mosaic, interpolation="nearest")
    sources = mosaic.sources[np.isfinite(mosaic.sources).all(axis=1)]
    width, height = np.maximum(_SIGMAS * sources[:, 2:4].T, _LEAST_RADIUS) * 2
    ellipses = EllipseCollection(
        width, height, sources[:, 4], units="x", offsets=sources[:, :2], offset_transform=axes.transData,
        facecolors="none", edgecolors=_MARK, linewidths=1.1,
    )  # fmt: skip
    axes.add_collection(ellipses)
    axes.set(xlim=(zoom.x0 - 0.5, zoom.x1 - 0.5), ylim=(zoom.y0 - 0.5, zoom.y1 - 0.5))
    side = (zoom.x1 - zoom.x0) * mosaic.scale
    axes.set_title(f"catalogue, in a part of {side:.0f}″", fontsize=11)


def _show_coverage(axes: Any, mosaic: _Mosaic, figure: Any) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    most = int(mosaic.exposures.max())
    steps = ["#ffffff", "#dbe9f6", "#9fc5e0", "#4f92c4", "#174a86"]
    colours = ListedColormap([steps[round(4 * k / max(most, 1))] for k in range(most + 1)])
    norm = BoundaryNorm(np.arange(most + 2) - 0.5, most + 1)
    shown = axes.imshow(mosaic.exposures, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    bar = figure.colorbar(shown, ax=axes, ticks=range(most + 1), fraction=0.046, pad=0.03)
    bar.ax.tick_params(length=0)
    axes.set(xticks=[], yticks=[])
    axes.set_title("exposures in each pixel (context)", fontsize=11)


def _show_positions(axes: Any, all_stars: Comparison, figure: Any) -> None:
    c = all_stars.of(~all_stars.saturated & (all_stars.error < _FAINT_ERROR))
    axes.axhline(0, color="0.8", lw=0.8)
    axes.axvline(0, color="0.8", lw=0.8)
    axes.grid(alpha=0.3, lw=0.4)
    shown = axes.scatter(c.east, c.north, c=c.magnitude, s=14, cmap="viridis_r", lw=0)
    figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03, label="true AB magnitude")
    axes.set_title("positions: measured − true", fontsize=11)
    axes.set(xlabel="east (mas)", ylabel="north (mas)", box_aspect=1)
    if not len(c.east):
        return
    reach = max(4.0, 1.25 * np.percentile(np.hypot(c.east, c.north), 98))
    axes.set(xlim=(reach, -reach), ylim=(-reach, reach))
    medians = np.median(c.east), np.median(c.north)
    spread = _spread(np.concatenate([c.east - medians[0], c.north - medians[1]]))
    axes.plot(*medians, "+", color=_TRUTH, ms=11, mew=1.8)
    text = f"{len(c.east)} stars, scatter {spread:.1f} mas per axis"
    text += f"\nmedian {medians[0]:+.1f}, {medians[1]:+.1f} mas"
    axes.text(
        0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=8.5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip


def _spread(values: np.ndarray) -> float:
    """Return a standard deviation that a few outliers do not move."""
    return float(1.4826 * np.median(np.abs(values)))


def _show_fluxes(axes: Any, c: Comparison) -> None:
    known = np.isfinite(c.excess)
    axes.axhline(0, color=_TRUTH, lw=1)
    for chosen, style in (
        (known & ~c.saturated, {"color": "#2b6ca3", "label": "isolated stars, stated errors"}),
        (known & c.saturated, {"color": "0.6", "mfc": "white", "label": "saturated in part"}),
    ):
        if chosen.any():
            axes.errorbar(
                c.magnitude[chosen], c.excess[chosen], c.error[chosen], fmt="o", ms=3, lw=0.7, **style
            )
    axes.set_title("fluxes: measured − true", fontsize=11)
    axes.set(xlabel="true AB magnitude", ylabel="magnitudes", ylim=(-0.32, 0.32), box_aspect=1)
    axes.grid(alpha=0.3, lw=0.4)
    axes.legend(loc="lower left", fontsize=8)
    sure = known & ~c.saturated & (c.error < _FAINT_ERROR)
    if sure.any():
        median = np.median(c.excess[sure])
        axes.text(
            0.03, 0.97, f"median of the brighter {sure.sum()}: {median:+.3f} mag", transform=axes.transAxes,
            va="top", fontsize=8.5,
        )  # fmt: skip
