"""Where exposures are on the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from webbcal.combine.members.footprints import polygons_of
from webbcal.core.errors import InputError
from webbcal.plots.canvas import CYCLE, drawing
from webbcal.plots.inputs import each_opened, name_of
from webbcal.plots.tangent import Tangent

F64 = NDArray[np.float64]

_NAMED = 14  # exposures that a legend can name


@dataclass(frozen=True)
class _Footprint:
    """The outline of an exposure: polygons of RA and Dec, degrees."""

    name: str
    polygons: list[F64]


def plot_footprints(
    exposures: Any, *, names: bool | None = None, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the outlines of exposures on the sky (S_REGION), north up and east to the left.

    Parameters
    ----------
    exposures : association (path, mapping), model, path, or sequence of models and paths
        Calibrated exposures, or mosaics.
    names : bool, optional
        Whether a legend names them; by default if they are 14 at most.
    title : str, optional
    ax : Axes, optional
        Where to draw; by default a new figure with axes of RA and Dec. On the user's, coordinates are
        offsets from the middle in arcsec.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If one has no outline, or there are none.
    """
    found = [_Footprint(name_of(model), polygons_of(model)) for model in each_opened(exposures)]
    if not found:
        raise InputError("there are no exposures to draw; give paths, models or an association")
    tangent = Tangent.around(np.concatenate([p for one in found for p in one.polygons]))
    named = len(found) <= _NAMED if names is None else names
    with drawing(ax, (6.6, 5.6), tangent.wcs if ax is None else None) as axes:
        sign = tangent.prepare(axes, ax is None)
        reach = 0.0
        for k, one in enumerate(found):
            colour = CYCLE[k % len(CYCLE)]
            for n, polygon in enumerate(one.polygons):
                east, north = tangent.offsets(polygon[:, 0], polygon[:, 1])
                reach = max(reach, float(np.abs([east, north]).max()))
                corners = np.array([sign * east, north]).T
                label = one.name if named and n == 0 else None
                axes.add_patch(Polygon(corners, fc=colour, ec="none", alpha=0.10))
                axes.add_patch(Polygon(corners, fill=False, ec=colour, lw=1.3, label=label))
        tangent.frame(axes, 1.08 * reach, ax is None)
        counted = f"{len(found)} exposure{'s' if len(found) > 1 else ''}"
        axes.set_title(counted if title is None else title)
        if named:
            axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.14), fontsize=8, borderaxespad=0.0)
    return axes
