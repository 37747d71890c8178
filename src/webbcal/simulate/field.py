"""A field observed in dithers: exposures of one sky, as they are planned and as the telescope makes them.

Each exposure points a little off what its header says and has a sky level of its own, as zodiacal and stray
light vary. A catalogue of the bright stars, as Gaia gives it, tells where they really are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig, dithered
from webbcal.simulate.scene import Sky
from webbcal.simulate.seeds import stream

#: Arcseconds east and north, for a full frame of NIRCam's long-wave channel; fractions of a pixel differ.
_OFFSETS = ((0.0, 0.0), (7.831, 4.117), (-4.573, 8.352), (5.214, -6.943))
_POINTING_ERROR = 0.1  # arcsec along each axis
_SKY_SCATTER = 0.06  # of the sky level
_STARS_IN_PART = 45  # in a small frame: enough to align on
_CLUSTER = 120  # galaxies
_CATALOG_LIMIT = 23.0  # AB magnitude
_CATALOG_ERROR = 0.5  # mas along each axis


@dataclass(frozen=True, slots=True)
class Plan:
    """How an instrument looks at the field: detector, filter, read pattern, and the sky in that band."""

    detector: str
    filter: str
    readpatt: str
    ngroups: int
    background: float
    bright: float = 17.0
    faint: float = 27.5


#: Plans by instrument.
PLANS = {
    "nircam": Plan("NRCALONG", "F444W", "SHALLOW4", 10, 0.25),
    "niriss": Plan("NIS", "F200W", "NIS", 7, 0.12),
    "fgs": Plan("GUIDER1", "N/A", "FGS", 24, 0.15),
    "miri": Plan("MIRIMAGE", "F770W", "FASTR1", 180, 6.0, bright=15.0, faint=25.0),
}


def field(instrument: str, subarray: str = "FULL", seed: int = 1) -> list[ExposureConfig]:
    """Return four dithered exposures of a field of stars and galaxies.

    Parameters
    ----------
    instrument : str
        One of `PLANS`.
    subarray : str
        Smaller frames have smaller dithers, and denser fields of brighter stars, so that they can be aligned
        in their short exposures.
    seed : int

    Raises
    ------
    ParameterError
        For an unknown instrument.
    """
    plan = PLANS.get(instrument.lower())
    if plan is None:
        raise ParameterError(f"there is no field for {instrument!r}; known: {', '.join(PLANS)}")
    config = ExposureConfig(
        detector=plan.detector, filter=plan.filter, readpatt=plan.readpatt, ngroups=plan.ngroups,
        subarray=subarray, seed=seed,
    )  # fmt: skip
    aperture = config.aperture
    sides = aperture.shape[0] * aperture.y_scale, aperture.shape[1] * aperture.x_scale
    area = sides[0] * sides[1] / 3600.0
    sky = Sky(
        seed=seed, stars=60.0, galaxies=300.0, bright=plan.bright, faint=plan.faint,
        background=plan.background, cluster=_CLUSTER,
    )  # fmt: skip
    if subarray != "FULL":
        sky = replace(sky, stars=_STARS_IN_PART / area, faint=plan.bright + 5.0, cluster=0)
    scale = min(sides) / 129.0
    offsets = [(east * scale, north * scale) for east, north in _OFFSETS]
    rng = stream(seed, "field")
    errors = _POINTING_ERROR * rng.standard_normal((len(offsets), 2))
    levels = plan.background * (1.0 + _SKY_SCATTER * rng.standard_normal(len(offsets)))
    return [
        replace(c, pointing_error=(float(e), float(n)), sky=replace(sky, background=float(level)))
        for c, (e, n), level in zip(dithered(config, offsets), errors, levels, strict=True)
    ]


def star_catalog(configs: Sequence[ExposureConfig], limit: float = _CATALOG_LIMIT) -> Any:
    """Return what an astrometric catalogue says of the stars in the exposures' field.

    Returns
    -------
    astropy.table.Table
        Columns `RA` and `DEC` (degrees, with the errors of the catalogue) and `abmag`, for stars brighter
        than `limit`.
    """
    from astropy.table import Table

    corners = [config.true_pointing.footprint() for config in configs]
    ra, dec = (np.concatenate(values) for values in zip(*corners, strict=True))
    sources = configs[0].sky.sources_near(ra, dec)
    stars = sources[~sources["galaxy"] & (sources["abmag"] < limit)]
    rng = stream(configs[0].sky.seed, "star catalogue")
    east, north = _CATALOG_ERROR / 3.6e6 * rng.standard_normal((2, len(stars)))
    position = {"RA": stars["ra"] + east / np.cos(np.radians(stars["dec"])), "DEC": stars["dec"] + north}
    return Table({**position, "abmag": stars["abmag"]})
