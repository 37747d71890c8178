"""``master_background``: subtract the spectrum of the sky from exposures of spectra.

The sky is one spectrum: the mean of those of background exposures, or of what was beside the source in nods;
or the user's. It is laid over the pixels of each slit by their wavelengths.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.associations import as_level3
from webbcal.associations.containers import association_of, is_container
from webbcal.combine.members.list_step import ListStep, Outcome, is_association
from webbcal.core.errors import InputError, SkipStep
from webbcal.core.wording import a_or_an
from webbcal.datamodels.lists import items_of
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, Output, StepPlan, model_bytes
from webbcal.run.run import Run
from webbcal.spectra.combine_1d import combine_products
from webbcal.spectra.expansion import SkySpectrum, lay_over

log = logging.getLogger(__name__)

_KINDS = ("MultiSlitModel", "SlitModel", "ImageModel")
#: What spectra of background exposures have, which are combined.
_COLUMNS = ("WAVELENGTH", "FLUX", "FLUX_ERROR", "SURF_BRIGHT", "SB_ERROR", "BACKGROUND", "BKGD_ERROR", "DQ")
#: Corrections that a point source of NIRSpec has and the sky has not: numerators, denominators.
_POINT_BY_UNIFORM = (
    ("pathloss_uniform", "flatfield_uniform", "photom_point"),
    ("pathloss_point", "flatfield_point", "photom_uniform"),
)


class MasterBackgroundStep(ListStep):
    """Subtract the spectrum of the sky from exposures."""

    class_alias = "master_background"
    takes = "any"
    only_once = True

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `MasterBackgroundStep`."""

        median_kernel: int = param(1, "Width of a moving median over the sky's spectrum", unit="sample", ge=1)
        user_background: str | None = param(None, "File with the spectrum of the sky", kind="string")
        save_background: bool = param(
            False, "Save the sky: its spectrum (_masterbg1d), its images (_masterbg2d)"
        )
        force_subtract: bool = param(False, "Subtract also where a background was subtracted before")
        output_use_model: bool = param(True, "Make names of products of those of exposures")

    def reason_to_skip(self, models: Sequence[Any], p: Parameters) -> str | None:
        """Skip exposures from which a background was subtracted."""
        done = [
            "COMPLETE" in (m.meta.cal_step.bkg_subtract, m.meta.cal_step.master_background) for m in models
        ]
        if p.force_subtract or not any(done):
            return None
        which = "the exposures" if all(done) else "some of the exposures"
        return f"a background was subtracted from {which} before; set force_subtract to do it all the same"

    def why_unusable(self, model: Any, p: Parameters) -> str | None:
        """Return why the sky cannot be subtracted from a model."""
        kind = type(model).__name__
        return None if kind in _KINDS else f"works on images of spectra in slits, but this is {a_or_an(kind)}"

    def decide(self, models: Sequence[Any], *more: Any) -> list[StepPlan]:
        """Decide for each exposure whether the step applies: there must be a sky."""
        plans = super().decide(models)
        if self.user_background or (more and more[0]):
            return plans
        for plan in plans:
            if plan.applied:
                plan.skip("there are no background exposures, and no user_background")
                plan.failed = True
        return plans

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies, for each exposure."""
        return self.decide(data if isinstance(data, (list, tuple)) else [data], *more)

    def work(self, run: Run, *args: Any) -> Any:
        """Subtract the sky from exposures.

        Parameters
        ----------
        run : Run
        *args
            An association, a list of models, or one; then, unless the association has them, extracted
            spectra of the sky (paths or models).
        """
        backgrounds = list(args[1]) if len(args) > 1 else self._members(args[0])
        models, start, first = self.opened(run, args[0]), time.perf_counter(), run.is_first
        plans = self.checked(models, self.decide(models, backgrounds))
        if not run.is_part:
            run.resources = self.project(run, models, plans).checked()
        sky = self._sky(run, backgrounds) if any(plan.applied for plan in plans) else None
        for k, plan in enumerate(plans):
            if plan.applied and sky is not None:
                self._subtract(run, models[k], sky, k if len(models) > 1 else None).tell(plan)
            plan.seconds = time.perf_counter() - start
            self._note(models[k], plan, first)
        run.note_done(plans)
        return models

    def project(self, run: Run, models: Sequence[Any], plans: list[StepPlan]) -> ModelPlan:
        """Return the plan of this step alone, with what it writes and needs: an image beside an exposure."""
        outputs = [Output(0, "image", path) for path in self.output_paths(models)]
        names = ", ".join(str(model.meta.filename) for model in models)
        plan = ModelPlan(plans, outputs, None, run.resources, names)
        return plan.fitted(lambda _: 2 * sum(map(model_bytes, models)))

    def _members(self, init: Any) -> list[Any]:
        """Return the background members of an association."""
        if not is_association(init):
            return []
        association = association_of(init) if is_container(init) else as_level3(self.located(init))
        members = association.products[0].members_of("background")
        return [member.model or association.resolve(member) for member in members]

    def _sky(self, run: Run, backgrounds: Sequence[Any]) -> SkySpectrum:
        """Return the spectrum of the sky: the user's, or that of background exposures.

        Raises
        ------
        InputError
            If a background is no extracted spectrum.
        """
        if self.user_background:
            return SkySpectrum.of(_spectra(self.open_model(self.user_background), self.user_background))
        models = [_prepared(_spectra(self.open_model(b), b, _COLUMNS)) for b in backgrounds]
        try:
            sky = combine_products(models, "exposure_time", None)
        except SkipStep as reason:
            raise InputError(f"the spectra of background exposures cannot be combined: {reason}") from None
        _filter(sky.spec[0].spec_table, self.median_kernel)
        if self.save_background:
            self.save_model(sky, suffix="masterbg1d", force=True, asn_id=run.asn_id)
        return SkySpectrum.of(sky)

    def _subtract(self, run: Run, model: Any, sky: SkySpectrum, index: int | None) -> Outcome:
        """Subtract the sky from all slits of an exposure."""
        image = model.copy() if self.save_background else None
        for k, slit in enumerate(items_of(model)):
            data, flags = lay_over(slit, sky)
            data = _as_point(slit, data)
            if str(slit.meta.exposure.type) == "NRS_MSASPEC":
                log.warning("the sky of NIRSpec's MSA is subtracted in stage 2; nothing is subtracted")
                data, flags = np.zeros_like(data), np.zeros_like(flags)
            slit.data -= data
            slit.dq |= flags
            if image is not None:
                copy = items_of(image)[k]
                copy.data[:] = data
                copy.dq |= flags
        if self.user_background:
            model.meta.background.master_background_file = Path(self.user_background).name
        if image is not None:
            self.save_model(image, suffix="masterbg2d", idx=index, force=True, asn_id=run.asn_id)
        return Outcome()


def _spectra(model: Any, name: Any, wanted: Sequence[str] = ("WAVELENGTH", "SURF_BRIGHT")) -> Any:
    """Return a product of spectra of one source, which has these columns.

    Raises
    ------
    InputError
        If it is something else.
    """
    items = getattr(model, "spec", [model])
    if not len(items) or not all(hasattr(item, "spec_table") for item in items):
        raise InputError(f"{name} is no extracted spectrum (x1d), but {a_or_an(type(model).__name__)}")
    for table in (item.spec_table for item in items):
        known = {column.upper(): table.dtype[column].shape for column in table.dtype.names or ()}
        if missing := [column for column in wanted if column not in known]:
            raise InputError(f"{name} is no extracted spectrum (x1d): it has no column {', '.join(missing)}")
        if any(known[column] for column in wanted):
            raise InputError(
                f"{name} holds spectra of several sources or integrations ({type(model).__name__}), and a "
                "background is one spectrum; give the x1d of an exposure of the sky"
            )
    return model


def _prepared(model: Any) -> Any:
    """Return a background's spectra with the sky as their surface brightness.

    That of a source's exposure (a nod) is what was beside the source; of a background exposure, all.
    """
    if model.meta.observation.bkgdtarg is not False:
        return model
    model = model.copy()
    for item in getattr(model, "spec", [model]):
        table = item.spec_table
        for sky, column in (("BACKGROUND", "SURF_BRIGHT"), ("BKGD_ERROR", "SB_ERROR")):
            table[column] = table[sky]
            table[sky] = 0.0
    return model


def _filter(table: Any, width: int) -> None:
    """Apply a moving median to the columns of a combined spectrum."""
    if width % 2 == 0:
        log.info("median_kernel = %d is even; %d is taken", width, width - 1)
        width -= 1
    if width > 1:
        from scipy.signal import medfilt

        for column in ("SURF_BRIGHT", "FLUX"):
            table[column] = medfilt(np.asarray(table[column]), width)


def _as_point(slit: Any, data: np.ndarray) -> np.ndarray:
    """Return the sky in a slit as it is after the corrections for a point source (NIRSpec's fixed slits)."""
    is_point = str(getattr(slit, "source_type", None)).upper() == "POINT"
    if str(slit.meta.exposure.type) != "NRS_FIXEDSLIT" or not is_point:
        return data
    above, below = _POINT_BY_UNIFORM
    missing = [name for name in (*above, *below) if not slit.has(name)]
    if missing:
        log.warning("slit %s has no %s; its sky is not corrected as its source is", slit.name, missing[0])
        return data
    with np.errstate(invalid="ignore", divide="ignore"):
        for over, under in zip(above, below, strict=True):
            data = data * (getattr(slit, over) / getattr(slit, under))
    return data.astype(np.float32)
