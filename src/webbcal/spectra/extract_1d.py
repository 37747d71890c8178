"""``extract_1d``: from images of spectra to spectra."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from webbcal import datamodels
from webbcal.associations.containers import is_container, models_of
from webbcal.core.errors import InputError, PlanError, ReferenceFileError, SkipStep
from webbcal.core.modes import mode_of
from webbcal.core.threads import run_on_threads
from webbcal.core.wording import a_or_an
from webbcal.datamodels.lists import items_of
from webbcal.run import record
from webbcal.run.model_step import ModelStep
from webbcal.run.planning import Sizes, StepPlan, find_references
from webbcal.run.run import Run
from webbcal.spectra import wfss
from webbcal.spectra.aperture import ANY
from webbcal.spectra.extract_parameters import Extract1dParameters
from webbcal.spectra.field_outline import field_outline
from webbcal.spectra.products import slit_product
from webbcal.spectra.scene import pictures_of
from webbcal.spectra.shelf import Shelf
from webbcal.spectra.slit import Spectrum, extract_slit

log = logging.getLogger(__name__)

Made = TypeVar("Made")

_KINDS = ("MultiSlitModel", "MultiExposureModel", "SlitModel", "ImageModel", "CubeModel")


class Extract1dStep(ModelStep):
    """Extract spectra from images of them: of slits, of time series, of grism images.

    The result is a `MultiSpecModel`; of integrations a `TSOMultiSpecModel`; of wide-field grisms a
    `WFSSMultiSpecModel`, one for all exposures that are given together. Of several exposures of a slit there
    is a list of results.
    """

    class_alias = "extract_1d"
    takes = "any"
    only_reads = True
    library_bytes = 105_000_000  # numba and its kernels; measured
    reference_file_types = ("extract1d", "apcorr", "pastasoss", "specprofile", "speckernel", "psf")
    optional_reference_types = reference_file_types
    Parameters = Extract1dParameters

    def reason_to_skip(self, model: Any, p: Extract1dParameters) -> str | None:
        """Skip what is no image of spectra; refuse the modes that have a method of their own.

        Raises
        ------
        PlanError
            For SOSS and cubes of integral fields.
        InputError
            For exposures through a grism from which no spectra were cut out.
        """
        kind, exp_type = type(model).__name__, str(model.meta.exposure.type)
        if kind == "IFUCubeModel" or mode_of(exp_type).optics in ("soss", "ifu"):
            raise PlanError(
                f"{model.meta.filename}: extraction of {exp_type} is not available yet; leave it out with "
                "--steps.extract_1d.skip=true, or extract the spectra with jwst"
            )
        if kind not in _KINDS:
            return f"works on images of spectra, but the input is {a_or_an(kind)}"
        if mode_of(exp_type).optics in ("image", "aperture-image", "guider"):
            return f"works on images of spectra, but EXP_TYPE is {exp_type}"
        if mode_of(exp_type).optics == "grism" and kind in ("ImageModel", "CubeModel"):
            raise InputError(
                f"{model.meta.filename}: spectra of {exp_type} are not cut out yet; run extract_2d first"
            )
        return None if len(items_of(model)) else "there is nothing to extract: the input has no slits"

    def reference_types_of(self, model: Any) -> Sequence[str]:
        """Apertures (but for wide-field grisms, whose slits are cut for their sources) and corrections."""
        types = [] if is_wide_field(model) else ["extract1d"]
        return [*types, "apcorr"] if self.parameters.apply_apcorr else types

    def check_reference(self, reference: Any, model: Any) -> None:
        """Leave it to `apply` to find the rows of a table: these are no maps of a detector."""

    def scratch_bytes(self, sizes: Sizes, p: Extract1dParameters) -> int:
        """Images, variances and weights of slits on each thread, and the tables of sources."""
        return 24 * sizes.pixels

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the paths of what is made: of exposures of a field one product, else one of each."""
        return super().output_paths(models[:1] if is_wide_field(models[0]) else models)

    def foresee(self, data: Any) -> Any:
        """Return what is known of the result: a product of spectra with the metadata of the exposure."""
        exposure = _exposure_of(data[0] if isinstance(data, (list, tuple)) else data)
        if is_wide_field(exposure):
            made = datamodels.WFSSMultiSpecModel()
        else:
            slits = items_of(exposure)
            series = len(slits) > 0 and len(slits[0].shape or ()) == 3
            made = datamodels.TSOMultiSpecModel() if series else datamodels.MultiSpecModel()
        made.update(exposure, only="PRIMARY")
        return made

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies; of several exposures, by the first."""
        return [self.decide(data[0] if isinstance(data, (list, tuple)) else data)]

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies; a profile is looked for if the extraction may be optimal.

        Of several exposures, each is given with its number.
        """
        plan = super().decide(model, *more)
        plan.more = more
        if plan.applied and self.parameters.extraction_type != "box":
            try:
                plan.references["psf"] = find_references([self], ["psf"], model)[self, "psf"]
            except ReferenceFileError as error:
                log.warning("no PSF reference: %s", error)
                plan.references["psf"] = None
        return plan

    def work(self, run: Run, *args: Any) -> Any:
        """Run on an exposure, or on several: a list, an association or a container."""
        opened = self.open_model(args[0] if len(args) == 1 else list(args))
        if not is_container(opened):
            return super().work(run, args[0] if hasattr(args[0], "meta") else opened)
        models = models_of(opened)
        if is_wide_field(models[0]):
            return self._work_on_field(run, models)
        several = len(models) > 1
        results = [super(Extract1dStep, self).work(run, m, *[k] * several) for k, m in enumerate(models)]
        return results[0] if len(results) == 1 else results

    def _work_on_field(self, run: Run, models: Sequence[Any]) -> Any:
        """Extract the spectra of exposures of a field into one product; one exposure after the other."""
        start, plan = time.perf_counter(), self.decide(models[0])
        result: Any = None
        if plan.applied:
            try:
                result = self._field(models, plan.references, run)
                record.hand_on(models[0], result)
            except SkipStep as reason:
                plan.skip(str(reason))
        if not plan.applied:
            log.warning("step %s skipped: %s", plan.name, plan.reason)
            result = models[0] if run.is_part else models[0].copy()
        plan.seconds = time.perf_counter() - start
        return self.recorded(run, plan, result)

    def _field(self, models: Sequence[Any], references: Mapping[str, Any], run: Run) -> Any:
        """Return one product of the spectra of all sources in all exposures.

        Raises
        ------
        SkipStep
            If there is none.
        """
        self._say_unused()
        entries: list[wfss.Entry] = []
        shelf = Shelf(run.resources.scratch) if len(models) > 1 else None
        for number, model in enumerate(models):
            found = self._extracted(model, references, run, wfss.entry_of, number if shelf else None)
            entries += found if shelf is None else [entry.put_on(shelf) for entry in found]
        if not entries:
            raise SkipStep(f"{models[0].meta.filename}: no slit has a spectrum")
        product = wfss.wfss_product(_exposure_of(models[0]), entries)
        if len(models) > 1:
            product.spec[0].s_region = field_outline([items_of(m)[0] for m in models if len(items_of(m))])
        return product

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Extract the spectra of all slits.

        Raises
        ------
        SkipStep
            If there is none.
        ReferenceFileError
            If a reference does not fit.
        """
        if is_wide_field(model):
            return self._field([model], plan.references, run)
        self._say_unused()
        spectra = self._extracted(model, plan.references, run, lambda spectrum: spectrum, *plan.more)
        if not spectra:
            raise SkipStep(f"{model.meta.filename}: no slit has a spectrum")
        return slit_product(_exposure_of(model), spectra)

    def _say_unused(self) -> None:
        """Say which parameters were set that are for modes with methods of their own."""
        values = self.get_pars(full_spec=False)
        defaults = {field.name: field.default for field in dataclasses.fields(Extract1dParameters)}
        of_others = [name for name in defaults if name.startswith(("ifu_", "soss_", "center_", "bkg_sigma"))]
        for name in of_others:
            if values[name] != defaults[name]:
                log.warning("extract_1d.%s has no effect: it is for integral fields or SOSS", name)

    def _extracted(
        self,
        model: Any,
        references: Mapping[str, Any],
        run: Run,
        then: Callable[[Spectrum], Made],
        number: int | None = None,
    ) -> list[Made]:
        """Return what `then` makes of the spectra of the slits of an exposure, which may be one of several.

        Slits that have none are told and left out.
        """
        p, threads = self.parameters, run.resources.threads
        slits = [slit for slit in items_of(model) if slit.shape and all(slit.shape)]
        many = len(slits) > 1
        if slits and str(slits[0].meta.cal_step.photom).upper() != "COMPLETE":
            log.warning("%s: photom was not applied; fluxes are count rates", model.meta.filename)
        pictured = p.save_profile or p.save_scene_model or p.save_residual_image

        def extract(labelled: tuple[Any, str]) -> tuple[Made, bool, list[str]] | None:
            slit, label = labelled
            try:
                spectrum = extract_slit(slit, slit_name(model, slit), references, p, 1 if many else threads)
            except SkipStep as reason:
                if not many:
                    raise
                log.warning("%s", reason)
                return None
            paths = self._save(pictures_of(spectrum, model, p), label) if pictured else []
            return then(spectrum), bool(np.isfinite(spectrum.columns["FLUX"]).any()), paths

        labelled = list(zip(slits, labels_of(model, slits, number), strict=True))
        made = run_on_threads(extract, labelled, threads if many else 1)
        found = [one for one in made if one is not None]
        for path in (path for *_, paths in found for path in paths):
            run.note_saved(path)
        if found and not any(has_flux for _, has_flux, _ in found):
            log.warning(
                "%s: no spectrum has a valid flux: all pixels are NaN, or flagged DO_NOT_USE",
                model.meta.filename,
            )
        return [one for one, *_ in found]

    def _save(self, images: Mapping[str, Any], label: str) -> list[str]:
        """Save images of how a spectrum was extracted; return their paths."""
        paths = []
        for suffix, image in images.items():
            path = self.make_output_path(suffix=f"{label}{suffix}")
            image.save(path)
            paths.append(path)
        return paths


def _exposure_of(model: Any) -> Any:
    """Return what has the metadata of an exposure: the first, of exposures of a source."""
    of_exposures = type(model).__name__ == "MultiExposureModel" and len(items_of(model)) > 0
    return items_of(model)[0] if of_exposures else model


def is_wide_field(model: Any) -> bool:
    """Tell whether spectra of many sources lie in an image of a grism (or of MIRI's prism)."""
    return mode_of(_exposure_of(model).meta.exposure.type).is_wide_field


def labels_of(model: Any, slits: Sequence[Any], number: int | None) -> list[str]:
    """Return what names of files say of each slit of an exposure, each something else.

    Parameters
    ----------
    model : DataModel
    slits : sequence
    number : int or None
        Of the exposure, if there are several.
    """
    after = "" if number is None else f"{number}_"
    if len(slits) == 1:
        return [after]
    names = [slit_name(model, slit).lower() for slit in slits]
    twice = {name for name in names if names.count(name) > 1}
    return [
        f"{name}_{f'order{slit.meta.wcsinfo.spectral_order}_' if name in twice else ''}{after}"
        for name, slit in zip(names, slits, strict=True)
    ]


def slit_name(model: Any, slit: Any) -> str:
    """Return the name by which a slit is looked for in references."""
    exp_type = str(slit.meta.exposure.type)
    own = getattr(slit, "name", None)
    if type(model).__name__ in ("MultiSlitModel", "MultiExposureModel"):
        return str(own or ANY)
    if type(model).__name__ == "ImageModel" or exp_type in ("NRS_BRIGHTOBJ", "NRS_FIXEDSLIT"):
        return str(
            own or (model.meta.instrument.fixed_slit if exp_type == "NRS_FIXEDSLIT" else None) or exp_type
        )
    return exp_type
