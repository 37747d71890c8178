"""The WCS of a rectified spectrum as a tree: along one axis the slit, along the other the wavelength.

Both coordinates on the tangent plane grow linearly along the slit; wavelengths stand in a table. Transforms,
frames and their order are those that `jwst` 3.0.0 writes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees

F64 = NDArray[np.float64]

_TRANSFORM = "tag:stsci.edu:asdf/transform/"


@dataclass(frozen=True, slots=True)
class Line:
    """A coordinate that grows linearly with a pixel: value = slope · pixel + intercept."""

    slope: float
    intercept: float

    @property
    def tree(self) -> Tagged:
        """The transform."""
        value = {"slope": float(self.slope), "intercept": float(self.intercept)}
        return Tagged(f"{_TRANSFORM}linear1d-1.2.0", value | {"inputs": ["x"], "outputs": ["y"]})


def rectified_wcs(
    x: Line, y: Line, centre: tuple[float, float], wavelengths: F64, shape: tuple[int, int], dispersion: int
) -> Tagged:
    """Return the tree of the WCS from pixels to RA, Dec (degrees) and wavelength (µm).

    Parameters
    ----------
    x, y : Line
        Coordinates on the tangent plane (degrees; x to the east) along the slit.
    centre : tuple of float
        RA and Dec where the plane touches.
    wavelengths : (n,) float64
        In the order of the pixels, up or down.
    shape : tuple of int
        Rows and columns.
    dispersion : int
        Pixel coordinate along the dispersion: 0 for x, 1 for y.
    """
    slit = dispersion ^ 1
    on_sky = trees.chain(trees.both(x.tree, y.tree), trees.chain(_gnomonic(), _native_to_celestial(centre)))
    transform = trees.chain(
        _choose(slit, dispersion, steeper=2 if abs(x.slope) < abs(y.slope) else 1),
        trees.both(on_sky, _table(wavelengths)),
    )
    ny, nx = shape
    bounded = trees.bounded(transform, ((-0.5, nx - 0.5), (-0.5, ny - 0.5)))
    world = trees.composite("world", trees.sky("sky"), trees.spectrum("spectral", "wavelength"))
    steps = [(trees.frame("detector", ("x", "y"), "pixel"), bounded), (world, None)]
    return trees.wcs(steps, pixel_shape=(nx, ny))


def _choose(slit: int, dispersion: int, steeper: int) -> Tagged:
    """Give the place along the slit to both coordinates on the plane; back, the steeper one tells it.

    `steeper` is 1 or 2: which of the two.
    """
    forward = trees.remap((slit, slit, dispersion), 2)
    back = (steeper - 1, 2) if slit == 0 else (2, steeper - 1)
    assert isinstance(forward.value, dict)
    named = forward.value | {"inputs": ["x0", "x1"], "outputs": ["x0", "x1", "x2"]}
    return trees.with_inverse(Tagged(forward.tag, named), trees.remap(back, 3))


def _gnomonic() -> Tagged:
    value = {"direction": "pix2sky", "inputs": ["x", "y"], "outputs": ["phi", "theta"]}
    return Tagged(f"{_TRANSFORM}gnomonic-1.4.0", value)


def _native_to_celestial(centre: tuple[float, float]) -> Tagged:
    value = {
        "direction": "native2celestial", "phi": float(centre[0]), "theta": float(centre[1]), "psi": 180.0,
        "inputs": ["phi_N", "theta_N"], "outputs": ["alpha_C", "delta_C"],
    }  # fmt: skip
    return Tagged(f"{_TRANSFORM}rotate3d-1.5.0", value)


def _table(wavelengths: F64) -> Tagged:
    """Return pixels -> wavelengths, beyond the table by its first or last step; with its inverse."""
    pixels = np.arange(len(wavelengths), dtype=float)
    order = slice(None) if wavelengths[0] < wavelengths[-1] else slice(None, None, -1)
    back = _tabular(wavelengths[order].copy(), pixels[order].copy(), "wavelength2pix")
    return trees.with_inverse(_tabular(pixels, wavelengths, "pix2wavelength"), back)


def _tabular(points: F64, values: F64, name: str) -> Tagged:
    value = {
        "bounds_error": False, "method": "linear", "name": name, "points": [points], "lookup_table": values,
        "inputs": ["x"], "outputs": ["y"],
    }  # fmt: skip
    return Tagged(f"{_TRANSFORM}tabular-1.4.0", value)
