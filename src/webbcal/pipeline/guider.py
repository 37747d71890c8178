"""calwebb_guider: from raw exposures of guide stars to rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from webbcal.core.errors import InputError
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.guide_star import as_ramp, is_guide_star
from webbcal.detector.guider_cds import GuiderCdsStep
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.run.exposure import Exposure
from webbcal.run.pipeline import Pipeline
from webbcal.run.planning import ModelPlan, crds_context, model_bytes, refuse_twice
from webbcal.run.run import Run
from webbcal.run.script import Product, Script, Task, decide, perform


class GuiderPipeline(Pipeline):
    """Flag bad pixels, make rates and flat-field them (`_cal`), for guide-star exposures of all six kinds."""

    class_alias = "calwebb_guider"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "cal"}
    step_defs = {"dq_init": DQInitStep, "guider_cds": GuiderCdsStep, "flat_field": FlatFieldStep}

    def work(self, run: Run, *args: Any) -> Any:
        """Run the steps; return the model of rates."""
        model = self._opened(args[0])
        run.result = perform(self._script(model), model, run)
        return run.result

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of a run on this input, without running anything."""
        model = self._opened(args[0])
        steps, outputs = decide(self._script(model), model)
        title = Exposure.of_model(model).description
        plan = ModelPlan(steps, outputs, crds_context(steps), run.resources, title)
        return plan.fitted(lambda threads: 2 * model_bytes(model))

    def _opened(self, init: Any) -> Any:
        """Open the input as a guide-star model; what was given is not changed.

        Raises
        ------
        InputError
            If it is of another kind.
        """
        model = self.open_model(init)
        if not is_guide_star(model):
            raise InputError(
                f"{model.meta.filename}: calwebb_guider takes guide-star exposures, but EXP_TYPE is "
                f"{model.meta.exposure.type}; calwebb_detector1 takes others"
            )
        model = as_ramp(model)
        refuse_twice(model, [getattr(self, name) for name in self.step_defs])
        return model.copy() if hasattr(init, "meta") else model

    def _script(self, model: Any) -> Script:
        """Return the steps in their order."""
        path = self.make_output_path(suffix=self.product_suffixes["image"])
        tasks = [Task(getattr(self, name)) for name in self.step_defs]
        return [*tasks, Product(path, self.streams, lambda made, name: None)]

    def save_result(self, run: Run) -> None:
        """Save what hooks have changed, or what is not streamed."""
        path = str(self.output_folder / run.result.meta.filename)
        run.result.save(path)
        run.note_saved(path)
