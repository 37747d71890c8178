"""The profile of a source for optimal extraction, from the PSF reference.

The reference is an image of the point-spread function, finely sampled across the spectrum, against
wavelength. It is laid along the trace of the source (and, turned over, where the other nod was subtracted),
and if wished moved to where it fits the image best.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import ReferenceFileError
from webbcal.spectra.box_profile import F64
from webbcal.spectra.layout import Layout
from webbcal.spectra.optimal import fit_columns
from webbcal.spectra.planes import Planes
from webbcal.spectra.source_position import Middle, in_slit, middle_of, on_sky, trace_of

log = logging.getLogger(__name__)

#: Patterns of two positions, which are subtracted from each other.
_PAIRS = ("ALONG-SLIT-NOD", "2-POINT-NOD")
#: Pixels that two traces must be apart.
_CLOSEST_PAIR = 2.0


@dataclass(frozen=True)
class Psf:
    """The entry of a slit in the PSF reference, turned as a `Layout` is.

    Attributes
    ----------
    image : (across, wavelengths) float64
    wavelength : (wavelengths,) float64
        µm.
    centre : float
        Where the source is across `image`.
    subsampling : float
        Its pixels in one of the spectrum's.
    """

    image: F64
    wavelength: F64
    centre: float
    subsampling: float

    @classmethod
    def of(cls, reference: Any, slit: str | None, layout: Layout) -> Psf:
        """Return the entry of a slit.

        Raises
        ------
        ReferenceFileError
            If there is none, or its image and wavelengths do not fit each other.
        """
        named = str(slit).upper()
        entries = list(reference.model.apertures)
        entry = next((e for e in entries if str(e.name).upper() in ("NONE", "ANY", named)), None)
        if entry is None:
            names = ", ".join(str(e.name) for e in entries) or "none"
            raise ReferenceFileError(
                f"{reference.name} has no profile for slit {slit} (it has {names}); give another file with "
                "override_psf, or set extraction_type = box"
            )
        image, wavelength = layout.turned(np.asarray(entry.data)), np.asarray(entry.wave)
        if image.ndim != 2 or image.shape[1] != len(wavelength) or not entry.subpix:
            raise ReferenceFileError(
                f"{reference.name}: its image has shape {np.shape(entry.data)} and there are "
                f"{len(wavelength)} wavelengths (SUBPIX {entry.subpix}), which do not fit each other for a "
                f"spectrum along {'y' if layout.is_vertical else 'x'}; correct the file, or give another "
                "with override_psf"
            )
        centre = entry.center_col if layout.is_vertical else entry.center_row
        return cls(image, wavelength, float(centre), float(entry.subpix))


@dataclass(frozen=True)
class _Cutout:
    """The part of an image within the bounds of its WCS, with where each pixel is in the image of the PSF."""

    box: tuple[slice, slice]
    psf: Psf
    across: F64
    along: F64

    def profiles(self, shift: float, pair: float | None) -> F64:
        """Return the profile (1, across, along) moved by pixels, and that of a negative source beside it."""
        first = self.across + shift * self.psf.subsampling
        found = [self._profile(first)]
        if pair is not None:
            found.append(-self._profile(first + self.psf.subsampling * pair))
        return np.array(found)

    def _profile(self, across: F64) -> F64:
        from scipy.ndimage import map_coordinates

        values = map_coordinates(self.psf.image, [across, self.along], order=1)
        total = np.nansum(values, axis=0)
        values = np.divide(values, total, out=np.zeros_like(values), where=total != 0)
        values[~np.isfinite(values)] = 0.0
        return values


@dataclass(frozen=True)
class PsfProfiles:
    """Weights (sources, across, along) of the source and a negative one; ends of the cut-out across."""

    weights: F64
    lower: float
    upper: float


def psf_profiles(
    layout: Layout, planes: Planes, psf: Psf, trace: F64 | None, models_pair: bool, optimizes: bool
) -> PsfProfiles:
    """Return the profiles of a source, on the pixels of its slit.

    Parameters
    ----------
    layout : Layout
    planes : Planes
        Image and variances; of a time series, the first integration is looked at.
    psf : Psf
    trace : (along,) float64 or None
        Where the source is; if that is not known, it is taken to be in the middle.
    models_pair : bool
        Whether a negative source is fitted too, where two nods were subtracted from each other.
    optimizes : bool
        Whether the position across is fitted.
    """
    middle = middle_of(layout)
    pair = None
    if trace is None:
        if models_pair:
            log.warning("without the position of the source, no negative nod is modelled")
        trace, location = _middle_trace(layout, middle), middle.across
    else:
        location = float(trace[int(np.round(middle.along))])
        pair = _pair_offset(layout, middle, location, optimizes) if models_pair else None
    cutout = _cutout(layout, psf, trace)
    shift = 0.0
    if optimizes:
        shift, pair = _best_shift(cutout, planes, pair)
    log.info("the profile is centred at %.2f, wavelength %.2f", location - shift, middle.wavelength)
    if pair is not None:
        log.info("a negative source is modelled at %.2f", location - shift - pair)
    weights = np.zeros((1 if pair is None else 2, *layout.shape))
    weights[:, *cutout.box] = cutout.profiles(shift, pair)
    rows = cutout.box[0]
    return PsfProfiles(weights, rows.start, rows.stop)


def _cutout(layout: Layout, psf: Psf, trace: F64) -> _Cutout:
    """Return the pixels within the bounds, and where they are in the image of the PSF.

    As in jwst 3.0.0, distances across count from the edge of the bounds (half a pixel before the centre of
    the first pixel): `psf.centre` is where the source is in pixels counted so.
    """
    (a0, a1), (b0, b1) = layout.bounds
    rows, columns = slice(int(np.ceil(a0)), int(np.ceil(a1))), slice(int(np.ceil(b0)), int(np.ceil(b1)))
    wavelength = layout.wavelength[rows, columns]
    order = np.argsort(psf.wavelength)
    order = order[np.isfinite(psf.wavelength[order])]
    along = np.interp(wavelength, psf.wavelength[order], order, left=np.nan, right=np.nan)
    start = psf.centre - (trace[columns] - a0) * psf.subsampling
    across = np.arange(wavelength.shape[0])[:, None] * psf.subsampling + start
    return _Cutout((rows, columns), psf, across, along)


def _middle_trace(layout: Layout, middle: Middle) -> F64:
    """Return the trace of a source in the middle of the slit."""
    exp_type = str(layout.model.meta.exposure.type)
    ra, dec, _ = layout.world(middle.across, middle.along)
    place = None
    if exp_type == "MIR_LRS-FIXEDSLIT":
        place = on_sky(layout, float(ra), float(dec))
    elif exp_type.startswith("NRS"):
        x, y = layout.swapped(middle.across, middle.along)
        in_frame = layout.between("detector", "slit_frame", x, y)
        place = in_slit(layout, float(in_frame[0]), float(in_frame[1]))
    if place is not None:
        return trace_of(layout, place)
    low, high = layout.bounds[1]
    trace = np.full(layout.shape[1], np.nan)
    first = int(np.ceil(low))
    trace[first : first + int(high - low)] = middle.across
    return trace


def _pair_offset(layout: Layout, middle: Middle, location: float, optimizes: bool) -> float | None:
    """Return how far the source is from the negative one, or None if there is none."""
    meta = layout.model.meta
    if str(meta.cal_step.bkg_subtract) != "COMPLETE":
        log.info("no nod was subtracted, so no negative source is modelled")
        return None
    if str(meta.dither.primary_type) not in _PAIRS:
        log.info("the pattern is none of two nods, so no negative source is modelled")
        return None
    other = _other_nod(layout, middle)
    if np.isnan(other) or abs(location - other) < _CLOSEST_PAIR:
        log.warning("where the other nod is could not be found by the WCS; it is not modelled")
        return None
    if not optimizes:
        log.warning("places of negative nods are approximations; optimize_psf_location is recommended")
    return location - other


def _other_nod(layout: Layout, middle: Middle) -> float:
    """Return where the other nod is across the spectrum; NaN if that is not known."""
    model, exp_type = layout.model, str(layout.model.meta.exposure.type)
    wavelength = np.array([middle.wavelength])
    if exp_type.startswith("NRS"):
        y = model.source_ypos
        place = in_slit(layout, model.source_xpos, None if y is None else -y)
        return np.nan if place is None else float(place(wavelength)[0][0])
    if exp_type != "MIR_LRS-FIXEDSLIT" or "v2v3" not in layout.frames:
        return np.nan
    sign = -1.0 if layout.is_vertical else 1.0
    v2, v3 = _ideal_to_v2v3(
        model.meta.wcsinfo, sign * model.meta.dither.x_offset, -sign * model.meta.dither.y_offset
    )
    ra, dec, *_ = layout.between("v2v3", layout.frames[-1], v2, v3, 0.0)
    return float(layout.pixel(ra, dec, middle.wavelength)[0])


def _ideal_to_v2v3(wcsinfo: Any, x: float, y: float) -> tuple[float, float]:
    """Return V2, V3 (arcsec) of a point of an aperture's ideal frame (JWST-STScI-001550)."""
    angle = np.deg2rad(wcsinfo.v3yangle)
    x = wcsinfo.vparity * x
    v2 = wcsinfo.v2_ref + x * np.cos(angle) + y * np.sin(angle)
    v3 = wcsinfo.v3_ref - x * np.sin(angle) + y * np.cos(angle)
    return float(v2), float(v3)


def _best_shift(cutout: _Cutout, planes: Planes, pair: float | None) -> tuple[float, float | None]:
    """Return the shift (and the distance of the negative source) at which the profiles fit best."""
    from scipy.optimize import minimize

    image, read_noise = planes.first_of(cutout.box)
    start = [0.0] if pair is None else [0.0, pair]
    found = minimize(_misfit, start, (cutout, image, read_noise), method="Nelder-Mead").x
    return float(found[0]), None if pair is None else float(found[1])


def _misfit(
    at: NDArray[np.float64], cutout: _Cutout, image: NDArray[np.float32], read_noise: NDArray[np.float32]
) -> float:
    """Return the sum of squared residuals of profiles and a constant background, over the read noise."""
    profiles = cutout.profiles(at[0], at[1] if len(at) > 1 else None)
    fitted = fit_columns(image, read_noise[None], profiles, None, order=0, wants_model=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nansum((fitted.model - image) ** 2 / read_noise))
