"""The reference files that describe a simulated detector, exactly as the forward model used it.

Written are the files that stage 1 needs for an imager: mask, gain, read noise, saturation, superbias,
linearity, dark and, for exposures with inter-pixel capacitance, its inverse kernel; `references_miri` has
what only MIRI needs. They hold the truth without noise of their own. So a calibration's error is the science
data's noise plus the calibration's own faults, and nothing that a reference brought in.

Conventions of JWST reference files: read noise is that of the difference of two frames (CDS), in DN, as it is
after reference pixels are subtracted; saturation is a raw level; a dark is a cumulative ramp in linear DN; DQ
bits are numbered by a table in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.errors import ParameterError
from webbcal.core.readout import PATTERNS, Readout
from webbcal.datamodels.product_writer import ProductWriter
from webbcal.simulate import references_miri
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.geometry import Aperture, find_aperture
from webbcal.simulate.headers import assign
from webbcal.simulate.irs2 import filters
from webbcal.simulate.personality import Personality, ipc_inverse_kernel, personality
from webbcal.simulate.picture_frame import frame_pattern
from webbcal.simulate.references_irs2 import OF_IRS2, raw_mask, raw_superbias, refpix_model

_DETECTOR, _SUBARRAY = "META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME"
_READPATT = "META.EXPOSURE.READPATT"
_FRAME_PATTERN = {
    "NIRCAM": "RAPID", "NIRISS": "NISRAPID", "FGS": "FGSRAPID", "NIRSPEC": "NRSRAPID", "MIRI": "FASTR1"
}  # fmt: skip


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
    stage1_only : bool
        Write those that stage 1 needs only (`clean_flicker_noise` may need a flat and a distortion, too).
    """

    subarray_only: bool = False
    dark_frames: int | None = None
    grouped_dark: bool = False
    stage1_only: bool = False

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
    for detector in sorted({c.detector for c in configs}):
        same = [c for c in configs if c.detector == detector]
        if len({(c.detector_seed, c.electronics, c.ipc) for c in same}) > 1:
            raise ParameterError(f"exposures of {detector} differ in detector_seed, electronics or ipc")
        traditional = [c for c in same if c.irs2 is None]
        some = traditional if options.subarray_only else traditional[:1]
        regions = {c.subarray if options.subarray_only else "FULL": c for c in some}
        for name, config in sorted(regions.items()):
            _write_static(cache, config, find_aperture(detector, name, config.filter))
        for name in sorted({c.subarray for c in traditional}):
            _write_darks(cache, [c for c in traditional if c.subarray == name], options)
        for pattern in sorted({c.readpatt for c in same if c.irs2 is not None}):
            interleaved = [c for c in same if c.readpatt == pattern]
            _write_static(cache, interleaved[0], interleaved[0].aperture)
            _write_darks(cache, interleaved, options)
        if same[0].instrument == "MIRI":
            _write_miri(cache, same)


def _write_static(cache: CrdsCache, config: ExposureConfig, aperture: Aperture) -> None:
    """Write the files that do not depend on the read pattern."""
    person = personality(config.detector, aperture.box, config.detector_seed)
    mask, superbias, layout = person.mask, person.superbias, config.irs2
    if layout is not None:
        mask, superbias = raw_mask(mask, layout), raw_superbias(superbias, layout)
    models: dict[str, Any] = {
        "mask": datamodels.MaskModel(**dq_arrays(mask, datamodels.MaskModel)),
        "gain": datamodels.GainModel(data=person.gain),
        "readnoise": datamodels.ReadnoiseModel(data=_cds_noise(person, config)),
        "saturation": datamodels.SaturationModel(
            data=person.saturation, **dq_arrays(person.saturation_dq, datamodels.SaturationModel)
        ),
        "superbias": datamodels.SuperBiasModel(
            data=superbias,
            err=np.full(superbias.shape, 0.5, np.float32),
            **dq_arrays(np.zeros(superbias.shape, np.uint32), datamodels.SuperBiasModel),
        ),
        "linearity": datamodels.LinearityModel(
            coeffs=person.linearity, **dq_arrays(person.linearity_dq, datamodels.LinearityModel)
        ),
    }
    if config.instrument == "MIRI":
        del models["superbias"]
        models["linearity"].coeffs = references_miri.raw_polynomial(person)
    if layout is not None:
        models["refpix"] = refpix_model(config, layout)
    if config.instrument == "NIRSPEC" and aperture.subarray == "FULL":
        models["pictureframe"] = datamodels.PictureFrameModel(data=frame_pattern(aperture.box))
    if config.ipc:
        models["ipc"] = datamodels.IPCModel(data=ipc_inverse_kernel().astype(np.float32))
    match = {_DETECTOR: config.detector}
    if aperture.subarray != "FULL":
        match[_SUBARRAY] = aperture.subarray
    pattern = {_READPATT: config.readpatt}
    for reftype, model in models.items():
        mine = match | pattern if layout is not None and reftype in OF_IRS2 else match
        path = cache.path_for(config.instrument, reftype, mine)
        assign(model, reference_metadata(aperture, reftype, path))
        model.save(path)
        cache.add(path, config.instrument, reftype, mine)


def _write_miri(cache: CrdsCache, configs: list[ExposureConfig]) -> None:
    """Write what only MIRI has, for each subarray and read pattern."""
    for name, pattern in sorted({(c.subarray, c.readpatt) for c in configs}):
        same = [c for c in configs if (c.subarray, c.readpatt) == (name, pattern)]
        longest = max(same, key=lambda c: c.ngroups)
        person = personality(longest.detector, longest.aperture.box, longest.detector_seed)
        match = {_DETECTOR: longest.detector, _SUBARRAY: name}
        metadata = partial(reference_metadata, longest.aperture)
        references_miri.write_others(cache, longest, person, match, metadata)


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
    frame_pattern = _FRAME_PATTERN[longest.instrument] if longest.irs2 is None else "NRSIRS2RAPID"
    if longest.readpatt.startswith("SLOW"):
        frame_pattern = "SLOWR1"
    single = replace(longest, readpatt=frame_pattern)
    tframe = single.readout.tframe
    match = {_DETECTOR: longest.detector, _SUBARRAY: longest.subarray}
    if longest.irs2 is not None:
        match[_READPATT] = longest.readpatt
    write_dark(cache, single, Readout(frames, 1, 0, tframe, tframe), match)


def write_dark(cache: CrdsCache, config: ExposureConfig, readout: Readout, match: dict[str, str]) -> Path:
    """Write a dark of a given sampling, group by group, and register it; returns its path.

    A dark is never cut from a larger one: each subarray has its own frame time.
    """
    aperture = config.aperture
    person = personality(config.detector, aperture.box, config.detector_seed)
    is_miri = config.instrument == "MIRI"
    # The writer streams the groups past the model, which would renumber DQ bits: keep the standard numbers.
    cls = datamodels.DarkMIRIModel if is_miri else datamodels.DarkModel
    flags = dq_arrays(person.dark_dq, cls, compact=False)
    if is_miri:  # a plane for each integration
        flags["dq"] = np.stack([flags["dq"][None]] * references_miri.INTEGRATIONS)
    model = cls(**flags)
    path = cache.path_for(config.instrument, "dark", match)
    assign(model, reference_metadata(aperture, "dark", path) | _sampling(config.readpatt, readout))
    shape: tuple[int, ...] = (readout.ngroups, *aperture.shape)
    if is_miri:
        shape = (references_miri.INTEGRATIONS, *shape)
    per_second = person.dark / person.gain
    with ProductWriter(path, model, {"data": (shape, np.float32)}) as writer:
        for group, seconds in enumerate(readout.mean_times):
            if is_miri:
                for i in range(references_miri.INTEGRATIONS):
                    writer.write("data", references_miri.dark_ramp(person, readout, i, group), i, group)
            else:
                writer.write("data", per_second * np.float32(seconds), group)
        writer.commit(model)
    cache.add(path, config.instrument, "dark", match)
    return path


def _cds_noise(person: Personality, config: ExposureConfig) -> np.ndarray:
    """Return the noise (DN) of a difference of two frames, 1/f noise that reference pixels leave included."""
    electronics = config.electronics
    left = electronics.one_over_f_left if config.irs2 is None else filters(electronics, config.irs2).left
    if config.instrument == "MIRI":
        left = 0.0
    return np.sqrt(2.0 * (person.read_noise**2 + left**2)).astype(np.float32)


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
    if reftype in ("ipc", "refpix", "pictureframe"):  # one for all pixels: it has no place on the detector
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
