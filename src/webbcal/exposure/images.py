"""What stage-2 steps on images share: which models they take, and work by bands of rows on threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import PlanError
from webbcal.core.threads import run_on_threads
from webbcal.core.wording import a_or_an

#: Models of one image or of integrations.
IMAGE_MODELS = ("ImageModel", "CubeModel", "IFUImageModel")
_BAND_PIXELS = 1 << 17  # so that the arrays of a band stay in a core's cache


def why_no_image(model: Any) -> str | None:
    """Return why steps on images do not work on a model, or None if they do."""
    kind = type(model).__name__
    if kind in IMAGE_MODELS:
        return None
    return f"works on images and integrations ({', '.join(IMAGE_MODELS)}), but the input is {a_or_an(kind)}"


def unavailable(model: Any, what: str, step: str) -> PlanError:
    """Return the error for a mode that webbcal does not have yet."""
    return PlanError(
        f"{model.meta.filename}: {what} of {model.meta.exposure.type} exposures is not available in this "
        f"version of webbcal; run with {step}.skip=true to go on without"
    )


def by_bands(shape: tuple[int, ...], work: Callable[[Box], None], threads: int) -> None:
    """Call `work` on bands of rows that tile an array of this shape, on threads."""
    frame = Box.of_shape(shape)
    planes = int(np.prod(shape[:-2]))
    rows = max(1, _BAND_PIXELS // max(1, planes * shape[-1]))
    run_on_threads(work, frame.bands(rows), threads)
