"""Whole simulations: exposures with their truth, and the reference files that calibrate them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.forward import Detector
from webbcal.simulate.headers import assign, exposure_metadata, group_table, integration_table
from webbcal.simulate.personality import personality
from webbcal.simulate.references import NO_RAMPS, ReferenceOptions, write_references
from webbcal.simulate.references_calibrate import write_calibration_references
from webbcal.simulate.references_catalog import write_catalog_references
from webbcal.simulate.references_image import write_image_references
from webbcal.simulate.references_parameters import write_parameter_references
from webbcal.simulate.scene import observe
from webbcal.simulate.truth import Truth


@dataclass(frozen=True)
class Simulated:
    """A raw exposure and what is true of it."""

    config: ExposureConfig
    model: Any  # Level1bModel; model classes are made at run time
    truth: Truth

    def save(self, folder: Path, with_truth: bool = True) -> tuple[Path, Path | None]:
        """Write ``<root>_uncal.fits`` and, if wanted, ``<root>_truth.fits``; return their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        uncal = folder / f"{self.config.rootname}_uncal.fits"
        self.model.save(uncal)
        truth = folder / f"{self.config.rootname}_truth.fits" if with_truth else None
        if truth is not None:
            self.truth.save(truth)
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


def expose(config: ExposureConfig, light: np.ndarray | None = None) -> Simulated:
    """Simulate one exposure.

    Parameters
    ----------
    config : ExposureConfig
    light : ndarray, optional
        What reaches the pixels in e-/s, shape (ny, nx), instead of the sky: a lamp, or a test pattern.

    Raises
    ------
    ParameterError
        If the subarray does not exist on the detector, `light` is not of its shape, or for MIRI.
    """
    if config.instrument == "MIRI":
        raise ParameterError(NO_RAMPS)
    pointing, aperture = config.true_pointing, config.aperture
    sources = config.sky.sources_near(*pointing.footprint())
    if light is None:
        light, table = observe(config.sky, sources, pointing, config.band)
    elif light.shape != aperture.shape:
        raise ParameterError(f"light has shape {light.shape}, but {aperture.siaf_name} is {aperture.shape}")
    else:
        _, table = observe(config.sky, sources[:0], pointing, config.band)
    person = personality(config.detector, aperture.box, config.detector_seed)
    rate = light * person.sensitivity
    raw = Detector(config, person, rate).expose()
    truth = Truth(rate, rate / person.gain, person.dark, raw.first_saturated, raw.hits, table)
    model = datamodels.Level1bModel(data=raw.data)
    if raw.zeroframe is not None:
        model.zeroframe = raw.zeroframe
    assign(model, exposure_metadata(config))
    model.group = group_table(config, model.get_dtype("group"))
    model.int_times = integration_table(config, model.get_dtype("int_times"))
    return Simulated(config, model, truth)


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
    write_calibration_references(cache, exposures, references.subarray_only)
    write_image_references(cache, (config.detector for config in exposures))
    write_catalog_references(cache, (config.instrument for config in exposures))
    write_parameter_references(cache, (config.instrument for config in exposures))
    written = [expose(config).save(folder) for config in exposures]
    truth = tuple(t for _, t in written if t is not None)
    return Universe(folder, tuple(u for u, _ in written), truth, cache.environment)
