"""Dispersed exposures with pointing keywords, and small references of their optics, for tests of WCS."""

from dataclasses import dataclass, field

import asdf
import numpy as np
from astropy.io import fits
from astropy.modeling import models as m

from webbcal import datamodels
from webbcal.simulate import CrdsCache, write_image_references
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.geometry import load_pysiaf
from webbcal.simulate.headers import assign, exposure_metadata

SCALE, VELOSYS = 0.9999327, 18650.3
OFFSETS = {"F444W": (-0.21, 0.13), "F200W": (0.1, 0.2)}


@dataclass(frozen=True)
class Case:
    """An exposure: its mode, optical elements, pixels, and the SIAF aperture that it points at."""

    exp_type: str
    detector: str
    filter: str
    pupil: str | None = None
    shape: tuple = (2048, 2048)
    corner: tuple = (1, 1)
    aperture: tuple = ()
    subarray: str = "FULL"
    nints: int = 0
    roll: float = 41.0
    velosys: float | None = VELOSYS
    meta: dict = field(default_factory=dict, hash=False)

    @property
    def instrument(self):
        return {"NRC": "NIRCAM", "NIS": "NIRISS", "MIR": "MIRI"}[self.exp_type[:3]]

    @property
    def name(self):
        parts = self.exp_type, self.detector, self.filter, self.pupil or "", self.subarray
        return "_".join(part for part in parts if part).lower()


def _nircam(detector, pupil, **more):
    module = detector[3]
    meta = {"instrument.module": module, "instrument.channel": "LONG"}
    return Case(
        "NRC_WFSS", detector, "F444W", pupil, aperture=("NIRCam", f"NRC{module}5_FULL"), meta=meta, **more
    )


_NIRISS = {"aperture": ("NIRISS", "NIS_CEN"), "meta": {"instrument.filter_position": 354.2111}}
_SOSS = {"aperture": ("NIRISS", "NIS_CEN"), "meta": {"target.ra": 53.2, "target.dec": -27.7}}

LRS = (
    Case("MIR_LRS-FIXEDSLIT", "MIRIMAGE", "P750L", shape=(1024, 1032), aperture=("MIRI", "MIRIM_SLIT"),
         meta={"dither.x_offset": -0.4, "dither.y_offset": 0.02}),
    Case("MIR_LRS-SLITLESS", "MIRIMAGE", "P750L", shape=(416, 72), corner=(1, 529), subarray="SLITLESSPRISM",
         aperture=("MIRI", "MIRIM_SLITLESSPRISM"), nints=2),
)  # fmt: skip
WFSS = (
    _nircam("NRCALONG", "GRISMR"),
    _nircam("NRCALONG", "GRISMC", velosys=None),
    _nircam("NRCBLONG", "GRISMR", roll=200.0),
    _nircam("NRCBLONG", "GRISMC"),
    Case("NIS_WFSS", "NIS", "GR150R", "F200W", **_NIRISS),
    Case("NIS_WFSS", "NIS", "GR150C", "F200W", **_NIRISS),
    Case("MIR_WFSS", "MIRIMAGE", "P750L", shape=(1024, 1032), aperture=("MIRI", "MIRIM_FULL")),
)
TSGRISM = (
    Case("NRC_TSGRISM", "NRCALONG", "F444W", "GRISMR", shape=(256, 2048), subarray="SUBGRISM256", nints=2,
         aperture=("NIRCam", "NRCA5_GRISM256_F444W"),
         meta={"instrument.module": "A", "instrument.channel": "LONG", "wcsinfo.siaf_xref_sci": 858.0,
               "wcsinfo.siaf_yref_sci": 35.0}),
)  # fmt: skip
SOSS = (
    Case("NIS_SOSS", "NIS", "CLEAR", "GR700XD", shape=(256, 2048), corner=(1, 1793), subarray="SUBSTRIP256",
         nints=2, **_SOSS),
    Case("NIS_SOSS", "NIS", "CLEAR", "GR700XD", shape=(2048, 2048), nints=1, velosys=None, **_SOSS),
)  # fmt: skip
CASES = LRS + WFSS + TSGRISM + SOSS


def rate(case):
    """Return the rates of a case, without light: one image, or an image for each integration."""
    shape = (case.nints, *case.shape) if case.nints else case.shape
    cls = datamodels.CubeModel if case.nints else datamodels.ImageModel
    model = cls(np.zeros(shape, np.float32))
    assign(model, _metadata(case))
    return model


def _metadata(case):
    library, name = case.aperture
    a = load_pysiaf().Siaf(library)[name]
    ny, nx = case.shape
    base = exposure_metadata(ExposureConfig(detector="NIS", filter="F200W", readpatt="NISRAPID"))
    base = {k: v for k, v in base.items() if not k.startswith("wcsinfo.pc")}
    values = {
        "instrument.name": case.instrument,
        "instrument.detector": case.detector,
        "instrument.filter": case.filter,
        "instrument.pupil": case.pupil,
        "exposure.type": case.exp_type,
        "exposure.readpatt": "FASTR1" if case.instrument == "MIRI" else "RAPID",
        "exposure.nints": max(case.nints, 1),
        "subarray.name": case.subarray,
        "subarray.xstart": case.corner[0],
        "subarray.ystart": case.corner[1],
        "subarray.xsize": nx,
        "subarray.ysize": ny,
        "subarray.fastaxis": {"NIS": -2, "MIRIMAGE": 1}.get(
            case.detector, -1 if case.detector[3:4] == "A" else 1
        ),
        "subarray.slowaxis": {"NIS": -1, "MIRIMAGE": 2}.get(
            case.detector, 2 if case.detector[3:4] == "A" else -2
        ),
        "wcsinfo.crpix1": nx / 2 + 0.5,
        "wcsinfo.crpix2": ny / 2 + 0.5,
        "wcsinfo.v2_ref": float(a.V2Ref),
        "wcsinfo.v3_ref": float(a.V3Ref),
        "wcsinfo.v3yangle": float(a.V3IdlYAngle),
        "wcsinfo.vparity": int(a.VIdlParity),
        "wcsinfo.ra_ref": 53.16,
        "wcsinfo.dec_ref": -27.79,
        "wcsinfo.roll_ref": case.roll,
        "wcsinfo.crval1": 53.16,
        "wcsinfo.crval2": -27.79,
        "wcsinfo.velosys": case.velosys,
        "velocity_aberration.scale_factor": SCALE,
        "filename": f"{case.name}_rate{'ints' if case.nints else ''}.fits",
    }
    return base | values | case.meta


# References


def cache_of(folder, cases):
    """Write the references of cases into a CRDS cache."""
    cache = CrdsCache(folder)
    write_image_references(cache, {case.detector for case in cases}, OFFSETS)
    for case in cases:
        if case in SOSS[1:]:
            continue
        match = {"META.INSTRUMENT.DETECTOR": case.detector, "META.EXPOSURE.TYPE": case.exp_type}
        if case.pupil and case.exp_type != "NIS_SOSS":
            match |= {"META.INSTRUMENT.FILTER": case.filter, "META.INSTRUMENT.PUPIL": case.pupil}
        lrs = case in LRS
        path = cache.path_for(case.instrument, "specwcs", match, ".fits" if lrs else ".asdf")
        write_lrs(path) if lrs else asdf.AsdfFile(specwcs(case)).write_to(path)
        cache.add(path, case.instrument, "specwcs", match)
    return cache


_MODELS = {
    "NRC_WFSS": "NIRCAMGrismModel", "NRC_TSGRISM": "NIRCAMGrismModel", "NIS_WFSS": "NIRISSGrismModel",
    "MIR_WFSS": "MiriWFSSSpecwcsModel", "NIS_SOSS": "SpecwcsModel",
}  # fmt: skip


def specwcs(case):
    """Return the content of a reference, by type of exposure."""
    head = {
        "model_type": _MODELS[case.exp_type], "reftype": "specwcs", "telescope": "JWST",
        "pedigree": "DUMMY", "author": "webbcal tests", "description": "dispersion",
        "useafter": "2014-01-01T00:00:00", "date": "2024-01-01T00:00:00",
        "input_units": "micron", "output_units": "micron",
        "instrument": {"name": case.instrument, "detector": case.detector, "filter": case.filter,
                       "pupil": case.pupil, "module": case.detector[3:4] or "A"},
        "exposure": {"type": case.exp_type},
    }  # fmt: skip
    if case.exp_type == "NIS_SOSS":
        return {"meta": head} | soss_tables()
    make = {"NIRCAM": nircam_dispersion, "NIRISS": niriss_dispersion, "MIRI": miri_dispersion}
    return {"meta": head} | make[case.instrument](case)


def plane(c, x, y):
    """Return a polynomial of the place of a source: at the origin, and its change along x and y."""
    return m.Polynomial2D(1, c0_0=c, c1_0=x, c0_1=y)


def nircam_dispersion(case):
    """Offsets along the dispersion are of t alone; those across and wavelengths of the place too."""
    module = case.detector[3:4]
    sign = -1 if module == "B" and case.pupil == "GRISMR" else 1
    lines = (-983.4, 1300.7), (-1500.0, 2600.0)
    along = [[m.Polynomial1D(1, c0=sign * c0, c1=sign * c1)] for c0, c1 in lines]
    across = [[plane(-2.1, 1e-3, -5e-4), plane(3.0, -1e-3, 2e-4), plane(-0.4, 1e-4, 1e-4)]] * 2
    waves = [
        [plane(3.85, 2e-7, -1e-6), plane(1.30, 3e-6, 1e-6), plane(0.004, -1e-6, 1e-6)],
        [plane(3.87, 2e-7, -1e-6), plane(1.31, 3e-6, 1e-6), plane(0.003, -1e-6, 1e-6)],
    ]
    x, y = (along, across) if case.pupil == "GRISMR" else (across, along)
    return {"orders": [1, 2], "dispx": x, "dispy": y, "displ": waves}


def niriss_dispersion(case):
    """Offsets are of the place too; wavelengths of t alone, and back."""
    along = [[plane(-150.0, 2e-3, -1e-3), plane(210.0, 1e-3, 3e-3), plane(-4.0, 1e-4, 2e-4)],
             [plane(200.0, 2e-3, -1e-3), plane(400.0, 1e-3, 3e-3), plane(-9.0, 1e-4, 2e-4)],
             [plane(-6.0, 2e-3, -1e-3), plane(2.0, 1e-4, 3e-4), plane(-0.01, 1e-6, 2e-6)]]  # fmt: skip
    across = [[plane(1.2, 1e-3, -5e-4), plane(-1.0, -1e-4, 2e-4), plane(0.2, 1e-5, 1e-5)]] * 3
    waves = [m.Polynomial1D(1, c0=1.75, c1=0.48)] * 3
    back = [m.Polynomial1D(1, c0=-1.75 / 0.48, c1=1 / 0.48)] * 3
    x, y = (along, across) if case.filter == "GR150C" else (across, along)
    return {
        "orders": [1, 2, 0],
        "dispx": x,
        "dispy": y,
        "displ": waves,
        "invdispl": back,
        "fwcpos_ref": 354.1,
    }


def miri_dispersion(case):
    """As for NIRISS, along columns, of the third degree."""
    t = np.linspace(0, 1, 200)
    wave = m.Polynomial1D(3, c0=13.5, c1=-9.0, c2=-1.2, c3=1.9)
    coefficients = np.polynomial.polynomial.polyfit(wave(t), t, 6)
    back = m.Polynomial1D(6, **{f"c{k}": v for k, v in enumerate(coefficients)})
    along = [plane(-190.0, 2e-3, -1e-3), plane(320.0, 1e-3, 3e-3), plane(60.0, 1e-4, 2e-4), plane(5, 0, 1e-5)]
    across = [plane(0.4, 1e-3, -5e-4), plane(-1.0, -1e-4, 2e-4), plane(0.2, 1e-5, 1e-5), plane(0.1, 0, 0)]
    return {"orders": [1], "dispx": [across], "dispy": [along], "displ": [wave], "invdispl": [back]}


def disperses_rows(case):
    """Tell whether spectra lie along rows."""
    return case.pupil == "GRISMR" or case.filter == "GR150C"


#: Where the light of orders is along the dispersion, pixels from the source, and a little beyond.
_ALONG = {
    "NIRCAM": {1: (-1000.0, 330.0), 2: (-1520.0, 1120.0)},
    "NIRISS": {1: (-160.0, 70.0), 2: (190.0, 610.0), 0: (-7, -3)},
    "MIRI": {1: (-200.0, 210.0)},
}


def along_the_trace(case, orders, rng):
    """Return random offsets along the dispersion for sources in orders."""
    sign = -1 if case.detector == "NRCBLONG" and case.pupil == "GRISMR" else 1
    return sign * np.array([rng.uniform(*_ALONG[case.instrument][int(order)]) for order in orders])


def soss_tables():
    """Wavelengths of the full frame by order: as rows and columns go."""
    y, x = np.linspace(0, 2047, 60), np.linspace(0, 2047, 90)
    tables = {}
    for order, (longest, step) in {1: (2.83, -9.8e-4), 2: (1.43, -4.7e-4), 3: (0.96, -3.1e-4)}.items():
        values = longest + step * x + 1e-6 * y[:, None] + 1e-9 * x * y[:, None]
        tables[order] = m.Tabular2D((y, x), values, bounds_error=False, fill_value=np.nan)
    return tables


def lrs_table():
    """Return the columns of a WAVETABLE: 388 rows, the longest wavelength last, along a curved trace."""
    y = np.linspace(82.0, -305.0, 388)
    wave = np.interp(y, *_lrs_dispersion())
    x = 0.9 * np.sin(y / 130.0) + 2e-3 * y
    corners = {}
    for k, (dx, dy) in enumerate(((-20, 0.5), (20, 0.5), (20, -0.5), (-20, -0.5))):
        corners |= {f"x{k}": x + dx, f"y{k}": y + dy}
    return {"x_center": x, "y_center": y, "wavelength": wave, **corners}


def _lrs_dispersion():
    y = np.linspace(-310.0, 90.0, 4001)
    return y, 4.4 + 11.0 * (1 - ((y + 310.0) / 440.0)) ** 0.55


def write_lrs(path):
    """Write a SPECWCS reference of MIRI LRS."""
    columns = [fits.Column(name, "D", array=values) for name, values in lrs_table().items()]
    head = {
        "REFTYPE": "SPECWCS", "TELESCOP": "JWST", "INSTRUME": "MIRI", "DETECTOR": "MIRIMAGE",
        "FILTER": "P750L", "PEDIGREE": "DUMMY", "AUTHOR": "webbcal tests", "DESCRIP": "dispersion",
        "USEAFTER": "2014-01-01T00:00:00", "DATAMODL": "SpecwcsModel", "IMX": 326.13, "IMY": 300.7,
        "IMXSLTL": 38.5, "IMYSLTL": 829.0,
        "V2VERT1": -412.6, "V2VERT2": -417.3, "V2VERT3": -417.2, "V2VERT4": -412.5,
        "V3VERT1": -400.7, "V3VERT2": -400.3, "V3VERT3": -399.8, "V3VERT4": -400.2,
    }  # fmt: skip
    table = fits.BinTableHDU.from_columns(columns, name="WAVETABLE")
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(head)), table]).writeto(path, overwrite=True)
