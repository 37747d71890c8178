"""Stages 2 and 3 against the truth: dithered exposures of one field, taken through the chain and measured.

Used by the tests and, on full frames, by `benchmarks/truth_imaging.py`. The telescope does not point where
the headers say (offsets and a small roll), each exposure has a sky of its own, and particles hit. Stars are
on a jittered grid, so that all are isolated. `measures.py` compares what came out with what is true.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from astropy.table import Table

from webbcal import datamodels, simulate
from webbcal.associations import asn_from_list
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.simulate.geometry import Pointing
from webbcal.simulate.headers import assign, exposure_metadata
from webbcal.simulate.personality import personality
from webbcal.simulate.references_calibrate import conversion_factor, flat_truth, write_calibration_references
from webbcal.simulate.scene import SOURCE_DTYPE, _from_plane

#: Arcsec east and north; in proportion for frames smaller than 40 arcsec.
DITHERS = [(0.0, 0.0), (6.3, -4.1), (-5.2, 7.7), (4.4, 9.6)]
#: Where the telescope points, less what the header says: arcsec east and north, and roll in degrees.
ERRORS = [(0.31, -0.22, 0.003), (-0.18, 0.27, -0.002), (0.12, 0.35, 0.001), (-0.29, -0.08, -0.003)]
SKIES = [0.31, 0.25, 0.37, 0.28]  # MJy/sr


@dataclass(frozen=True, slots=True)
class StarField(simulate.Sky):
    """Stars on a jittered grid, their magnitudes uniform between the limits.

    Attributes
    ----------
    spacing : float
        Of the grid, arcsec; must divide the tile of 20 arcsec.
    """

    spacing: float = 2.5

    def _tile(self, i: int, j: int) -> np.ndarray:
        key = (i + 2**16, j + 2**16)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
        line = np.arange(self.spacing / 2, 20.0, self.spacing)
        xi, eta = (v.ravel() for v in np.meshgrid(20.0 * i + line, 20.0 * j + line))
        reach = 0.1 * self.spacing
        xi, eta = (v + rng.uniform(-reach, reach, xi.size) for v in (xi, eta))
        t = np.zeros(xi.size, SOURCE_DTYPE)
        t["id"] = (key[0] * 2**17 + key[1]) * 10_000 + np.arange(xi.size)
        t["ra"], t["dec"] = _from_plane(self, xi, eta)
        t["abmag"] = rng.uniform(self.bright, self.faint, xi.size)
        t["axis_ratio"] = 1.0
        return t


@dataclass(frozen=True)
class Field:
    """Dithered exposures: what headers say of them, and what is true.

    Attributes
    ----------
    folder : Path
    stated, true : tuple of ExposureConfig
    truths : tuple of Truth
    files : tuple of Path
        Their rates.
    environment : dict
        The variables for CRDS.
    """

    folder: Path
    stated: tuple[simulate.ExposureConfig, ...]
    true: tuple[simulate.ExposureConfig, ...]
    truths: tuple[simulate.Truth, ...]
    files: tuple[Path, ...]
    environment: dict[str, str]

    @property
    def pointings(self) -> list[Pointing]:
        """Where the exposures truly are on the sky."""
        return [c.pointing for c in self.true]

    @property
    def stars(self) -> np.ndarray:
        """The stars on any exposure, once each."""
        columns = list(SOURCE_DTYPE.names or ())
        every = np.concatenate([t.sources[columns] for t in self.truths])
        return every[np.unique(every["id"], return_index=True)[1]]

    def calibrated(self, k: int) -> np.ndarray:
        """Return the surface brightness (MJy/sr) that a perfect calibration of exposure `k` finds."""
        config, truth = self.true[k], self.truths[k]
        person = personality(config.detector, config.aperture.box, config.detector_seed)
        flat = flat_truth(config.aperture, person)
        factor = conversion_factor(config.aperture, config.band, person.normal_gain)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (truth.rate_dn / flat * factor).astype(np.float32)


def plan(config: simulate.ExposureConfig) -> tuple[list[Any], list[Any]]:
    """Return what the headers say of four dithered exposures, and what is true of them."""
    part = min(1.0, config.aperture.shape[1] * config.aperture.x_scale / 40.0)
    stated = simulate.dithered(config, [(part * east, part * north) for east, north in DITHERS])
    true = []
    for c, (east, north, turn), level in zip(stated, ERRORS, SKIES, strict=True):
        dither = (c.dither[0] + east, c.dither[1] + north)
        true.append(replace(c, dither=dither, roll=c.roll + turn, sky=replace(c.sky, background=level)))
    return stated, true


def rates(folder: Path, config: simulate.ExposureConfig, rays: float = 0.0) -> Field:
    """Simulate the rates of four exposures, with particles at a multiple of the usual rate."""
    stated, true = plan(config)
    cache = _references(folder, stated)
    files, truths = [], []
    for said, c in zip(stated, true, strict=True):
        made = simulate.expose_rates(c, simulate.RateOptions(rays=rays))
        _mislead(made.model, said)
        files.append(made.save(folder)[0])
        truths.append(made.truth)
    return Field(folder, tuple(stated), tuple(true), tuple(truths), tuple(files), cache.environment)


def ramps(folder: Path, config: simulate.ExposureConfig) -> Field:
    """Simulate the ramps of four exposures, and take them through stage 1."""
    stated, true = plan(config)
    cache = _references(folder, stated)
    options = simulate.ReferenceOptions(subarray_only=config.subarray != "FULL", grouped_dark=True)
    simulate.write_references(cache, stated, options)
    files, truths = [], []
    for said, c in zip(stated, true, strict=True):
        made = simulate.expose(c)
        _mislead(made.model, said)
        uncal, _ = made.save(folder, with_truth=False)
        with mock.patch.dict(os.environ, cache.environment):
            Detector1Pipeline.call(str(uncal), save_results=True, output_dir=str(folder))
        files.append(uncal.with_name(uncal.name.replace("_uncal", "_rate")))
        uncal.unlink()
        truths.append(made.truth)
    return Field(folder, tuple(stated), tuple(true), tuple(truths), tuple(files), cache.environment)


def _mislead(model: Any, said: simulate.ExposureConfig) -> None:
    """Make the header say what it would without pointing errors."""
    filename = model.meta.filename
    assign(model, exposure_metadata(said) | {"filename": filename})


def _references(folder: Path, configs: Sequence[simulate.ExposureConfig]) -> simulate.CrdsCache:
    folder.mkdir(parents=True, exist_ok=True)
    cache = simulate.CrdsCache(folder / "crds")
    write_calibration_references(cache, configs, subarray_only=configs[0].subarray != "FULL")
    simulate.write_image_references(cache, {c.detector for c in configs})
    simulate.write_catalog_references(cache, {c.instrument for c in configs})
    for path in (folder / "crds").rglob("*_flat_*.fits"):
        _wear(path)
    return cache


def _wear(path: Path) -> None:
    """Give a flat, which is exact, the errors that it states."""
    with datamodels.open(path) as flat:
        rng = np.random.default_rng(5)
        flat.data = flat.data + (flat.err * rng.standard_normal(flat.data.shape)).astype(np.float32)
        flat.save(path)


@dataclass(frozen=True)
class Combined:
    """What stage 3 made of a field.

    Attributes
    ----------
    mosaic : ImageModel
    expected : ndarray
        What the mosaic would be without noise, with the same WCS, weights and flags.
    exposures : tuple of ImageModel
        The `_crf`, aligned and with outliers flagged.
    catalog : Table
    """

    mosaic: Any
    expected: np.ndarray
    exposures: tuple[Any, ...]
    catalog: Table


def calibrate(field: Field) -> None:
    """Take the rates of a field through stage 2, into files in its folder."""
    words = {"save_results": True, "output_dir": str(field.folder), "steps": {"resample": {"skip": True}}}
    with mock.patch.dict(os.environ, field.environment):
        for path in field.files:
            Image2Pipeline.call(str(path), **words)


def combine(field: Field, steps: dict[str, Any] | None = None) -> Combined:
    """Take calibrated exposures through stage 3, aligned to the true positions of the brighter stars."""
    names = [p.name.replace("_rate", "_cal") for p in field.files]
    association = field.folder / "field_asn.json"
    association.write_text(asn_from_list(names, product_name="field").dump()[1])
    steps = {"tweakreg": {"abs_refcat": str(_true_catalog(field))}} | (steps or {})
    with mock.patch.dict(os.environ, field.environment):
        mosaic = Image3Pipeline.call(
            str(association), save_results=True, output_dir=str(field.folder), steps=steps
        )
    exposures = [
        datamodels.open(next(field.folder.glob(n.replace("_cal.fits", "_*_crf.fits")))) for n in names
    ]
    catalog = Table.read(field.folder / "field_cat.ecsv")
    return Combined(mosaic, _expected(field, exposures), tuple(exposures), catalog)


def align(field: Field) -> list[Any]:
    """Return the calibrated exposures, aligned to the true positions."""
    models = [datamodels.open(p.with_name(p.name.replace("_rate", "_cal"))) for p in field.files]
    return list(TweakRegStep(abs_refcat=str(_true_catalog(field))).run(models))


def match_sky(aligned: Sequence[Any], **parameters: Any) -> list[Any]:
    """Return copies of aligned exposures with their sky levels measured."""
    return list(SkyMatchStep(**parameters).run([model.copy() for model in aligned]))


def flag(aligned: Sequence[Any], **parameters: Any) -> list[Any]:
    """Return copies of aligned exposures with outliers flagged."""
    return list(OutlierDetectionStep(**parameters).run([model.copy() for model in aligned]))


def _true_catalog(field: Field, bright: float = 23.5) -> Path:
    stars = field.stars[field.stars["abmag"] < bright]
    path = field.folder / "stars.ecsv"
    Table({"RA": stars["ra"], "DEC": stars["dec"]}).write(path, overwrite=True)
    return path


def _expected(field: Field, exposures: Sequence[Any]) -> np.ndarray:
    """Return the mosaic of exposures that have the true brightness and sky instead of what was measured."""
    lowest, perfect = min(SKIES), []
    for k, model in enumerate(exposures):
        ideal = model.copy()
        ideal.data = np.where(np.isnan(model.data), np.float32(np.nan), field.calibrated(k))
        ideal.meta.background.level = SKIES[k] - lowest
        perfect.append(ideal)
    return np.asarray(ResampleStep.call(perfect).data)
