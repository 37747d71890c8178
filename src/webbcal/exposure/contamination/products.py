"""Products of the correction for contamination: what was simulated, and what is subtracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.exposure.contamination.correction import Cleaning
from webbcal.exposure.contamination.source_pixels import F32


def contamination_products(model: Any, cleaning: Cleaning, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the products that are wanted, by path.

    Parameters
    ----------
    model : MultiSlitModel
        The spectra.
    cleaning : Cleaning
    paths : mapping
        By kind: ``simul`` (the detector), ``simul_slits`` (the simulation of each spectrum's own source) and
        ``contam`` (what is subtracted from each spectrum).
    """
    images: dict[str, list[F32 | None]] = {
        "simul_slits": [None if own is None else own[:, :, 0] for own in cleaning.own],
        "contam": [cleaning.contamination(n) for n in range(len(cleaning.own))],
    }
    made: dict[str, Any] = {}
    for kind, path in paths.items():
        if kind == "simul":
            product = datamodels.ImageModel(data=cleaning.image.astype(np.float32))
        else:
            product = datamodels.MultiSlitModel()
            for slit, image in zip(model.slits, images[kind], strict=True):
                if image is not None:
                    product.slits.append(_described(slit) | {"data": image.copy()})
        product.update(model, only="PRIMARY")
        made[path] = product
    return made


def _described(slit: Any) -> dict[str, Any]:
    """Return what a slit says of itself in its header, without its arrays and WCS."""
    own = {
        name: value for name, value in slit.instance.items() if not hasattr(value, "shape") and name != "meta"
    }
    meta = {name: value for name, value in slit.meta.instance.items() if name not in ("wcs", "bunit_err")}
    return own | {"meta": dict(meta)}
