"""What pipelines of stage 3 have in common: one product is made of all exposures of an association."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from webbcal.associations import as_level3
from webbcal.associations.association import Association, Product
from webbcal.combine.members.list_step import note_association
from webbcal.combine.members.opening import check_data, open_members, warn_of_mixtures
from webbcal.core.suffixes import remove_suffix
from webbcal.pipeline.association_input import AssociationPipeline, science_names
from webbcal.run.planning import ModelPlan, crds_context
from webbcal.run.run import Run
from webbcal.run.script import Script, decide, outputs_of, perform

log = logging.getLogger(__name__)


class CombiningPipeline(AssociationPipeline):
    """A pipeline of stage 3; subclasses give the steps (`step_defs`) and the `script` for some exposures.

    The input is a level-3 association, a list of exposures, or one.
    """

    level = 3
    #: Roles of the members that are opened: their files must be there.
    roles: ClassVar[tuple[str, ...]] = ("science",)
    #: Identifier of the association for the names of exposures, if the association has none.
    asn_id: str | None = None

    def check(self, models: Sequence[Any], names: Sequence[str]) -> None:
        """Make sure that exposures can be combined.

        Raises
        ------
        InputError
            If not.
        """
        raise NotImplementedError

    def script(self, models: Sequence[Any], product: Product, association: Association) -> Script:
        """Return the steps in their order."""
        raise NotImplementedError

    def project(self, run: Run, models: Sequence[Any], script: Script) -> ModelPlan:
        """Return a plan with nothing but the memory that the steps will take."""
        raise NotImplementedError

    def work(self, run: Run, *args: Any) -> Any:
        """Make the product of the input; return it.

        Raises
        ------
        InputError
            If a member is not calibrated, or exposures do not go together.
        PlanError
            If it would not fit into memory.
        OutputError
            If two exposures would be saved under one name.
        """
        part, models, script = self._prepared(run, args[0])
        with part.active():
            plan = self.project(part, models, script)
            plan.outputs = outputs_of(script, models)
            part.resources = plan.checked()
            part.result = perform(script, models, part)
        run.own_name = part.own_name
        return part.result

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of a run on this input, without running anything."""
        part, models, script = self._prepared(run, args[0])
        with part.active():
            plan = self.project(part, models, script)
            plan.steps, plan.outputs = decide(script, models)
            plan.context = crds_context(plan.steps)
        return plan

    def as_association(self, init: Any) -> Association:
        """Return any input as an association of level 3."""
        return as_level3(init, self.roles)

    def _prepared(self, run: Run, init: Any) -> tuple[Run, list[Any], Script]:
        """Open the exposures and look at them; return the run of their product, them, and what to do."""
        association = self.association(init)
        product = association.products[0]
        if len(association.products) > 1:
            log.warning("%s has several products; only the first is made", association.filename)
        models = [run.closes(model) for model in open_members(product, association)]
        names = science_names(product, association)
        for model, name in zip(models, names, strict=True):
            check_data(model, name)
        self.check(models, names)
        warn_of_mixtures(models)
        part = run.product(f"{_name_of(product)}{self.output_ext}")
        note_association(part, association, models)
        with part.active():
            return part, models, self.script(models, product, association)


def _name_of(product: Product) -> str:
    """Return the root of the names of products: as the association says, else after the first exposure."""
    first = Path(product.science[0].expname).stem
    return product.name or remove_suffix(first)[0]
