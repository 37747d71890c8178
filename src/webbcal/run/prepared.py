"""What a step's `process` was given, as models that it may change: opened, copied, of the class needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from webbcal import datamodels
from webbcal.core.modes import mode_of


def ramp_class(model: Any) -> type:
    """Return the class that a ramp is held as: of guide stars, of superstripes, or the usual one."""
    if mode_of(model.meta.exposure.type).optics == "guider":
        return datamodels.GuiderRawModel
    if (model.meta.subarray.num_superstripe or 0) > 0:
        return datamodels.SuperstripeRampModel
    return datamodels.RampModel


def prepared(
    init: Any,
    opened: Callable[..., Any],
    make_copy: bool | None,
    open_models: bool,
    open_as_type: type | None,
    open_as_ramp: bool,
    alone: bool,
) -> Any:
    """Return an input as what may be changed; see `UserMethods.prepare_output`.

    Parameters
    ----------
    init : path, DataModel, list of these, ModelContainer or ModelLibrary
    opened : callable
        Opens what is none of ours yet.
    make_copy, open_models, open_as_type, open_as_ramp
        See there.
    alone : bool
        Whether the step is no part of a pipeline.

    Raises
    ------
    TypeError
        If a copy is asked for of what cannot be copied.
    """
    if isinstance(init, (list, tuple)) and any(hasattr(item, "meta") for item in init):
        init = datamodels.ModelContainer(init)
    if isinstance(init, datamodels.ModelLibrary):
        result, held = init, False
    elif isinstance(init, datamodels.ModelContainer):
        result, held = init, True
    elif hasattr(init, "meta"):
        result, held = _of_class(init, open_as_type, open_as_ramp), True
    elif not open_models:
        result, held = init, False
    else:
        single = isinstance(init, (str, os.PathLike))
        result = opened(init)
        result = _of_class(result, open_as_type, open_as_ramp) if single else result
        held = False
    if (held and alone) if make_copy is None else make_copy:
        if not hasattr(result, "copy") or isinstance(result, (list, datamodels.ModelLibrary)):
            raise TypeError(f"Copy is not possible for input type {type(result)}")
        return result.copy()
    return result


def _of_class(model: Any, kind: type | None, ramp: bool) -> Any:
    wanted = kind or (ramp_class(model) if ramp else type(model))
    return model if type(model) is wanted else wanted(model)
