"""Small images of spectra and the references of their extraction, in memory."""

import json
from pathlib import Path

import numpy as np

from webbcal import datamodels
from webbcal.io.asdf_text import Tagged
from webbcal.simulate.headers import assign
from webbcal.wcs import trees

#: Pixels across and along.
SHAPE = (30, 90)
#: Wavelength of the first pixel (µm), and its change a pixel along and across.
START, STEP, TILT = 5.0, 0.05, 0.004
#: Where the source is across, pixels.
CENTRE = 13.3
RA, DEC, SCALE = 80.0, -60.0, 0.11 / 3600
META = {
    "MIR_LRS-FIXEDSLIT": {"instrument.name": "MIRI", "instrument.detector": "MIRIMAGE"},
    "MIR_LRS-SLITLESS": {"instrument.name": "MIRI", "instrument.detector": "MIRIMAGE"},
    "NRC_TSGRISM": {"instrument.name": "NIRCAM", "instrument.detector": "NRCALONG"},
    "NRC_WFSS": {"instrument.name": "NIRCAM", "instrument.detector": "NRCALONG"},
}
META["NRS_FIXEDSLIT"] = {"instrument.name": "NIRSPEC", "instrument.detector": "NRS1"}
META["NRS_FIXEDSLIT"] |= {"instrument.filter": "F170LP", "instrument.grating": "G235M"}
META["NRS_FIXEDSLIT"] |= {"instrument.fixed_slit": "S200A1"}
META["MIR_LRS-FIXEDSLIT"] |= {"instrument.filter": "P750L", "subarray.name": "FULL"}
META["MIR_LRS-SLITLESS"] |= {"instrument.filter": "P750L", "subarray.name": "SLITLESSPRISM"}
META["NRC_TSGRISM"] |= {"instrument.filter": "F322W2", "instrument.pupil": "GRISMR"}
META["NRC_WFSS"] |= {"instrument.filter": "F322W2", "instrument.pupil": "GRISMR"}
META["NRC_WFSS"] |= {"instrument.module": "A"}


def wcs(vertical, shape=SHAPE, edge=0.0):
    """Return the WCS of a slit: across it RA, along it wavelength, tilted; `edge` pixels have none."""
    across = trees.chain(trees.shift(-CENTRE), trees.scale(SCALE))
    line = trees.chain(trees.scale(STEP), trees.shift(START))
    tilt = trees.affine([[1, 0], [TILT / STEP, 1]], [0, 0])  # (across, along) -> (across, along + tilt)
    untilt = trees.affine([[1, 0], [-TILT / STEP, 1]], [0, 0])
    order = [0, 1] if vertical else [1, 0]
    spread = trees.remap([0, 0, 1], 2)
    dec = trees.chain(trees.shift(-CENTRE), trees.scale(SCALE / 3), trees.shift(DEC))
    ra = trees.chain(across, trees.scale(1 / np.cos(np.radians(DEC))), trees.shift(RA))
    forward = trees.chain(trees.remap(order, 2), tilt, spread, trees.both(trees.both(ra, dec), line))
    back = trees.chain(trees.shift(-RA), trees.scale(np.cos(np.radians(DEC)) / SCALE), trees.shift(CENTRE))
    inverse = trees.chain(
        trees.remap([0, 2], 3), trees.both(back, trees.chain(trees.shift(-START), trees.scale(1 / STEP))),
        untilt, trees.remap(order, 2),
    )  # fmt: skip
    forward = Tagged(forward.tag, forward.value | {"inverse": inverse})
    ends = [(-0.5, shape[0] - 0.5), (-0.5 + edge, shape[1] - 0.5 - edge)]
    forward = trees.bounded(forward, ends if vertical else ends[::-1])
    world = Tagged(
        "tag:stsci.edu:gwcs/composite_frame-1.0.0",
        {"name": "world", "frames": [trees.sky("sky"), _spectral()]},
    )
    return trees.wcs([(trees.frame("detector", ("x", "y"), "pixel"), forward), (world, None)])


def slit_wcs(shape=SHAPE):
    """Return the WCS of a slit of NIRSpec, along rows: pixels -> place in the slit -> sky."""
    line = trees.chain(trees.scale(STEP), trees.shift(START))
    tilt, untilt = (trees.affine([[1, s * TILT / STEP], [0, 1]], [0, 0]) for s in (1, -1))
    place = trees.chain(trees.shift(-CENTRE), trees.scale(0.05))
    unplace = trees.chain(trees.scale(20.0), trees.shift(CENTRE))
    unline = trees.chain(trees.shift(-START), trees.scale(1 / STEP))
    first = trees.chain(  # (x, y) -> (0, y in the slit, wavelength)
        tilt, trees.remap([1, 1, 0], 2), trees.both(trees.both(trees.scale(0.0), place), line)
    )
    back = trees.chain(trees.remap([2, 1], 3), trees.both(unline, unplace), untilt)
    first = trees.bounded(
        Tagged(first.tag, first.value | {"inverse": back}), [(-0.5, shape[1] - 0.5), (-0.5, shape[0] - 0.5)]
    )
    ra = trees.chain(trees.scale(20 * SCALE / np.cos(np.radians(DEC))), trees.shift(RA))
    dec = trees.chain(trees.scale(20 * SCALE / 3), trees.shift(DEC))
    second = trees.chain(trees.remap([1, 1, 2], 3), trees.both(trees.both(ra, dec), trees.identity(1)))
    unra = trees.chain(trees.shift(-RA), trees.scale(np.cos(np.radians(DEC)) / SCALE / 20))
    inverse = trees.chain(
        trees.remap([0, 0, 2], 3), trees.both(trees.both(trees.scale(0.0), unra), trees.identity(1))
    )
    second = Tagged(second.tag, second.value | {"inverse": inverse})
    world = Tagged(
        "tag:stsci.edu:gwcs/composite_frame-1.0.0",
        {"name": "world", "frames": [trees.sky("sky"), _spectral()]},
    )
    frames = [trees.frame(name, ("x", "y"), "pixel") for name in ("detector", "slit_frame")]
    return trees.wcs([(frames[0], first), (frames[1], second), (world, None)])


def _spectral():
    value = {
        "name": "spectral", "axes_names": ["wavelength"], "axes_order": [2],
        "axis_physical_types": ["em.wl"], "unit": [Tagged("tag:stsci.edu:asdf/unit/unit-1.0.0", "um")],
    }  # fmt: skip
    return Tagged("tag:stsci.edu:gwcs/spectral_frame-1.2.0", value)


def image(shape=SHAPE, nints=None, seed=0, centre=CENTRE, bad=0.02):
    """Return arrays of a Gaussian source on a sloping background, with noise and bad pixels."""
    rng = np.random.default_rng(seed)
    lead = () if nints is None else (nints,)
    y, x = np.mgrid[: shape[0], : shape[1]]
    profile = np.exp(-0.5 * ((y - centre) / (1.2 + 0.005 * x)) ** 2)
    clean = 40 * profile * (1 + 0.3 * np.sin(x / 9)) + 3 + 0.05 * y
    sigma = np.sqrt(0.04 * clean + 0.3)
    data = (clean + sigma * rng.normal(size=(*lead, *shape))).astype(np.float32)
    arrays = {"data": data, "err": np.broadcast_to(sigma, data.shape).astype(np.float32)}
    arrays["var_poisson"] = np.broadcast_to(0.04 * clean, data.shape).astype(np.float32)
    arrays["var_rnoise"] = np.full(data.shape, 0.3, np.float32)
    arrays["var_flat"] = np.broadcast_to(1e-4 * clean**2, data.shape).astype(np.float32)
    dq = np.zeros(data.shape, np.uint32)
    dq[rng.random(data.shape) < bad] = 1
    data[rng.random(data.shape) < bad / 2] = np.nan
    return arrays | {"dq": dq}


def slit(exp_type="MIR_LRS-FIXEDSLIT", vertical=True, nints=None, source_type="POINT", wavelength=True,
         seed=0, shape=SHAPE, cls="SlitModel", centre=CENTRE, bad=0.02, edge=0.0, **meta):  # fmt: skip
    """Return a calibrated slit."""
    arrays = image(shape, nints, seed, centre, bad)
    turn = (lambda a: np.ascontiguousarray(np.swapaxes(a, -1, -2))) if vertical else (lambda a: a)
    model = getattr(datamodels, cls)(**{name: turn(values) for name, values in arrays.items()})
    assign(model, {
        "filename": f"jw00001001001_01101_0000{seed + 1}_{exp_type.lower()[:3]}_cal.fits",
        "telescope": "JWST", "exposure.type": exp_type, "wcsinfo.dispersion_direction": 2 if vertical else 1,
        "wcsinfo.spectral_order": 1, "photometry.pixelarea_steradians": 2.8e-13, "bunit_data": "MJy/sr",
        "cal_step.photom": "COMPLETE", "target.source_type": source_type, "aperture.position_angle": 12.0,
        "dither.dithered_ra": RA + (centre - CENTRE) * SCALE / np.cos(np.radians(DEC)),
        "dither.dithered_dec": DEC + (centre - CENTRE) * SCALE / 3,
        "exposure.exposure_time": 100.0 + seed, "exposure.integration_time": 90.0,
        "exposure.nints": nints or 1, "exposure.integration_start": 1, "exposure.integration_end": nints or 1,
        "observation.program_number": "00001", "observation.observation_number": "001",
        "observation.visit_number": "001", "observation.visit_group": "01", "observation.sequence_id": "1",
        "observation.activity_id": "01", "observation.exposure_number": f"{seed + 1:05d}",
        "observation.date": "2025-01-01", "observation.time": "00:00:00", "target.ra": RA, "target.dec": DEC,
        **META[exp_type], **meta,
    })  # fmt: skip
    model.meta.wcs = slit_wcs(shape) if exp_type == "NRS_FIXEDSLIT" else wcs(vertical, shape, edge)
    if wavelength:
        y, x = np.mgrid[: shape[0], : shape[1]]
        model.wavelength = turn((START + STEP * x + TILT * y).astype(np.float32))
    if cls == "SlitModel":
        model.source_type, model.source_xpos, model.source_ypos = source_type, 0.0, (centre - CENTRE) * 0.05
        model.name = "S200A1" if exp_type == "NRS_FIXEDSLIT" else None
    if nints and "TSOVISIT" not in meta:
        model.int_times = int_times(model, nints)
    return model


def field(exposure=0, sources=(3, 7, 12), orders=(1, 2), exp_type="NRC_WFSS", **meta):
    """Return an exposure of a field: slits of sources in two orders, of sizes of their own."""
    first = slit(exp_type, vertical=False, seed=exposure, **meta)
    model = datamodels.MultiSlitModel()
    model.update(first)
    for n, source in enumerate(sources):
        for order in orders:
            if (source, order, exposure) in ((7, 2, 0), (12, 1, 1)):
                continue
            shape = (12 + n, 60 + 7 * n + 5 * order + 3 * exposure)
            one = slit(
                exp_type, vertical=False, seed=100 * exposure + 10 * n + order, shape=shape, centre=6.2
            )
            item = model.slits.item(**{
                name: getattr(one, name)
                for name in ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat", "wavelength")
            })  # fmt: skip
            item.name, item.source_id = str(source), source
            item.source_type = "EXTENDED" if n == 1 else "POINT"
            item.source_xpos, item.source_ypos = 300.5 + n, 410.25 - n
            item.source_ra, item.source_dec = RA + 0.001 * n, DEC - 0.002 * n
            item.xstart, item.ystart = 100 + n, 200 + 30 * n
            item.xsize, item.ysize = shape[1], shape[0]
            item.meta.wcsinfo.spectral_order, item.meta.wcsinfo.dispersion_direction = order, 1
            item.meta.photometry.pixelarea_steradians = 1e-13
            item.meta.wcs, item.meta.model_type = wcs(False, shape), "SlitModel"
            model.slits.append(item)
    return model


def int_times(model, nints):
    """Return the table of times of integrations."""
    table = np.zeros(nints, model.get_dtype("int_times"))
    table["integration_number"] = np.arange(1, nints + 1)
    for k, name in enumerate(table.dtype.names[1:]):
        table[name] = 60000 + np.arange(nints) * 0.01 + k * 0.001
    return table


def extract1d(folder, *entries, name="extract1d.json"):
    """Write an EXTRACT1D reference and return its path."""
    path = Path(folder) / name
    path.write_text(json.dumps({"reftype": "EXTRACT1D", "apertures": list(entries)}))
    return str(path)


def apcorr(kind="MirLrsApcorrModel", unit="pixels", **keys):
    """Return an APCORR reference with a row of this kind, and another one."""
    model = getattr(datamodels, kind)()
    keys = keys or {"subarray": "FULL"}
    wavelength, size = np.linspace(4, 12, 17).astype("f4"), np.arange(1, 21).astype("u1")
    factor = (1 + 1 / size[None, :] + 0.01 * wavelength[:, None]).astype("f4")
    fields = [(k, "U15") for k in keys] + [
        ("wavelength", "f4", (20,)),
        ("nelem_wl", "i2"),
        ("size", "u1", (25,)),
    ]
    fields += [("nelem_size", "i2"), ("apcorr", "f4", (20, 25)), ("apcorr_err", "f4", (20, 25))]
    table = np.zeros(2, fields)
    for row, values in zip(table, (keys, dict.fromkeys(keys, "OTHER")), strict=True):
        for key, value in values.items():
            row[key] = value
        row["wavelength"][:17], row["nelem_wl"] = wavelength, 17
        row["size"][:20], row["nelem_size"] = size, 20
        row["apcorr"][:17, :20] = factor
    model.apcorr_table = table
    model.sizeunit = unit
    assign(model, {"reftype": "apcorr", "instrument.name": "MIRI", "exposure.type": "MIR_LRS-FIXEDSLIT"})
    return model


def apcorr_by_phase():
    """Return an APCORR reference of NIRSpec's fixed slits, with a row for S200A1."""
    model = datamodels.NrsFsApcorrModel()
    wavelength, phase = np.linspace(4.8, 9.3, 13).astype("f4"), np.array([0.1, 0.4, 0.9], "f4")
    size = (np.arange(1, 16)[:, None] * (1 + 0.02 * np.arange(13))).astype("f4")
    factor = 1 + 1 / size[..., None] + 0.01 * wavelength[:, None] + 0.1 * phase
    fields = [(k, "U15") for k in ("filter", "grating", "slit")] + [
        ("wavelength", "f4", (13,)),
        ("nelem_wl", "i2"),
    ]
    fields += [("size", "f4", (15, 13)), ("nelem_size", "i2"), ("pixphase", "f4", (3,))]
    fields += [("apcorr", "f4", (15, 13, 3)), ("apcorr_err", "f4", (15, 13, 3))]
    table = np.zeros(1, fields)
    table[0] = ("F170LP", "G235M", "S200A1", wavelength, 13, size, 15, phase, factor, 0 * factor)
    model.apcorr_table, model.sizeunit = table, "pixels"
    assign(model, {"reftype": "apcorr", "instrument.name": "NIRSPEC", "exposure.type": "NRS_FIXEDSLIT"})
    return model


def psf(vertical=True, subpix=10):
    """Return a PSF reference for any slit."""
    model = datamodels.SpecPsfModel()
    wavelength = np.linspace(4.5, 10, 60)
    y = np.arange(40 * subpix + 1) - 20 * subpix
    image = np.exp(-0.5 * (y[:, None] / subpix / (1.2 + 0.1 * (wavelength - START))) ** 2)
    entry = model.apertures.item(
        name="ANY", subpix=subpix, data=image.T if vertical else image, wave=wavelength
    )
    entry.center_col = entry.center_row = 20.0 * subpix
    model.apertures.append(entry)
    assign(model, {"reftype": "psf", "instrument.name": "MIRI", "exposure.type": "MIR_LRS-FIXEDSLIT"})
    return model
