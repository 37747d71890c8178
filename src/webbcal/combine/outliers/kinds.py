"""What outlier detection does for images, and for spectra in slits: the grids, the inputs, and the products.

Of spectra the median error takes the place of the exposures' own: a cosmic ray has raised theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import datamodels
from webbcal.combine.members.output_wcs import GridSettings, grid_around
from webbcal.combine.mosaic.drizzling import Drop
from webbcal.combine.mosaic.inputs import InputImage, Weighting
from webbcal.combine.mosaic.product import describe, product_of, set_wcs
from webbcal.combine.mosaic.tiles import Mosaic
from webbcal.combine.outliers.expected import Expected
from webbcal.combine.rectified.grid import SpectralGridSettings, drop_on, spectral_grid
from webbcal.combine.rectified.product import describe_rectified, on_grid, wcs_tree
from webbcal.combine.rectified.spectrum import SpectralImage
from webbcal.core.errors import PlanError
from webbcal.core.modes import mode_of
from webbcal.wcs.of_model import stored_wcs

F32 = NDArray[np.float32]


class ImagingKind:
    """Images on the sky."""

    #: Whether the median error stands for that of the exposures.
    with_errors = False
    #: Suffix of an exposure on the grid.
    suffix = "i2d"

    def grid(self, models: Sequence[Any]) -> Any:
        """Return the grid that holds all exposures."""
        return grid_around(models, GridSettings())

    def image(self, model: Any, grid: Any, weighting: Weighting) -> InputImage:
        """Return an exposure to be dropped on the grid."""
        return InputImage(model, grid, weighting)

    def drop(self, grid: Any, kernel: str, pixfrac: float) -> Drop:
        """Return how its pixels are dropped."""
        return Drop(kernel, pixfrac, grid.pixel_scale_ratio or 1.0)

    def resampled(self, mosaic: Mosaic, grid: Any, models: Sequence[Any], how: Drop, p: Any) -> Any:
        """Return the model of an exposure on the grid."""
        product = product_of(mosaic, grid, models, blend=False)
        describe(product, grid, how, p.weight_type, p.fillval, 1)
        return product

    def described_by(self, first: Any, resampled: Any) -> Any:
        """Return whose metadata the median has: those of the first exposure, as it was or on the grid."""
        return first

    def place(self, product: Any, grid: Any) -> None:
        """Give a product the WCS of the grid."""
        set_wcs(product, grid)

    def median(self, median: Expected, first: Any, grid: Any | None, resampled: Any = None) -> Any:
        """Return the model of the median; without a grid, the exposures were not resampled.

        `resampled` is the first of them on the grid.
        """
        product = _image(datamodels.ImageModel, median, self.described_by(first, resampled))
        if grid is None:
            product.meta.wcs = stored_wcs(first)
        else:
            self.place(product, grid)
        return product

    def blotted(self, expected: Expected, model: Any) -> Any:
        """Return the model of what the pixels of an exposure should be."""
        product = _image(type(model), expected, model)
        product.meta.wcs = stored_wcs(model)
        return product


class SpectralKind(ImagingKind):
    """Spectra in slits."""

    with_errors = True
    suffix = "s2d"

    def grid(self, models: Sequence[Any]) -> Any:
        """Return the grid that holds all exposures."""
        return spectral_grid(models, SpectralGridSettings())

    def image(self, model: Any, grid: Any, weighting: Weighting) -> InputImage:
        """Return an exposure to be dropped on the grid."""
        return SpectralImage(model, grid, weighting)

    def drop(self, grid: Any, kernel: str, pixfrac: float) -> Drop:
        """Return how its pixels are dropped."""
        return drop_on(grid, kernel, pixfrac)

    def resampled(self, mosaic: Mosaic, grid: Any, models: Sequence[Any], how: Drop, p: Any) -> Any:
        """Return the model of an exposure on the grid."""
        product = on_grid(mosaic, grid, models, blend=False)
        describe_rectified(product, grid, how, p.weight_type, p.fillval, 1)
        return product

    def described_by(self, first: Any, resampled: Any) -> Any:
        """Return whose metadata the median has."""
        return resampled or first

    def place(self, product: Any, grid: Any) -> None:
        """Give a product the WCS of the grid; the position of a source is that on the detector."""
        product.meta.wcs = wcs_tree(grid)


def _image(kind: Callable[[], Any], image: Expected, source: Any) -> Any:
    product = kind()
    product.data = image.data
    if image.error is not None:
        product.err = image.error
    product.update(source)
    if image.error is None and product.meta.hasattr("bunit_err"):
        del product.meta.bunit_err  # or there would be an ERR extension with nothing but this keyword
    return product


def kind_of(models: Sequence[Any]) -> ImagingKind:
    """Return how exposures are compared.

    Raises
    ------
    PlanError
        If that is not available for their exposure type.
    """
    kinds = {_kind_for(model) for model in models}
    return SpectralKind() if kinds == {SpectralKind} else ImagingKind()


def _kind_for(model: Any) -> type[ImagingKind]:
    exp_type = str(model.meta.exposure.type).upper()
    mode = mode_of(exp_type)
    if mode.has("mosaic"):
        return ImagingKind
    if mode.optics == "slit" and not mode.has("tso") and not exp_type.startswith("NRS"):
        return SpectralKind
    raise PlanError(
        f"{model.meta.filename}: outlier detection of {exp_type} exposures is not available in "
        "this version of webbcal; run with outlier_detection.skip=true to go on without"
    )
