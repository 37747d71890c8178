"""The reference files that describe a simulated detector, exactly as the forward model used it.

Written are the files that stage 1 needs for a near-infrared imager: mask, gain, read noise, saturation,
superbias, linearity, dark and, for exposures with inter-pixel capacitance, its inverse kernel. They hold the
truth without noise of their own. So a calibration's error is the science data's noise plus the calibration's
own faults, and nothing that a reference brought in.

Conventions of JWST reference files: read noise is that of the difference of two frames (CDS), in DN, as it is
after reference pixels are subtracted; saturation is a raw level; a dark is a cumulative ramp in linear DN; DQ
bits are numbered by a table in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import ParameterError
from webbcal.core.readout import PATTERNS, Readout
from webbcal.datamodels.product_writer import ProductWriter
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.geometry import Aperture, find_aperture
from webbcal.simulate.headers import assign
from webbcal.simulate.personality import Personality, ipc_inverse_kernel, personality

_DETECTOR, _SUBARRAY = "META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME"
NO_RAMPS = "raw ramps of MIRI are not simulated; simulate its rates (rate_universe)"
_FRAME_PATTERN = {"NIRCAM": "RAPID", "NIRISS": "NISRAPID", "FGS": "FGSRAPID"}


@dataclass(frozen=True, slots=True)
class ReferenceOptions:
    """How to write reference files.

    Attributes
    ----------
    subarray_only : bool
        Write the files over the exposure's subarray only (small files). By default they cover the full
        detector, and calibrations cut them.
    dark_frames : int, optional
        Length of the darks, in frames. By default they are as long as the longest exposure that they are for.
    grouped_dark : bool
        Write the dark in the exposure's own read pattern (a small file) instead of frame by frame.
    """

    subarray_only: bool = False
    dark_frames: int | None = None
    grouped_dark: bool = False

    def __post_init__(self) -> None:
        if self.dark_frames is not None and (self.dark_frames < 1 or self.grouped_dark):
            raise ParameterError("dark_frames must be at least 1, and has no meaning for a grouped dark")


def write_references(
    cache: CrdsCache, exposures: Iterable[ExposureConfig], options: ReferenceOptions | None = None
) -> None:
    """Write all reference files that a set of exposures needs into a CRDS cache, and register them.

    Raises
    ------
    ParameterError
        If two exposures of one detector disagree on its seed, its electronics or its capacitance: one set of
        reference files cannot describe both.
    """
    options = options or ReferenceOptions()
    configs = list(exposures)
    if any(c.instrument == "MIRI" for c in configs):
        raise ParameterError(NO_RAMPS)
    for detector in sorted({c.detector for c in configs}):
        same = [c for c in configs if c.detector == detector]
        if len({(c.detector_seed, c.electronics, c.ipc) for c in same}) > 1:
            raise ParameterError(f"exposures of {detector} differ in detector_seed, electronics or ipc")
        regions = {c.subarray: c for c in same} if options.subarray_only else {"FULL": same[0]}
        for name, config in sorted(regions.items()):
            _write_static(cache, config, find_aperture(detector, name, config.filter))
        for name in sorted({c.subarray for c in same}):
            _write_darks(cache, [c for c in same if c.subarray == name], options)


def _write_static(cache: CrdsCache, config: ExposureConfig, aperture: Aperture) -> None:
    """Write the files that do not depend on the read pattern."""
    person = personality(config.detector, aperture.box, config.detector_seed)
    models: dict[str, Any] = {
        "mask": datamodels.MaskModel(**dq_arrays(person.mask, datamodels.MaskModel)),
        "gain": datamodels.GainModel(data=person.gain),
        "readnoise": datamodels.ReadnoiseModel(data=_cds_noise(person, config)),
        "saturation": datamodels.SaturationModel(
            data=person.saturation, **dq_arrays(person.saturation_dq, datamodels.SaturationModel)
        ),
        "superbias": datamodels.SuperBiasModel(
            data=person.superbias,
            err=np.full(aperture.shape, 0.5, np.float32),
            **dq_arrays(np.zeros(aperture.shape, np.uint32), datamodels.SuperBiasModel),
        ),
        "linearity": datamodels.LinearityModel(
            coeffs=person.linearity, **dq_arrays(person.linearity_dq, datamodels.LinearityModel)
        ),
    }
    if config.ipc:
        models["ipc"] = datamodels.IPCModel(data=ipc_inverse_kernel().astype(np.float32))
    match = {_DETECTOR: config.detector}
    if aperture.subarray != "FULL":
        match[_SUBARRAY] = aperture.subarray
    for reftype, model in models.items():
        path = cache.path_for(config.instrument, reftype, match)
        assign(model, reference_metadata(aperture, reftype, path))
        model.save(path)
        cache.add(path, config.instrument, reftype, match)


def _write_darks(cache: CrdsCache, configs: list[ExposureConfig], options: ReferenceOptions) -> None:
    """Write the dark of one detector and subarray: frame by frame, or one for each read pattern."""
    if options.grouped_dark:
        for pattern in sorted({c.readpatt for c in configs}):
            longest = max((c for c in configs if c.readpatt == pattern), key=lambda c: c.ngroups)
            match = {_DETECTOR: longest.detector, _SUBARRAY: longest.subarray}
            write_dark(cache, longest, longest.readout, match | {"META.EXPOSURE.READPATT": pattern})
        return
    longest = max(configs, key=lambda c: c.readout.total_frames)
    frames = options.dark_frames or longest.readout.total_frames
    tframe = longest.aperture.frame_time
    single = replace(longest, readpatt=_FRAME_PATTERN[longest.instrument])
    match = {_DETECTOR: longest.detector, _SUBARRAY: longest.subarray}
    write_dark(cache, single, Readout(frames, 1, 0, tframe, tframe), match)


def write_dark(cache: CrdsCache, config: ExposureConfig, readout: Readout, match: dict[str, str]) -> Path:
    """Write a dark of a given sampling, group by group, and register it; returns its path.

    A dark is never cut from a larger one: each subarray has its own frame time.
    """
    aperture = config.aperture
    person = personality(config.detector, aperture.box, config.detector_seed)
    # The writer streams the groups past the model, which would renumber DQ bits: keep the standard numbers.
    flags = dq_arrays(person.dark_dq, datamodels.DarkModel, compact=False)
    model = datamodels.DarkModel(**flags)
    path = cache.path_for(config.instrument, "dark", match)
    assign(model, reference_metadata(aperture, "dark", path) | _sampling(config.readpatt, readout))
    shape = (readout.ngroups, *aperture.shape)
    per_second = person.dark / person.gain
    with ProductWriter(path, model, {"data": (shape, np.float32)}) as writer:
        for group, seconds in enumerate(readout.mean_times):
            writer.write("data", per_second * np.float32(seconds), group)
        writer.commit(model)
    cache.add(path, config.instrument, "dark", match)
    return path


def _cds_noise(person: Personality, config: ExposureConfig) -> np.ndarray:
    """Return the noise (DN) of a difference of two frames, 1/f noise that reference pixels leave included."""
    return np.sqrt(2.0 * (person.read_noise**2 + config.electronics.one_over_f_left**2)).astype(np.float32)


def dq_arrays(dq: np.ndarray, model: Any, compact: bool = True) -> dict[str, np.ndarray]:
    """Return the DQ array as a reference file stores it, with the table that explains its bits.

    Parameters
    ----------
    dq : ndarray
        Standard flags.
    model : type
        The model class, for the layout of the table.
    compact : bool
        Number the flags from bit 0 in the order in which they are needed, as most real files do.
    """
    names = [name for name, value in DQ.items() if value and np.any(dq & value)] or ["DO_NOT_USE"]
    table = np.zeros(len(names), model().get_dtype("dq_def"))
    stored = np.zeros_like(dq)
    for k, name in enumerate(names):
        bit = k if compact else DQ[name].bit_length() - 1
        table[k] = (bit, 1 << bit, name, name.replace("_", " ").lower())
        stored[dq & np.uint32(DQ[name]) != 0] |= np.uint32(1 << bit)
    return {"dq": stored, "dq_def": table}


def reference_metadata(aperture: Aperture, reftype: str, path: Path) -> dict[str, Any]:
    """Return the metadata of a reference file: path below ``meta`` to value."""
    detector, box = aperture.detector, aperture.box
    full = box == Box.of_shape(detector.frame)
    metadata: dict[str, Any] = {
        "filename": path.name,
        "telescope": "JWST",
        "reftype": reftype.upper(),
        "pedigree": "DUMMY",
        "author": "webbcal simulator",
        "description": f"Simulated {reftype} of {detector.name}",
        "useafter": USEAFTER,
        "instrument.name": detector.instrument,
        "instrument.detector": detector.name,
    }
    if reftype == "ipc":  # one kernel for all pixels: it has no place on the detector
        return metadata
    return metadata | {
        "subarray.name": "FULL" if full else aperture.subarray,
        "subarray.xstart": box.x0 + 1,
        "subarray.ystart": box.y0 + 1,
        "subarray.xsize": box.shape[1],
        "subarray.ysize": box.shape[0],
        "subarray.fastaxis": detector.fastaxis,
        "subarray.slowaxis": detector.slowaxis,
    }


def _sampling(readpatt: str, readout: Readout) -> dict[str, Any]:
    assert PATTERNS[readpatt] == (readout.nframes, readout.groupgap)
    return {
        "exposure.readpatt": readpatt,
        "exposure.nframes": readout.nframes,
        "exposure.groupgap": readout.groupgap,
        "exposure.ngroups": readout.ngroups,
        "exposure.frame_time": readout.tframe,
        "exposure.group_time": readout.tgroup,
    }
