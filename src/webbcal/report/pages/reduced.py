"""Images as they are shown on a page: in grey, stretched about the sky, and not too small."""

from __future__ import annotations

import numpy as np

from webbcal.plots.limits import sky_and_noise

_LEAST_SIDE = 96  # what is thinner is drawn with pixels of several
_NO_DATA = np.array([52, 71, 103], np.uint8)


def limits(image: np.ndarray) -> tuple[float, float, float]:
    """Return (black, the level of the sky, white): faint and bright are both seen between these."""
    good = image[np.isfinite(image)]
    if not good.size:
        return 0.0, 0.0, 1.0
    sky, noise = sky_and_noise(good)
    white = float(np.percentile(good, 99.7))
    black = max(float(good.min()), sky - 2.5 * noise) if noise > 0 else float(good.min())
    if not white > sky:
        white = sky + max(noise, abs(sky) * 1e-3, 1e-12)
    return min(black, sky), sky, max(white, sky + 5 * noise)


def shaded(image: np.ndarray, enlarge: bool = True) -> np.ndarray:
    """Return an image in grey, stretched about the level of the sky; without data it is blue.

    With `enlarge`, pixels of small images become pixels of several.

    Returns
    -------
    (ny, nx, 3) uint8
    """
    black, sky, white = limits(image)
    width = max((white - sky) / 12, 1e-30)
    stretch = lambda value: np.arcsinh((value - sky) / width)  # noqa: E731
    low, high = float(stretch(black)), float(stretch(white))
    good = np.isfinite(image)
    scaled = (stretch(np.where(good, image, sky)) - low) / max(high - low, 1e-30)
    grey = (255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    colours = np.repeat(grey[..., None], 3, axis=-1)
    colours[~good] = _NO_DATA
    return enlarged(colours) if enlarge else colours


def enlarged(colours: np.ndarray) -> np.ndarray:
    """Return an image with pixels of several, if it is small or thin."""
    ny, nx = colours.shape[:2]
    if not (ny and nx):
        return np.zeros((1, 1, 3), np.uint8)
    both = max(1, 360 // max(ny, nx))
    rows = both * max(1, -(-_LEAST_SIDE // (ny * both)))
    columns = both * max(1, -(-_LEAST_SIDE // (nx * both)))
    return np.repeat(np.repeat(colours, rows, axis=0), columns, axis=1)
