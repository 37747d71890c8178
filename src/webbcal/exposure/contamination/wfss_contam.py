"""``wfss_contam``: subtract from the spectra of a field what other sources leave in them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import ReferenceFileError, SkipStep
from webbcal.core.modes import mode_of
from webbcal.core.resources import cores
from webbcal.exposure.contamination.correction import Cleaning
from webbcal.exposure.contamination.products import contamination_products
from webbcal.exposure.contamination.simulation import Sampling, Simulated, simulate
from webbcal.exposure.contamination.source_pixels import I64, SourcePixels, check_catalog, source_pixels
from webbcal.exposure.contamination.spectral_shape import Fitting
from webbcal.exposure.contamination.traces import Traces
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.geometry.sky_sources import SkySources, read_sources
from webbcal.exposure.geometry.spectral_orders import Ranges, crossing_filter, listed_orders, ranges_of
from webbcal.exposure.response.photom_spectra import Response, response_of, to_expected_unit
from webbcal.exposure.response.photom_table import conversion, find_row
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan
from webbcal.run.run import Run
from webbcal.run.unused_parameters import say_unused
from webbcal.wcs.grism_slits import grism_wcs, orders_of
from webbcal.wcs.tree_wcs import TreeWCS

log = logging.getLogger(__name__)


_OF_FITS = ("n_iterations", "l2_alpha", "rejection_threshold", "fit_sums")


@dataclass(frozen=True)
class WfssContamParameters(StepParameters):
    """Parameters of `WfssContamStep`."""

    skip: bool = param(True, "Skip the step")
    save_simulated_image: bool = param(False, "Save all simulated spectra (_simul, _simul_slits)")
    save_contam_images: bool = param(False, "Save what is subtracted from each spectrum (_contam)")
    maximum_cores: str = param("1", "Most cores: a number, 'none', 'quarter', 'half', 'all'; if set")
    orders: list | None = param(None, "Spectral orders to simulate; None: all that the reference has")
    magnitude_limit: float | None = param(None, "Faintest source to simulate", unit="AB mag")
    wl_oversample: int = param(2, "Wavelengths a pixel", ge=1)
    max_pixels_per_chunk: int = param(5000, "Pixels of sources that have the same wavelengths", ge=1)
    polyfit_degree: int | None = param(
        None, "Degree of the polynomial that is fitted to each spectrum; None: all spectra are flat", ge=1
    )
    n_iterations: int = param(1, "Rounds of fitting", ge=1)
    l2_alpha: float = param(0.1, "Penalty on the coefficients of the polynomials", ge=0)
    rejection_threshold: float | None = param(
        0.1, "How far the constant of a fit may be from 1; None: any", ge=0
    )
    fit_sums: bool = param(
        False, "Fit sums across the dispersion: the width of the simulation does not matter", beyond=True
    )


class WfssContamStep(ModelStep):
    """Simulate the spectra of all sources from the direct image, and subtract those of the others."""

    class_alias = "wfss_contam"
    takes = "any"
    only_once = True
    library_bytes = 60_000_000  # photutils and scipy; measured
    reference_file_types = ("photom", "wavelengthrange")
    Parameters = WfssContamParameters

    def reason_to_skip(self, model: Any, p: WfssContamParameters) -> str | None:
        """Skip what is no field of spectra."""
        mode = mode_of(model.meta.exposure.type)
        if not mode.is_wide_field or mode.has("internal"):
            return f"exposures of EXP_TYPE {model.meta.exposure.type} have no spectra of other sources"
        is_cut = type(model).__name__ == "MultiSlitModel"
        return None if is_cut else "there are no spectra yet: extract_2d was not run"

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies; pipelines hand the files of the field beside the exposure."""
        plan = super().decide(model)
        plan.more = more
        return plan

    def check_reference(self, reference: Any, model: Any) -> None:
        """Tables are no maps of the detector."""

    def scratch_bytes(self, sizes: Sizes, p: WfssContamParameters) -> int:
        """The direct image, which is larger than the detector, its background and labels; spectra twice."""
        return (60 + 12 * (p.polyfit_degree or 0)) * sizes.pixels

    def extra_products(self) -> Mapping[str, str]:
        """What was simulated, and what is subtracted."""
        suffixes = ["simul", "simul_slits"] if self.save_simulated_image else []
        suffixes += ["contam"] if self.save_contam_images else []
        return {s: self.make_output_path(basepath=self.output_file, suffix=s) for s in suffixes}

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Correct the spectra.

        Raises
        ------
        SkipStep
            If no order or no source is left to be simulated.
        """
        p, name = self.parameters, str(model.meta.filename)
        if p.polyfit_degree is None:
            say_unused("wfss_contam", p, _OF_FITS, "no polynomials are fitted (polyfit_degree)")
        field = next(iter(plan.more), None) or FieldFiles.of_model(model)
        threads = run.resources.threads
        if self.asked_cores is not None:
            threads = min(threads, cores(self.asked_cores, threads))
        wcs = grism_wcs(model.slits[0])
        with (
            self.open_model(field.needed("direct_image", name)) as direct,
            self.open_model(field.needed("segmentation", name)) as segmentation,
        ):
            pixels = source_pixels(direct, segmentation, wcs)
        faint = None if p.magnitude_limit is None else read_sources(field.needed("catalog", name))
        _keep(model, pixels)
        check_catalog(model, pixels)
        simulated = _simulate(model, wcs, pixels, faint, plan.references, p, threads)
        cleaning = Cleaning(model.slits, simulated, _frame(model).shape)
        if p.polyfit_degree is not None:
            _fit_shapes(cleaning, p, model)
        made = contamination_products(model, cleaning, self.extra_products())
        for path, product in made.items():
            product.save(path)
            run.note_saved(path)
        cleaning.finish()
        return model


def _keep(model: Any, pixels: SourcePixels) -> None:
    """Drop spectra of sources that the segmentation map does not have, as jwst does."""
    known = set(np.unique(pixels.label).tolist())
    missing = [n for n, slit in enumerate(model.slits) if slit.source_id not in known]
    if len(missing) == len(model.slits):
        raise SkipStep("the segmentation map has none of the sources of the spectra")
    for n in reversed(missing):
        log.warning(
            "source %s is not in the segmentation map: its spectrum is dropped", model.slits[n].source_id
        )
        del model.slits[n]


def _simulate(
    model: Any,
    wcs: TreeWCS,
    pixels: SourcePixels,
    catalog: SkySources | None,
    references: Mapping[str, Any],
    p: WfssContamParameters,
    threads: int,
) -> list[Simulated]:
    """Return the spectra of all sources bright enough, in all orders."""
    ranges = _ranges(model, wcs, references["wavelengthrange"], p.orders)
    sampling = Sampling(p.wl_oversample, p.max_pixels_per_chunk, p.polyfit_degree or 0)
    place = [(float(v.min()), float(v.max())) for v in (pixels.x, pixels.y)]
    simulated: list[Simulated] = []
    for order, limits in ranges.items():
        response = _response(model, references["photom"], order)
        chosen = pixels
        if catalog is not None and p.magnitude_limit is not None:
            first = _response(model, references["photom"], 1)
            chosen = pixels.of(_bright(catalog, p.magnitude_limit, order, response, first))
        if len(chosen.label):
            traces = Traces(wcs, order, limits, *place)
            simulated += simulate(chosen, traces, response, order, sampling, _frame(model), threads)
    if not simulated:
        raise SkipStep(f"no source is to be simulated (magnitude_limit = {p.magnitude_limit})")
    return simulated


def _ranges(model: Any, wcs: TreeWCS, reference: Any, asked: Sequence[Any] | None) -> Ranges:
    """Return the orders to be simulated with their wavelengths: those asked for that the references have.

    Raises
    ------
    SkipStep
        If there is none.
    """
    listed, traced = listed_orders(reference), orders_of(wcs.tree)
    wanted = listed if asked is None else [int(n) for n in asked]
    orders = sorted(n for n in wanted if n in listed and (not traced or n in traced))
    if not orders:
        raise SkipStep(f"orders {wanted} are not those of the references ({listed}) and the WCS ({traced})")
    if asked is not None and len(orders) < len(wanted):
        log.warning("%s: only orders %s of %s are known", model.meta.filename, orders, wanted)
    return ranges_of(reference, crossing_filter(model), orders)


def _response(model: Any, reference: Any, order: int) -> Response:
    """Return the response of an order, MJy/sr µm for 1 DN/s.

    Raises
    ------
    ReferenceFileError
        If the reference does not have the order.
    """
    row = find_row(reference, model, order, spectral=True)
    if row is None:
        raise ReferenceFileError(
            f"{reference.name} has no row for order {order} of this exposure; choose others "
            "(wfss_contam.orders), or give another with override_photom"
        )
    factor = to_expected_unit(reference.model.phot_unit, reference.name) * conversion(
        reference, row, spectral=True
    )
    relative = response_of(reference, row)
    return Response(relative.wavelengths, np.float32(factor) * relative.values)


def _bright(catalog: SkySources, limit: float, order: int, response: Response, first: Response) -> I64:
    """Return the labels of sources to be simulated: the limit is that of the first order (and of order 0)."""
    if order not in (0, 1):
        limit += 2.5 * np.log10(_least(first) / _least(response))
    labels: I64 = catalog.label[catalog.abmag < limit]
    return labels


def _least(response: Response) -> float:
    """Return the smallest response (the highest sensitivity) of an order."""
    known = (response.wavelengths > 0) & (response.values > 0)
    return float(response.values[known].min())


def _fit_shapes(cleaning: Cleaning, p: WfssContamParameters, model: Any) -> None:
    """Fit the shapes of the spectra, in some rounds."""
    if model.meta.cal_step.bkg_subtract != "COMPLETE":
        log.warning(
            "%s: its background is not subtracted (bkg_subtract): shapes of spectra can hardly be fitted",
            model.meta.filename,
        )
    across = 0 if model.slits[0].meta.wcsinfo.dispersion_direction == 1 else 1
    fitting = Fitting(p.l2_alpha, p.rejection_threshold, across if p.fit_sums else None)
    for turn in range(p.n_iterations):
        count = cleaning.fit_shapes(fitting)
        log.info("round %d: shapes of %d of %d spectra fitted", turn + 1, count, len(cleaning.own))
        if not count:
            log.warning("%s: no spectrum could be fitted; they are taken as flat", model.meta.filename)
            break


def _frame(model: Any) -> Box:
    """Return the detector: spectra are cut from full frames."""
    rows, columns = model.meta.subarray.ysize, model.meta.subarray.xsize
    return Box(0, rows or 2048, 0, columns or 2048)
