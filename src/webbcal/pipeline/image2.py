"""calwebb_image2: from count rates to calibrated exposures."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from webbcal import datamodels
from webbcal.associations import as_level2
from webbcal.associations.association import Association, Product
from webbcal.combine.resample import ResampleStep
from webbcal.core.errors import InputError, ParameterError
from webbcal.exposure.assign_wcs import AssignWcsStep
from webbcal.exposure.background import BackgroundStep
from webbcal.exposure.flat_field import FlatFieldStep
from webbcal.exposure.images import why_no_image
from webbcal.exposure.photom import PhotomStep
from webbcal.pipeline.association_input import AssociationPipeline
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Output, RunPlan, crds_context

log = logging.getLogger(__name__)

#: Exposure types that get a quick-look mosaic.
_RESAMPLED = ("MIR_IMAGE", "NRC_IMAGE", "NIS_IMAGE", "FGS_IMAGE")


class Image2Pipeline(AssociationPipeline):
    """Subtract backgrounds, attach the WCS, flat-field, calibrate and resample (`_cal`, `_i2d`).

    The input is an exposure (path or model), a list of exposures, or a level-2 association; each of its
    products is made from one science exposure. A list of models is returned, one for each product.
    """

    class_alias = "calwebb_image2"
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
            If the input, or a science member, is no count-rate exposure.
        """
        association = self._association(args[0])
        several = len(association.products) > 1
        if several and self.parameters.output_file is not None:
            log.warning("output_file is ignored: there are several products")
            self.set_parameter("output_file", None, "several products")
        named, self.record = self._input_filename, []
        results = []
        try:
            for product in association.products:
                model = self._make(product, association)
                if self._streams:
                    self._save([model])
                    model = datamodels.open(self.output_folder / model.meta.filename) if several else model
                results.append(model)
        finally:
            self._input_filename = named
        return results

    def _association(self, init: Any) -> Association:
        return as_level2(self.located(init))

    def _make(self, product: Product, association: Association) -> Any:
        """Run the steps on the science member of a product."""
        log.info("product %s", product.name)
        model = self._open_science(product, association)
        self._input_filename, self._done = f"{product.name}{self.output_ext}", []
        model.meta.asn.pool_name = association.asn_pool
        model.meta.asn.table_name = association.filename
        members = product.members_of("background")
        self.bkg_subtract.suffix = "bsub" if model.meta.model_type == "ImageModel" else "bsubints"
        self.bkg_subtract.save_results = self.bkg_subtract.save_results or (self.save_bsub and bool(members))
        model = self.bkg_subtract.run(model, [m.model or association.resolve(m) for m in members] or None)
        model = self.assign_wcs.run(model)
        model = self.flat_field.run(model)
        model = self.photom.run(model)
        self._resample(model)
        path = self.make_output_path(suffix=self._suffix(model))
        model.meta.filename = Path(path).name
        outputs = [Output(len(self._done) - 1, "image", path if self._streams else None)]
        plan = RunPlan(Exposure.of_model(model), list(self._done), outputs, crds_context(self._done))
        self.record.append(plan)
        return model

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

    def _suffix(self, model: Any) -> str:
        return self.product_suffixes["ints" if type(model).__name__ == "CubeModel" else "image"]

    def _resample(self, model: Any) -> None:
        """Make the quick-look mosaic of an image; it is saved if the pipeline saves, and not used."""
        if str(model.meta.exposure.type).upper() not in _RESAMPLED or len(model.shape) != 2:
            return
        self.resample.save_results = self.save_results
        self.resample.suffix = "i2d"
        self.resample.run(model)

    def _save(self, result: list[Any]) -> None:
        for model in result:
            path = self.output_folder / model.meta.filename
            model.save(path)
            self.saved_files.append(str(path))
            log.info("saved %s", path)

    def plan(self, init: Any) -> RunPlan:
        """Refuse: plans are of band steps.

        Raises
        ------
        ParameterError
            Always.
        """
        raise ParameterError(
            "calwebb_image2 cannot be planned: its steps work on whole images, and decide when they see them"
        )
