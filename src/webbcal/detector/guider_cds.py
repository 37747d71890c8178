"""guider_cds: rates of guide-star exposures from the difference of two reads, or of the means of four."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.detector.guide_star import as_ramp, is_guide_star
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters
from webbcal.run.run import Run

F32 = NDArray[np.float32]

#: Tables that are carried to the product.
_TABLES = ("planned_star_table", "flight_star_table", "pointing_table", "centroid_table", "track_sub_table")
#: Reads at either end of a fine-guidance integration whose means are compared.
_FINE = 4


class GuiderCdsStep(ModelStep):
    """Make rates (DN/s) and their errors of guide-star exposures.

    Acquisition and tracking: the second group less the first, of each integration. Identification: the
    smaller of the two integrations, so that cosmic rays go. Fine guidance: the mean of the last four groups
    less that of the first four.
    """

    class_alias = "guider_cds"
    only_once = True
    reference_file_types = ("gain", "readnoise")

    def reason_to_skip(self, model: Any, p: StepParameters) -> str | None:
        """Ramps of guide stars only."""
        if not is_guide_star(model):
            return f"works on guide-star exposures, but EXP_TYPE is {model.meta.exposure.type}"
        return "the data are rates already" if len(model.shape) == 3 else None

    def check_reference(self, reference: Any, model: Any) -> None:
        """Stacked images are no part of the detector: they take the mean of a reference."""
        if not _is_stacked(model, reference):
            super().check_reference(reference, model)

    def apply(self, model: Any, references: Mapping[str, Any], p: StepParameters, run: Run) -> Any:
        """Make a model of rates."""
        from webbcal import datamodels

        raw = as_ramp(model)
        gain, read_noise = (_map_of(references[kind], raw) for kind in self.reference_file_types)
        time, kind = raw.meta.exposure.group_time, str(raw.meta.exposure.type).upper()
        if not time:
            raise InputError(f"{raw.meta.filename}: TGROUP (meta.exposure.group_time) must be above 0")
        rates, poisson = _rates(np.asarray(raw.data, np.float32), kind, gain, time, str(raw.meta.filename))
        read = np.broadcast_to(2 * (read_noise / time) ** 2, rates.shape)
        poisson[poisson < 0] = 0.0
        result = datamodels.GuiderCalModel(data=rates, err=(read + poisson) ** 0.5)
        result.dq = raw.dq if raw.has("dq") else np.zeros(rates.shape[-2:], np.uint32)
        result.update(raw)
        for name in _TABLES:
            if raw.has(name):
                setattr(result, name, getattr(raw, name))
        result.meta.bunit_data = "DN/s"
        return result


def _rates(data: F32, kind: str, gain: F32, time: float, name: str) -> tuple[F32, F32]:
    """Return rates and their variance by photon noise, (integrations, rows, columns)."""
    fine, identified = kind == "FGS_FINEGUIDE", kind.startswith("FGS_ID")
    needed = (2, 2) if identified else (1, 2)
    if data.shape[0] < needed[0] or data.shape[1] < needed[1]:
        raise InputError(
            f"{name}: {kind} needs {needed[0]} integrations and {needed[1]} groups at least, but the data "
            f"have {data.shape[0]} and {data.shape[1]}"
        )
    if fine:
        change = data[:, -_FINE:].mean(axis=1) - data[:, :_FINE].mean(axis=1)
    else:
        change = data[:, 1] - data[:, 0]
    if identified:
        change = np.minimum(change[1], change[0])[None]
    with np.errstate(divide="ignore", invalid="ignore"):  # a gain of zero leaves no error
        return change / time, change / (gain * time)


def _is_stacked(model: Any, reference: Any) -> bool:
    """Tell whether a model is a stack of strips that a reference does not cover."""
    if "STACK" not in str(model.meta.exposure.type).upper():
        return False
    shape = reference.shape("data")[-2:]
    return any(here > there for here, there in zip(tuple(model.shape)[-2:], shape, strict=True))


def _map_of(reference: Any, model: Any) -> F32:
    """Return a reference over the exposure."""
    if _is_stacked(model, reference):
        shape = tuple(model.shape)[-2:]
        return np.asarray(np.zeros(shape, np.float32) + np.mean(reference.read("data")))
    return np.asarray(reference.read("data"))
