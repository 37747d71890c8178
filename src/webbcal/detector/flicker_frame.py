"""Cleaning one image of 1/f noise: background off, noise measured and off, background on again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.detector.background_mesh import smooth_background
from webbcal.kernels.flicker import fourier

flicker = kernels.get("flicker")

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Frequencies (Hz) between which subarrays are left as they are; ALLSLITS has signal at lower ones.
_BAND, _BAND_ALLSLITS = (1061.0, 1211.0, 49943.0, 49957.0), (150.0, 200.0, 49943.0, 49957.0)
#: Size of a full frame, which has outputs of its own and is fitted line by line.
_FULL = 2048
#: Clipping threshold before background models, in standard deviations.
_SIGMA = 3.0


class Cleaned(NamedTuple):
    """An image without its noise, and the background that was found in it: an image, or one value."""

    image: NDArray[np.floating]
    background: Any


@dataclass(frozen=True)
class FrameCleaner:
    """How images of an exposure are cleaned.

    Attributes
    ----------
    fit_method : {"median", "fft"}
    background_method : {"median", "model"} or None
    box_size : sequence of int, optional
        Of the mesh of a background model.
    n_sigma : float
        Threshold for pixels that stand out from the background; 0: none are looked for.
    axis : {0, 1}
        The axis along which medians are taken.
    channels : int
        Parts of that axis with offsets of their own.
    detector, subarray : str
    flat : ndarray, optional
        Response of the pixels, float32; images are divided by it before anything is measured.
    """

    fit_method: str
    background_method: str | None
    box_size: Sequence[int] | None
    n_sigma: float
    axis: int
    channels: int
    detector: str
    subarray: str
    flat: F32 | None = None

    def clean(self, image: NDArray[np.floating], mask: Mask) -> Cleaned | None:
        """Return a cleaned image, or None if its background does not suffice to measure the noise on.

        Parameters
        ----------
        image : ndarray
            (rows, columns); NaN where there is nothing.
        mask : ndarray
            True for background; it is changed.
        """
        image = np.array(image, np.float32)
        if self.flat is not None:
            image /= self.flat
        missing = np.isnan(image)
        image[missing] = 0.0
        mask &= ~missing
        if not mask.any():
            return None
        background = self._subtract_background(image, mask)
        cleaned = self._subtract_noise(image, mask)
        if cleaned is None:
            return None
        cleaned += background
        if self.flat is not None:
            cleaned *= self.flat
        cleaned[missing] = np.nan
        return Cleaned(cleaned, background)

    def _subtract_background(self, image: F32, mask: Mask) -> Any:
        if self.background_method is None:
            return np.float32(0.0)
        if self.background_method == "median":
            return flicker.subtract_level(image, mask, self.n_sigma)
        background = modelled_background(image, mask, self.box_size)
        image -= background
        if self.n_sigma > 0:
            flicker.clip_to_background(image, mask, self.n_sigma, self.n_sigma)
        return background

    def _subtract_noise(self, image: F32, mask: Mask) -> NDArray[np.floating] | None:
        if self.fit_method == "median":
            flicker.subtract_stripes(image, mask, self.axis, self.channels)
            return image
        upright = slice(None) if self.detector == "NRS1" else slice(None, None, -1)
        lines, usable = np.ascontiguousarray(image.T[upright]), np.ascontiguousarray(mask.T[upright])
        try:
            noise = self._frequencies(lines, usable)
        except np.linalg.LinAlgError:  # amplitudes of frequencies that the background cannot tell apart
            return None
        return None if noise is None else (lines - noise)[upright].T

    def _frequencies(self, lines: F32, usable: Mask) -> NDArray[np.floating] | None:
        if lines.shape == (_FULL, _FULL):
            return fourier.full_frame_noise(lines, usable)
        band = _BAND_ALLSLITS if self.subarray == "ALLSLITS" else _BAND
        return fourier.subarray_noise(lines, usable, band)


def modelled_background(image: F32, mask: Mask, box_size: Sequence[int] | None) -> Any:
    """Return a smooth background: an image, or its median where a mesh cannot be made.

    Pixels that stand out are taken out of the mask.

    Parameters
    ----------
    image : ndarray
        float32, (rows, columns).
    mask : ndarray
        bool; changed in place.
    box_size : sequence of int, optional
        Rows and columns of the mesh's boxes; by default the largest up to 32 that divide the image.
    """
    flicker.clip_to_background(image, mask, _SIGMA, _SIGMA)
    box = tuple(box_size or (_divisor(size) for size in image.shape))
    try:
        return smooth_background(image, mask, box)
    except ValueError as error:
        log.warning("no background model fits (%s): its median is used", error)
        return np.float32(np.nanmedian(image[mask]))


def warn_of_boxes(box_size: Sequence[int] | None, shape: tuple[int, ...]) -> None:
    """Tell of boxes of a mesh that do not divide an image: those at its edges are smaller."""
    if box_size and any(size % part for size, part in zip(shape, box_size, strict=True)):
        log.warning(
            "background boxes of %s do not divide an image of %s pixels evenly", tuple(box_size), shape
        )


def filled_flat(flat: F32) -> F32:
    """Return a flat without holes: where it is zero or not a number, its smooth model."""
    return filled(flat, (flat == 0) | ~np.isfinite(flat))


def filled(image: F32, bad: Mask | None = None) -> F32:
    """Return an image in which bad pixels (by default, what is not a number) have its smooth model."""
    bad = ~np.isfinite(image) if bad is None else bad
    if bad.any():
        smooth = modelled_background(np.where(np.isfinite(image), image, np.float32(0)), ~bad, None)
        image = np.where(bad, smooth, image).astype(np.float32)
    return image


def _divisor(size: int) -> int:
    """Return the largest number up to 32 that divides a size."""
    return max(n for n in range(1, 33) if size % n == 0)
