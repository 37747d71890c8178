"""``resample``: images onto one regular grid without distortion, by drizzling."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from webbcal.combine.members.list_step import ListStep, groups_of, is_one
from webbcal.combine.members.opening import check_images, warn_of_mixtures
from webbcal.combine.members.output_wcs import GridSettings, OutputGrid, grid_around, grid_from_file
from webbcal.combine.mosaic.drizzling import Drop, fill_value
from webbcal.combine.mosaic.inputs import InputImage, Weighting
from webbcal.combine.mosaic.product import describe, metadata_of
from webbcal.combine.mosaic.tiles import Wanted, stream_mosaic
from webbcal.core.box import Box
from webbcal.core.errors import ParameterError
from webbcal.run import record
from webbcal.run.engine.sinks import FileSink, MemorySink
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan, check_sizes, step_name
from webbcal.run.run import Run

log = logging.getLogger(__name__)

#: Memory of a tile and of the parts of images that are dropped on it.
TILE_BYTES = 40_000_000

#: Whatever else the flags say, only these two keep a pixel out of the mosaic.
GOOD_BITS = "~DO_NOT_USE+NON_SCIENCE"


@dataclass(frozen=True)
class ResampleParameters(StepParameters):
    """Parameters of `ResampleStep`."""

    pixfrac: float = param(1.0, "Side of the shrunken pixel that is dropped", ge=0.0, le=1.0)
    kernel: Literal["square", "gaussian", "point", "turbo", "lanczos2", "lanczos3"] = param(
        "square", "How a pixel is spread over the output"
    )
    fillval: str = param("NAN", "Value of output pixels without data")
    weight_type: Literal["ivm", "exptime"] | None = param("ivm", "How input pixels are weighted")
    output_shape: list[int] | None = param(None, "Columns and rows of the output", kind="int_list")
    crpix: list[float] | None = param(
        None, "0-based pixel (x, y) of the reference position", kind="float_list"
    )
    crval: list[float] | None = param(None, "RA, Dec of the reference pixel", unit="deg", kind="float_list")
    rotation: float | None = param(None, "Position angle of the output's y axis", unit="deg")
    pixel_scale_ratio: float = param(1.0, "Output to input pixel scale")
    pixel_scale: float | None = param(None, "Output pixel scale; overrides the ratio", unit="arcsec")
    output_wcs: str = param("", "ASDF file with the output WCS; overrides the parameters above")
    single: bool = param(False, "Resample each exposure to its own image, on the common grid")
    blendheaders: bool = param(True, "Blend the metadata of all images")
    in_memory: bool = param(True, "Keep images in memory")
    enable_ctx: bool = param(True, "Tell which images went into each pixel (CON)")
    enable_err: bool = param(True, "Propagate errors (ERR)")
    report_var: bool = param(True, "Give the error components (VAR_…)")
    propagate_dq: bool = param(False, "OR the DQ flags of what went into each pixel")
    pixmap_stepsize: float = param(1.0, "Has no effect: pixel maps are interpolated, to 1e-4 pixel")
    pixmap_order: int = param(1, "Has no effect")


class ResampleStep(ListStep):
    """Drizzle images onto one grid; see the module's text.

    An association, or a list of images, makes one mosaic; an image alone is resampled to look at.
    """

    class_alias = "resample"
    library_bytes = 52_000_000
    Parameters = ResampleParameters

    def work(self, run: Run, *args: Any) -> Any:
        """Resample what is given; return the mosaic (with `single`, the list of images).

        Raises
        ------
        InputError
            If an input is no image, has no WCS, or no footprint.
        ParameterError
            If parameters do not go together.
        """
        models = self.opened(run, args[0])
        if not run.is_part:  # a pipeline has looked at what it combines
            check_images(models, self.name)
            warn_of_mixtures(models)
        start = time.perf_counter()
        alone = is_one(args[0])
        products = self.make(run, models, blend=self.blendheaders and not alone)
        (plan,) = self.decide(models)
        plan.seconds = time.perf_counter() - start
        for product in products:
            record.append(product, [plan], None, join=not run.is_first)
        run.note_done([plan])
        return products if self.single else products[0]

    def foresee(self, models: Sequence[Any]) -> Any:
        """The mosaic has the metadata of the first exposure."""
        return models if self.single else models[0]

    def scratch_bytes(self, sizes: Sizes, p: ResampleParameters) -> int:
        """The mosaic unless it goes to its file, and a tile with what is dropped on it for each thread."""
        planes = 4 + 3 * p.report_var + -(-sizes.exposures // 32) * p.enable_ctx
        kept = 0 if sizes.in_file or self._own_file() else 4 * planes * sizes.output
        return kept + sizes.threads * min(TILE_BYTES, 110 * sizes.output)

    def decide(self, models: Sequence[Any]) -> list[StepPlan]:
        """It applies to all exposures together."""
        return [StepPlan(step_name(self), self, True)]

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the paths of what is made: one mosaic, or with `single` an image of each exposure."""
        groups = groups_of(models).values() if self.single else [[0]]
        return super().output_paths([models[members[0]] for members in groups])

    def make(self, run: Run, models: Sequence[Any], blend: bool) -> list[Any]:
        """Return the mosaic of the images, or (with `single`) one of each exposure."""
        p = self.parameters
        grid = self._grid(models, p)
        self._check_memory(run, models, grid)
        how = Drop(p.kernel, p.pixfrac, grid.pixel_scale_ratio or 1.0)
        errors: Literal["components", "drizzled"] | None = "components" if p.enable_err else None
        wanted = Wanted(
            "drizzled" if p.single else errors,
            p.enable_ctx,
            p.propagate_dq,
            fill_value(p.fillval),
            p.report_var,
        )
        weighting = Weighting.of(p.weight_type, GOOD_BITS)
        log.info(
            "resampling %d image%s to %d × %d pixels of %.5g arcsec",
            len(models), "s" * (len(models) > 1), *grid.shape[::-1], grid.pixel_scale,
        )  # fmt: skip
        groups = list(groups_of(models).values())
        products = []
        for members in groups if p.single else [range(len(models))]:
            chosen = [models[k] for k in members]
            images = [InputImage(model, grid, weighting) for model in chosen]
            product = metadata_of(grid, chosen, blend, errors=wanted.errors is not None)
            describe(product, grid, how, p.weight_type, p.fillval, 1 if p.single else len(groups))
            product.meta.filename = (
                outlier_name(chosen[0]) if p.single else Path(self.make_output_path()).name
            )
            products.append(self._filled(run, product, images, grid, how, wanted))
        return products

    def _check_memory(self, run: Run, models: Sequence[Any], grid: OutputGrid) -> None:
        """Refuse a mosaic that will not fit: only now the size of its grid is known, not estimated."""
        ny, nx = grid.shape
        pixels = max(model.shape[-2] * model.shape[-1] for model in models)
        sizes = {self: Sizes(len(models), pixels, ny * nx, in_file=self._destination(run) is not None)}
        hint = f"the mosaic has {nx} × {ny} pixels; set output_shape or another pixel_scale, or "
        check_sizes(run, sizes, hint)

    def _filled(
        self,
        run: Run,
        product: Any,
        images: Sequence[InputImage],
        grid: OutputGrid,
        how: Drop,
        wanted: Wanted,
    ) -> Any:
        """Make the arrays of a mosaic: straight to its file if it is to be saved, else in memory."""
        frame, threads = Box.of_shape(grid.shape), run.resources.threads
        path = self._destination(run)
        if path is None:
            sink = MemorySink(frame)
            stream_mosaic(images, frame, how, wanted, sink, threads)
            return sink.finish(product)
        file = FileSink(path, product, wanted.arrays(grid.shape, len(images)))
        try:
            stream_mosaic(images, frame, how, wanted, file, threads)
        except BaseException:
            file.abort()
            raise
        return file.lend(product)

    def _destination(self, run: Run) -> str | None:
        """Return where the mosaic will be saved, by this step or its pipeline; None if it will not be."""
        return self._own_file() or (None if self.single else run.destination)

    def _own_file(self) -> str | None:
        """Return where this step saves the mosaic, if it does and it can be written there at once."""
        path = self.make_output_path(basepath=self.output_file)
        return path if self.saves and not self.single and path.endswith(".fits") else None

    def _grid(self, models: Sequence[Any], p: ResampleParameters) -> OutputGrid:
        settings = self.grid_settings()
        if p.output_wcs:
            return grid_from_file(p.output_wcs, settings.output_shape, models[0])
        return grid_around(models, settings)

    def grid_settings(self) -> GridSettings:
        """Return what the parameters say about the output grid.

        Raises
        ------
        ParameterError
            If they make no sense.
        """
        p = self.parameters
        shape = pair_of(p.output_shape, "output_shape", int)
        if shape is not None and min(shape) < 1:
            raise ParameterError(f"resample.output_shape = {p.output_shape}: both must be at least 1")
        if p.pixel_scale_ratio <= 0 or (p.pixel_scale is not None and p.pixel_scale <= 0):
            raise ParameterError("resample.pixel_scale and pixel_scale_ratio must be positive")
        crval = pair_of(p.crval, "crval", float)
        if crval is not None and not (-360 <= crval[0] <= 360 and -90 <= crval[1] <= 90):
            raise ParameterError(
                f"resample.crval = {p.crval}: expected right ascension and declination, degrees"
            )
        return GridSettings(
            crpix=pair_of(p.crpix, "crpix", float),
            crval=crval,
            rotation=p.rotation,
            pixel_scale_ratio=p.pixel_scale_ratio,
            pixel_scale=p.pixel_scale,
            output_shape=shape,
        )


def outlier_name(model: Any, suffix: str = "i2d") -> str:
    """Return the file name of a single exposure on the grid of all."""
    path = PurePath(str(model.meta.filename))
    return f"{path.stem.rpartition('_')[0] or path.stem}_outlier_{suffix}{path.suffix or '.fits'}"


def pair_of(values: Any, name: str, kind: Any, step: str = "resample") -> Any:
    """Return the two numbers of a parameter, or None.

    Raises
    ------
    ParameterError
        If there are not two, or they are no numbers.
    """
    if values is None or all(v in (None, "None") for v in values):
        return None
    try:
        first, second = (kind(v) for v in values)
        if not (math.isfinite(first) and math.isfinite(second)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{step}.{name} = {values}: expected two numbers") from None
    return first, second
