"""Count rates without ramps: what stage 1 would make, for tests of stages 2 and 3.

Modelled: light, dark current (subtracted again), photon noise, the read noise of a straight-line fit, bad and
saturated pixels, particles that were not rejected, MIRI's loss of throughput, and a telescope that points
a little off what the header says. Not modelled: correlations between pixels that stage 1 leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.cosmic_rays import HIT_DTYPE, rays
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.grisms.references import write_grism_references
from webbcal.simulate.headers import assign, exposure_metadata, integration_table
from webbcal.simulate.light import Light, light_on, transit_curve
from webbcal.simulate.personality import Personality, personality
from webbcal.simulate.references_calibrate import throughput_left, write_calibration_references
from webbcal.simulate.references_catalog import write_catalog_references
from webbcal.simulate.references_image import write_image_references
from webbcal.simulate.references_lrs import write_lrs_references
from webbcal.simulate.references_parameters import write_parameter_references
from webbcal.simulate.seeds import stream
from webbcal.simulate.truth import Truth


@dataclass(frozen=True, slots=True)
class RateOptions:
    """What a rate image has beside the sky and noise.

    Attributes
    ----------
    integrations : bool
        Make one image for each integration (`_rateints`) instead of their mean (`_rate`).
    pointing_error : tuple of float
        Added to the exposure's own, arcsec east and north.
    rays : float
        Particles that jump detection left, as a multiple of the usual rate of particles.
    """

    integrations: bool = False
    pointing_error: tuple[float, float] = (0.0, 0.0)
    rays: float = 0.0

    def __post_init__(self) -> None:
        if self.rays < 0:
            raise ParameterError("the rate of particles cannot be negative")


@dataclass(frozen=True)
class SimulatedRates:
    """A rate image (ImageModel, or CubeModel of integrations) and what is true of it."""

    config: ExposureConfig
    model: Any
    truth: Truth

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write ``<root>_rate.fits`` (or ``_rateints``) and ``<root>_truth.fits``; return their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rate, truth = folder / self.model.meta.filename, folder / f"{self.config.rootname}_truth.fits"
        self.model.save(rate)
        self.truth.save(truth)
        return rate, truth


@dataclass(frozen=True)
class RateUniverse:
    """What `rate_universe` wrote: rates and truth, one for each exposure, and the variables for CRDS."""

    folder: Path
    rate: tuple[Path, ...]
    truth: tuple[Path, ...]
    environment: dict[str, str]


def rate_universe(
    folder: Path,
    exposures: ExposureConfig | Sequence[ExposureConfig],
    options: RateOptions | Sequence[RateOptions] | None = None,
    subarray_only: bool = False,
) -> RateUniverse:
    """Simulate rates into a folder, with a CRDS cache (in ``crds``) that serves stage 2.

    Parameters
    ----------
    folder : Path
    exposures : ExposureConfig or sequence of them
    options : RateOptions or one for each exposure, optional
    subarray_only : bool
        Write flats over the exposures' subarrays only.
    """
    folder = Path(folder)
    configs = [exposures] if isinstance(exposures, ExposureConfig) else list(exposures)
    if options is None or isinstance(options, RateOptions):
        options = [options or RateOptions()] * len(configs)
    cache = CrdsCache(folder / "crds")
    write_calibration_references(cache, configs, subarray_only)
    write_image_references(cache, {c.detector for c in configs})
    write_catalog_references(cache, {c.instrument for c in configs})
    write_parameter_references(cache, {c.instrument for c in configs})
    write_lrs_references(cache, configs)
    write_grism_references(cache, configs, subarray_only)
    written = [expose_rates(c, o).save(folder) for c, o in zip(configs, options, strict=True)]
    rates, truths = (tuple(paths) for paths in zip(*written, strict=True))
    return RateUniverse(folder, rates, truths, cache.environment)


def expose_rates(config: ExposureConfig, options: RateOptions | None = None) -> SimulatedRates:
    """Simulate the rates of one exposure, in DN/s.

    Raises
    ------
    ParameterError
        If the subarray does not exist on the detector.
    """
    options = options or RateOptions()
    light = light_on(_truly(config, options))
    person = personality(config.detector, config.aperture.box, config.detector_seed)
    disperses = config.lrs is not None or config.grism is not None
    left = 1.0 if disperses else throughput_left(config.instrument, config.band, _middle(config))
    rate = (light.rate * left * person.sensitivity).astype(np.float32)
    planes = [
        _integration(config, person, now, i, options.rays)
        for i, now in enumerate(_rates(config, person, light, rate))
    ]
    hits = np.concatenate([plane.hits for plane in planes])
    full = np.broadcast_to(_lost(config, person, rate), (config.nints, *rate.shape))
    first_saturated = np.where(full, 0, config.ngroups).astype(np.int16)
    truth = Truth(
        rate, rate / person.gain, person.dark, first_saturated, hits, light.sources,
        spectrum=light.spectrum, lines=light.lines,
    )  # fmt: skip
    if light.lost is not None:
        taken = light.lost * person.sensitivity / person.gain
        truth = replace(truth, curve=transit_curve(config, np.arange(config.nints)), lost=taken)
    return SimulatedRates(config, _model(config, options, person, rate, [p.data for p in planes]), truth)


def _rates(
    config: ExposureConfig, person: Personality, light: Light, rate: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the rate of each integration: less in a transit."""
    curve = None if light.lost is None else transit_curve(config, np.arange(config.nints))
    for i in range(config.nints):
        if light.lost is None or curve is None:
            yield rate
        else:
            yield rate - curve[i] * light.lost * person.sensitivity


def _truly(config: ExposureConfig, options: RateOptions) -> ExposureConfig:
    (east, north), (more_east, more_north) = config.pointing_error, options.pointing_error
    return replace(config, pointing_error=(east + more_east, north + more_north))


def _middle(config: ExposureConfig) -> float:
    return float(exposure_metadata(config)["exposure.mid_time"])


@dataclass(frozen=True)
class _Plane:
    """One integration: rates in DN/s, and the particles in it."""

    data: np.ndarray
    hits: np.ndarray


def _seconds(config: ExposureConfig) -> float:
    return config.readout.total_frames * config.readout.tframe


def _read_variance(config: ExposureConfig, person: Personality) -> np.ndarray:
    """Return the variance (DN²/s²) that read noise gives the slope of a line through the groups."""
    n, r = config.ngroups, config.readout
    group_noise = person.read_noise**2 / r.nframes
    if n == 1:
        return np.asarray(group_noise / r.tgroup**2)
    return np.asarray(12.0 * group_noise / (n * (n * n - 1.0) * r.tgroup**2))


def _lost(config: ExposureConfig, person: Personality, rate: np.ndarray) -> np.ndarray:
    """Return the pixels that are full after the first group, so that they have no rate."""
    return np.asarray((rate + person.dark) * config.readout.mean_times[0] > person.full_well)


def _integration(
    config: ExposureConfig, person: Personality, rate: np.ndarray, i: int, scale: float
) -> _Plane:
    rng = stream(config.seed, "rates", i)
    seconds = _seconds(config)
    charge = rng.poisson((rate + person.dark) * seconds).astype(np.float64)
    deposit = rays(rng, rate.shape, seconds, scale, person.detector.long_wave)
    hits = np.zeros(len(deposit.index), HIT_DTYPE)
    hits["integration"], hits["electrons"] = i, deposit.electrons
    hits["y"], hits["x"] = np.divmod(deposit.index, rate.shape[1])
    hits = hits[~person.reference[hits["y"], hits["x"]]]
    np.add.at(charge, (hits["y"], hits["x"]), hits["electrons"])
    data = (charge / seconds - person.dark) / person.gain
    data += rng.standard_normal(rate.shape) * np.sqrt(_read_variance(config, person))
    return _Plane(data, hits)


def _model(
    config: ExposureConfig, options: RateOptions, person: Personality, rate: np.ndarray, planes: list[Any]
) -> Any:
    """Return the data model: the mean of the integrations, or all of them."""
    number = 1 if options.integrations else config.nints
    data = np.stack(planes) if options.integrations else np.mean(planes, axis=0)
    variances = {
        "var_poisson": (rate + person.dark) / person.gain**2 / (_seconds(config) * number),
        "var_rnoise": _read_variance(config, person) / number,
    }
    dq = person.mask.copy()
    dq[(rate + person.dark) * _seconds(config) > person.full_well] |= DQ["SATURATED"]
    dq[_lost(config, person, rate)] |= DQ["DO_NOT_USE"]
    arrays = {"data": data, "err": np.sqrt(variances["var_poisson"] + variances["var_rnoise"]), **variances}
    bad = dq & DQ["DO_NOT_USE"] != 0
    full = {name: np.array(np.broadcast_to(a, data.shape), np.float32) for name, a in arrays.items()}
    for array in full.values():
        array[..., bad] = np.nan
    cls = datamodels.CubeModel if options.integrations else datamodels.ImageModel
    model = cls(**full, dq=np.array(np.broadcast_to(dq, data.shape)))
    suffix = "rateints" if options.integrations else "rate"
    metadata = exposure_metadata(config) | {"filename": f"{config.rootname}_{suffix}.fits"}
    assign(model, metadata | {"bunit_data": "DN/s", "bunit_err": "DN/s", "cal_step.ramp_fit": "COMPLETE"})
    if options.integrations:
        model.int_times = integration_table(config, model.get_dtype("int_times"))
    return model
