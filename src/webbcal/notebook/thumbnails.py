"""Small pictures of arrays, of a few rows that are read for them, whatever the size of the array."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.html import Markup, element
from webbcal.plots.limits import limits, sky_and_noise

_SIDE = 96  # pixels
_WHOLE = 1 << 20  # values of a plane that is read at once; of a larger one, some rows are
_WIDTH, _HEIGHT = 220, 64  # of the line of a spectrum
_POINTS = 400


def thumbnail(source: Any, flags: bool = False) -> bytes | None:
    """Return a small picture (PNG, shades of grey) of a plane of an array; None of what is no image.

    Of an array of planes it is the first; of ramps the last group of the first integration.

    Parameters
    ----------
    source : ArraySource
    flags : bool
        Whether the values are flags: dark where any is set.
    """
    shape = source.shape
    if (
        len(shape) < 2
        or 0 in shape
        or np.dtype(source.dtype).names
        or np.dtype(source.dtype).kind not in "iuf"
    ):
        return None
    index: tuple[int, ...] = (0,) * (len(shape) - 2)
    if len(shape) == 4:
        index = (0, shape[1] - 1)
    values = _sampled(source, index)
    shades = np.where(values != 0, 40, 240).astype(np.uint8) if flags else _shades(values.astype(float))
    return _png(shades[::-1])


def _sampled(source: Any, index: tuple[int, ...]) -> NDArray[Any]:
    """Return every so many pixels of a plane."""
    ny, nx = source.shape[-2:]
    step = max(1, -(-max(ny, nx) // _SIDE))
    start = min(step // 2, min(ny, nx) - 1)
    if ny * nx <= _WHOLE:
        plane: NDArray[Any] = source.read(*index)[start::step, start::step]
        return plane
    rows = [source.read(*index, slice(y, y + 1))[0, start::step] for y in range(start, ny, step)]
    return np.stack(rows)


def _shades(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch values as `show_image` does; what is not finite is light grey."""
    low, high = limits(values)
    sky, noise = sky_and_noise(values)
    width = 3 * noise if noise > 0 else (high - low) / 10
    clipped = np.clip(values, low, high)
    stretched = np.arcsinh((clipped - sky) / width)
    bottom, top = np.arcsinh((low - sky) / width), np.arcsinh((high - sky) / width)
    shades = 255 * (stretched - bottom) / (top - bottom)
    return np.where(np.isfinite(shades), shades, 200).astype(np.uint8)


def _png(shades: NDArray[np.uint8]) -> bytes:
    """Return an image of bytes as PNG (W3C, second edition), without a library for it."""
    rows, columns = shades.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = shades
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def spectrum_line(wavelength: NDArray[Any], values: NDArray[Any]) -> Markup | None:
    """Return a small line of a spectrum as SVG; None if there is nothing to draw."""
    known = np.flatnonzero(np.isfinite(wavelength) & np.isfinite(values))
    known = known[:: max(1, len(known) // _POINTS)]
    if len(known) < 2:
        return None
    x, y = wavelength[known], values[known]
    low, high = np.percentile(y, (1, 99))
    across = (x - x.min()) / (np.ptp(x) or 1) * (_WIDTH - 4) + 2
    up = (np.clip(y, low, high) - low) / ((high - low) or 1) * (_HEIGHT - 8) + 4
    points = " ".join(f"{a:.1f},{_HEIGHT - b:.1f}" for a, b in zip(across, up, strict=True))
    line = element("polyline", fill="none", stroke="currentColor", stroke_width=1, points=points)
    return element("svg", line, width=_WIDTH, height=_HEIGHT, role="img")
