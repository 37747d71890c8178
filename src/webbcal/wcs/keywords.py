"""The pointing keywords of an exposure: reading them for a WCS, and computing them from an attitude.

This is what `set_telescope_pointing` does for the archive, without the engineering database: the attitude is
given by the user or taken from the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.wcs.aberration import aberration
from webbcal.wcs.attitude import Attitude

#: Keywords that say where the reference position of the aperture is, in the telescope and on the sky.
REFERENCE = {
    "v2_ref": "V2_REF",
    "v3_ref": "V3_REF",
    "ra_ref": "RA_REF",
    "dec_ref": "DEC_REF",
    "roll_ref": "ROLL_REF",
}
_APERTURE = {"v2_ref": "V2_REF", "v3_ref": "V3_REF", "v3yangle": "V3I_YANG", "vparity": "VPARITY"}
_PIXELS = ("crpix1", "crpix2", "cdelt1", "cdelt2")


def required(model: Any, keywords: dict[str, str]) -> dict[str, float]:
    """Return values of ``meta.wcsinfo``.

    Raises
    ------
    InputError
        Naming all that are missing or not finite.
    """
    info = model.meta.wcsinfo
    values = {name: getattr(info, name, None) for name in keywords}
    missing = [keywords[name] for name, value in values.items() if value is None or not np.isfinite(value)]
    if missing:
        raise InputError(
            f"{model.meta.filename or 'input model'}: pointing keywords missing: {', '.join(missing)} "
            "(meta.wcsinfo). Set them in the SCI header, or compute them from the telescope's attitude "
            "with `webbcal pointing`"
        )
    return {name: float(value) for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ApertureKeywords:
    """The place of an aperture in the telescope frame.

    Attributes
    ----------
    v2_ref, v3_ref : float
        Its reference position, arcsec.
    v3yangle : float
        Angle from V3 to the aperture's y axis, degrees.
    vparity : float
        1 or -1: the sense of its x axis.
    """

    v2_ref: float
    v3_ref: float
    v3yangle: float
    vparity: float

    @classmethod
    def of_model(cls, model: Any) -> ApertureKeywords:
        """Read the keywords of an exposure.

        Raises
        ------
        InputError
            Naming those that are missing or make no sense.
        """
        aperture = cls(**required(model, _APERTURE))
        if aperture.vparity not in (1, -1):
            raise InputError(
                f"{model.meta.filename or 'input model'}: VPARITY must be 1 or -1, not {aperture.vparity}"
            )
        return aperture

    def telescope(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return V2 and V3 of offsets (arcsec) from the reference position along the aperture's axes."""
        c, s = np.cos(np.radians(self.v3yangle)), np.sin(np.radians(self.v3yangle))
        return (
            self.v2_ref + self.vparity * c * x + s * y,
            self.v3_ref - self.vparity * s * x + c * y,
        )

    def pc_matrix(self, roll: float) -> np.ndarray:
        """Return the rotation from aperture axes to (west-positive CDELT) sky axes: the PC keywords."""
        angle = np.radians(roll - self.vparity * self.v3yangle)
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[self.vparity * c, s], [-self.vparity * s, c]])


def attitude_of(model: Any, source: str = "v1") -> Attitude:
    """Return the attitude that a file tells of: by its V1 pointing, or by its aperture's reference position.

    Raises
    ------
    InputError
        Naming the keywords that are missing.
    """
    if source == "aperture":
        return Attitude.from_reference(*required(model, REFERENCE).values())
    pointing = model.meta.pointing
    values = {
        name: getattr(pointing, key, None)
        for name, key in (("RA_V1", "ra_v1"), ("DEC_V1", "dec_v1"), ("PA_V3", "pa_v3"))
    }
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise InputError(
            f"{model.meta.filename or 'input model'}: keywords missing: {', '.join(missing)}; "
            "give the attitude: --ra --dec --roll"
        )
    return Attitude.from_v1(*(float(v) for v in values.values() if v is not None))


def pointing_values(model: Any, attitude: Attitude) -> dict[str, float | str]:
    """Return all pointing keywords of an exposure that follow from an attitude: path below ``meta`` to value.

    Raises
    ------
    InputError
        If keywords that place the aperture in the telescope are missing.
    """
    aperture = ApertureKeywords.of_model(model)
    v2, v3 = aperture.v2_ref, aperture.v3_ref
    ra_v1, dec_v1 = (float(v) for v in attitude.sky(0.0, 0.0))
    ra, dec = (float(v) for v in attitude.sky(v2, v3))
    roll = attitude.roll(v2, v3)
    pc = aperture.pc_matrix(roll)
    values: dict[str, float | str] = {
        "pointing.ra_v1": ra_v1,
        "pointing.dec_v1": dec_v1,
        "pointing.pa_v3": attitude.roll(0.0, 0.0),
        "aperture.position_angle": (roll + aperture.v3yangle) % 360.0,
        "wcsinfo.ra_ref": ra,
        "wcsinfo.dec_ref": dec,
        "wcsinfo.roll_ref": roll,
        "wcsinfo.crval1": ra,
        "wcsinfo.crval2": dec,
    }
    values |= {f"wcsinfo.pc{i + 1}_{j + 1}": float(pc[i, j]) for i in (0, 1) for j in (0, 1)}
    return values | _aberration(model, ra, dec) | _footprint(model, attitude, aperture)


def set_pointing(model: Any, attitude: Attitude) -> dict[str, float | str]:
    """Set all pointing keywords of an exposure from an attitude; return what was set.

    Raises
    ------
    InputError
        If keywords are missing, or the exposure has its WCS already: that would not change with them.
    """
    if model.meta.cal_step.assign_wcs == "COMPLETE":
        raise InputError(
            f"{model.meta.filename}: has its WCS already (S_WCS = COMPLETE); set the pointing of the raw or "
            "rate file, and run assign_wcs again"
        )
    values = pointing_values(model, attitude)
    for path, value in values.items():
        node = model.meta
        *parents, name = path.split(".")
        for parent in parents:
            node = getattr(node, parent)
        setattr(node, name, value)
    return values


def _aberration(model: Any, ra: float, dec: float) -> dict[str, float | str]:
    """Return the velocity aberration, if the file tells the telescope's velocity."""
    ephemeris = model.meta.ephemeris
    velocity = [getattr(ephemeris, f"velocity_{axis}_bary", None) for axis in "xyz"]
    if any(v is None for v in velocity):
        return {}
    scale, apparent_ra, apparent_dec = aberration([float(v) for v in velocity if v is not None], ra, dec)
    return {
        "velocity_aberration.scale_factor": scale,
        "velocity_aberration.va_ra_ref": apparent_ra,
        "velocity_aberration.va_dec_ref": apparent_dec,
    }


def _footprint(model: Any, attitude: Attitude, aperture: ApertureKeywords) -> dict[str, float | str]:
    """Return S_REGION from the pixel scale, without distortion (assign_wcs refines it)."""
    from webbcal.wcs.footprint import s_region

    info = model.meta.wcsinfo
    values = [getattr(info, name, None) for name in _PIXELS]
    source = model.source(model.get_primary_array_name())
    if source is None or any(v is None for v in values):
        return {}
    crpix1, crpix2, cdelt1, cdelt2 = (float(v) for v in values if v is not None)
    ny, nx = source.shape[-2:]
    x = (np.array([0.5, 0.5, nx + 0.5, nx + 0.5]) - crpix1) * abs(cdelt1) * 3600.0
    y = (np.array([0.5, ny + 0.5, ny + 0.5, 0.5]) - crpix2) * abs(cdelt2) * 3600.0
    return {"wcsinfo.s_region": s_region(np.array(attitude.sky(*aperture.telescope(x, y))).T)}
