"""Fluxes in circular apertures, less a local background from an annulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.combine.sources.aperture_reference import Apertures

_CLIP, _ROUNDS = 3.0, 5
#: Where sources without a position are looked for: apertures there have no pixels, and their flux is NaN.
_NOWHERE = -1000.0


@dataclass(frozen=True)
class AperturePhotometry:
    """Fluxes in units of the image: of the sky, per pixel, (sources,); in apertures, (apertures, sources)."""

    sky: np.ndarray
    sky_err: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray


def finite_positions(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return positions (sources, 2), with a place off the image for those that are not finite."""
    positions = np.stack([x, y], axis=1).astype(float)
    return np.where(np.isfinite(positions), positions, _NOWHERE)


def measure_apertures(
    data: np.ndarray, err: np.ndarray, positions: np.ndarray, apertures: Apertures
) -> AperturePhotometry:
    """Sum an image in circular apertures (exact overlap with pixels), and subtract the local background.

    Errors are those of the sums; the small one of the background's median is given beside. A pixel without
    data (NaN) in an aperture makes its flux NaN.

    Parameters
    ----------
    data, err : ndarray
        Image and its standard deviations, shape (ny, nx).
    positions : ndarray
        x, y of the sources, shape (sources, 2).
    apertures : Apertures
    """
    from photutils.aperture import CircularAperture

    sky, sky_err = _local_sky(data, positions, apertures)
    fluxes, errors = [], []
    for radius in apertures.radii:
        aperture = CircularAperture(positions, radius)
        total, total_err = aperture.do_photometry(data, error=err)
        fluxes.append(total - sky * aperture.area)
        errors.append(total_err)
    return AperturePhotometry(sky, sky_err, np.array(fluxes), np.array(errors))


def _local_sky(
    data: np.ndarray, positions: np.ndarray, apertures: Apertures
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clipped median in the annulus of each source and its standard error, sqrt(pi / 2N) sigma."""
    from photutils.aperture import CircularAnnulus

    median, error = (np.full(len(positions), np.nan) for _ in range(2))
    annuli = CircularAnnulus(positions, apertures.sky_inner, apertures.sky_outer).to_mask(method="center")
    for k, annulus in enumerate(annuli):
        values = _clipped(annulus.get_values(data))
        if len(values):
            median[k] = np.median(values)
            error[k] = np.sqrt(np.pi / (2.0 * len(values))) * np.std(values)
    return median, error


def _clipped(values: np.ndarray) -> np.ndarray:
    """Return the values that are finite and within `_CLIP` sigma of their median, in at most five rounds."""
    values = values[np.isfinite(values)]
    for _ in range(_ROUNDS):
        if not len(values):
            break
        centre, reach = np.median(values), _CLIP * np.std(values)
        near = (values >= centre - reach) & (values <= centre + reach)
        if near.all():
            break
        values = values[near]
    return values
