"""calwebb_spec3: from calibrated spectra of several exposures to combined ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from webbcal.associations.association import Association, Product
from webbcal.combine.alignment.moving_target import AssignMTWcsStep
from webbcal.combine.members.opening import check_agreement
from webbcal.combine.members.sizes import describe, sizes_of
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.rectified.resample_spec import ResampleSpecStep
from webbcal.core.errors import InputError, PlanError
from webbcal.core.modes import mode_of
from webbcal.core.wording import a_or_an
from webbcal.exposure.repair.pixel_replace import PixelReplaceStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline import other_modes
from webbcal.pipeline.combining_pipeline import CombiningPipeline
from webbcal.run.parameters import StepParameters
from webbcal.run.planning import ModelPlan, working_bytes
from webbcal.run.run import Run
from webbcal.run.script import Script, Task, steps_in
from webbcal.spectra.combine_1d import Combine1dStep
from webbcal.spectra.extract_1d import Extract1dStep
from webbcal.spectra.master_background import MasterBackgroundStep

log = logging.getLogger(__name__)

#: Optics -> the class of a calibrated exposure.
_CALIBRATED = {"slit": "SlitModel", "grism": "MultiSlitModel"}
#: What spectra must have in common to be combined: label and place in the metadata.
_SAME = {
    "exposure type": "meta.exposure.type",
    "filter": "meta.instrument.filter",
    "pupil": "meta.instrument.pupil",
    "grating": "meta.instrument.grating",
}


class Spec3Pipeline(CombiningPipeline):
    """Subtract the master background, reject outliers, combine and extract (`_crf`, `_s2d`, `_x1d`, `_c1d`).

    The input is a level-3 association, a list of exposures, or one. Of a slit, the exposures are resampled
    together and one spectrum is extracted; of a field (WFSS) all sources are extracted from each exposure,
    and the spectra of each source combined. The last product is returned.
    """

    class_alias = "calwebb_spec3"
    makes = "spectra"
    roles = ("science", "background")
    step_defs: ClassVar[dict[str, type]] = {
        "assign_mtwcs": AssignMTWcsStep,
        "master_background": MasterBackgroundStep,
        "outlier_detection": OutlierDetectionStep,
        "adaptive_trace_model": other_modes.AdaptiveTraceModelStep,
        "pixel_replace": PixelReplaceStep,
        "resample_spec": ResampleSpecStep,
        "cube_build": other_modes.CubeBuildStep,
        "extract_1d": Extract1dStep,
        "photom": PhotomStep,
        "combine_1d": Combine1dStep,
        "spectral_leak": other_modes.SpectralLeakStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Spec3Pipeline`."""

    def check(self, models: Sequence[Any], names: Sequence[str]) -> None:
        """Make sure that exposures are calibrated spectra that can be combined."""
        check_spectra(models, names)

    def script(self, models: Sequence[Any], product: Product, association: Association) -> Script:
        """Return the steps in their order."""
        backgrounds = [m.model or association.resolve(m) for m in product.members_of("background")]
        alias, saves = str(self.class_alias), self.saves
        moving = any(str(m.meta.target.type).upper() == "MOVING" for m in models)
        replace = self.pixel_replace.arranged(alias, suffix="pixel_replace", output_use_model=True)
        extract = self.extract_1d.arranged(alias, suffix="x1d", save_results=self.extract_1d.saves or saves)
        combine = self.combine_1d.arranged(alias, suffix="c1d", save_results=self.combine_1d.saves or saves)
        first = [Task(self.assign_mtwcs)] if moving else []
        if type(models[0]).__name__ == "MultiSlitModel":
            if backgrounds or self._has_own:
                log.warning("backgrounds have no effect: calwebb_spec2 subtracts those of fields of spectra")
            return [*first, Task(replace), Task(extract), Task(combine)]
        background = self.master_background.arranged(alias, suffix="mbsub")
        flagging = self.outlier_detection.arranged(
            alias, suffix="crf", save_results=self.outlier_detection.saves or saves
        )
        resample = self.resample_spec.arranged(
            alias, suffix="s2d", save_results=self.resample_spec.saves or saves
        )
        why = None if self.resample_spec.skip else "rectified spectra were combined as images"
        return [
            *first,
            Task(background, (backgrounds,), unless=None if backgrounds or self._has_own else _NO_SKY),
            Task(flagging),
            Task(self.adaptive_trace_model),
            Task(replace),
            Task(resample),
            Task(extract),
            Task(combine, unless=why),
        ]

    @property
    def _has_own(self) -> bool:
        """Whether the user gives a background spectrum."""
        return self.master_background.user_background is not None

    def project(self, run: Run, models: Sequence[Any], script: Script) -> ModelPlan:
        """Return a plan with nothing but the memory that the steps will take."""
        sizes = dict.fromkeys(steps_in(script), sizes_of(models))
        plan = ModelPlan([], [], None, run.resources, describe(models))
        return plan.fitted(lambda threads: working_bytes(sizes, threads))

    def save_result(self, run: Run) -> None:
        """Products are saved by the steps that make them."""


_NO_SKY = "there are no background exposures"


def check_spectra(models: Sequence[Any], names: Sequence[str]) -> None:
    """Make sure that exposures are calibrated spectra that can be combined.

    Raises
    ------
    InputError
        If one is not what calwebb_spec2 makes, or they are of several instruments, filters or grisms.
    PlanError
        For modes that webbcal does not combine yet.
    """
    for model, name in zip(models, names, strict=True):
        exp_type, kind = str(model.meta.exposure.type).upper(), type(model).__name__
        mode = mode_of(exp_type)
        if exp_type.startswith("NRS_") or mode.optics not in _CALIBRATED or mode.has("tso"):
            raise PlanError(
                f"{name}: calwebb_spec3 of this version of webbcal combines MIR_LRS-FIXEDSLIT and "
                f"the WFSS modes; EXP_TYPE is {exp_type}"
            )
        if kind != _CALIBRATED[mode.optics]:
            raise InputError(
                f"{name}: is {a_or_an(kind)}; calwebb_spec3 combines calibrated spectra (_cal), which "
                "calwebb_spec2 makes"
            )
        if model.meta.cal_step.resample == "COMPLETE":
            raise InputError(
                f"{name}: is rectified already (S_RESAMP is COMPLETE); calwebb_spec3 combines what was not "
                "(_cal)"
            )
    check_agreement(models, _SAME, "give those of one {what}, each in an association of its own")
