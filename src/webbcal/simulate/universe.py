"""Whole simulations: exposures with their truth, and the reference files that calibrate them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.forward import Detector
from webbcal.simulate.grisms.references import write_grism_references
from webbcal.simulate.headers import assign, exposure_metadata, group_table, integration_table
from webbcal.simulate.light import Light, light_on, no_sources, transit_curve
from webbcal.simulate.personality import personality
from webbcal.simulate.references import ReferenceOptions, write_references
from webbcal.simulate.references_calibrate import write_calibration_references
from webbcal.simulate.references_catalog import write_catalog_references
from webbcal.simulate.references_image import write_image_references
from webbcal.simulate.references_lrs import write_lrs_references
from webbcal.simulate.references_parameters import write_parameter_references
from webbcal.simulate.references_soss import write_pastasoss
from webbcal.simulate.traps import Traps, write_trap_references, write_traps
from webbcal.simulate.truth import Truth


@dataclass(frozen=True)
class Simulated:
    """A raw exposure and what is true of it."""

    config: ExposureConfig
    model: Any  # Level1bModel; model classes are made at run time
    truth: Truth
    #: The traps as the exposure ends, if its pixels have any.
    traps: Traps | None = None

    def save(self, folder: Path, with_truth: bool = True) -> tuple[Path, Path | None]:
        """Write ``<root>_uncal.fits`` and, if wanted, ``<root>_truth.fits``; return their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        uncal = folder / f"{self.config.rootname}_uncal.fits"
        self.model.save(uncal)
        truth = folder / f"{self.config.rootname}_truth.fits" if with_truth else None
        if truth is not None:
            self.truth.save(truth)
            if self.traps is not None:
                write_traps(folder / f"{self.config.rootname}_truetraps.fits", self.config, self.traps)
        return uncal, truth


@dataclass(frozen=True)
class Universe:
    """What `universe` wrote.

    Attributes
    ----------
    folder : Path
    uncal, truth : tuple of Path
        One for each exposure, in order.
    environment : dict
        The CRDS variables with which the exposures can be calibrated.
    """

    folder: Path
    uncal: tuple[Path, ...]
    truth: tuple[Path, ...]
    environment: dict[str, str]


def expose(config: ExposureConfig, light: np.ndarray | None = None, before: Traps | None = None) -> Simulated:
    """Simulate one exposure.

    Parameters
    ----------
    config : ExposureConfig
    light : ndarray, optional
        What reaches the pixels in e-/s, shape (ny, nx), instead of the sky: a lamp, or a test pattern.
    before : Traps, optional
        The traps that the exposure before has left (`Simulated.traps`), of a configuration with traps.

    Raises
    ------
    ParameterError
        If the subarray does not exist on the detector, or `light` is not of its shape.
    """
    aperture = config.aperture
    if light is None:
        found = light_on(config)
    elif light.shape != aperture.shape:
        raise ParameterError(f"light has shape {light.shape}, but {aperture.siaf_name} is {aperture.shape}")
    else:
        found = Light(light, no_sources(config))
    person = personality(config.detector, aperture.box, config.detector_seed)
    rate = found.rate * person.sensitivity
    traps = Traps(config, person, before) if config.traps else None
    taken = None if found.lost is None else found.lost * person.sensitivity
    numbers = config.first_integration + np.arange(config.nints)
    curve = None if taken is None else transit_curve(config, numbers)
    raw = Detector(config, person, rate, traps, _rate_at(config, rate, taken)).expose()
    truth = Truth(
        rate, rate / person.gain, person.dark, raw.first_saturated, raw.hits, found.sources, raw.events,
        curve, None if taken is None else taken / person.gain, found.spectrum, found.lines,
    )  # fmt: skip
    model = datamodels.Level1bModel(data=raw.data)
    if raw.zeroframe is not None:
        model.zeroframe = raw.zeroframe
    if raw.refout is not None:
        model.refout = raw.refout
    assign(model, exposure_metadata(config))
    model.group = group_table(config, model.get_dtype("group"))
    model.int_times = integration_table(config, model.get_dtype("int_times"))
    return Simulated(config, model, truth, traps)


def _rate_at(
    config: ExposureConfig, rate: np.ndarray, taken: np.ndarray | None
) -> Callable[[int], np.ndarray] | None:
    """Return the function from an integration of the whole exposure to its light, if that varies."""
    if taken is None:
        return None

    def at(number: int) -> np.ndarray:
        curve = transit_curve(config, np.array([number]))
        return rate if curve is None else np.asarray(rate - curve[0] * taken)

    return at


def universe(
    folder: Path,
    exposures: ExposureConfig | Sequence[ExposureConfig] | None = None,
    references: ReferenceOptions | None = None,
) -> Universe:
    """Simulate exposures into a folder, with their truth and a CRDS cache that calibrates them.

    Parameters
    ----------
    folder : Path
        Exposures go here, the cache below it in ``crds``. Existing files of the same names are replaced.
    exposures : ExposureConfig or sequence of them
        By default one full-frame exposure.
    references : ReferenceOptions, optional

    Returns
    -------
    Universe
    """
    folder = Path(folder)
    if exposures is None or isinstance(exposures, ExposureConfig):
        exposures = [exposures or ExposureConfig()]
    cache = CrdsCache(folder / "crds")
    references = references or ReferenceOptions()
    write_references(cache, exposures, references)
    if not references.stage1_only:
        _write_later_references(cache, exposures, references.subarray_only)
    write_trap_references(cache, exposures, references.subarray_only)
    written = _written(folder, exposures)
    truth = tuple(t for _, t in written if t is not None)
    return Universe(folder, tuple(u for u, _ in written), truth, cache.environment)


def _write_later_references(
    cache: CrdsCache, exposures: Sequence[ExposureConfig], subarray_only: bool
) -> None:
    """Write what stages 2 and 3 need."""
    imagers = [config for config in exposures if config.instrument != "NIRSPEC"]
    write_calibration_references(cache, imagers, subarray_only)
    write_image_references(cache, (config.detector for config in imagers))
    if any(config.soss is not None for config in exposures):
        write_pastasoss(cache)
    write_catalog_references(cache, (config.instrument for config in imagers))
    write_parameter_references(cache, (config.instrument for config in imagers))
    write_lrs_references(cache, exposures)
    write_grism_references(cache, exposures, subarray_only)


def _written(folder: Path, exposures: Sequence[ExposureConfig]) -> list[tuple[Path, Path | None]]:
    """Simulate exposures and write them; traps go from one to the next of the same detector."""
    written, traps = [], dict[tuple[str, str], Traps | None]()
    for config in exposures:
        pixels = config.detector, config.subarray
        made = expose(config, before=traps.get(pixels))
        traps[pixels] = made.traps
        written.append(made.save(folder))
    return written
