"""``source_catalog``: find the sources of a mosaic and measure them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from webbcal.combine.sources.aperture_photometry import finite_positions, measure_apertures
from webbcal.combine.sources.aperture_reference import check_percentages, read_apertures, read_vega_offset
from webbcal.combine.sources.catalog_table import Measured, catalog_table
from webbcal.combine.sources.detection import find_sources, kron_of
from webbcal.combine.sources.finder_settings import FinderSettings
from webbcal.combine.sources.source_shape import (
    concentrations,
    extended,
    nearest_neighbours,
    sharpness_and_roundness,
)
from webbcal.core.errors import InputError, SkipStep
from webbcal.core.wording import a_or_an
from webbcal.run import record
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import Sizes, StepPlan
from webbcal.run.run import Run
from webbcal.wcs.of_model import stored_wcs, wcs_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceCatalogParameters(FinderSettings, StepParameters):
    """Parameters of `SourceCatalogStep`."""

    aperture_ee1: int = param(30, "Encircled energy of the smallest aperture", unit="percent")
    aperture_ee2: int = param(50, "Encircled energy of the middle aperture", unit="percent")
    aperture_ee3: int = param(70, "Encircled energy of the largest aperture", unit="percent")
    ci1_star_threshold: float = param(2.0, "First concentration index up to which a source is a star")
    ci2_star_threshold: float = param(1.8, "Second concentration index up to which a source is a star")
    suffix: str | None = param("cat", "Suffix of the catalogue's file name")
    starfinder: Literal["dao", "iraf", "segmentation"] = param("segmentation", "How sources are found")
    snr_threshold: float = param(3.0, "Signal to noise per pixel above which there are sources")
    bkg_boxsize: int = param(1000, "Side of the boxes in which the sky is measured", unit="pixel", ge=1)
    kernel_fwhm: float = param(2.0, "FWHM of the Gaussian that the image is smoothed with", unit="pixel")
    brightest: int | None = param(200, "Keep this many of the brightest sources (dao, iraf)")  # type: ignore[assignment]
    peakmax: float | None = param(
        None, "Leave out sources with a higher peak above the sky (dao, iraf)", unit="Jy/pixel"
    )
    npixels: int = param(25, "Smallest number of connected pixels (segmentation)", ge=1)
    kron_params: list[float] | None = param(None, "Kron aperture (segmentation); no column depends on it")


@dataclass(frozen=True)
class _Catalogued:
    """An image with its catalogue and the labels of its pixels."""

    model: Any
    table: Any
    segments: np.ndarray | None


class SourceCatalogStep(ModelStep):
    """Find and measure the sources of a mosaic (`_i2d`); returns the catalogue, or None if there is none.

    Saved are the catalogue (`_cat.ecsv`) and, for segmentation, the labels of the pixels (`_segm.fits`).
    """

    class_alias = "source_catalog"
    library_bytes = 170_000_000
    reference_file_types = ("apcorr", "abvegaoffset")
    Parameters = SourceCatalogParameters

    def reason_to_skip(self, model: Any, p: SourceCatalogParameters) -> str | None:
        """Skip what is no image."""
        kind = type(model).__name__
        if kind != "ImageModel":
            return f"works on mosaics (ImageModel), but the input is {a_or_an(kind)}"
        return None

    def scratch_bytes(self, sizes: Sizes, p: SourceCatalogParameters) -> int:
        """The mosaic, and its images in double precision while sources are found."""
        return 55 * sizes.output

    def check_reference(self, reference: Any, model: Any) -> None:
        """Leave it to `apply` to find the rows of a table: a mosaic is of no detector."""

    def apply(
        self, model: Any, references: Mapping[str, Any], p: SourceCatalogParameters, run: Run
    ) -> _Catalogued:
        """Make the catalogue.

        Raises
        ------
        InputError
            If the image lacks what is needed.
        SkipStep
            If the references have no rows for the image, or no sources are found.
        """
        percentages = check_percentages((p.aperture_ee1, p.aperture_ee2, p.aperture_ee3))
        apertures = read_apertures(references["apcorr"], model, percentages)
        vega_offset = read_vega_offset(references["abvegaoffset"], model)
        data, err, mask = _image_in_jansky(model)
        wcs = wcs_of(model)
        sources = find_sources(data, mask, p, err, wcs)
        if not len(sources):
            raise SkipStep(
                f"no sources found in {model.meta.filename} above {p.snr_threshold:g} times the noise of the "
                "sky (snr_threshold): no catalogue is made"
            )
        positions = finite_positions(sources.x, sources.y)
        photometry = measure_apertures(data, err, positions, apertures)
        indices = concentrations(photometry.flux)
        known = np.isfinite(sources.x) & np.isfinite(sources.y)
        measured = Measured(
            sources,
            apertures,
            photometry,
            vega_offset,
            indices,
            extended(indices, (p.ci1_star_threshold, p.ci2_star_threshold)),
            *sharpness_and_roundness(data, positions, p.kernel_fwhm),
            *nearest_neighbours(sources.label, positions, known),
            wcs.pixel_to_world(sources.x, sources.y),
            _direction_of_north(wcs, model.meta.wcsinfo),
        )
        table = catalog_table(measured, _settings(p))
        log.info(
            "%s: %d sources, %d of them extended", model.meta.filename, len(sources), measured.extended.sum()
        )
        return _Catalogued(model, table, sources.segments)

    def recorded(self, run: Run, plan: StepPlan, result: Any) -> Any:
        """Record what was done in the image and in the catalogue; save the segments."""
        if not isinstance(result, _Catalogued):
            super().recorded(run, plan, result)
            return None
        model, table = result.model, result.table
        if self.saves:
            model.meta.source_catalog = Path(self._catalog_path()).name
            if result.segments is not None:
                model.meta.segmentation_map = Path(self.make_output_path(suffix="segm")).name
        super().recorded(run, plan, model)
        table.meta["webbcal"] = record.step_entry(plan)
        if self.saves and result.segments is not None:
            self._save_segments(model, result.segments)
        return table

    def _save_segments(self, model: Any, segments: np.ndarray) -> None:
        from webbcal import datamodels

        labels = datamodels.SegmentationMapModel(segments)
        labels.update(model, only="PRIMARY")
        labels.meta.wcs = stored_wcs(model)
        labels.meta.wcsinfo = model.meta.wcsinfo
        labels.meta.run_record = model.meta.run_record
        self.save_model(labels, suffix="segm")

    def save_result(self, run: Run) -> None:
        """Save the catalogue, if there is one."""
        if run.result is None or not hasattr(run.result, "write"):
            return
        path = self._catalog_path()
        write_catalog(run.result, path)
        run.note_saved(path)

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the path of the catalogue."""
        return [self._catalog_path()] if self.saves else []

    def extra_products(self) -> Mapping[str, str]:
        """The labels of pixels."""
        labels = self.saves and self.starfinder == "segmentation"
        return {"segmentation": self.make_output_path(suffix="segm")} if labels else {}

    def _catalog_path(self) -> str:
        return self.make_output_path(basepath=self.output_file, ext=".ecsv")


def write_catalog(table: Any, path: str) -> None:
    """Write a catalogue as ECSV; the file appears whole, or not at all."""
    from webbcal.io.atomic import AtomicFile

    text = StringIO()
    table.write(text, format="ascii.ecsv")
    file = AtomicFile(path)
    try:
        file.write_at(text.getvalue().encode(), 0)
        file.commit()
    except BaseException:
        file.abort()
        raise


def _settings(finder: FinderSettings) -> dict[str, Any]:
    if finder.starfinder != "segmentation":
        return {"starfinder": finder.starfinder, "kernel_fwhm": finder.kernel_fwhm}
    return {
        "local_bkg_width": finder.localbkg_width,
        "aperture_mask_method": finder.apermask_method,
        "kron_params": kron_of(finder),
    }


def _image_in_jansky(model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return data and errors in Jy/pixel, and where there is no data."""
    name = model.meta.filename or "input image"
    missing = [n.upper() for n in ("data", "err", "wht") if not model.has(n)]
    if missing:
        raise InputError(
            f"{name} has no {', '.join(missing)} array; source_catalog works on resampled images (_i2d)"
        )
    if model.meta.bunit_data != "MJy/sr" or model.meta.bunit_err not in ("MJy/sr", None):
        raise InputError(
            f"{name}: data and errors are in {model.meta.bunit_data} and {model.meta.bunit_err}; "
            "source_catalog needs MJy/sr, as photom makes them"
        )
    area = model.meta.photometry.pixelarea_steradians
    if area is None:
        raise InputError(
            f"{name} has no pixel area (PIXAR_SR), and fluxes cannot be made without; run photom"
        )
    if stored_wcs(model) is None:
        raise InputError(f"{name} has no WCS; run assign_wcs and resample")
    to_jansky = np.float32(1e6 * area)
    # Read, not kept in the model: a mosaic that is in its file already shall not be written again.
    data, err, weights = (model.source(array).read() for array in ("data", "err", "wht"))
    mask = np.isnan(err) | (weights == 0)
    return data * to_jansky, err * to_jansky, mask


def _direction_of_north(wcs: Any, wcsinfo: Any) -> float:
    """Return the angle from the x axis to north at the reference pixel, degrees."""
    import astropy.units as u

    here = wcs.pixel_to_world(wcsinfo.crpix1 - 1, wcsinfo.crpix2 - 1)
    north = here.directional_offset_by(0.0 * u.deg, 1.0 * u.arcsec)
    (x0, y0), (x1, y1) = (wcs.world_to_pixel(position) for position in (here, north))
    return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))
