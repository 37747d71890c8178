"""``targ_centroid``: find the source of LRS in the image that confirms its acquisition."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.associations import as_level2
from webbcal.associations.sources import is_association_name
from webbcal.core.errors import InputError, ReferenceFileError, SkipStep
from webbcal.core.modes import mode_of
from webbcal.core.wording import a_or_an
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.geometry.centroid import centroid, dithered_position
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, StepPlan
from webbcal.run.run import Run
from webbcal.wcs.of_model import stored_wcs

log = logging.getLogger(__name__)


class TargCentroidStep(ModelStep):
    """Measure the position of a point source in the image of its acquisition, and tell it to a spectrum.

    It becomes ``source_xpos`` and ``source_ypos``; where it is in that image, ``ta_xpos`` and ``ta_ypos``.
    """

    class_alias = "targ_centroid"
    reference_file_types = ("filteroffset",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `TargCentroidStep`."""

        ta_file: str | None = param(None, "Image that confirms the acquisition of the target")
        skip: bool = param(True, "Skip this step")

    def inputs(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """Return an exposure and the image of its acquisition."""
        return tuple(args)

    def work(self, run: Run, *args: Any) -> Any:
        """Work on an exposure (a path, model or association), with an image of the acquisition or without."""
        return super().work(run, *self._sorted(*args))

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of running this step alone."""
        return super().planned(run, *self._sorted(*args))

    def _sorted(self, init: Any, *more: Any) -> tuple[Any, ...]:
        """Return the exposure, and the image of the association or the one given."""
        init = self.located(init)
        named = isinstance(init, (str, os.PathLike)) and is_association_name(init)
        if not (named or isinstance(init, Mapping)):
            return (init, *more)
        association = as_level2(init)
        product = association.products[0]
        members = [product.science[0], *product.members_of("target_acquisition")[:1]]
        return tuple(member.model or association.resolve(member) for member in members)

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies, with this image."""
        plan = super().decide(model)
        plan.more = [image for image in (*more, self.ta_file) if image not in (None, "", "None")]
        if plan.applied and not plan.more:
            plan.skip("no image of the target's acquisition given (ta_file)")
        return plan

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip all but the spectra of LRS."""
        if not mode_of(model.meta.exposure.type).has("prism"):
            return f"it is for MIRI LRS, not {model.meta.exposure.type}"
        kind = type(model).__name__
        return None if kind == "SlitModel" else f"it takes a SlitModel, but the input is {a_or_an(kind)}"

    def check_reference(self, reference: Any, model: Any) -> None:
        """The offsets of filters are no map of the detector."""

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Find the target, and tell the spectrum.

        Raises
        ------
        SkipStep
            If the image cannot be used, or the target is not found in it.
        """
        if str(model.meta.target.source_type).upper() != "POINT":
            log.warning(
                "%s: targ_centroid is for point sources, and the source type is %s",
                model.meta.filename, model.meta.target.source_type,
            )  # fmt: skip
        image = self._confirmation(plan.more[0])
        expected = dithered_position(image)
        x_ta, y_ta = centroid(np.asarray(image.data), expected.place)
        shift = _filter_offset(plan.references["filteroffset"], image.meta.instrument.filter)
        dither = dithered_position(model)
        place, corners = (x_ta, y_ta), (_corner(image), _corner(model))
        x, y = (
            place[k] + corners[0][k] - corners[1][k] - expected.offset[k] + dither.offset[k] + shift[k]
            for k in range(2)
        )
        model.ta_xpos, model.ta_ypos = x_ta, y_ta
        model.source_xpos, model.source_ypos = x, y
        log.info("%s: the source is at (%.2f, %.2f)", model.meta.filename, x, y)
        return model

    def _confirmation(self, given: Any) -> Any:
        """Return the image, with a WCS."""
        image = self.open_model(self.located(given))
        exp_type, kind = str(image.meta.exposure.type).upper(), type(image).__name__
        if kind != "ImageModel" or exp_type != "MIR_TACONFIRM":
            raise SkipStep(
                f"{image.meta.filename} is {a_or_an(kind)} of type {exp_type}, no image of type MIR_TACONFIRM"
            )
        if stored_wcs(image) is not None:
            return image
        try:
            return AssignWcsStep("assign_wcs", parent=self, sip_approx=False).run(image)
        except (InputError, ReferenceFileError) as error:
            raise SkipStep(f"{image.meta.filename} gets no WCS: {error}") from None


def _corner(model: Any) -> tuple[float, float]:
    """Return the first column and row of the subarray on the detector, 0-based."""
    subarray = model.meta.subarray
    return (subarray.xstart or 1) - 1.0, (subarray.ystart or 1) - 1.0


def _filter_offset(reference: Any, name: str) -> tuple[float, float]:
    """Return how far a filter moves images, along columns and rows (pixels).

    Raises
    ------
    SkipStep
        If the reference does not know it.
    """
    for entry in reference.model.filters:
        row = dict(getattr(entry, "instance", entry))
        if row.get("filter") == name:
            return float(row["column_offset"]), float(row["row_offset"])
    raise SkipStep(f"{reference.name} has no offset of the filter {name}")
