"""Small exposures and references in memory."""

import numpy as np

from webbcal import datamodels, simulate
from webbcal.simulate.headers import assign, exposure_metadata

CONFIG = simulate.ExposureConfig(
    detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=5
)
SHAPE = (64, 64)


def rate(value=10.0, nints=None, config=CONFIG, **meta):
    """Return a rate image (or integrations) of one value."""
    shape = SHAPE if nints is None else (nints, *SHAPE)
    full = lambda v: np.full(shape, v, np.float32)  # noqa: E731
    cls = datamodels.ImageModel if nints is None else datamodels.CubeModel
    arrays = {"data": full(value), "err": full(0.5), "var_poisson": full(0.15), "var_rnoise": full(0.1)}
    model = cls(**arrays, dq=np.zeros(shape, np.uint32))
    name = f"{config.rootname}_{'rate' if nints is None else 'rateints'}.fits"
    assign(model, exposure_metadata(config) | {"filename": name, "bunit_data": "DN/s"} | meta)
    return model


def flat(value=2.0, shape=SHAPE, **meta):
    """Return a flat over the subarray."""
    model = datamodels.FlatModel(
        data=np.full(shape, value, np.float32),
        err=np.full(shape, 0.02, np.float32),
        dq=np.zeros(shape, np.uint32),
    )
    place = {k: v for k, v in exposure_metadata(CONFIG).items() if k.startswith(("subarray", "instrument"))}
    assign(model, place | {"reftype": "flat", "filename": "my_flat.fits"} | meta)
    return model


def photom(kind="NrcImgPhotomModel", rows=(), coefficients=None, **meta):
    """Return a PHOTOM reference with rows of (dict of columns)."""
    model = getattr(datamodels, kind)()
    for name, values in {"phot_table": rows, **(coefficients or {})}.items():
        table = np.zeros(len(values), model.get_dtype(name))
        for row, columns in zip(table, values, strict=True):
            for column, value in columns.items():
                row[column] = value
        setattr(model, name, table)
    assign(model, {"reftype": "photom", "filename": "my_photom.fits"} | meta)
    return model


def area(shape=(2048, 2048), **meta):
    """Return a pixel area map that grows with the column."""
    data = np.broadcast_to(np.linspace(0.9, 1.1, shape[1], dtype=np.float32), shape).copy()
    model = datamodels.PixelAreaModel(data=data)
    assign(model, {"reftype": "area", "instrument.name": "NIRCAM", "instrument.detector": "NRCB1"} | meta)
    return model
