"""calwebb_image2: from count rates to calibrated exposures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from webbcal import datamodels
from webbcal.associations import as_level2
from webbcal.associations.association import Association, Product
from webbcal.combine.members.sizes import sizes_of
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.core.dqflags import pixel
from webbcal.core.errors import InputError
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.images import why_no_image
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline.association_input import AssociationPipeline, outputs_of
from webbcal.run.exposure import Exposure
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import (
    ModelPlan,
    Output,
    StepPlan,
    crds_context,
    model_bytes,
    step_name,
    told_to_skip,
    working_bytes,
)

log = logging.getLogger(__name__)

#: Exposure types that get a quick-look mosaic.
_RESAMPLED = ("MIR_IMAGE", "NRC_IMAGE", "NIS_IMAGE", "FGS_IMAGE")
_INTS = {"image": "", "ints": "ints"}
_DO_NOT_USE = np.uint32(pixel["DO_NOT_USE"])


class Image2Pipeline(AssociationPipeline):
    """Subtract backgrounds, attach the WCS, flat-field, calibrate and resample (`_cal`, `_i2d`).

    The input is an exposure (path or model), a list of exposures, or a level-2 association; each of its
    products is made from one science exposure. A list of models is returned, one for each product.
    """

    class_alias = "calwebb_image2"
    level = 2
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "cal", "ints": "calints"}
    step_defs = {
        "bkg_subtract": BackgroundStep,
        "assign_wcs": AssignWcsStep,
        "flat_field": FlatFieldStep,
        "photom": PhotomStep,
        "resample": ResampleStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image2Pipeline`."""

        save_bsub: bool = param(False, "Save background-subtracted rates (bkg_subtract.save_results)")

    def process(self, *args: Any) -> list[Any]:
        """Make all products of the input; return their models.

        Of several products that are saved, each is handed back as a model that reads its file when touched.

        Raises
        ------
        InputError
            If the input, or a science member, is no count-rate exposure, or is calibrated already.
        """
        association = self._association(args[0])
        several = len(association.products) > 1
        if several and self.parameters.output_file is not None:
            log.warning("output_file is ignored: there are several products")
            self.set_parameter("output_file", None, "several products")
        self.record = []
        results = []
        for product in association.products:
            with self._naming(str(product.name)):
                model = self._make(product, association)
                if self._streams:
                    self._save([model])
                    model = datamodels.open(self.output_folder / model.meta.filename) if several else model
            results.append(model)
        return results

    def plan(self, init: Any) -> list[ModelPlan]:
        """Return the plan of each product that a run on this input would make, without running anything."""
        association = self._association(init)
        return [self._plan(product, association) for product in association.products]

    def _as_association(self, init: Any) -> Association:
        return as_level2(init)

    def _make(self, product: Product, association: Association) -> Any:
        """Run the steps on the science member of a product."""
        log.info("product %s", product.name)
        model = self._open_science(product, association)
        self._done = []
        model.meta.asn.pool_name = association.asn_pool
        model.meta.asn.table_name = association.filename
        for step, more in self._sequence(model, product, association):
            model = step.run(model, *more)
        if _why_no_mosaic(model) is None:
            self.resample.run(model)
        _warn_if_empty(model)
        path = self._product_path(_kind(model))
        model.meta.filename = Path(path).name
        outputs = [Output(len(self._done) - 1, "image", path if self._streams else None)]
        title = Exposure.of_model(model).description
        self.record.append(ModelPlan(list(self._done), outputs, crds_context(self._done), title))
        return model

    def _plan(self, product: Product, association: Association) -> ModelPlan:
        model = self._open_science(product, association)
        steps = [
            told_to_skip(step) or step.decide(model, *more)
            for step, more in self._sequence(model, product, association)
        ]
        reason = _why_no_mosaic(model)
        none = reason and StepPlan(step_name(self.resample), self.resample, False, reason)
        steps.append(told_to_skip(self.resample) or none or self.resample.decide([model])[0])
        with self._naming(str(product.name)):
            final = [self._product_path(_kind(model))] if self._streams else []
            outputs = outputs_of(steps, [model], final)
        sizes = sizes_of([model])
        needed = model_bytes(model) + working_bytes({s.step: sizes for s in steps if s.applied})
        return ModelPlan(steps, outputs, crds_context(steps), Exposure.of_model(model).description, needed)

    def _sequence(
        self, model: Any, product: Product, association: Association
    ) -> list[tuple[ModelStep, tuple[Any, ...]]]:
        """Return the steps in their order, with what each gets beside the model; prepare what they save.

        Raises
        ------
        InputError
            If one of them was applied to the exposure before.
        """
        members = product.members_of("background")
        backgrounds = [m.model or association.resolve(m) for m in members] or None
        keeps = self.bkg_subtract.save_results or (self.save_bsub and bool(members))
        self._arrange(self.bkg_subtract, save_results=keeps, suffix=f"bsub{_INTS[_kind(model)]}")
        self._arrange(self.resample, save_results=self.save_results, suffix="i2d")
        _refuse_twice(model, [self.flat_field, self.photom, *([self.bkg_subtract] if backgrounds else [])])
        others = (self.assign_wcs, self.flat_field, self.photom)
        return [(self.bkg_subtract, (backgrounds,)), *((step, ()) for step in others)]

    def _open_science(self, product: Product, association: Association) -> Any:
        """Open the science member; a model that was given is copied, not changed."""
        (member, *_) = product.science
        path = association.resolve(member)
        model = self.open_model(path) if member.model is None else member.model.copy()
        reason = why_no_image(model)
        if reason:
            raise InputError(
                f"{path}: calwebb_image2 {reason}; it takes what calwebb_detector1 makes (_rate, _rateints)"
            )
        return model

    def _save(self, result: list[Any]) -> None:
        for model in result:
            path = self.output_folder / model.meta.filename
            model.save(path)
            self.saved_files.append(str(path))
            log.info("saved %s", path)


def _kind(model: Any) -> str:
    """Return which product is made of a model: of an image, or of integrations."""
    return "ints" if type(model).__name__ == "CubeModel" else "image"


def _why_no_mosaic(model: Any) -> str | None:
    """Return why an exposure gets no quick-look mosaic, or None."""
    exp_type = str(model.meta.exposure.type).upper()
    if exp_type not in _RESAMPLED:
        return f"exposures of EXP_TYPE {exp_type} get no quick-look mosaic"
    return None if len(model.shape) == 2 else "integrations get no quick-look mosaic"


def _refuse_twice(model: Any, steps: Sequence[ModelStep]) -> None:
    """Refuse an exposure that would be calibrated twice."""
    for step in steps:
        again = getattr(model.meta.cal_step, str(step.class_alias)) == "COMPLETE"
        if again and not step.skip and not step.get_pars().get("inverse"):
            raise InputError(
                f"{model.meta.filename}: {step.class_alias} was applied to it already; give the rates "
                f"(_rate, _rateints), or run with --steps.{step.class_alias}.skip=true"
            )


def _warn_if_empty(model: Any) -> None:
    """Say so if no pixel can be used."""
    unusable = (model.dq & _DO_NOT_USE != 0) if model.has("dq") else False
    if not (np.isfinite(model.data) & ~unusable).any():
        log.warning("%s: no pixel can be used: all are flagged DO_NOT_USE, or NaN", model.meta.filename)
