"""calwebb_image3: from calibrated exposures to the mosaic and its catalogue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from webbcal import datamodels
from webbcal.associations import as_level3
from webbcal.associations.association import Association, Product
from webbcal.combine.list_step import ListStep, Outcome
from webbcal.combine.outlier_detection import OutlierDetectionStep
from webbcal.combine.resample import ResampleStep
from webbcal.combine.skymatch import SkyMatchStep
from webbcal.combine.source_catalog import SourceCatalogStep
from webbcal.combine.tweakreg import TweakRegStep
from webbcal.core.errors import InputError, ParameterError, PlanError
from webbcal.core.suffixes import remove_suffix
from webbcal.pipeline.association_input import AssociationPipeline
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Output, RunPlan, crds_context

log = logging.getLogger(__name__)

#: What else the entry of a member may say; it goes into ``meta``.
_MEMBER_KEYS = ("group_id", "tweakreg_catalog")


class AssignMTWcsStep(ListStep):
    """Let the WCS follow a moving target. Not available yet: its place in the pipeline is kept."""

    class_alias = "assign_mtwcs"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `AssignMTWcsStep`."""

        suffix: str | None = param("assign_mtwcs", "Suffix of file names")
        output_use_model: bool = param(True, "Name files after the models")

    def apply(self, models: list[Any], p: Any) -> list[Outcome]:
        """Refuse.

        Raises
        ------
        PlanError
            Always.
        """
        raise PlanError(
            f"{models[0].meta.filename} is of a moving target, and aligning on one is not available in this "
            "version of webbcal; run with assign_mtwcs.skip=true for a mosaic that is fixed on the sky"
        )


class Image3Pipeline(AssociationPipeline):
    """Align, match skies, reject outliers, combine and catalogue: `_cal` to `_crf`, `_i2d`, `_cat`, `_segm`.

    The input is a level-3 association, a list of exposures, or one exposure, which is resampled and
    catalogued only. The mosaic is returned.
    """

    class_alias = "calwebb_image3"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "i2d"}
    step_defs = {
        "assign_mtwcs": AssignMTWcsStep,
        "tweakreg": TweakRegStep,
        "skymatch": SkyMatchStep,
        "outlier_detection": OutlierDetectionStep,
        "resample": ResampleStep,
        "source_catalog": SourceCatalogStep,
    }
    #: Identifier of the association, for the names of exposures.
    asn_id: str | None = None

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image3Pipeline`."""

        in_memory: bool = param(True, "Keep exposures in memory (else in files, read when touched)")

    def process(self, *args: Any) -> Any:
        """Make the product of the input; return the mosaic (with resample.skip, the exposures).

        Raises
        ------
        InputError
            If a member is no calibrated image, or exposures do not go together.
        """
        association = self._association(args[0])
        product = association.products[0]
        if len(association.products) > 1:
            log.warning("%s has several products; only the first is made", association.filename)
        named, self._done = self._input_filename, []
        self._input_filename = f"{_name_of(product)}{self.output_ext}"
        self.asn_id = association.get("asn_id")
        try:
            return self._make(_opened(product, association))
        finally:
            self._input_filename = named

    def _association(self, init: Any) -> Association:
        return as_level3(self.located(init))

    def _make(self, models: list[Any]) -> Any:
        """Run the steps on the exposures."""
        exposure = Exposure.of_model(models[0])
        self.outlier_detection.suffix = "crf"
        self.outlier_detection.save_results |= self.save_results
        self.outlier_detection.in_memory &= self.in_memory
        self.resample.suffix = "i2d"
        self.source_catalog.save_results |= self.save_results
        moving = any(str(m.meta.target.type).upper() == "MOVING" for m in models)
        for step in (
            self.assign_mtwcs if moving else self.tweakreg,
            self.skymatch,
            self.outlier_detection,
        ):
            models = step.run(models)
        mosaic = self.resample.run(models)
        made = hasattr(mosaic, "meta") and mosaic.meta.cal_step.resample == "COMPLETE"
        path = self.make_output_path(suffix=self.product_suffixes["image"]) if made else None
        if path is not None:
            mosaic.meta.filename = Path(path).name
            try:
                self.source_catalog.run(mosaic)
            finally:  # the mosaic is there whatever becomes of the catalogue, and says what did
                if self._streams:
                    mosaic.save(path)
                    self.note_saved(path)
        outputs = [Output(len(self._done) - 1, "image", path if self._streams else None)]
        self.record = [RunPlan(exposure, list(self._done), outputs, crds_context(self._done))]
        return mosaic

    def _save(self, result: Any) -> None:
        """Save the mosaic that a hook has changed."""
        if hasattr(result, "save"):
            path = self.make_output_path(suffix=self.product_suffixes["image"])
            result.save(path)
            self.note_saved(path)

    def plan(self, init: Any) -> RunPlan:
        """Refuse: plans are of band steps.

        Raises
        ------
        ParameterError
            Always.
        """
        raise ParameterError(
            "calwebb_image3 cannot be planned: its steps work on all exposures, and decide when they see them"
        )


def _name_of(product: Product) -> str:
    """Return the root of the names of products: as the association says, else after the first exposure."""
    first = Path(product.science[0].expname).stem
    return product.name or remove_suffix(first)[0]


def _opened(product: Product, association: Association) -> list[Any]:
    """Open the science members, after a look at what they are; models that were given are copied."""
    models = []
    for member in product.science:
        path = association.resolve(member)
        model = datamodels.open(path) if member.model is None else member.model.copy()
        kind = type(model).__name__
        if kind != "ImageModel" or len(model.shape or ()) != 2:
            raise InputError(
                f"{path}: is a {kind}; calwebb_image3 combines calibrated images (_cal), which "
                "calwebb_image2 makes"
            )
        if model.meta.cal_step.resample == "COMPLETE":
            raise InputError(f"{path}: is resampled already; give the _cal exposures that it was made of")
        for key in _MEMBER_KEYS:
            if value := member.extra.get(key):
                setattr(model.meta, key, str(association.resolve(value)) if "catalog" in key else value)
        model.meta.asn.pool_name, model.meta.asn.table_name = association.asn_pool, association.filename
        models.append(model)
    return models
