"""``bkg_subtract``: subtract the average of background exposures."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
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
from webbcal.exposure.images import unavailable, why_no_image
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)

#: What a background must have in common with the exposure.
_SAME = ("name", "detector", "filter", "pupil", "grating", "band")


class BackgroundStep(ModelStep):
    """Subtract the sigma-clipped average of background exposures."""

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
        soss_source_percentile: float = param(35.0, "Percentile above which pixels are sources (SOSS)")
        soss_bkg_percentile: list | None = param(
            None, "Percentiles of the background (SOSS)", kind="float_list"
        )
        wfss_mmag_extract: float | None = param(None, "Faintest source to mask (WFSS)", unit="AB mag")
        wfss_mask: str | None = param(None, "File with a mask of sources (WFSS)")
        wfss_maxiter: int = param(5, "Rounds of outlier rejection at most (WFSS)")
        wfss_rms_stop: float = param(0.0, "Improvement of the RMS at which to stop (WFSS)", unit="%")
        wfss_outlier_percent: float = param(1.0, "Share of outliers to reject in a round (WFSS)", unit="%")

    def inputs(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """Return an exposure and its backgrounds, which may be given one by one."""
        return tuple(args) if len(args) < 3 else (args[0], list(args[1:]))

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
        """Return the exposure, and its backgrounds if the association has them, or else what was given."""
        science, members = _members(self.located(init))
        return (science, members) if members else (science, *more)

    def reference_types_of(self, model: Any) -> Sequence[str]:
        """No references: see `reason_to_skip`."""
        return ()

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is no image, and refuse the modes that need a model of the background.

        Raises
        ------
        PlanError
            For grism images and SOSS.
        """
        if mode_of(model.meta.exposure.type).has("template"):
            raise unavailable(model, "background subtraction", "bkg_subtract")
        return why_no_image(model)

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Subtract the backgrounds that the plan knows."""
        return self._subtracted(model, [self._open(b, model) for b in plan.more], self.parameters, run)

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


def _members(init: Any) -> tuple[Any, list[Any]]:
    """Return the science exposure and the backgrounds of an association; anything else is an exposure."""
    named = isinstance(init, (str, os.PathLike))
    if not (isinstance(init, Mapping) or (named and is_association_name(init))):
        return init, []
    asn = as_level2(init)
    product = asn.products[0]
    if len(asn.products) > 1:
        log.warning("%s has %d products; only the first is used", asn.filename, len(asn.products))
    sources = [m.model or asn.resolve(m) for m in (product.science[0], *product.members_of("background"))]
    return sources[0], sources[1:]


def _listed(given: Any) -> list[Any]:
    """Return backgrounds as a list: one or several, or names separated by commas (empty ones dropped)."""
    given = models_of(given) if is_container(given) else given
    items = given if isinstance(given, (list, tuple)) else [given]
    split = (part.strip() for i in items if isinstance(i, str) for part in i.split(","))
    return [part for part in split if part] + [i for i in items if i is not None and not isinstance(i, str)]
