"""``resample_spec``: spectra onto one grid of places along the slit and wavelengths, by drizzling."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from webbcal.associations.sources import is_model
from webbcal.combine.members.list_step import ListStep, groups_of, is_one
from webbcal.combine.members.opening import check_images, warn_of_mixtures
from webbcal.combine.mosaic.drizzling import fill_value
from webbcal.combine.mosaic.inputs import Weighting
from webbcal.combine.mosaic.resample import GOOD_BITS, outlier_name, pair_of
from webbcal.combine.mosaic.tiles import Wanted, make_mosaic
from webbcal.combine.rectified.grid import SpectralGrid, SpectralGridSettings, drop_on, spectral_grid
from webbcal.combine.rectified.product import describe_rectified, rectified
from webbcal.combine.rectified.spectrum import SpectralImage
from webbcal.core.box import Box
from webbcal.core.errors import ParameterError, PlanError
from webbcal.run import record
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan, check_sizes, step_name
from webbcal.run.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResampleSpecParameters(StepParameters):
    """Parameters of `ResampleSpecStep`."""

    pixfrac: float = param(1.0, "Side of the shrunken pixel that is dropped", ge=0.0, le=1.0)
    kernel: Literal["square", "point"] = param("square", "How a pixel is spread over the output")
    fillval: str = param("NAN", "Value of output pixels without data")
    weight_type: Literal["ivm", "exptime"] | None = param("ivm", "How input pixels are weighted")
    output_shape: list[int] | None = param(
        None, "Columns and rows of the output (only with output_wcs)", kind="int_list"
    )
    pixel_scale_ratio: float = param(1.0, "Input to output pixel scale along the slit")
    pixel_scale: float | None = param(
        None, "Output pixel scale along the slit; overrides the ratio", unit="arcsec"
    )
    output_wcs: str = param("", "ASDF file with the output WCS; overrides the parameters above")
    single: bool = param(False, "Resample each exposure to its own spectrum, on the common grid")
    blendheaders: bool = param(True, "Blend the metadata of all exposures")
    in_memory: bool = param(True, "Has no effect: rectified spectra are small")
    propagate_dq: bool = param(False, "OR the DQ flags of what went into each pixel")


class ResampleSpecStep(ListStep):
    """Rectify spectra; see the module's text.

    An association, or a list of exposures of one slit, makes one spectrum; so does an exposure alone.
    """

    class_alias = "resample_spec"
    only_reads = True
    cal_step = "resample"
    library_bytes = 52_000_000
    Parameters = ResampleSpecParameters

    def reason_to_skip(self, models: Sequence[Any], p: ResampleSpecParameters) -> str | None:
        """Skip integrations, and refuse what is not available yet.

        Raises
        ------
        PlanError
            For products of many slits.
        """
        for model in models:
            if type(model).__name__ == "MultiSlitModel":
                raise PlanError(
                    f"{model.meta.filename}: rectification of products of many slits is not available in "
                    "this version of webbcal; run with resample_spec.skip=true to go on without"
                )
            if len(model.shape or ()) != 2:
                return f"it takes two-dimensional spectra, and {model.meta.filename} has shape {model.shape}"
        return None

    def work(self, run: Run, *args: Any) -> Any:
        """Rectify what is given; return the spectrum (with `single`, the list of spectra of several).

        Raises
        ------
        InputError
            If an input is no spectrum, or has no WCS.
        ParameterError
            If parameters do not go together.
        """
        models = self.opened_to_read(run, args[0])
        (plan,) = self.decide(models)
        if not run.is_part:
            warn_of_mixtures(models)
            check_images(models, self.name)
        start = time.perf_counter()
        alone = is_one(args[0])
        if plan.applied:
            products = self.make(run, models, self.blendheaders and not alone)
        else:
            log.warning("step %s skipped: %s", plan.name, plan.reason)
            products = models if run.is_part else [model.copy() for model in models]
        plan.seconds = time.perf_counter() - start
        for product in products:
            record.append(product, [plan], None, join=not run.is_first)
        run.note_done([plan])
        return products if len(products) > 1 else products[0]

    def foresee(self, models: Sequence[Any]) -> Any:
        """The spectrum has the metadata of the first exposure."""
        return models if self.single or is_model(models) else models[0]

    def scratch_bytes(self, sizes: Sizes, p: ResampleSpecParameters) -> int:
        """The spectrum, and a tile with what is dropped on it."""
        return 150 * sizes.output

    def decide(self, models: Sequence[Any]) -> list[StepPlan]:
        """It applies to all exposures together, or to none."""
        plan = StepPlan(step_name(self), self, True)
        if reason := self.reason_to_skip(models, self.parameters):
            plan.skip(reason)
        return [plan]

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the paths of what is made: one spectrum, or with `single` one of each exposure."""
        groups = groups_of(models).values() if self.single else [[0]]
        return super().output_paths([models[members[0]] for members in groups])

    def make(self, run: Run, models: Sequence[Any], blend: bool) -> list[Any]:
        """Return the rectified spectrum of some exposures, or (with `single`) that of each exposure."""
        p = self.parameters
        grid = spectral_grid(models, self.grid_settings())
        self._check_size(run, models, grid)
        log.info(
            "rectifying %d exposure%s to %d × %d pixels, %.5g arcsec along the slit",
            len(models), "s" * (len(models) > 1), *grid.shape[::-1], grid.pixel_scale,
        )  # fmt: skip
        wanted = Wanted("drizzled" if p.single else "components", True, p.propagate_dq, fill_value(p.fillval))
        groups = list(groups_of(models).values())
        products = []
        for members in groups if p.single else [list(range(len(models)))]:
            chosen = [models[k] for k in members]
            product = rectify(chosen, grid, p, wanted, GOOD_BITS, blend, run.resources.threads)
            product.meta.resample.pointings = 1 if p.single else len(groups)
            product.meta.filename = (
                outlier_name(chosen[0], "s2d") if p.single else Path(self.make_output_path()).name
            )
            products.append(product)
        return products

    def _check_size(self, run: Run, models: Sequence[Any], grid: SpectralGrid) -> None:
        """Refuse a spectrum that has no width, or will not fit: only now the size of its grid is known."""
        ny, nx = grid.shape
        what = f"the rectified spectrum would have {nx} × {ny} pixels"
        if min(ny, nx) < 2:
            raise ParameterError(f"resample_spec: {what}; set another pixel_scale or pixel_scale_ratio")
        pixels = max(model.shape[-2] * model.shape[-1] for model in models)
        sizes = {self: Sizes(len(models), pixels, ny * nx)}
        check_sizes(run, sizes, f"{what}; set another pixel_scale, or ")

    def grid_settings(self) -> SpectralGridSettings:
        """Return what the parameters say about the grid.

        Raises
        ------
        ParameterError
            If they make no sense.
        """
        p = self.parameters
        shape = pair_of(p.output_shape, "output_shape", int, "resample_spec")
        if shape is not None and min(shape) < 1:
            raise ParameterError(f"resample_spec.output_shape = {p.output_shape}: both must be at least 1")
        if shape is not None and not p.output_wcs:
            log.warning("resample_spec.output_shape has no effect without output_wcs")
        if p.pixel_scale_ratio <= 0 or (p.pixel_scale is not None and p.pixel_scale <= 0):
            raise ParameterError("resample_spec.pixel_scale and pixel_scale_ratio must be positive")
        return SpectralGridSettings(p.pixel_scale_ratio, p.pixel_scale, p.output_wcs, shape)


def rectify(
    models: Sequence[Any],
    grid: SpectralGrid,
    p: Any,
    wanted: Wanted,
    good_bits: str,
    blend: bool,
    threads: int,
) -> Any:
    """Return the rectified spectrum of some exposures.

    Parameters
    ----------
    models : sequence of DataModel
    grid : SpectralGrid
    p : Parameters
        With ``kernel``, ``pixfrac``, ``weight_type`` and ``fillval``.
    wanted : Wanted
    good_bits : str
        DQ flags that do not keep a pixel from being used.
    blend : bool
        Whether to blend metadata.
    threads : int
    """
    how, weighting = drop_on(grid, p.kernel, p.pixfrac), Weighting.of(p.weight_type, good_bits)
    images = [SpectralImage(model, grid, weighting) for model in models]
    mosaic = make_mosaic(images, Box.of_shape(grid.shape), how, wanted, threads)
    product = rectified(mosaic, grid, models, blend)
    describe_rectified(product, grid, how, p.weight_type, p.fillval, 1)
    return product
