"""``tweakreg``: align images on stars, with each other and with a catalogue of the sky."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from webbcal.combine.alignment import catalogs
from webbcal.combine.alignment import groups as alignment
from webbcal.combine.alignment.groups import FitSettings, Geometry, Image
from webbcal.combine.members.list_step import ListStep, Outcome, group_of
from webbcal.combine.members.opening import has_wcs
from webbcal.combine.sources.finder_settings import FinderSettings
from webbcal.core.wording import a_or_an
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes
from webbcal.run.run import Run
from webbcal.wcs.footprint import update_s_region
from webbcal.wcs.of_model import bounded, bounds_of, wcs_of
from webbcal.wcs.sip import update_sip
from webbcal.wcs.sip_settings import SipSettings
from webbcal.wcs.tree_wcs import TreeWCS

if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)

#: What the correction of a WCS is made with.
_ANGLES = ("v2_ref", "v3_ref", "roll_ref")
#: Share of the matching radius from which on a residual is no better than that of chance matches, clipped.
_CHANCE = 0.25
_TOO_FEW = "at least two exposures are needed to align"


@dataclass(frozen=True)
class TweakRegParameters(FinderSettings, SipSettings, StepParameters):
    """Parameters of `TweakRegStep`."""

    save_catalogs: bool = param(False, "Save the catalogue of each image (…_cat)")
    use_custom_catalogs: bool = param(False, "Use the user's catalogues instead of finding sources")
    catalog_format: str = param("ecsv", "Format of saved catalogues: ecsv or fits")
    catfile: str = param("", "File that lists images and the user's catalogues")
    enforce_user_order: bool = param(False, "Align in the order given, not of overlap")
    expand_refcat: bool = param(False, "Add the sources of aligned images to those aligned to")
    minobj: int = param(15, "Smallest number of matched sources")
    fitgeometry: Geometry = param("rshift", "What is fitted: shift, rotation, scale, or all linear terms")
    nclip: int = param(3, "Rounds of clipping in the fit", ge=0)
    sigma: float = param(3.0, "Limit of clipping, in rms", ge=0.0)
    searchrad: float = param(2.0, "Radius of the search for a common offset", unit="arcsec")
    use2dhist: bool = param(True, "Search for a common offset first")
    separation: float = param(1.0, "Smallest separation of sources to match", unit="arcsec")
    tolerance: float = param(0.7, "Largest distance of matched sources", unit="arcsec")
    xoffset: float = param(0.0, "Offset to begin with, if it is not searched for", unit="arcsec")
    yoffset: float = param(0.0, "Offset to begin with, if it is not searched for", unit="arcsec")
    abs_refcat: str | None = param("", f"Catalogue of the sky: a file, or one of {', '.join(catalogs.GAIA)}")
    save_abs_catalog: bool = param(False, "Save the catalogue of the sky that was used")
    abs_minobj: int = param(15, "As minobj, to the sky")
    abs_fitgeometry: Geometry = param("rshift", "As fitgeometry, to the sky")
    abs_nclip: int = param(3, "As nclip, to the sky", ge=0)
    abs_sigma: float = param(3.0, "As sigma, to the sky", ge=0.0)
    abs_searchrad: float = param(6.0, "As searchrad, to the sky", unit="arcsec")
    abs_use2dhist: bool = param(True, "As use2dhist, to the sky")
    abs_separation: float = param(1.0, "As separation, to the sky", unit="arcsec")
    abs_tolerance: float = param(0.7, "As tolerance, to the sky", unit="arcsec")
    sip_approx: bool = param(True, "Write a SIP approximation of the corrected WCS to the header")
    output_use_model: bool = param(True, "Name products after the models")
    in_memory: bool = param(True, "Has no effect: pixels are read when needed")


class TweakRegStep(ListStep):
    """Align images on stars: relative to each other, then to a catalogue of the sky if one is given.

    Images of one exposure move together. Each image's outcome, the correction and its residual are in the log
    and in the run record. An image that cannot be aligned keeps its WCS (S_TWKREG = FAILED).
    """

    class_alias = "tweakreg"
    tells_each = True
    library_bytes = 142_000_000
    Parameters = TweakRegParameters

    def reason_to_skip(self, models: Sequence[Any], p: TweakRegParameters) -> str | None:
        """Skip a single exposure, unless it is to be aligned to the sky, or its catalogue to be saved."""
        alone = not p.abs_refcat and not p.save_catalogs and len({group_of(m) for m in models}) < 2
        return _TOO_FEW if alone else None

    def why_unusable(self, model: Any, p: TweakRegParameters) -> str | None:
        """Leave out what has no WCS that could be corrected."""
        if not has_wcs(model):
            return "has no WCS: run assign_wcs on it first"
        missing = [name for name in _ANGLES if getattr(model.meta.wcsinfo, name) is None]
        if missing:
            return f"lacks {', '.join(missing).upper()}: they are needed to correct a WCS"
        return (
            None
            if len(model.shape or ()) == 2
            else f"is {a_or_an(type(model).__name__)}: alignment works on images"
        )

    def scratch_bytes(self, sizes: Sizes, p: TweakRegParameters) -> int:
        """An image for each thread, while sources are found."""
        return 34 * sizes.threads * sizes.pixels

    def apply(self, models: list[Any], p: TweakRegParameters, run: Run) -> list[Outcome]:
        """Align the images; change their WCS and what depends on it."""
        images: list[Image | str] = [_image(model) for model in models]
        usable = [(m, i) for m, i in zip(models, images, strict=True) if isinstance(i, Image)]
        self._find_sources(usable, p, run.resources.threads)
        # Sources of all images, once each, are what is to match the sky.
        relative = replace(_fit_settings(p), expand_refcat=p.expand_refcat or bool(p.abs_refcat))
        not_tried = _align([i for _, i in usable], relative)
        if p.abs_refcat:
            reason = self._align_to_sky(usable, relative, p)
            not_tried = not_tried and reason
        outcomes, tolerance = [], p.abs_tolerance if p.abs_refcat else p.tolerance
        for model, image in zip(models, images, strict=True):
            if isinstance(image, str):
                outcomes.append(Outcome("failed", image))
                continue
            outcome = _outcome(image, not_tried, tolerance)
            if outcome.status == "applied":
                _update(model, image, p)
                log.info("%s: %s", model.meta.filename, outcome.reason)
            outcomes.append(outcome)
        return outcomes

    def _find_sources(self, usable: Sequence[tuple[Any, Image]], p: TweakRegParameters, threads: int) -> None:
        """Give each image its catalogue: the user's, or one that is made."""
        models = [m for m, _ in usable]
        chosen = catalogs.chosen_catalogs(models, p.use_custom_catalogs, p.catfile)

        def catalog(number: int) -> Table:
            path = chosen[number]
            if path is not None:
                models[number].meta.tweakreg_catalog = path
                return catalogs.user_catalog(path, models[number])
            return catalogs.catalog_of_image(models[number], p)

        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            warnings.simplefilter("ignore")  # of NaN, and of images without detections: both are told below
            found = list(pool.map(catalog, range(len(models))))
        for (model, image), table, path in zip(usable, found, chosen, strict=True):
            image.catalog = table
            log.info("%s: %d sources%s", model.meta.filename, len(table), f" from {path}" if path else "")
            if p.save_catalogs and path is None:
                self.check_output_folder()
                model.meta.tweakreg_catalog = catalogs.save_catalog(
                    table, str(model.meta.filename), p.catalog_format, self.output_folder
                )

    def _align_to_sky(
        self, usable: Sequence[tuple[Any, Image]], relative: FitSettings, p: TweakRegParameters
    ) -> str | None:
        """Align to the catalogue of the sky; return why that was not tried, or None."""
        from astropy.time import Time

        settings = _fit_settings(p, "abs_")
        reason = settings.why_ambiguous()
        if reason is None and usable:
            epoch = Time(str(usable[0][0].meta.observation.date)).decimalyear
            try:
                sky = catalogs.reference_catalog(str(p.abs_refcat).strip(), [i.wcs for _, i in usable], epoch)
            except catalogs.CatalogUnavailable as error:
                reason = str(error)
        if reason is None and len(sky) < settings.minobj:
            reason = f"{p.abs_refcat} has {len(sky)} sources here, abs_minobj is {settings.minobj}"
        if reason is not None:
            log.warning("no alignment to the sky: %s", reason)
            return reason
        if p.save_abs_catalog:
            name = f"fit_{str(sky.meta['name']).lower()}_ref.ecsv"
            self.check_output_folder()
            sky.write(self.output_folder / name, format="ascii.ecsv", overwrite=True)
        alignment.align_to_catalog([i for _, i in usable], sky, settings)
        for _, image in usable:
            if image.fit and image.failure is None and image.remark is None:
                image.wcs.name = f"FIT-LVL3-{p.abs_refcat}"
        return None


def _image(model: Any) -> Image | str:
    """Return what is to be aligned, or why this model cannot be."""
    angles = {name: getattr(model.meta.wcsinfo, name) for name in _ANGLES}
    from astropy.table import Table

    wcs = bounded(wcs_of(model), model.shape)
    image = Image(str(model.meta.filename), group_of(model), wcs, angles, Table({"x": [], "y": []}))
    return alignment.why_unsupported(image) or image


def _fit_settings(p: TweakRegParameters, prefix: str = "") -> FitSettings:
    names = (f.name for f in fields(FitSettings))
    return FitSettings(**{n: getattr(p, prefix + n) for n in names if hasattr(p, prefix + n)})


def _align(images: Sequence[Image], settings: FitSettings) -> str | None:
    """Align the images to each other; return why that was not tried, or None."""
    if len({i.group for i in images}) < 2:
        return _TOO_FEW
    reason = settings.why_ambiguous()
    if reason is None:
        alignment.align_to_each_other(images, settings)
    for image in images:
        image.failure = reason or image.failure
    return None


def _outcome(image: Image, not_tried: str | None, tolerance: float) -> Outcome:
    """Return what came of an image, with the numbers of the last fit (matches were within `tolerance`)."""
    results: dict[str, Any] = {"sources": len(image.catalog)}
    if image.failure is not None:
        return Outcome("failed", image.failure, results)
    if not_tried:
        return Outcome("skipped", not_tried, results)
    remark = f"; {image.remark}" if image.remark else ""
    if image.reference:
        return Outcome("applied", f"the others are aligned to it{remark}", results)
    fit = image.fit
    results |= {
        "matches": int(fit["nmatches"]),
        "used": int(fit["fitmask"].sum()),
        "shift_arcsec": [float(v) for v in fit["shift"]],
        "rotation_deg": float(fit["proper_rot"]),
        "scale": float(fit["<scale>"]),
        "rms_arcsec": float(fit["rmse"]),
        "mean_error_arcsec": float(fit["mae"]),
    }
    if results["rms_arcsec"] > _CHANCE * tolerance:
        doubt = "as large as that of matches by chance: check the alignment"
        log.warning("%s: its residual is %s", image.name, doubt)
        remark = f", {doubt}{remark}"
    x, y = results["shift_arcsec"]
    turn = 3600 * results["rotation_deg"]
    reason = (
        f"moved by {1e3 * x:+.1f}, {1e3 * y:+.1f} mas, rotated by {turn:+.2f} arcsec; "
        f"residual {1e3 * results['rms_arcsec']:.1f} mas rms of {results['used']} stars{remark}"
    )
    return Outcome("applied", reason, results)


def _update(model: Any, image: Image, p: TweakRegParameters) -> None:
    """Give a model its corrected WCS, and bring the header in line."""
    if image.reference or not image.fit:
        return
    model.meta.wcs = image.wcs.tree if isinstance(image.wcs, TreeWCS) else image.wcs
    update_s_region(model)
    bounds = bounds_of(image.wcs)
    if p.sip_approx and bounds is not None:
        update_sip(model, image.wcs, bounds, p)
