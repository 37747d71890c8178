"""The true spectra of a slitless exposure, pixel by pixel along the dispersion.

A pixel of a trace has the wavelength of its middle. `flux` is the source's spectrum, averaged over the pixel;
`seen` is what calibration makes of all light in the column (or row): blurred by the optics, and divided by
the sensitivity and the dispersion at the pixel's wavelength. It is of point sources; galaxies are blurred
more.
"""

from __future__ import annotations

import numpy as np

from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.grisms.dispersing import Beam, beam_of, pieces, source_spectrum
from webbcal.simulate.grisms.gaussians import add_line
from webbcal.simulate.grisms.optics import Trace
from webbcal.simulate.optics import PSF_GAUSSIANS, diffraction_sigma
from webbcal.simulate.spectrum import Spectrum

#: `source` is the number in the table of sources (0: the star of a time series), `pixel` the column or row
#: (0-based) of the exposure; micrometres and Jy.
SEEN_DTYPE = np.dtype(
    [("source", "i8"), ("order", "i2"), ("pixel", "i4"), ("wavelength", "f8"), ("flux", "f8"), ("seen", "f8")]
)


def seen_spectra(config: ExposureConfig, sources: np.ndarray) -> np.ndarray:
    """Return the spectra of all sources in all orders, where they are on the detector (`SEEN_DTYPE`).

    Parameters
    ----------
    config : ExposureConfig
    sources : ndarray
        As `dispersing.dispersed` returns them.
    """
    beam = beam_of(config)
    tables = [np.zeros(0, SEEN_DTYPE)]
    for row in sources:
        spectrum = source_spectrum(config, beam, row)
        for order in beam.orders:
            found = _seen(beam, beam.trace(order, row["x"], row["y"]), order.number, spectrum, row)
            found["source"] = row["id"]
            tables.append(found)
    return np.concatenate(tables)


def _seen(beam: Beam, trace: Trace, order: int, spectrum: Spectrum, row: np.void) -> np.ndarray:
    axis = beam.grism.axis - 1
    finest = pieces(beam, trace, order, spectrum, row)
    along = finest.x if axis == 0 else finest.y
    first, last = int(np.ceil(along.min())), int(np.floor(along.max()))
    profile = np.zeros(beam.aperture.shape[1 - axis])
    for share, width in PSF_GAUSSIANS:
        add_line(profile, along, share * finest.light, diffraction_sigma(finest.wave, beam.scale) * width)
    pixels = np.arange(max(first, 0), min(last + 1, len(profile)))
    rising = np.argsort(along)
    edges = np.interp(np.append(pixels - 0.5, pixels[-1:] + 0.5), along[rising], finest.wave[rising])
    table = np.zeros(len(pixels), SEEN_DTYPE)
    if not len(pixels):
        return table
    table["order"], table["pixel"] = order, pixels
    table["wavelength"] = np.interp(pixels, along[rising], finest.wave[rising])
    table["flux"] = spectrum.mean(edges)
    per_jansky = beam.sensitivity(order, table["wavelength"]) * np.abs(np.diff(edges))
    table["seen"] = profile[pixels] / np.where(per_jansky > 0, per_jansky, np.inf)
    return table
