"""``combine_1d``: one spectrum of those of several exposures, for each spectral order (and source)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.associations.containers import is_container, models_of
from webbcal.core.errors import InputError, SkipStep
from webbcal.core.wording import a_or_an
from webbcal.io.asdf_text import Tagged
from webbcal.run import record
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import StepPlan
from webbcal.run.run import Run
from webbcal.spectra import wfss
from webbcal.spectra.combining import AVERAGED, CombinedSpectrum, InputSpectrum, combine
from webbcal.spectra.source_tables import SourceRow, source_table
from webbcal.spectra.spectral_wcs import spectral_wcs
from webbcal.spectra.tables import COMBINED, table_of, units_in
from webbcal.wcs.of_model import wcs_of

log = logging.getLogger(__name__)

#: What a combined spectrum takes over from the first of those that it was made of.
_COPIED = ("source_id", "dispersion_direction", "source_type", "source_ra", "source_dec")
#: Columns of a table of sources.
_SOURCE_COLUMNS = ("SOURCE_ID", *COMBINED, "N_ALONGDISP", "SOURCE_TYPE", "SOURCE_RA", "SOURCE_DEC")
_NEEDED = ("WAVELENGTH", "DQ", *AVERAGED)
_KINDS = ("MultiSpecModel", "TSOMultiSpecModel", "WFSSMultiSpecModel", "MRSMultiSpecModel")


class Combine1dStep(ModelStep):
    """Combine spectra: of a product, or of several. Those of one order (and source) become one.

    The result is a `MultiCombinedSpecModel`, of wide-field grisms a `WFSSMultiCombinedSpecModel`.
    """

    class_alias = "combine_1d"
    takes = "list"
    library_bytes = 105_000_000  # numba and its kernels; measured

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Combine1dStep`."""

        exptime_key: str = param("exposure_time", "Weights: exposure_time, integration_time or unit_weight")
        sigma_clip: float | None = param(None, "Clipping limit", unit="median absolute deviations")

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what holds no spectra."""
        kind = type(model).__name__
        return None if kind in _KINDS else f"Invalid input model: {a_or_an(kind)}, not extracted spectra"

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies, by the first of several products."""
        return super().decide(model[0] if isinstance(model, (list, tuple)) else model)

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the path of what is made of all together."""
        return super().output_paths(models[:1])

    def foresee(self, data: Any) -> Any:
        """Return what is known of the result."""
        first = data[0] if isinstance(data, (list, tuple)) else data
        wide = type(first).__name__ == "WFSSMultiSpecModel"
        made = datamodels.WFSSMultiCombinedSpecModel() if wide else datamodels.MultiCombinedSpecModel()
        made.update(first, only="PRIMARY")
        return made

    def work(self, run: Run, *args: Any) -> Any:
        """Run on a product of spectra, or on several: a list, an association or a container."""
        opened = self.open_model(args[0])
        models = models_of(opened) if is_container(opened) else [opened]
        plan = self.decide(models[0])
        result: Any = None
        if plan.applied:
            try:
                result = self.apply_to(models)
                record.hand_on(models[0], result)
            except SkipStep as reason:
                plan.skip(str(reason))
        if not plan.applied:
            log.warning("step %s skipped: %s", plan.name, plan.reason)
            result = models[0] if run.is_part else models[0].copy()
        return self.recorded(run, plan, result)

    def apply_to(self, models: Sequence[Any]) -> Any:
        """Combine the spectra of products.

        Raises
        ------
        SkipStep
            If none can be used.
        InputError
            If an exposure does not tell its time.
        """
        p = self.parameters
        if type(models[0]).__name__ == "WFSSMultiSpecModel":
            return combine_sources(models, p.exptime_key, p.sigma_clip)
        return combine_products(models, p.exptime_key, p.sigma_clip)

    def apply(self, model: Any, references: Mapping[str, Any], p: Any, run: Run) -> Any:
        """Combine the spectra of one product."""
        return self.apply_to([model])


def time_key(wish: str) -> str | None:
    """Return which time of an exposure is the weight; None for weights of 1."""
    name = wish.strip().lower().replace("_", " ")
    if name.startswith("integration") or name == "effinttm":
        return "integration_time"
    if name.startswith("exposure") or name == "effexptm":
        return "exposure_time"
    if name != "unit weight":
        log.warning(
            "exptime_key = %r is not exposure_time, integration_time or unit_weight; all spectra count alike",
            wish,
        )
    return None


def combine_products(models: Sequence[Any], exptime_key: str, sigma_clip: float | None) -> Any:
    """Return the combination of the spectra of products, one for each order.

    Raises
    ------
    SkipStep
        If no spectrum can be used.
    """
    key = time_key(exptime_key)
    by_order: dict[int, list[tuple[InputSpectrum, Any]]] = {}
    for model in models:
        weight = _weight(model.meta.exposure, key, model.meta.filename)
        for item in model.spec:
            for columns in _spectra_of(item):
                if _usable(spectrum := InputSpectrum(columns, weight), item.source_id, item.spectral_order):
                    by_order.setdefault(item.spectral_order, []).append((spectrum, item))
    if not by_order:
        raise SkipStep(f"{models[0].meta.filename}: No valid input spectra found for source. Skipping.")
    product = datamodels.MultiCombinedSpecModel()
    product.update(models[0], only="PRIMARY")
    trees: list[Tagged] = []
    for order, pairs in by_order.items():
        first = pairs[0][1]
        combined = combine([spectrum for spectrum, _ in pairs], sigma_clip)
        item = product.spec.item(spec_table=_table(combined, units_in(first.spec_table)))
        item.meta.model_type, item.spectral_order = "CombinedSpecModel", order
        for name in _COPIED:
            setattr(item, name, getattr(first, name, None))
        product.spec.append(item)
        trees.append(spectral_wcs(*_place_of(first, models[0]), combined.grid))
    product.meta.wcs = trees[0]
    return product


def _spectra_of(item: Any) -> Iterable[dict[str, Any]]:
    """Yield the columns of each spectrum of an item: one, or one a row (a time series)."""
    table = item.spec_table
    if "N_ALONGDISP" not in table.dtype.names:
        yield {name: table[name] for name in _NEEDED}
        return
    for row in table:
        size = int(row["N_ALONGDISP"])
        yield {name: row[name][:size] for name in _NEEDED}


def _usable(spectrum: InputSpectrum, source: Any, order: Any) -> bool:
    """Tell whether a spectrum can be combined; say why not."""
    why = spectrum.why_unusable
    if why:
        log.warning("Input spectrum %s order %s %s; skipping.", source, order, why)
    return why is None


def _weight(times: Any, key: str | None, name: Any) -> float:
    """Return the weight of an exposure.

    Raises
    ------
    InputError
        If it does not tell its time.
    """
    if key is None:
        return 1.0
    value = getattr(times, key, None)
    if value is None:
        raise InputError(
            f"{name} does not tell its {key.replace('_', ' ')}, which weights its spectra; set it, or set "
            "exptime_key = unit_weight"
        )
    return float(value)


def _place_of(item: Any, model: Any) -> tuple[float | None, float | None]:
    """Return where a spectrum is on the sky, degrees: by its WCS, or that of the target."""
    wcs = wcs_of(item)
    if wcs is None:
        return model.meta.target.ra, model.meta.target.dec
    ra, dec, _ = wcs(0.0)
    return float(ra), float(dec)


def _table(combined: CombinedSpectrum, units: Mapping[str, str | None]) -> Any:
    return table_of({name: combined.columns[name] for name in COMBINED}, combined_units(units))


def combined_units(units: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the units of combined columns, from those of the columns of spectra."""
    flux, brightness = units.get("FLUX"), units.get("SURF_BRIGHT")
    return {
        "WAVELENGTH": "um", "FLUX": flux, "ERROR": flux, "SURF_BRIGHT": brightness, "SB_ERROR": brightness
    }  # fmt: skip


def combine_sources(models: Sequence[Any], exptime_key: str, sigma_clip: float | None) -> Any:
    """Return the combination of tables of sources: for each order a table with a row for each source.

    A source that an order does not have is a row of NaN without a number, before the others.

    Raises
    ------
    SkipStep
        If no spectrum can be used.
    """
    key = time_key(exptime_key)
    by_source: dict[int, list[wfss.Entry]] = {}
    for entry in (entry for model in models for entry in wfss.entries_of_model(model)):
        by_source.setdefault(entry.source, []).append(entry)
    combined = {}
    for source, entries in sorted(by_source.items()):  # one after the other: there may be many exposures
        if orders := _combined_rows(entries, key, sigma_clip):
            combined[source] = orders
    if not combined:
        raise SkipStep(
            f"{models[0].meta.filename}: No valid input spectra found: none has fluxes and wavelengths"
        )
    return _sources_product(models[0], combined)


def _combined_rows(
    entries: Sequence[wfss.Entry], key: str | None, sigma_clip: float | None
) -> dict[int, SourceRow]:
    """Return the combined spectra of a source by order, with what is known of it."""
    orders: dict[int, list[tuple[InputSpectrum, SourceRow]]] = {}
    for entry in entries:
        row = entry.row.loaded()
        columns = {name: row.vectors[name] for name in _NEEDED}
        spectrum = InputSpectrum(columns, _weight(entry.group, key, entry.group.filename))
        if _usable(spectrum, entry.source, entry.group.order):
            orders.setdefault(entry.group.order, []).append((spectrum, row))
    made = {}
    for order, pairs in orders.items():
        found = combine([spectrum for spectrum, _ in pairs], sigma_clip)
        vectors = {name: np.asarray(found.columns[name]) for name in COMBINED}
        made[order] = SourceRow(vectors, pairs[0][1].values)
    return made


def _sources_product(first: Any, combined: Mapping[int, Mapping[int, SourceRow]]) -> Any:
    """Return the product of combined spectra, by source and order."""
    product = datamodels.WFSSMultiCombinedSpecModel()
    product.update(first, only="PRIMARY")
    units = combined_units(units_in(first.spec[0].rows("spec_table", 0, 1)))
    units |= {"SOURCE_RA": "deg", "SOURCE_DEC": "deg"}
    for order in dict.fromkeys(order for orders in combined.values() for order in orders):
        rows = [orders.get(order) for orders in combined.values()]
        rows.sort(key=lambda row: row is not None)  # stable: sources stay in the order of their numbers
        item = product.spec.item(spec_table=source_table(rows, _SOURCE_COLUMNS, COMBINED, units))
        item.meta.model_type = "WFSSCombinedSpecModel"
        item.spectral_order, item.dispersion_direction = order, first.spec[0].dispersion_direction
        product.spec.append(item)
    product.meta.wcs = None
    return product
