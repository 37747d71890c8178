"""The FITS WCS of a model: what its header keywords say, without the full WCS in the ASDF extension."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webbcal.datamodels.model import DataModel


def fits_wcs(model: DataModel, hdu_name: str, hdu_ver: int, key: str) -> Any:
    """Return the `astropy.wcs.WCS` of an HDU's keywords.

    Raises
    ------
    ValueError
        If the model would have no such HDU.
    """
    from astropy.io.fits import Header
    from astropy.wcs import WCS, FITSFixedWarning

    from webbcal.io.cards import header_bytes
    from webbcal.io.headers import plan_hdus

    planned = {(hdu.name, hdu.version): hdu for hdu in plan_hdus(model)}
    hdu = planned.get((hdu_name, hdu_ver))
    if hdu is None:
        raise ValueError(
            f"no HDU {hdu_name},{hdu_ver}; there are {', '.join(f'{n},{v}' for n, v in planned)}"
        )
    header = Header.fromstring(header_bytes(hdu.cards))
    for axis, size in enumerate(hdu.shape[::-1], start=1):
        header[f"NAXIS{axis}"] = size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # it tells of dates that it derived
        return WCS(header, key=key, relax=True, fix=True)
