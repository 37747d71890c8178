"""Exposures of guide stars, of all six kinds, with the reference files that calibrate them.

Modelled: one star (several in identification), a Gaussian that does not move, on pixels with their own gain,
bias, read noise and response, read twice or, in fine guidance, in eight groups; tables. Not modelled: jitter,
particles, the strips of which stacked images are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import ParameterError
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.geometry import DETECTORS
from webbcal.simulate.headers import assign, iso_time
from webbcal.simulate.personality import Personality, personality
from webbcal.simulate.references import dq_arrays
from webbcal.simulate.seeds import stream

_DETECTOR = "META.INSTRUMENT.DETECTOR"
_START = 60000.0  # MJD
_BACKGROUND = 5.0  # e-/s


@dataclass(frozen=True)
class Kind:
    """A kind of guide-star exposure: its keywords, integrations, groups, size, seconds of a group, stars."""

    readpatt: str
    subarray: str
    nints: int
    ngroups: int
    size: int
    group_time: float
    stars: int = 1


KINDS = {
    "FGS_ID-IMAGE": Kind("ID", "FULL", 2, 2, 2048, 0.3406, 20),
    "FGS_ID-STACK": Kind("ID", "FULL", 2, 2, 2048, 0.3406, 20),
    "FGS_ACQ1": Kind("ACQ1", "128X128", 6, 2, 128, 0.3612),
    "FGS_ACQ2": Kind("ACQ2", "32X32", 5, 2, 32, 0.05024),
    "FGS_TRACK": Kind("TRACK", "32X32", 40, 2, 32, 0.016),
    "FGS_FINEGUIDE": Kind("FINEGUIDE", "8X8", 60, 8, 8, 0.0104),
}


@dataclass(frozen=True)
class GuideStar:
    """What `guide_star_universe` wrote: the exposure, its true rates (DN/s, (ny, nx)), and CRDS variables."""

    path: Path
    rate: np.ndarray
    environment: dict[str, str]


def guide_star_universe(folder: Path, exp_type: str, size: int | None = None, seed: int = 1) -> GuideStar:
    """Simulate an exposure of a guide star into a folder, with a CRDS cache (in ``crds``) that calibrates it.

    Parameters
    ----------
    folder : Path
    exp_type : str
        One of `KINDS`.
    size : int, optional
        Pixels of a side, if it is to be smaller than it is in space.
    seed : int

    Raises
    ------
    ParameterError
        If the kind is not known.
    """
    if exp_type not in KINDS:
        raise ParameterError(f"unknown kind of guide-star exposure {exp_type!r}; known: {', '.join(KINDS)}")
    kind, folder = KINDS[exp_type], Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    size = size or kind.size
    stacked = "STACK" in exp_type
    covered = size * 3 // 4 if stacked else size  # stacked images are larger than what references cover
    person = personality("GUIDER1", _box(size))
    rng = stream(seed, "guide star", exp_type)
    rate = _stars(rng, size, kind.stars) * person.sensitivity + person.dark
    model = datamodels.GuiderRawModel(data=_samples(rng, kind, rate, person))
    metadata = _metadata(exp_type, kind, size)
    assign(model, metadata)
    _add_tables(model, exp_type, kind)
    path = folder / f"jw01234001001_gs-{exp_type.lower().removeprefix('fgs_')}_2023056000000_uncal.fits"
    model.meta.filename = path.name
    model.save(path)
    cache = CrdsCache(folder / "crds")
    _write_references(cache, person, personality("GUIDER1", _box(covered)), size, covered)
    return GuideStar(path, rate / person.gain, cache.environment)


def _box(size: int) -> Box:
    """Return where an exposure of a size lies: in the middle of the detector, as far as there is room."""
    start = max(0, 1024 - size // 2)
    side = min(size, 2048)
    return Box(start, start + side, start, start + side)


def _stars(rng: np.random.Generator, size: int, number: int) -> np.ndarray:
    size = min(size, 2048)
    y, x = np.ogrid[:size, :size]
    light = np.full((size, size), _BACKGROUND)
    for _ in range(number):
        cy, cx = rng.uniform(0.35 * size, 0.65 * size, 2)
        light += 10 ** rng.uniform(3.5, 4.5) / 8.0 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 1.1**2))
    return light


def _samples(rng: np.random.Generator, kind: Kind, rate: np.ndarray, person: Personality) -> np.ndarray:
    """Return raw samples (nints, ngroups, ny, nx), uint16."""
    shape = (kind.nints, kind.ngroups, *rate.shape)
    charge = np.cumsum(rng.poisson(np.broadcast_to(rate * kind.group_time, shape)), axis=1)
    level = person.superbias / 10 + charge / person.gain + rng.standard_normal(shape) * person.read_noise
    return np.asarray(np.clip(np.rint(level), 0, 65535), np.uint16)


def _metadata(exp_type: str, kind: Kind, size: int) -> dict[str, Any]:
    box = _box(size)
    begin = iso_time(_START)
    return {
        "telescope": "JWST",
        "instrument.name": "FGS",
        "instrument.detector": "GUIDER1",
        "exposure.type": exp_type,
        "exposure.readpatt": kind.readpatt,
        "exposure.nints": kind.nints,
        "exposure.ngroups": kind.ngroups,
        "exposure.nframes": 1,
        "exposure.groupgap": 0,
        "exposure.frame_time": kind.group_time,
        "exposure.group_time": kind.group_time,
        "observation.date": begin.split("T")[0],
        "observation.time": begin.split("T")[1],
        "bunit_data": "DN",
        "visit.status": "SUCCESSFUL",
        **_subarray(kind.subarray, box, box.shape[0]),
    }


def _subarray(name: str, box: Box, size: int) -> dict[str, Any]:
    detector = DETECTORS["GUIDER1"]
    return {
        "subarray.name": name,
        "subarray.xstart": box.x0 + 1,
        "subarray.ystart": box.y0 + 1,
        "subarray.xsize": size,
        "subarray.ysize": size,
        "subarray.fastaxis": detector.fastaxis,
        "subarray.slowaxis": detector.slowaxis,
    }


def _add_tables(model: Any, exp_type: str, kind: Kind) -> None:
    """Add the tables that exposures of this kind have."""
    names = {
        "FGS_ID-IMAGE": ("planned_star_table", "flight_star_table"),
        "FGS_ID-STACK": ("planned_star_table", "flight_star_table"),
        "FGS_TRACK": ("pointing_table", "centroid_table", "track_sub_table"),
        "FGS_FINEGUIDE": ("pointing_table", "centroid_table"),
    }
    for name in names.get(exp_type, ("planned_star_table",)):
        table = np.zeros(min(kind.nints, 5), model.get_dtype(name))
        for k, column in enumerate(table.dtype.names or ()):
            if table.dtype[column].kind in "fi":
                table[column] = np.arange(len(table)) + k
        setattr(model, name, table)


def _write_references(
    cache: CrdsCache, person: Personality, part: Personality, size: int, covered: int
) -> None:
    """Write the mask over the exposure, and what else is needed over the pixels that references cover."""
    flat_dq = np.zeros(part.gain.shape, np.uint32)
    flat = np.where(part.sensitivity > 0, part.sensitivity, np.nan).astype(np.float32)
    models = {
        "mask": (datamodels.MaskModel(**dq_arrays(person.mask, datamodels.MaskModel)), size),
        "gain": (datamodels.GainModel(data=part.gain), covered),
        "readnoise": (
            datamodels.ReadnoiseModel(data=(np.sqrt(2.0) * part.read_noise).astype(np.float32)),
            covered,
        ),
        "flat": (
            datamodels.FlatModel(
                data=flat,
                err=np.full(flat.shape, 0.002, np.float32),
                **dq_arrays(flat_dq, datamodels.FlatModel),
            ),
            covered,
        ),
    }
    for reftype, (model, side) in models.items():
        match = {_DETECTOR: "GUIDER1"}
        path = cache.path_for("FGS", reftype, match)
        box = _box(side)
        metadata = {
            "filename": path.name,
            "telescope": "JWST",
            "reftype": reftype.upper(),
            "pedigree": "DUMMY",
            "author": "webbcal simulator",
            "description": f"Simulated {reftype} of GUIDER1",
            "useafter": USEAFTER,
            "instrument.name": "FGS",
            "instrument.detector": "GUIDER1",
        }
        assign(model, metadata | _subarray("GENERIC", box, box.shape[0]))
        model.save(path)
        cache.add(path, "FGS", reftype, match)
