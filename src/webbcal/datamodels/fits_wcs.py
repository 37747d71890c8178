"""The FITS WCS of a model: what its header keywords say, without the full WCS in the ASDF extension."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from webbcal.io.cards import header_bytes
from webbcal.io.hdus import PlannedHdu


def fits_wcs(hdus: Sequence[PlannedHdu], name: str, version: int, key: str) -> Any:
    """Return the `astropy.wcs.WCS` of the keywords of one of the HDUs.

    Raises
    ------
    ValueError
        If there is no such HDU.
    """
    from astropy.io.fits import Header
    from astropy.wcs import WCS, FITSFixedWarning

    planned = {(hdu.name, hdu.version): hdu for hdu in hdus}
    hdu = planned.get((name, version))
    if hdu is None:
        raise ValueError(f"no HDU {name},{version}; there are {', '.join(f'{n},{v}' for n, v in planned)}")
    header = Header.fromstring(header_bytes(hdu.cards))
    for axis, size in enumerate(hdu.shape[::-1], start=1):
        header[f"NAXIS{axis}"] = size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # it tells of dates that it derived
        return WCS(header, key=key, relax=True, fix=True)
