"""Count rates in electrons per second: the image that `save_wfss_esec` saves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from webbcal.core.errors import ReferenceFileError
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.run.model_step import ModelStep
from webbcal.run.planning import StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)

_BORDER = 4  # reference pixels, which have no gain


class ElectronRateStep(ModelStep):
    """Multiply an image by the mean gain of its detector, as jwst does for grism images."""

    reference_file_types = ("gain",)

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the image can be made; whoever asked for it is told if not."""
        plan = super().decide(model, *more)
        if not plan.applied:
            log.warning("no %s image of %s: %s", self.suffix, model.meta.filename, plan.reason)
        return plan

    def apply(self, model: Any, references: Mapping[str, Any], p: Any, run: Run) -> Any:
        """Return a copy in e-/s; its errors are those of its variances."""
        electrons = model.copy()
        gain = _mean_gain(references["gain"])
        arrays = arrays_of(electrons, run.resources.threads)
        arrays.data *= np.float32(gain)
        for variance in arrays.variances:
            variance *= np.float32(gain**2)
        arrays.err[...] = np.sqrt(sum(arrays.variances))
        return electrons


def _mean_gain(reference: Any) -> float:
    """Return the mean over the pixels of the whole detector that have a gain, e-/DN.

    Raises
    ------
    ReferenceFileError
        If none has.
    """
    gain = reference.model.data[_BORDER:-_BORDER, _BORDER:-_BORDER]
    usable = gain[np.isfinite(gain) & (gain > 0)]
    if not usable.size:
        raise ReferenceFileError(f"{reference.name}: no pixel has a gain; give another with override_gain")
    return float(np.mean(usable))
