"""``extract_2d``: cut the spectra of sources from a grism exposure."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from webbcal import datamodels
from webbcal.core.errors import InputError, NoDataOnDetectorError, ParameterError
from webbcal.core.modes import mode_of
from webbcal.core.wording import a_or_an
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.geometry.grism_boxes import GrismSource, grism_sources
from webbcal.exposure.geometry.grism_slits import cut_sources
from webbcal.exposure.geometry.series_slit import HEIGHT, cut_series
from webbcal.exposure.geometry.sky_sources import read_sources, select
from webbcal.exposure.geometry.spectral_orders import crossing_filter, default_orders, ranges_of
from webbcal.exposure.images import unavailable
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan
from webbcal.run.run import Run
from webbcal.run.unused_parameters import say_unused

log = logging.getLogger(__name__)


#: Parameters of fields of sources, and those of NIRSpec and of time series: they do nothing for other modes.
_OF_FIELDS = (
    *("slit_names", "source_ids", "source_ra", "source_dec", "source_max_sep", "grism_objects"),
    *("wfss_extract_half_height", "wfss_mmag_extract", "wfss_nbright"),
)
_OF_OTHERS = ("slit_names", "tsgrism_extract_height")


@dataclass(frozen=True)
class Extract2dParameters(StepParameters):
    """Parameters of `Extract2dStep`."""

    slit_names: list | None = param(None, "Slits to extract (NIRSpec)", kind="force_list")
    source_ids: list | None = param(None, "Sources to extract, by their labels", kind="force_list")
    source_ra: list | None = param(None, "RA of sources to extract (WFSS)", kind="force_list", unit="deg")
    source_dec: list | None = param(None, "Dec of sources to extract (WFSS)", kind="force_list", unit="deg")
    source_max_sep: float = param(
        2.0, "How far sources may be from source_ra, source_dec (WFSS)", ge=0, unit="arcsec"
    )
    extract_orders: list[int] | None = param(
        None, "Spectral orders to extract; None: those that the reference says", kind="int_list"
    )
    grism_objects: list | None = param(None, "Sources with their boxes, in place of the catalogue")
    tsgrism_extract_height: int | None = param(None, "Rows to extract (TSGRISM); None: 64", unit="pixels")
    wfss_extract_half_height: int | None = param(
        5, "Half width of point sources across the dispersion (WFSS); None: by size", ge=0, unit="pixels"
    )
    wfss_mmag_extract: float | None = param(None, "Faintest source to extract (WFSS)", unit="AB mag")
    wfss_nbright: int | None = param(1000, "How many sources to extract at most: the brightest (WFSS)", ge=0)


class Extract2dStep(ModelStep):
    """Cut out the spectra of sources, each with its wavelengths and WCS."""

    class_alias = "extract_2d"
    takes = "any"
    only_once = True
    reference_file_types = ("wavelengthrange",)
    Parameters = Extract2dParameters

    def reason_to_skip(self, model: Any, p: Extract2dParameters) -> str | None:
        """Skip what has no slits; refuse those of NIRSpec.

        Raises
        ------
        PlanError
            For NIRSpec, which is not available yet.
        """
        mode = mode_of(model.meta.exposure.type)
        if mode.exp_type.startswith("NRS") and mode.optics in ("slit", "mos", "other"):
            raise unavailable(model, "cutting out slits", "extract_2d")
        if mode.optics != "grism" or mode.has("internal"):
            return f"EXP_TYPE {model.meta.exposure.type} not supported: no spectra of sources to cut out"
        kind = type(model).__name__
        if kind not in ("ImageModel", "CubeModel"):
            return f"works on exposures (ImageModel, CubeModel), but the input is {a_or_an(kind)}"
        return None

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies; pipelines hand the files of the field beside the exposure."""
        plan = super().decide(model)
        plan.more = more
        return plan

    def scratch_bytes(self, sizes: Sizes, p: Extract2dParameters) -> int:
        """Copies of overlapping spectra: those of 500 sources take about twice the detector."""
        return 56 * sizes.pixels

    def foresee(self, data: Any) -> Any:
        """Return a model of the kind that comes out, with the metadata; of many slits one stands for all."""
        if self.reason_to_skip(data, self.parameters) is not None:
            return data
        is_series = mode_of(data.meta.exposure.type).has("tso")
        seen = datamodels.SlitModel() if is_series else datamodels.MultiSlitModel()
        seen.update(data)
        if not is_series:
            seen.slits.append(seen.slits.item())
        return seen

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Cut out the spectra.

        Raises
        ------
        NoDataOnDetectorError
            If there is none.
        """
        reference, p = plan.references["wavelengthrange"], self.parameters
        is_series = mode_of(model.meta.exposure.type).has("tso")
        unused = _OF_FIELDS if is_series else _OF_OTHERS
        say_unused("extract_2d", p, unused, f"the exposure is {model.meta.exposure.type}")
        if is_series:
            return _series(model, reference, p)
        field = next(iter(plan.more), None) or FieldFiles.of_model(model)
        return cut_sources(model, _sources(model, field, reference, p), run.resources.threads)


def _series(model: Any, reference: Any, p: Extract2dParameters) -> Any:
    """Return the spectrum of a time series.

    Raises
    ------
    PlanError
        For exposures of stripes (DHS).
    ParameterError
        If several orders are asked for.
    """
    if "DHS" in str(model.meta.subarray.name).upper():
        raise unavailable(model, "cutting out the stripes of the DHS", "extract_2d")
    filter_name = crossing_filter(model)
    orders = p.extract_orders or default_orders(reference, filter_name)
    if len(orders) != 1:
        raise ParameterError(f"extract_orders = {orders}: of a grism time series one order is extracted")
    ranges_of(reference, filter_name, orders, model.meta.aperture.pps_name)  # refuses an order that it lacks
    return cut_series(model, orders[0], p.tsgrism_extract_height or HEIGHT)


def _sources(model: Any, field: FieldFiles, reference: Any, p: Extract2dParameters) -> list[GrismSource]:
    """Return the sources to be cut out, the brightest first.

    Raises
    ------
    NoDataOnDetectorError
        If none has a spectrum on the detector.
    """
    if len(model.shape) != 2:
        raise InputError(f"{model.meta.filename}: an image is wanted (_rate), not {len(model.shape)} axes")
    if p.grism_objects is not None:
        return [GrismSource.given(thing) for thing in p.grism_objects]
    filter_name = crossing_filter(model)
    ranges = ranges_of(reference, filter_name, p.extract_orders or default_orders(reference, filter_name))
    catalog = field.needed("catalog", str(model.meta.filename))
    listed = read_sources(catalog)
    chosen, asked = select(
        listed, p.wfss_mmag_extract, p.source_ids, p.source_ra, p.source_dec, p.source_max_sep
    )
    if lost := chosen.label[~chosen.placed].tolist():
        log.warning("%s: sources without a position (NaN) are left out: %s", catalog, lost)
        chosen = chosen.chosen(chosen.placed)
    found = grism_sources(model, chosen, ranges, p.wfss_extract_half_height, asked)
    if not found:
        why = (
            f"and none has a spectrum of order {', '.join(map(str, ranges))} on the detector; is {catalog} "
            "the catalogue of this field?"
            if len(chosen)
            else f"so that there is no spectrum on the detector; {_nothing_chosen(len(listed), catalog)}"
        )
        raise NoDataOnDetectorError(
            f"{model.meta.filename}: of {len(listed)} sources in its catalogue {len(chosen)} were chosen, "
            f"{why}"
        )
    return _brightest(found, p.wfss_nbright, str(model.meta.filename))


def _brightest(found: list[GrismSource], most: int | None, name: str) -> list[GrismSource]:
    """Return so many sources, of those that are sorted by brightness.

    Raises
    ------
    NoDataOnDetectorError
        If that is none.
    """
    if most == 0:
        raise NoDataOnDetectorError(f"{name}: wfss_nbright = 0: none of {len(found)} sources is extracted")
    return found[:most]


def _nothing_chosen(listed: int, catalog: Any) -> str:
    """Return what to do about sources of which none was chosen."""
    if not listed:
        return f"{catalog} is empty"
    return "choose others (wfss_mmag_extract, source_ids, source_ra and source_dec)"
