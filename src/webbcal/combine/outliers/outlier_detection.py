"""``outlier_detection``: flag what other exposures of the same sky do not show, cosmic rays above all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webbcal.combine.members.list_step import ListStep, Outcome, groups_of
from webbcal.combine.members.output_wcs import OutputGrid
from webbcal.combine.mosaic.drizzling import fill_value
from webbcal.combine.mosaic.inputs import InputImage, WeightedImage, Weighting
from webbcal.combine.mosaic.tiles import Mosaic, Wanted, make_mosaic
from webbcal.combine.outliers.expected import Expected, as_they_are, median_of
from webbcal.combine.outliers.flagging import background_of, blot, flag
from webbcal.combine.outliers.kinds import ImagingKind, kind_of
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ParameterError
from webbcal.core.modes import mode_of
from webbcal.kernels.outliers.settings import Thresholds
from webbcal.run.aside import put_aside
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes
from webbcal.run.run import Run, current

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutlierDetectionParameters(StepParameters):
    """Parameters of `OutlierDetectionStep`."""

    weight_type: Literal["ivm", "exptime"] = param("ivm", "How input pixels are weighted")
    pixfrac: float = param(1.0, "Side of the shrunken pixel that is dropped", ge=0.0, le=1.0)
    kernel: Literal["square", "point", "turbo"] = param("square", "How a pixel is spread over the output")
    fillval: str = param("NAN", "Value of resampled pixels without data")
    maskpt: float = param(0.7, "Share of the typical weight below which resampled pixels do not count")
    snr: str = param("5.0 4.0", "Deviation of an outlier, and of its neighbours", unit="sigma")
    scale: str = param("1.2 0.7", "Share of the slope of the median that is allowed for, for the same two")
    backg: float = param(0.0, "Background of the images above that of the median", unit="data units")
    kernel_size: str = param("7 7", "Size of the median filter (integral field units only)")
    threshold_percent: float = param(99.8, "Percentile that outliers exceed (integral field units only)")
    rolling_window_width: int = param(25, "Integrations of the rolling median (time series only)")
    ifu_second_check: bool = param(False, "Check a second time (integral field units only)")
    save_intermediate_results: bool = param(False, "Save resampled, median and blotted images")
    resample_data: bool = param(True, "Resample before taking the median; if not, images must be aligned")
    good_bits: str = param("~DO_NOT_USE", "DQ flags that do not keep a pixel from being used")
    search_output_file: bool = param(False, "Use the output file name of the enclosing pipeline")
    in_memory: bool = param(True, "Return images in memory; if not, as files that are read when touched")
    pixmap_stepsize: float = param(1.0, "Has no effect: pixel maps are interpolated, to 1e-4 pixel")
    pixmap_order: int = param(1, "Has no effect")


class OutlierDetectionStep(ListStep):
    """Flag outliers in images and in spectra of slits; see the module's text.

    Exposures are resampled to a common grid and their median is taken, which no cosmic ray survives. It is
    interpolated back to the pixels of each image, and what deviates is flagged OUTLIER and DO_NOT_USE. No
    more than one resampled exposure, the median, and an image for each thread are in memory at a time; images
    that are saved are handed back as models that read their files when touched.
    """

    class_alias = "outlier_detection"
    library_bytes = 52_000_000
    saves_itself = True
    Parameters = OutlierDetectionParameters
    _asn_id: str | None = None

    def reason_to_skip(self, models: Sequence[Any], p: OutlierDetectionParameters) -> str | None:
        """Skip a single exposure, and refuse what is not available yet.

        Raises
        ------
        PlanError
            For exposure types that are neither images nor spectra in slits.
        """
        known = [model for model in models if self.why_unusable(model, p) is None]
        if len(known) < 2:
            return "outliers are found by comparing exposures, and there is only one"
        kind_of(known)
        return None

    def why_unusable(self, model: Any, p: OutlierDetectionParameters) -> str | None:
        """Leave out what does not say what it is."""
        exp_type = model.meta.exposure.type
        return None if mode_of(exp_type).is_known else f"its exposure type is not known (EXP_TYPE {exp_type})"

    def scratch_bytes(self, sizes: Sizes, p: OutlierDetectionParameters) -> int:
        """The median and an exposure on its grid; an image for each thread, and those that are kept."""
        kept = 0 if self.saves or not p.in_memory else sizes.exposures
        return 12 * sizes.output + (58 * sizes.threads + 24 * kept) * sizes.pixels

    def put_down(self, run: Run, model: Any, index: int | None) -> Any:
        """Save a finished image, or put it aside, and return it (read from its file when touched)."""
        if self.streams:
            path = self._path_of(model, self.suffix or self.default_suffix(), index)
            model.save(path)
            run.note_saved(path)
            model.reopen(path)  # the pipeline has the model too, and must not keep the arrays in memory
        elif not self.in_memory:
            put_aside(model, self.output_folder)
        return model

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the paths of the flagged exposures."""
        if not self.saves:
            return []
        suffix, several = self.suffix or self.default_suffix(), len(models) > 1
        return [self._path_of(m, suffix, k if several else None) for k, m in enumerate(models)]

    def save_result(self, run: Run) -> None:
        """Save what hooks have changed, under the names that it has without them."""
        models = run.result if isinstance(run.result, (list, tuple)) else [run.result]
        for model, path in zip(models, self.output_paths(models), strict=True):
            model.save(path)
            run.note_saved(path)

    def _path_of(self, model: Any, suffix: str, index: int | None = None) -> str:
        base = self.output_file or str(model.meta.filename).replace("_outlier_", "_")
        number = index if self.output_file else None
        run = current()
        asn_id = (run and run.asn_id) or self.search_attr("asn_id")
        return self.make_output_path(basepath=base, suffix=suffix, idx=number, asn_id=asn_id)

    # ---------------------------------------------------------------- the comparison
    def prepare(self, models: list[Any], p: OutlierDetectionParameters, run: Run) -> Callable[[int], Outcome]:
        """Take the median of all images; return the function that flags the image of a number.

        Raises
        ------
        InputError
            If an input is no image, or has no WCS or footprint.
        """
        snr, scale = _two(p.snr, "snr"), _two(p.scale, "scale")
        weighting, threads = Weighting.of(p.weight_type, p.good_bits), run.resources.threads
        self.check_output_folder()  # the stack of images lies there while the median is taken
        kind, images = kind_of(models), []
        if p.resample_data:
            grid = kind.grid(models)
            images = [kind.image(model, grid, weighting) for model in models]
            median = self._resampled_median(kind, models, images, grid, p, threads)
        else:
            median = self._aligned_median(kind, models, weighting, p, threads)

        def compare(k: int) -> Outcome:
            model = models[k]
            expected = median.mapped(lambda image: blot(image, images[k])) if p.resample_data else median
            if p.save_intermediate_results and p.resample_data:
                self._save_image(kind.blotted(expected, model), model, "blot")
            thresholds = Thresholds(snr, scale, background_of(model, p.backg))
            number = flag(model, expected, thresholds, aligned=not p.resample_data)
            log.info("%s: %d pixels are outliers", model.meta.filename, number)
            return Outcome(results={"outliers": number})

        return compare

    def _resampled_median(
        self,
        kind: ImagingKind,
        models: Sequence[Any],
        images: Sequence[InputImage],
        grid: OutputGrid,
        p: OutlierDetectionParameters,
        threads: int,
    ) -> Expected:
        how = kind.drop(grid, p.kernel, p.pixfrac)
        wanted = Wanted("drizzled" if kind.with_errors else None, context=False, fill=fill_value(p.fillval))
        whole = Box.of_shape(grid.shape)
        first: list[Any] = []

        def resampled() -> Iterator[tuple[Box, Mosaic]]:
            for members in groups_of(models).values():
                chosen = [images[k] for k in members]
                box = whole if p.save_intermediate_results else _around(chosen, grid)
                mosaic = make_mosaic(chosen, box, how, wanted, threads)
                if p.save_intermediate_results:
                    product = kind.resampled(mosaic, grid, [models[k] for k in members], how, p)
                    self._save_image(product, models[members[0]], f"outlier_{kind.suffix}")
                    first[:] = first or [product]
                yield box, mosaic

        median = median_of(resampled(), grid.shape, p.maskpt, self.output_folder, threads)
        if p.save_intermediate_results:
            self._save_image(kind.median(median, models[0], grid, *first), models[0], "median")
        return median

    def _aligned_median(
        self,
        kind: ImagingKind,
        models: Sequence[Any],
        weighting: Weighting,
        p: OutlierDetectionParameters,
        threads: int,
    ) -> Expected:
        shapes = {tuple(model.shape) for model in models}
        if len(shapes) > 1:
            raise InputError(
                f"outlier_detection without resampling needs images of one shape, not {sorted(shapes)}; "
                "set resample_data=True"
            )
        (shape,) = shapes
        images = as_they_are([WeightedImage(model, weighting) for model in models], kind.with_errors)
        median = median_of(images, shape, p.maskpt, self.output_folder, threads)
        if p.save_intermediate_results:
            self._save_image(kind.median(median, models[0], None), models[0], "median")
        return median

    def _save_image(self, product: Any, model: Any, suffix: str) -> None:
        """Save an intermediate result of an exposure, or of the slit of one."""
        name = str(getattr(model, "name", None) or "").lower()
        if name and f"_{name}" not in str(model.meta.filename):
            suffix = f"{name}_{suffix}"
        product.save(self._path_of(model, suffix))


def _around(images: Sequence[InputImage], grid: OutputGrid) -> Box:
    """Return the box of the output that holds all images."""
    boxes = [image.footprint(grid) for image in images]
    return Box(
        min(b.y0 for b in boxes), max(b.y1 for b in boxes), min(b.x0 for b in boxes), max(b.x1 for b in boxes)
    )


def _two(text: str, name: str) -> tuple[float, float]:
    """Return the two numbers of a parameter.

    Raises
    ------
    ParameterError
        If there are not two, or one is negative.
    """
    try:
        first, second = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise ParameterError(
            f"outlier_detection.{name} = {text!r}: expected two numbers, as '5.0 4.0'"
        ) from None
    if not (first >= 0 and second >= 0):
        raise ParameterError(f"outlier_detection.{name} = {text!r}: neither may be negative")
    return first, second
