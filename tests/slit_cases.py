"""Small spectra and their references, in memory: slits without optics, with wavelengths that are stated."""

import numpy as np

from webbcal import datamodels
from webbcal.simulate.headers import assign

MODES = {
    "MIR_LRS-FIXEDSLIT": ("MIRI", "MIRIMAGE", "P750L", None, "FULL"),
    "MIR_LRS-SLITLESS": ("MIRI", "MIRIMAGE", "P750L", None, "SLITLESSPRISM"),
    "MIR_WFSS": ("MIRI", "MIRIMAGE", "P750L", None, "FULL"),
    "NRC_WFSS": ("NIRCAM", "NRCALONG", "F356W", "GRISMR", "FULL"),
    "NRC_WFSS_C": ("NIRCAM", "NRCALONG", "F356W", "GRISMC", "FULL"),
    "NIS_WFSS": ("NIRISS", "NIS", "GR150R", "F150W", "FULL"),
    "NRC_TSGRISM": ("NIRCAM", "NRCALONG", "F322W2", "GRISMR", "SUBGRISM64"),
    "NIS_SOSS": ("NIRISS", "NIS", "CLEAR", "GR700XD", "SUBSTRIP256"),
}
INSTRUMENTS = {"Mir": "MIRI", "Nrc": "NIRCAM", "Nis": "NIRISS"}
SIZES = {"MIRI": (1024, 1032)}


def metadata(mode, **more):
    """Return the metadata of an exposure of a mode, by dotted names below ``meta``."""
    instrument, detector, filter_, pupil, subarray = MODES[mode]
    ny, nx = SIZES.get(instrument, (2048, 2048))
    if subarray == "SLITLESSPRISM":
        ny, nx = 416, 72
    elif subarray == "SUBGRISM64":
        ny = 64
    elif subarray == "SUBSTRIP256":
        ny = 256
    known = {
        "instrument.name": instrument, "instrument.detector": detector, "instrument.filter": filter_,
        "instrument.pupil": pupil, "exposure.type": mode.removesuffix("_C"), "exposure.mid_time": 60200.0,
        "subarray.name": subarray, "subarray.xstart": 1, "subarray.ystart": 1, "subarray.xsize": nx,
        "subarray.ysize": ny, "observation.date": "2024-01-01", "observation.time": "00:00:00",
        "target.source_type": "POINT", "bunit_data": "DN/s", "bunit_err": "DN/s",
        "filename": f"jw00001_{mode.lower()}_rate.fits",
    }  # fmt: skip
    return {name: value for name, value in (known | more).items() if value is not None}


def arrays(shape, seed=0, bad=0.02):
    """Return data, errors, variances and flags; some pixels are NaN, some flagged."""
    rng = np.random.default_rng(seed)
    data = rng.normal(20.0, 3.0, shape).astype(np.float32)
    var = {name: rng.uniform(0.05, 0.2, shape).astype(np.float32) for name in ("poisson", "rnoise", "flat")}
    dq = np.where(rng.random(shape) < bad, 1, 0).astype(np.uint32)
    dq[rng.random(shape) < bad] |= 4
    made = {f"var_{name}": values for name, values in var.items()}
    made |= {"data": data, "err": np.sqrt(sum(var.values()))}
    for values in made.values():
        values[dq & 1 == 1] = np.nan
    return made | {"dq": dq}


def wavelengths(shape, low, high, axis):
    """Return wavelengths that grow along rows (axis 1) or columns (2), with a border that has none."""
    ny, nx = shape[-2:]
    y, x = np.mgrid[0:ny, 0:nx].astype(float)
    along, across = (x / nx, y) if axis == 1 else (y / ny, x)
    found = (low + (high - low) * (along + 0.02 * along**2 + 1e-4 * across)).astype(np.float32)
    found[:2], found[:, :3] = np.nan, np.nan
    return found


def slit_model(mode, shape, low, high, axis, seed=0, **meta):
    """Return a single spectrum, of two or three dimensions."""
    model = datamodels.SlitModel()
    for name, values in arrays(shape, seed).items():
        setattr(model, name, values)
    model.wavelength = wavelengths(shape, low, high, axis)
    assign(model, metadata(mode, **{"wcsinfo.dispersion_direction": axis} | meta))
    return model


def multi_slit(mode, axis, low, high, orders=(1, 1, 2), **meta):
    """Return slits of several orders."""
    model = datamodels.MultiSlitModel()
    assign(model, metadata(mode, **meta))
    for number, order in enumerate(orders):
        model.slits.append(model.slits.item())
        slit = model.slits[-1]
        shape = (20 + number, 60) if axis == 1 else (60, 20 + number)
        for name, values in arrays(shape, number).items():
            setattr(slit, name, values)
        slit.wavelength = wavelengths(shape, low, high, axis)
        slit.name, slit.source_id, slit.source_type = str(number + 1), number + 1, "POINT"
        slit.xstart, slit.ystart, slit.xsize, slit.ysize = 10, 20, shape[1], shape[0]
        slit.meta.wcsinfo.spectral_order = order
        slit.meta.wcsinfo.dispersion_direction = axis
    return model


def photom(kind, rows, low, high, coefficients=None, n=50, nelem=None, unit=None, **meta):
    """Return a spectral PHOTOM reference; its response falls with wavelength."""
    model = getattr(datamodels, kind)()
    if unit is not None:
        model.phot_unit = unit
    dtype = model.get_dtype("phot_table")
    grown = [(d[0], d[1], (n,)) if d[0] in ("wavelength", "relresponse", "reluncertainty") else d[:2]
             for d in (dtype.descr if hasattr(dtype, "descr") else dtype)]  # fmt: skip
    table = np.zeros(len(rows), grown)
    waves = np.linspace(low, high, n, dtype=np.float32)
    for row, columns in zip(table, rows, strict=True):
        for column, value in columns.items():
            row[column] = value
        row["nelem"] = nelem or n
        row["wavelength"] = waves
        row["relresponse"] = 1.5 - (waves - low) / (high - low) + 0.1 * np.sin(9 * waves)
    model.phot_table = table
    for name, values in (coefficients or {}).items():
        rows_of = np.zeros(len(values), model.get_dtype(name))
        for row, columns in zip(rows_of, values, strict=True):
            for column, value in columns.items():
                row[column] = value
        setattr(model, name, rows_of)
    place = {"photometry.pixelarea_steradians": 2e-13, "photometry.pixelarea_arcsecsq": 0.009}
    told = {
        "reftype": "photom",
        "description": "test",
        "author": "test",
        "pedigree": "DUMMY",
        "useafter": "2020-01-01T00:00:00",
        "instrument.name": INSTRUMENTS[kind[:3]],
    }
    assign(model, told | place | meta)
    return model


def soss_tables(integrations=3, n=40):
    """Return extracted spectra of SOSS, orders 1 and 2: a row for each integration."""
    model = datamodels.TSOMultiSpecModel()
    assign(model, metadata("NIS_SOSS", bunit_data=None, bunit_err=None))
    rng = np.random.default_rng(3)
    for order, (low, high) in ((1, (0.8, 2.9)), (2, (0.6, 1.5))):
        kind = datamodels.TSOSpecModel().get_dtype("spec_table")
        names = [d[:2] if isinstance(d, tuple) else d for d in getattr(kind, "descr", kind)]
        vectors = [(d[0], d[1], (n,)) if "f" in str(d[1]) and d[0].isupper() and "-" not in d[0] else d
                   for d in names]  # fmt: skip
        table = np.zeros(integrations, vectors)
        for column in table.dtype.names:
            if table[column].ndim == 2:
                table[column] = rng.uniform(1, 2, (integrations, n))
        table["WAVELENGTH"] = np.linspace(high, low, n)
        table["WAVELENGTH"][:, :2] = np.nan
        model.spec.append(model.spec.item(spec_table=table, spectral_order=order))
    return model
