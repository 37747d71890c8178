"""``bkg_subtract``: subtract the average of background exposures, or a reference scaled to the exposure."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.associations import as_level2
from webbcal.associations.containers import is_container, models_of
from webbcal.associations.sources import is_association_name
from webbcal.core.errors import InputError, MissingInputError, SkipStep
from webbcal.core.modes import mode_of
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.background.average import Backdrop, average
from webbcal.exposure.background.template import has_template, reference_types, subtract_soss, subtract_wfss
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.images import why_no_image
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, StepPlan
from webbcal.run.run import Run
from webbcal.run.unused_parameters import say_unused

log = logging.getLogger(__name__)

#: Parameters for exposures that are subtracted, and for templates.
_OF_EXPOSURES = ("bkg_list", "save_combined_background", "sigma", "maxiters")
_OF_TEMPLATES = ("soss_", "wfss_")
#: What a background must have in common with the exposure.
_SAME = ("name", "detector", "filter", "pupil", "grating", "band")


class BackgroundStep(ModelStep):
    """Subtract the background.

    Grism exposures and SOSS have references for it, which are scaled to the exposure (`template.py`); from
    others the sigma-clipped average of background exposures is subtracted.
    """

    class_alias = "bkg_subtract"
    only_once = True
    # Models of the background of grism images; exposures are never matched with one.
    reference_file_types = ("bkg", "wavelengthrange")
    optional_reference_types = ("bkg", "wavelengthrange")

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `BackgroundStep`."""

        bkg_list: list | None = param(
            None, "Background exposures, if there is no association", kind="force_list"
        )
        save_combined_background: bool = param(False, "Save the average background (_combinedbackground)")
        sigma: float = param(3.0, "Clipping limit", unit="standard deviations")
        maxiters: int | None = param(None, "Rounds of clipping at most; None or 0: until nothing changes")
        soss_source_percentile: float = param(
            35.0, "Percentile above which pixels are sources (SOSS)", ge=0, le=100
        )
        soss_bkg_percentile: list[float] | None = param(
            None, "Percentiles of the background; None: 25, 50 (SOSS)", kind="float_list"
        )
        wfss_mmag_extract: float | None = param(None, "Faintest source to mask (WFSS)", unit="AB mag")
        wfss_mask: str | None = param(
            None, "File with a mask of the background (its array `mask`), in place of the catalogue's (WFSS)"
        )
        wfss_maxiter: int = param(5, "Rounds of outlier rejection at most (WFSS)", ge=0)
        wfss_rms_stop: float = param(0.0, "Improvement of the RMS at which to stop (WFSS)", ge=0, unit="%")
        wfss_outlier_percent: float = param(
            1.0, "Share of outliers to reject on either side in a round (WFSS)", ge=0, le=50, unit="%"
        )
        wfss_even_weights: bool = param(
            False,
            "Scale with weights that do not follow each pixel's own photons: no bias to low values (WFSS)",
            beyond=True,
        )

    def inputs(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """Return an exposure and its backgrounds, which may be given one by one; or these and its field."""
        if len(args) < 3 or isinstance(args[2], FieldFiles):
            return tuple(args)
        return args[0], list(args[1:])

    def work(self, run: Run, *args: Any) -> Any:
        """Run on an exposure and its backgrounds.

        Parameters
        ----------
        run : Run
        *args
            A path, model or level-2 association, and optionally backgrounds: paths or models, one or a list,
            or names separated by commas. The association's members count first, then these, then `bkg_list`.
        """
        return super().work(run, *self._sorted(*args))

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of running this step alone."""
        return super().planned(run, *self._sorted(*args))

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies, with these backgrounds."""
        plan = super().decide(model)
        if has_template(model):
            plan.more = (next(iter(more[1:]), None), _listed(more[0] if more else None))
            return plan
        plan.more = _listed(more[0] if more and more[0] is not None else self.bkg_list)
        if plan.applied and not plan.more:
            plan.skip("no background exposures given")
        return plan

    def extra_products(self) -> Mapping[str, str]:
        """The average of the backgrounds."""
        if not self.save_combined_background:
            return {}
        path = self.make_output_path(basepath=self.output_file, suffix="combinedbackground")
        return {"combined background": path}

    def _sorted(self, init: Any, *more: Any) -> tuple[Any, ...]:
        """Return the exposure, the association's backgrounds or else those given, and the field."""
        science, members, field = _members(self.located(init), self.open_model)
        if field is None:
            return (science, members, *more[1:]) if members else (science, *more)
        return science, members or (more[0] if more else None), field

    def reference_types_of(self, model: Any) -> Sequence[str]:
        """Only templates are references."""
        return reference_types(model) if has_template(model) else ()

    def check_reference(self, reference: Any, model: Any) -> None:
        """Templates of SOSS are cut to the subarray by rules of their own."""
        if len(reference.model.shape or ()) != 3:
            super().check_reference(reference, model)

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is no image."""
        return why_no_image(model)

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Subtract a template, or the backgrounds that the plan knows."""
        self._say_unused(model)
        if has_template(model):
            field, ignored = plan.more
            if ignored:
                log.warning(
                    "%s: %d background exposures have no effect: what is subtracted from %s is a reference, "
                    "scaled", model.meta.filename, len(ignored), model.meta.exposure.type,
                )  # fmt: skip
            field = field or FieldFiles.of_model(model)
            subtract = subtract_soss if mode_of(model.meta.exposure.type).optics == "soss" else subtract_wfss
            subtract(model, plan.references, self.parameters, field, run.resources.threads)
            return model
        return self._subtracted(model, [self._open(b, model) for b in plan.more], self.parameters, run)

    def _say_unused(self, model: Any) -> None:
        """Say which parameters are of other modes."""
        of_others = [n for n in vars(self.parameters) if n.startswith(_OF_TEMPLATES)]
        if has_template(model):
            own = "soss_" if mode_of(model.meta.exposure.type).optics == "soss" else "wfss_"
            of_others = [*_OF_EXPOSURES, *(n for n in of_others if not n.startswith(own))]
        say_unused("bkg_subtract", self.parameters, of_others, f"the exposure is {model.meta.exposure.type}")

    def _subtracted(self, model: Any, backgrounds: Sequence[Any], p: Parameters, run: Run) -> Any:
        """Average the backgrounds, and subtract."""
        threads = run.resources.threads
        backdrops = [Backdrop.of(background, model) for background in backgrounds]
        _check_tilts(model, backdrops)
        backdrops = [b for b in backdrops if b.overlaps]
        if not backdrops:
            raise SkipStep("no background exposure overlaps the exposure on the detector")
        background = average(backdrops, tuple(model.shape[-2:]), p.sigma, p.maxiters, threads)
        image = arrays_of(model, threads)
        image.data -= background.data
        image.dq |= background.dq
        if p.save_combined_background:
            self._save_background(run, background, model)
        return model

    def _open(self, init: Any, science: Any) -> Any:
        init = self.located(init)
        if isinstance(init, (str, os.PathLike)) and not Path(init).is_file():
            raise MissingInputError(
                f"background exposure {init} does not exist; correct bkg_list or the association"
            )
        model = self.open_model(init)
        name = str(model.meta.filename or init)
        reason = why_no_image(model)
        if reason:
            raise InputError(f"background exposure {name}: bkg_subtract {reason}")
        for what in _SAME:
            ours, theirs = getattr(science.meta.instrument, what), getattr(model.meta.instrument, what)
            if ours is not None and theirs is not None and ours != theirs:
                raise InputError(
                    f"background exposure {name} was taken with {what} {theirs}, but {science.meta.filename} "
                    f"with {ours}; give backgrounds of the same configuration"
                )
        return model

    def _save_background(self, run: Run, background: Any, science: Any) -> None:
        from webbcal import datamodels

        result = datamodels.ImageModel(data=background.data, err=background.err, dq=background.dq)
        result.update(science)
        (path,) = self.extra_products().values()
        result.save(path)
        run.note_saved(path)


def _check_tilts(science: Any, backdrops: Sequence[Backdrop]) -> None:
    """NIRSpec's grating comes to rest at another tilt each time; then a background is shifted."""
    if str(science.meta.instrument.name).upper() != "NIRSPEC":
        return
    for model in (b.model for b in backdrops):
        for tilt in ("gwa_xtilt", "gwa_ytilt"):
            ours, theirs = (getattr(m.meta.instrument, tilt) for m in (science, model))
            if ours is None or theirs is None or not np.isclose(ours, theirs, rtol=0, atol=1e-8):
                raise SkipStep(f"{tilt.upper()} is {ours}, but {theirs} in background {model.meta.filename}")


def _members(init: Any, opened: Callable[[Any], Any]) -> tuple[Any, list[Any], FieldFiles | None]:
    """Return the science exposure, the backgrounds and the field of an association; all else is an exposure.

    An exposure with a catalogue is opened, so that it can name it.
    """
    named = isinstance(init, (str, os.PathLike))
    if not (isinstance(init, Mapping) or (named and is_association_name(init))):
        return init, [], None
    asn = as_level2(init)
    product = asn.products[0]
    if len(asn.products) > 1:
        log.warning("%s has %d products; only the first is used", asn.filename, len(asn.products))
    sources = [m.model or asn.resolve(m) for m in (product.science[0], *product.members_of("background"))]
    if not product.members_of("sourcecat"):
        return sources[0], sources[1:], None
    science, field = opened(sources[0]), FieldFiles.of_product(product, asn.resolve)
    field.name_in(science.meta)
    return science, sources[1:], field


def _listed(given: Any) -> list[Any]:
    """Return backgrounds as a list: one or several, or names separated by commas (empty ones dropped)."""
    given = models_of(given) if is_container(given) else given
    items = given if isinstance(given, (list, tuple)) else [given]
    split = (part.strip() for i in items if isinstance(i, str) for part in i.split(","))
    return [part for part in split if part] + [i for i in items if i is not None and not isinstance(i, str)]
