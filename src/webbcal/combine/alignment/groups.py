"""Alignment: match catalogues, fit a small linear correction, put it into the WCS.

The matching and fitting are those of `tweakwcs`; the correction is an affine transformation in the tangent
plane, inserted into the WCS as the frame ``v2v3corr``. Around it, this module sees to it that an image which
cannot be aligned leaves the others as they would be without it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from webbcal.combine.alignment.common_sources import once_each
from webbcal.wcs.footprint import footprint
from webbcal.wcs.tree_wcs import TreeWCS

if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)

Geometry = Literal["shift", "rshift", "rscale", "general"]

#: The group of all images that are to keep their relative positions.
_TOGETHER = "aligned images"


@dataclass
class Image:
    """An image to align, and what came of it.

    Attributes
    ----------
    name, group : str
        Images of one group move together.
    wcs : TreeWCS or gwcs.WCS
        The present WCS; a new object after an alignment.
    angles : dict
        ``v2_ref``, ``v3_ref`` (arcsec) and ``roll_ref`` (degrees).
    catalog : Table
        Sources with columns ``x`` and ``y``.
    fit : dict, optional
        What `tweakwcs` tells of the last fit.
    reference : bool
        The others were aligned to this image.
    failure : str, optional
        Why it is not aligned.
    remark : str, optional
        What else went wrong, without undoing the alignment.
    """

    name: str
    group: str
    wcs: Any
    angles: dict[str, float]
    catalog: Table
    fit: dict[str, Any] = field(default_factory=dict)
    reference: bool = False
    failure: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class FitSettings:
    """How catalogues are matched and fitted; names as in the parameters of `tweakreg`, explained there."""

    minobj: int = 15
    fitgeometry: Geometry = "rshift"
    nclip: int = 3
    sigma: float = 3.0
    searchrad: float = 2.0
    use2dhist: bool = True
    separation: float = 1.0
    tolerance: float = 0.7
    xoffset: float = 0.0
    yoffset: float = 0.0
    enforce_user_order: bool = False
    expand_refcat: bool = False

    def why_ambiguous(self) -> str | None:
        """Return why sources could be confused with these settings, or None."""
        if self.separation > math.sqrt(2) * self.tolerance:
            return None
        return (
            f"separation = {self.separation:g} must be larger than sqrt(2) times tolerance = "
            f"{self.tolerance:g} to tell sources apart"
        )

    @property
    def matches_needed(self) -> int:
        """Matched sources that a fit needs: as asked for, and enough for the geometry."""
        return max(self.minobj, {"shift": 1, "rshift": 2, "rscale": 2, "general": 3}[self.fitgeometry])

    @property
    def largest_correction(self) -> float:
        """Corrections from here on (arcsec) are taken for mismatches."""
        offset = max(abs(self.xoffset), abs(self.yoffset))
        return 2 * ((self.searchrad if self.use2dhist else offset) + self.tolerance)


def align_to_each_other(images: Sequence[Image], s: FitSettings) -> None:
    """Align groups of images to each other; set `wcs` and `fit`, or `failure`, of each.

    A group that would move by more than can be true is left out, and the others are aligned anew without it.
    """
    remaining = [image for image in images if image.failure is None]
    while True:
        for image in remaining:
            image.fit, image.reference = {}, False
        correctors = [_corrector(image, image.group) for image in remaining]
        reason = _align(correctors, None, s, s.enforce_user_order)
        if reason is not None:
            for image in remaining:
                image.failure = reason
            return
        moved = {i.group for i, c in zip(remaining, correctors, strict=True) if _moved_too_far(c, s)}
        if not moved:
            break
        for image in remaining:
            if image.group in moved:
                image.failure = f"the fit moves it by more than {s.largest_correction:g} arcsec: a mismatch"
        remaining = [image for image in remaining if image.failure is None]
    for image, corrector in zip(remaining, correctors, strict=True):
        _take(image, corrector)


def align_to_catalog(images: Sequence[Image], catalog: Table, s: FitSettings) -> None:
    """Align images to a catalogue of the sky, as they lie relative to each other.

    Those that failed before are aligned one group at a time, so that they do not disturb the others; unless
    all did, for then nothing is known against them. Images that are aligned to each other stay so if they
    cannot be aligned to the sky.
    """
    failed = [image.failure for image in images]
    apart = {id(i) for i in images if i.failure is not None} if None in failed else set()
    correctors = [_corrector(i, f"{i.group} alone" if id(i) in apart else _TOGETHER) for i in images]
    _list_once([c for i, c in zip(images, correctors, strict=True) if id(i) not in apart])
    reason = _align(correctors, catalog, s, True)
    for image, corrector in zip(images, correctors, strict=True):
        status = corrector.meta.get("fit_info", {}).get("status", "")
        if reason is None and status == "SUCCESS":
            image.failure = None
            image.reference = False
            _take(image, corrector)
        elif image.fit or image.reference:
            image.remark = f"not aligned to the sky: {reason or _failure(status)}"
        elif image.failure is None:
            image.failure = reason or _failure(status)


def _list_once(correctors: Sequence[Any]) -> None:
    """List sources that several images show once."""
    catalogs = once_each([c.meta["catalog"] for c in correctors], [c.wcs for c in correctors])
    for corrector, catalog in zip(correctors, catalogs, strict=True):
        corrector.meta["catalog"] = catalog


def why_unsupported(image: Image) -> str | None:
    """Return why the WCS of an image cannot be corrected, or None."""
    try:
        _corrector(image, image.group)
    except (ValueError, TypeError) as error:
        return f"its WCS cannot be corrected: {error}"
    return None


def _corrector(image: Image, group: str) -> Any:
    from tweakwcs.correctors import JWSTWCSCorrector

    from webbcal.combine.alignment.tangent_correction import TangentCorrector

    meta = {"catalog": image.catalog.copy(), "name": image.name, "group_id": group}
    corrector = TangentCorrector if isinstance(image.wcs, TreeWCS) else JWSTWCSCorrector
    return corrector(image.wcs, image.angles, meta)


def _align(correctors: list[Any], catalog: Table | None, s: FitSettings, in_order: bool) -> str | None:
    """Correct the correctors' WCS; return why nothing could be aligned, or None."""
    from tweakwcs.imalign import align_wcs
    from tweakwcs.linearfit import NotEnoughPointsError, SingularMatrixError

    try:
        align_wcs(
            correctors,
            refcat=catalog,
            enforce_user_order=in_order,
            expand_refcat=s.expand_refcat and catalog is None,
            minobj=s.matches_needed,
            match=_Matcher(s),
            fitgeom=s.fitgeometry,
            nclip=s.nclip,
            sigma=(s.sigma, "rmse"),
        )
    except (NotEnoughPointsError, SingularMatrixError) as error:
        return f"no fit is possible: {error}"
    except ValueError as error:
        if str(error).startswith("Too few input images"):
            return "fewer than two exposures have sources" if catalog is None else "no sources were found"
        raise
    return None


class _Matcher:
    """Match two catalogues; one that cannot be matched has no matches, and does not stop the others."""

    def __init__(self, s: FitSettings) -> None:
        from tweakwcs.matchutils import XYXYMatch

        self._match = XYXYMatch(
            searchrad=s.searchrad,
            separation=s.separation,
            use2dhist=s.use2dhist,
            tolerance=s.tolerance,
            xoffset=s.xoffset,
            yoffset=s.yoffset,
        )

    def __call__(self, refcat: Table, imcat: Table, **units: Any) -> tuple[np.ndarray, np.ndarray]:
        try:
            reference, own = self._match(refcat, imcat, **units)
        except RuntimeError as error:  # many sources near a single one
            log.warning("%s: cannot be matched: %s", imcat.meta.get("name"), error)
            reference = own = np.zeros(0, int)
        return reference, own


def _moved_too_far(corrector: Any, s: FitSettings) -> bool:
    return bool(displacement(corrector.original_wcs, corrector.wcs).max() >= s.largest_correction)


def displacement(before: Any, after: Any) -> np.ndarray:
    """Return how far (arcsec) the corners of an image are from where they were."""
    (ra0, dec0), (ra1, dec1) = (np.radians(footprint(wcs)).T for wcs in (before, after))
    # Haversine: exact for small angles.
    half = np.sin((dec1 - dec0) / 2) ** 2 + np.cos(dec0) * np.cos(dec1) * np.sin((ra1 - ra0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600


def _take(image: Image, corrector: Any) -> None:
    """Take over what a corrector found for an image."""
    info = corrector.meta.get("fit_info", {})
    status = info.get("status", "FAILED: not tried")
    if status == "SUCCESS":
        image.wcs, image.fit = corrector.wcs, info
    elif status == "REFERENCE":
        image.reference = True
    else:
        image.failure = _failure(status)


def _failure(status: str) -> str:
    return status.removeprefix("FAILED").lstrip(": ") or "unknown reason"
