"""The reference file of the traces of NIRISS SOSS (PASTASOSS), from the functions that the simulator uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.headers import assign
from webbcal.simulate.soss import COLUMNS, DISPERSION, PUPIL_POSITION, trace


def write_pastasoss(cache: CrdsCache) -> None:
    """Write the reference file of the traces and register it."""
    match = {"META.INSTRUMENT.DETECTOR": "NIS"}
    path = cache.path_for("NIRISS", "pastasoss", match, extension=".asdf")
    model = datamodels.PastasossModel()
    assign(model, _metadata())
    x = np.arange(0.0, COLUMNS)
    for order, (longest, step) in DISPERSION.items():
        rows = trace(order, x)
        inside = rows <= 255
        middle = {"pivot_x": 1024.0, "pivot_y": float(trace(order, np.array(1024.0)))}
        model.traces.append({"spectral_order": order, "trace": np.column_stack([x, rows])[inside], **middle})
        model.wavecal_models.append(
            {
                "spectral_order": order,
                "polynomial_degree": 1,
                "coefficients": np.array([longest, -step * (COLUMNS - 1), 0.0]),
                "scale_extents": np.array([[0.0, -0.25], [COLUMNS - 1.0, 0.25]]),
            }
        )
    model.save(path)
    cache.add(path, "NIRISS", "pastasoss", match)


def _metadata() -> dict[str, Any]:
    return {
        "reftype": "pastasoss",
        "pedigree": "DUMMY",
        "author": "webbcal simulator",
        "description": "Simulated traces of GR700XD",
        "useafter": USEAFTER,
        "instrument.name": "NIRISS",
        "instrument.detector": "NIS",
        "instrument.filter": "CLEAR",
        "exposure.type": "NIS_SOSS",
        "pwcpos_bounds": [PUPIL_POSITION - 0.25, PUPIL_POSITION + 0.25],
        "pwcpos_cmd": PUPIL_POSITION,
        "order2_separation_cutoff": [0.77, 0.95],
        "soss_xdim": COLUMNS,
        "soss_ydim": 300,
        "subarray_ymin": 1792,
        "wavemap_nwl": 5001,
        "wavemap_wlmin": 0.5,
        "wavemap_wlmax": 5.5,
    }
