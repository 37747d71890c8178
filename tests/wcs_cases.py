"""Images with pointing keywords, as the simulator writes them, for tests of world coordinates."""

from dataclasses import dataclass

import numpy as np

from webbcal import datamodels
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.geometry import load_pysiaf
from webbcal.simulate.headers import assign, exposure_metadata

#: Filter offsets (columns, rows) of the references that the tests write.
OFFSETS = {"F444W": (-0.21, 0.13), "F150W": (0.4, -0.3), "F200W": (0.1, 0.2), "F770W": (1.2, -0.7)}
SCALE = 0.9999327


@dataclass(frozen=True)
class Case:
    """An exposure: detector, subarray, filter, pointing."""

    detector: str
    subarray: str = "FULL"
    filter: str = "F444W"
    ra: float = 53.16
    dec: float = -27.79
    roll: float = 41.0
    scale: float = SCALE

    @property
    def name(self):
        return f"{self.detector}_{self.subarray}_{self.filter}".lower().replace("/", "")


CASES = (
    Case("NRCALONG"),
    Case("NRCALONG", "SUB160"),
    Case("NRCA1", filter="F150W", ra=359.999, dec=71.0, roll=200.0),
    Case("NRCB4", filter="F187N", scale=1.0),
    Case("NRCB1", "SUB640", filter="F200W"),
    Case("NIS", filter="F200W", ra=0.001, dec=-0.002, roll=10.0),
    Case("NIS", "SUB256", filter="F444W"),
    Case("GUIDER1", filter="N/A", dec=89.0),
    Case("GUIDER2", filter="N/A", roll=359.0),
    Case("MIRIMAGE", filter="F770W"),
    Case("MIRIMAGE", "SUB256", filter="F770W"),
)

#: MIRI regions: first column and row (0-based), columns, rows.
_MIRI = {"FULL": (0, 0, 1032, 1024), "SUB256": (412, 50, 256, 256)}


def image(case):
    """Return a rate image with all metadata of the case."""
    meta = _miri(case) if case.detector == "MIRIMAGE" else _near_infrared(case)
    meta["velocity_aberration.scale_factor"] = case.scale
    meta["filename"] = f"{case.name}_rate.fits"
    shape = meta["subarray.ysize"], meta["subarray.xsize"]
    model = datamodels.ImageModel(np.zeros(shape, np.float32))
    assign(model, meta)
    return model


def _near_infrared(case):
    config = ExposureConfig(
        detector=case.detector,
        subarray=case.subarray,
        filter=case.filter,
        readpatt={"N": "RAPID", "G": "FGSRAPID"}[case.detector[0]] if case.detector != "NIS" else "NISRAPID",
        ra=case.ra,
        dec=case.dec,
        roll=case.roll,
    )
    return exposure_metadata(config)


def miri_aperture():
    return load_pysiaf().Siaf("MIRI")["MIRIM_FULL"]


def _miri(case):
    a = miri_aperture()
    x0, y0, nx, ny = _MIRI[case.subarray]
    meta = exposure_metadata(ExposureConfig(detector="NIS", filter="F200W", readpatt="NISRAPID"))
    meta = {k: v for k, v in meta.items() if not k.startswith("wcsinfo.pc")}
    return meta | {
        "instrument.name": "MIRI",
        "instrument.detector": "MIRIMAGE",
        "instrument.filter": case.filter,
        "instrument.pupil": None,
        "exposure.type": "MIR_IMAGE",
        "exposure.readpatt": "FASTR1",
        "subarray.name": case.subarray,
        "subarray.xstart": x0 + 1,
        "subarray.ystart": y0 + 1,
        "subarray.xsize": nx,
        "subarray.ysize": ny,
        "subarray.fastaxis": 1,
        "subarray.slowaxis": 2,
        "wcsinfo.crpix1": float(a.XSciRef) - x0,
        "wcsinfo.crpix2": float(a.YSciRef) - y0,
        "wcsinfo.v2_ref": float(a.V2Ref),
        "wcsinfo.v3_ref": float(a.V3Ref),
        "wcsinfo.v3yangle": float(a.V3IdlYAngle),
        "wcsinfo.vparity": int(a.VIdlParity),
        "wcsinfo.ra_ref": case.ra,
        "wcsinfo.dec_ref": case.dec,
        "wcsinfo.roll_ref": case.roll,
        "wcsinfo.crval1": case.ra,
        "wcsinfo.crval2": case.dec,
    }
