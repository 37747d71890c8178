"""``flat_field``: divide by the response of the pixels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webbcal.core.box import Box
from webbcal.core.errors import SkipStep
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.images import by_bands, unavailable, why_no_image
from webbcal.exposure.response.guide_star_flat import flat_field as guide_star_flat_field
from webbcal.exposure.response.guide_star_flat import why_no_flat
from webbcal.kernels.images.arithmetic import Flat, divide_flat, multiply_flat, prepare_flat
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run

log = logging.getLogger(__name__)


class FlatFieldStep(ModelStep):
    """Divide by the FLAT reference; propagate its errors (VAR_FLAT) and flags."""

    class_alias = "flat_field"
    only_once = True
    reference_file_types = ("flat", "fflat", "sflat", "dflat")
    optional_reference_types = ("fflat", "sflat", "dflat")  # NIRSpec spectra only

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `FlatFieldStep`."""

        save_interpolated_flat: bool = param(False, "Save the flat that was applied (_interpolatedflat)")
        user_supplied_flat: str | None = param(None, "Flat to use instead of the references")
        inverse: bool = param(False, "Multiply by the flat instead")

    def reference_types_of(self, model: Any) -> Sequence[str]:
        """A flat of the user's stands for all references."""
        return self.reference_file_types if self.user_supplied_flat is None else ("flat",)

    def get_ref_override(self, reference_type: str) -> Any:
        """Return the user's flat where there is one."""
        if self.user_supplied_flat is not None and reference_type == "flat":
            return self.user_supplied_flat
        return super().get_ref_override(reference_type)

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is neither an image nor a spectrum on the detector; refuse what is not available yet.

        Raises
        ------
        PlanError
            For NIRSpec, whose flats are made of three references.
        """
        if str(model.meta.instrument.name).upper() == "NIRSPEC":
            raise unavailable(model, "flat-fielding", "flat_field")
        if model.meta.cal_step.extract_2d == "COMPLETE":
            return "spectra were cut out already (extract_2d): their pixels are flat-fielded before"
        if _is_guide_star(model) or type(model).__name__ == "SlitModel":
            return None
        return why_no_image(model)

    def check_reference(self, reference: Any, model: Any) -> None:
        """Stacked images of guide stars are no part of the detector."""
        if not (_is_guide_star(model) and why_no_flat(model, reference)):
            super().check_reference(reference, model)

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Apply the flat to all rows."""
        reference, threads = references["flat"], run.resources.threads
        if _is_guide_star(model):
            if reason := why_no_flat(model, reference):
                raise SkipStep(reason)
            guide_star_flat_field(model, _flat(reference, Box.of_shape(model.shape)), p.inverse)
            return model
        image = arrays_of(model, threads, create=("var_flat",))
        correct = multiply_flat if p.inverse else divide_flat

        def work(box: Box) -> None:
            flat = _flat(reference, box)
            prepare_flat(flat)
            correct(image.rows(box.y0, box.y1), flat)

        by_bands(image.data.shape, work, threads)
        if p.save_interpolated_flat:
            self._save_flat(run, reference, model)
        return model

    def extra_products(self) -> Mapping[str, str]:
        """The flat that was applied."""
        if not self.save_interpolated_flat:
            return {}
        return {"flat": self.make_output_path(basepath=self.output_file, suffix="interpolatedflat")}

    def _save_flat(self, run: Run, reference: Any, model: Any) -> None:
        from webbcal import datamodels

        flat = _flat(reference, Box.of_shape(model.shape))
        prepare_flat(flat)
        result = datamodels.FlatModel(data=flat.data, dq=flat.dq)
        if flat.err is not None:
            result.err = flat.err
        result.update(reference.model)
        for name in ("name", "xstart", "ystart", "xsize", "ysize"):
            setattr(result.meta.subarray, name, getattr(model.meta.subarray, name))
        (path,) = self.extra_products().values()
        result.save(path)
        run.note_saved(path)


def _is_guide_star(model: Any) -> bool:
    return type(model).__name__ == "GuiderCalModel"


def _flat(reference: Any, box: Box) -> Flat:
    err = reference.read("err", box) if reference.has("err") else None
    return Flat(reference.read("data", box), reference.read("dq", box), err)
