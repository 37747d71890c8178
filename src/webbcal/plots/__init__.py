"""Plots of products: images, ramps, jumps, flags, spectra, footprints, alignment.

Each function takes a model or a path and returns the axes it drew on. Without `ax` it makes a figure of its
own, as pyplot does; the backend, the settings of matplotlib and the model stay as they were, and a file that
was opened is closed. `png` turns a figure into the bytes of a picture.

matplotlib is loaded when one of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from webbcal.core.errors import WebbcalError

if TYPE_CHECKING:
    from webbcal.plots.canvas import png as png
    from webbcal.plots.dispersed import show_spectrum as show_spectrum
    from webbcal.plots.flags import show_dq as show_dq
    from webbcal.plots.footprints import plot_footprints as plot_footprints
    from webbcal.plots.images import show_image as show_image
    from webbcal.plots.images import side_by_side as side_by_side
    from webbcal.plots.jumps import plot_jump as plot_jump
    from webbcal.plots.jumps import plot_jumps as plot_jumps
    from webbcal.plots.linearity import plot_linearity as plot_linearity
    from webbcal.plots.ramps import plot_ramp as plot_ramp
    from webbcal.plots.ramps import plot_ramps as plot_ramps
    from webbcal.plots.residuals import plot_residuals as plot_residuals
    from webbcal.plots.slits import show_slits as show_slits
    from webbcal.plots.spectra import plot_spectrum as plot_spectrum

#: What is drawn -> the file that draws it.
_FILES = {
    "png": "canvas",
    "show_image": "images",
    "side_by_side": "images",
    "plot_ramp": "ramps",
    "plot_ramps": "ramps",
    "plot_jump": "jumps",
    "plot_jumps": "jumps",
    "plot_linearity": "linearity",
    "show_dq": "flags",
    "plot_spectrum": "spectra",
    "show_spectrum": "dispersed",
    "show_slits": "slits",
    "plot_footprints": "footprints",
    "plot_residuals": "residuals",
}

__all__ = sorted(_FILES)


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module 'webbcal.plots' has no attribute '{name}'")
    try:
        found = getattr(import_module(f"webbcal.plots.{_FILES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise WebbcalError(
            "plots need matplotlib, which is not installed: python -m pip install 'webbcal[plots]'"
        ) from error
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
