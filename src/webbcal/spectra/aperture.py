"""Where the spectrum of a source is, and its background: the entry of a slit in the EXTRACT1D reference."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from webbcal.core.errors import ReferenceFileError
from webbcal.spectra.extract_parameters import Extract1dParameters
from webbcal.spectra.layout import HORIZONTAL

log = logging.getLogger(__name__)

#: A slit name that stands for any.
ANY = "ANY"
#: Exposure types whose sources are at a known place in the slit.
_KNOWN_PLACE = ("MIR_LRS-FIXEDSLIT", "NRS_FIXEDSLIT", "NRS_MSASPEC", "NRS_BRIGHTOBJ")

Coefficients = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Aperture:
    """Where to extract; positions are 0-based pixels, across the spectrum or along it, ends included.

    Attributes
    ----------
    lowest, highest : float
        Across.
    first, last : float
        Along.
    source, background : tuple of tuples of float, or None
        Polynomials of the lower and the upper limit, in turn, constant first; 0 is the centre of a pixel.
    by_wavelength : bool
        Whether these are polynomials of wavelength (µm), not of the pixel along.
    width : float or None
        Size across, about the source or the middle of `lowest` and `highest`.
    subtracts : bool
        Whether the background is subtracted.
    fit : {"poly", "median"}
        How it is found in each column.
    order : int
        Of its polynomial.
    smoothing : int
        Columns over which the image is averaged for the background; 0 for none, else odd.
    seeks_source : bool
        Whether the aperture is moved to where the source should be.
    offset : float
        How far it is moved beside that.
    extraction : {"box", "optimal"}
    """

    lowest: float
    highest: float
    first: float
    last: float
    source: Coefficients | None = None
    background: Coefficients | None = None
    by_wavelength: bool = False
    width: float | None = None
    subtracts: bool = False
    fit: Literal["poly", "median"] = "poly"
    order: int = 0
    smoothing: int = 0
    seeks_source: bool = False
    offset: float = 0.0
    extraction: Literal["box", "optimal"] = "box"

    def moved(self, offset: float) -> Aperture:
        """Return an aperture moved across the spectrum."""
        return replace(
            self,
            lowest=self.lowest + offset,
            highest=self.highest + offset,
            source=_moved(self.source, offset),
            background=_moved(self.background, offset),
        )


def _moved(coefficients: Coefficients | None, offset: float) -> Coefficients | None:
    if coefficients is None:
        return None
    return tuple((constant + offset, *higher) for constant, *higher in coefficients)


#: What is a number in an entry of the reference, if it is there.
_NUMBERS = ("xstart", "xstop", "ystart", "ystop", "extract_width", "bkg_order", "smoothing_length")


def whole_slit(shape: Sequence[int]) -> Aperture:
    """Return the aperture where there is no reference: all of the slit (across, along), no background."""
    return Aperture(0, shape[0] - 1, 0, shape[1] - 1)


def find_entry(content: Any, slit: str, order: int, name: str) -> Mapping[str, Any] | None:
    """Return the entry of a slit and order; None if there are only other orders of the slit.

    Parameters
    ----------
    content : object
        What is in the reference.
    slit : str
        Name of the slit, or `ANY`.
    order : int
    name : str
        The reference, for messages.

    Raises
    ------
    ReferenceFileError
        If the reference has no entry for the slit, or is none of its kind.
    """
    entries = content.get("apertures") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ReferenceFileError(
            f"{name} has no list of apertures; check the file, or give another with override_extract1d"
        )
    known = [e for e in entries if "id" in e and e["id"] != "dummy"]
    fitting = [e for e in known if slit == ANY or e["id"] in (slit, ANY)]
    fitting = [e for e in fitting if e.get("region_type", "target") == "target"]
    if not fitting:
        names = ", ".join(str(e["id"]) for e in known) or "none"
        raise ReferenceFileError(
            f"{name} has no aperture for {slit} (it has {names}); check the file, or give another with "
            "override_extract1d"
        )
    entry = next((e for e in fitting if e.get("spectral_order", order) in (order, ANY)), None)
    if entry is not None:
        for key in _NUMBERS:
            _check_number(entry, key, name)
    return entry


def _check_number(entry: Mapping[str, Any], key: str, name: str) -> None:
    """Refuse an entry of a reference that should be a number and is none, or a size that is no size."""
    value = entry.get(key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
    if value is None or (is_number and (key != "extract_width" or value > 0)):
        return
    kind = "a positive number" if key == "extract_width" else "a number"
    raise ReferenceFileError(
        f"{name} has {key} = {value!r} for {entry['id']}; it must be {kind}. Correct the file, or give "
        "another with override_extract1d"
    )


def aperture_of(
    entry: Mapping[str, Any],
    shape: Sequence[int],
    dispaxis: int,
    p: Extract1dParameters,
    exp_type: str,
    seeks_source: bool | None,
    has_psf: bool,
) -> Aperture:
    """Return the aperture that an entry and the user's wishes make.

    Parameters
    ----------
    entry : mapping
        Of the reference.
    shape : (int, int)
        Pixels across and along.
    dispaxis : int
        1 if wavelength runs along x, 2 along y.
    p : Extract1dParameters
    exp_type : str
    seeks_source : bool or None
        Whether the aperture is moved to the source; None leaves it to entry and exposure type.
    has_psf : bool
        Whether there is a profile for optimal extraction.
    """
    along, across = ("x", "y") if dispaxis == HORIZONTAL else ("y", "x")
    if seeks_source is None:
        seeks_source = entry.get("use_source_posn")
    if seeks_source is None:
        seeks_source = exp_type in _KNOWN_PLACE
    subtracts = p.subtract_background
    if subtracts is None:
        subtracts = entry.get("bkg_coeff") is not None
    fit, order = _fit(entry, p)
    return Aperture(
        lowest=entry.get(f"{across}start", 0),
        highest=entry.get(f"{across}stop", shape[0] - 1),
        first=entry.get(f"{along}start", 0),
        last=entry.get(f"{along}stop", shape[1] - 1),
        source=_coefficients(entry, "src_coeff"),
        background=_coefficients(entry, "bkg_coeff"),
        by_wavelength=str(entry.get("independent_var", "pixel")).lower().startswith("wavelength"),
        width=entry.get("extract_width"),
        subtracts=subtracts,
        fit=fit,
        order=order,
        smoothing=_smoothing(
            entry.get("smoothing_length", 0) if p.smoothing_length is None else p.smoothing_length
        ),
        seeks_source=bool(seeks_source),
        offset=p.position_offset,
        extraction=_extraction(p.extraction_type, bool(seeks_source), has_psf),
    )


def _fit(entry: Mapping[str, Any], p: Extract1dParameters) -> tuple[Literal["poly", "median"], int]:
    """Return how the background is fitted; a mean is a polynomial of order 0."""
    fit = p.bkg_fit or entry.get("bkg_fit", "poly")
    if fit == "mean":
        return "poly", 0
    order = entry.get("bkg_order", 0) if p.bkg_order is None else p.bkg_order
    return ("median" if fit == "median" else "poly"), int(order)


def _coefficients(entry: Mapping[str, Any], key: str) -> Coefficients | None:
    """Return polynomials of limits.

    Raises
    ------
    ReferenceFileError
        If they are not pairs of a lower and an upper limit.
    """
    given = entry.get(key)
    if given is None:
        return None
    try:
        polynomials = tuple(tuple(float(c) for c in polynomial) for polynomial in given)
    except (TypeError, ValueError):
        polynomials = ()
    if len(polynomials) % 2 or not all(polynomials) or not polynomials:
        raise ReferenceFileError(
            f"the EXTRACT1D reference has {key} = {given} for {entry['id']}; it must be a list of "
            "coefficients of a lower limit, then of an upper one, and so on. Correct the file, or give "
            "another with override_extract1d"
        )
    return polynomials


def _smoothing(length: float) -> int:
    """Return an odd number of columns, or 0."""
    whole = round(length)
    if whole != length:
        log.warning("smoothing_length = %g is no whole number; %d is taken", length, whole)
    if whole == 0:
        return 0
    if whole < 3:
        log.warning("smoothing_length = %d is too short; nothing is smoothed", whole)
        return 0
    if whole % 2 == 0:
        log.warning("smoothing_length = %d is even; %d is taken", whole, whole - 1)
        return whole - 1
    return whole


def _extraction(wish: str | None, seeks_source: bool, has_psf: bool) -> Literal["box", "optimal"]:
    """Return how to extract; None is optimal where the place of the source is looked for."""
    if wish == "box" or (wish is None and not seeks_source):
        return "box"
    if not has_psf:
        log.warning("there is no PSF reference for an optimal extraction; a box is taken")
        return "box"
    return "optimal"


def check_within(aperture: Aperture, shape: Sequence[int]) -> bool:
    """Tell whether start and stop leave any pixel of a slit (across, along)."""
    ends = ((aperture.lowest, aperture.highest, shape[0]), (aperture.first, aperture.last, shape[1]))
    return all(low < size and high > -1 and low <= high for low, high, size in ends) and bool(np.prod(shape))
