"""Charge traps: what pixels catch while they are exposed, and give back later, in exposures to come.

Modelled: families of traps, each with traps that fill at once and traps that fill with a time constant, as
the charge of a pixel rises and makes them accessible; above the signal at which persistence saturates all
are, and the empty ones fill. What was caught is held until the pixel is reset. From then on it is given back
with a time constant, atom by atom (Poisson), to whatever integration runs, to a reset, or between exposures
to nobody. The law is that which the reference files TRAPPARS, TRAPDENSITY and PERSAT have parameters for; it
is followed here from the true charge, frame by frame. So steps of charge (particles) fill traps as charge
does that rose slowly.

Not modelled: that catching takes charge from the signal, traps that depend on temperature, and persistence of
MIRI. Numbers are of the order of those of NIRCam, larger than most pixels have.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.errors import ParameterError
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.geometry import FULL_SIZE, Aperture, find_aperture
from webbcal.simulate.headers import assign, exposure_metadata
from webbcal.simulate.personality import Personality, personality
from webbcal.simulate.references import dq_arrays, reference_metadata
from webbcal.simulate.seeds import stream

#: DN in a normal pixel that is saturated for long: caught with a time constant, and at once.
SLOW, INSTANT = (180.0, 270.0, 80.0), (65.0, 60.0, 25.0)
#: 1/s: how fast they fill, and how fast they empty.
CAPTURE, RELEASE = (0.0004, 0.004, 0.0009), (0.01, 0.001, 0.0002)
#: The part of the full well at which persistence saturates.
_SHARE = 0.9


class Traps:
    """The traps of an exposure's pixels: empty as it begins, or as the exposure before has left them.

    Parameters
    ----------
    config : ExposureConfig
    person : Personality
    before : Traps, optional
        Those of the exposure before.

    Attributes
    ----------
    filled : ndarray
        Traps that will give their charge back, DN, (families, rows, columns).
    density : ndarray
        Of traps, relative to a normal pixel, (rows, columns).
    limit : ndarray
        Signal at which persistence saturates, DN, (rows, columns).
    end_mjd : float
        When this was so.

    Raises
    ------
    ParameterError
        If the exposure before was of another subarray, or has not ended.
    """

    def __init__(self, config: ExposureConfig, person: Personality, before: Traps | None = None) -> None:
        self.density, self.limit = trap_maps(person, config.detector_seed)
        self._gain = person.gain
        self.filled = np.zeros((len(SLOW), *self.density.shape))
        self.end_mjd = config.start_mjd
        self._caught = np.zeros_like(self.filled)  # in the running integration
        self._part = np.zeros_like(self.density)  # the highest charge in it, in parts of the limit
        if before is not None:
            if before.filled.shape != self.filled.shape:
                raise ParameterError("traps of another subarray cannot be handed on")
            if before.end_mjd > config.start_mjd:
                raise ParameterError(f"the exposure before ends after start_mjd = {config.start_mjd}")
            self.filled = before.filled.copy()
            self.rest((config.start_mjd - before.end_mjd) * 86400.0)

    def rest(self, seconds: float) -> None:
        """Give charge back to nobody."""
        self.filled *= np.exp(-np.array(RELEASE) * seconds)[:, None, None]

    def reset(self, seconds: float) -> None:
        """Begin to give back what was held, with the charge of the pixels; the reset takes some time."""
        self.filled += self._caught
        self._caught[:] = 0.0
        self._part[:] = 0.0
        self.rest(seconds)

    def end(self, seconds: float) -> None:
        """End an exposure that has taken a time: the pixels are reset."""
        self.reset(0.0)
        self.end_mjd += seconds / 86400.0

    def give_back(self, rows: slice, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """Return the electrons that pixels of some rows get in a time."""
        given = np.zeros(self.density[rows].shape)
        for filled, rate in zip(self.filled[:, rows], RELEASE, strict=True):
            electrons = rng.poisson(filled * self._gain[rows] * -np.expm1(-rate * seconds))
            filled -= np.minimum(electrons / self._gain[rows], filled)
            given += electrons
        return given

    def catch(self, rows: slice, charge: np.ndarray, since_reset: float, seconds: float) -> None:
        """Fill traps of some rows, which hold a charge (e-) and have been exposed for `seconds` more."""
        part = charge / self._gain[rows] / self.limit[rows]
        before = self._part[rows]
        rising = np.minimum(part, 1.0) ** 2 - np.minimum(before, 1.0) ** 2
        full = part >= 1.0
        at_once = full & (since_reset <= seconds)  # no ramp before: nothing had time
        for caught, slow, instant, rate in zip(self._caught[:, rows], SLOW, INSTANT, CAPTURE, strict=True):
            in_time = np.where(at_once, 0.0, -slow * np.expm1(-rate * since_reset))
            caught += self.density[rows] * rising * (in_time + instant)
            empty = self.density[rows] * (slow + instant) - caught
            caught += np.where(full, empty * -np.expm1(-rate * seconds), 0.0)
        self._part[rows] = np.maximum(part, before)


def trap_maps(person: Personality, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the density of traps and the signal (DN) at which persistence saturates, of a box of pixels.

    Densities scatter about 1: most pixels are alike, some have many traps.
    """
    box, name = person.box, person.detector.name
    rows = (
        stream(seed, "traps", name, y).standard_normal(FULL_SIZE, dtype=np.float32)[box.x0 : box.x1]
        for y in range(box.y0, box.y1)
    )
    density = np.exp(0.3 * np.array(list(rows)))
    density[person.reference] = 0.0
    return density, (_SHARE * person.full_well / person.gain).astype(np.float32)


def write_trap_references(
    cache: CrdsCache, exposures: Iterable[ExposureConfig], subarray_only: bool = False
) -> None:
    """Write the references of all detectors of exposures with traps, of the full frame or of subarrays."""
    names = {(c.detector, c.subarray if subarray_only else "FULL"): c for c in exposures if c.traps}
    for (detector, subarray), config in sorted(names.items(), key=lambda item: item[0]):
        aperture = find_aperture(detector, subarray, config.filter)
        person = personality(detector, aperture.box, config.detector_seed)
        _write_references(cache, config, person, aperture)


def _write_references(
    cache: CrdsCache, config: ExposureConfig, person: Personality, aperture: Aperture
) -> None:
    """Write TRAPDENSITY, PERSAT and TRAPPARS of a detector (or a subarray of it) and register them."""
    density, limit = trap_maps(person, config.detector_seed)
    table = np.zeros(len(SLOW), datamodels.TrapParsModel().get_dtype("trappars_table"))
    table["capture0"], table["capture2"] = SLOW, INSTANT
    table["capture1"], table["decay_param"] = -np.array(CAPTURE), -np.array(RELEASE)
    no_flags = np.zeros(aperture.shape, np.uint32)
    models: dict[str, Any] = {
        "trapdensity": datamodels.TrapDensityModel(
            data=density, **dq_arrays(no_flags, datamodels.TrapDensityModel)
        ),
        "persat": datamodels.PersistenceSatModel(
            data=limit, **dq_arrays(no_flags, datamodels.PersistenceSatModel)
        ),
        "trappars": datamodels.TrapParsModel(trappars_table=table),
    }
    match = {"META.INSTRUMENT.DETECTOR": config.detector}
    if aperture.subarray != "FULL":
        match["META.SUBARRAY.NAME"] = aperture.subarray
    for reftype, model in models.items():
        path = cache.path_for(config.instrument, reftype, match)
        metadata = reference_metadata(aperture, reftype, path)
        if reftype == "trappars":  # a table: it has no place on the detector
            metadata = {name: value for name, value in metadata.items() if not name.startswith("subarray.")}
        assign(model, metadata)
        model.save(path)
        cache.add(path, config.instrument, reftype, match)


def write_traps(path: Path, config: ExposureConfig, traps: Traps) -> None:
    """Write the true state of the traps after an exposure as pipelines take that of an exposure before."""
    model = datamodels.TrapsFilledModel(data=traps.filled.astype(np.float32))
    assign(model, exposure_metadata(config) | {"filename": path.name, "exposure.end_time": traps.end_mjd})
    model.save(path)
