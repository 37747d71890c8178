"""``pixel_replace``: estimate bad pixels of spectra from those around them, before spectra are extracted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from webbcal.core.dqflags import pixel
from webbcal.core.errors import SkipStep
from webbcal.core.threads import run_on_threads
from webbcal.core.wording import a_or_an
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.datamodels.lists import items_of
from webbcal.exposure.images import unavailable
from webbcal.exposure.repair.min_gradient import replace_by_gradient
from webbcal.exposure.repair.profile_fit import replace_by_profile
from webbcal.exposure.repair.spectrum import Spectrum2D
from webbcal.exposure.repair.trace import replace_by_trace
from webbcal.run.aside import put_aside
from webbcal.run.each_slit import EachSlit
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan
from webbcal.run.run import Run, current

log = logging.getLogger(__name__)

_MODELS = ("ImageModel", "CubeModel", "SlitModel", "MultiSlitModel", "IFUImageModel")


class PixelReplaceStep(EachSlit):
    """Estimate bad pixels of spectra, and flag them FLUX_ESTIMATED; of one exposure, or of each of a list."""

    class_alias = "pixel_replace"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PixelReplaceStep`."""

        algorithm: Literal["fit_profile", "mingrad", "trace_model"] = param(
            "mingrad", "Fit profiles beside, take the mean along the flatter axis, or a model of the trace"
        )
        n_adjacent_cols: int = param(
            3, "Places on each side whose profiles are looked at (fit_profile)", ge=1
        )
        skip: bool = param(True, "Skip this step")
        output_use_model: bool = param(True, "Name products after their exposures")

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is no two-dimensional spectrum, and refuse what is not available yet.

        Raises
        ------
        PlanError
            For profiles of integral field units.
        """
        kind = type(model).__name__
        if kind == "IFUImageModel" and p.algorithm == "fit_profile":
            raise unavailable(model, "replacement by profiles", "pixel_replace")
        return (
            None
            if kind in _MODELS
            else f"works on spectra ({', '.join(_MODELS)}), but the input is {a_or_an(kind)}"
        )

    def scratch_bytes(self, sizes: Sizes, p: Parameters) -> int:
        """The arrays of an exposure."""
        return 28 * sizes.pixels

    def work(self, run: Run, *args: Any) -> Any:
        """Work on an exposure, or on each of a list: these are read from files when they are touched."""
        if not isinstance(args[0], (list, tuple)):
            return super().work(run, *args)
        results = []
        for model in args[0]:
            result = super().work(run, model, *args[1:])
            if len(args[0]) > 1 and run.done[-1].applied:
                self.check_output_folder()
                put_aside(result, self.output_folder)  # there may be more than fit into memory
            results.append(result)
        return results

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies; on what is no spectrum it fails, as in jwst."""
        plan = super().decide(model, *more)
        plan.failed = not plan.applied
        return plan

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies, for each exposure."""
        return [self.decide(model, *more) for model in (data if isinstance(data, (list, tuple)) else [data])]

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Replace the bad pixels of all slits."""
        wants_trace = self.parameters.algorithm == "trace_model"
        if wants_trace and not any(slit.has("trace_model") for slit in items_of(model)):
            log.warning(
                "%s has no model of the trace (adaptive_trace_model makes one). "
                "Defaulting to the 'mingrad' method",
                model.meta.filename,
            )
        return super().perform(run, model, plan)

    def apply_slit(self, slit: Any, references: Mapping[str, Any], p: Parameters) -> None:
        """Replace the bad pixels of a slit, in all its integrations."""
        axis = slit.meta.wcsinfo.dispersion_direction
        trace = slit.trace_model if p.algorithm == "trace_model" and slit.has("trace_model") else None
        if axis not in (1, 2) and (p.algorithm == "fit_profile" or trace is not None):
            raise SkipStep(f"DISPAXIS is {axis}, not 1 or 2")

        def work(spectrum: Spectrum2D) -> None:
            if p.algorithm == "fit_profile":
                replace_by_profile(spectrum, axis, p.n_adjacent_cols)
                return
            if trace is not None:
                replace_by_trace(spectrum, trace, axis)
            replace_by_gradient(spectrum)

        run = current()  # integrations are worked on side by side, as slits are
        threads = run.resources.threads if run is not None else 1
        image = arrays_of(slit, threads)
        before = _bad(image.dq)
        run_on_threads(work, Spectrum2D.all_of(image), threads)
        name = getattr(slit, "name", None) or slit.meta.filename
        log.info("%s: %d pixels replaced", name, before - _bad(image.dq))


def _bad(dq: np.ndarray) -> int:
    """Return how many pixels cannot be used."""
    return int(np.count_nonzero(dq & pixel["DO_NOT_USE"]))
