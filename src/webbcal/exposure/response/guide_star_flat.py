"""Flat-fielding of guide-star rates: one DQ array for all integrations, and no variances beside the error."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.kernels.images.arithmetic import Flat, prepare_flat


def why_no_flat(model: Any, reference: Any) -> str | None:
    """Return why a flat cannot be applied: stacked images are larger than the detector."""
    here, there = tuple(model.shape)[-2:], reference.shape("data")[-2:]
    if any(a > b for a, b in zip(here, there, strict=True)):
        return f"the flat ({there[1]} × {there[0]} pixels) is smaller than the data ({here[1]} × {here[0]})"
    return None


def flat_field(model: Any, flat: Flat, inverse: bool) -> None:
    """Divide a `GuiderCalModel` by a flat, in place, or multiply by it.

    The flat's own error enters the error, which otherwise stays, as in the official pipeline.
    """
    prepare_flat(flat)
    data, err = np.array(model.data, np.float32), np.array(model.err, np.float32)
    with np.errstate(invalid="ignore"):
        if inverse:
            data *= flat.data
        else:
            data /= flat.data
            flat_err = np.float32(0) if flat.err is None else flat.err
            err = np.sqrt(err**2 + data**2 / (flat.data * flat.data) * flat_err**2)
    invalid = np.isnan(data) | np.isnan(err)
    data[invalid] = err[invalid] = np.nan
    model.data, model.err, model.dq = data, err, np.asarray(model.dq, np.uint32) | flat.dq
