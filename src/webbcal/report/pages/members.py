"""The exposures that a product combines: where their files are, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.associations.reading import load_association
from webbcal.core import dqflags
from webbcal.core.errors import InputError, WebbcalError
from webbcal.plots.inputs import means
from webbcal.report.account import StepAccount, account_of_model
from webbcal.report.pages.family import Family, split_name
from webbcal.run.exposure import meta_value
from webbcal.wcs.of_model import wcs_of

_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])
_BLOCKS = 64  # on the longer side of an image


@dataclass(frozen=True)
class Coarse:
    """An image in blocks of pixels.

    Attributes
    ----------
    blocks : (ny, nx) float32
        Means of the usable pixels, less the level of the sky that is to be subtracted.
    factor : int
        Pixels on a side of a block.
    wcs : callable
        From 0-based pixels to the sky, with `invert`.
    unit : str
    """

    blocks: np.ndarray
    factor: int
    wcs: Any
    unit: str


@dataclass(frozen=True)
class MemberAccount:
    """An exposure of an association.

    Attributes
    ----------
    path : Path
        The product that tells most of it: after outlier detection if it was saved, else the member itself.
    steps : dict
        What became of it in stage 3: step -> account.
    sky : float or None
        Level of the sky that was measured by skymatch, in the unit of the image.
    coarse : Coarse or None
        Its image, if it is one.
    """

    path: Path
    steps: dict[str, StepAccount]
    sky: float | None
    coarse: Coarse | None


def members_of(family: Family) -> list[MemberAccount]:
    """Return the exposures of the association that the last product of a family is of; none if none is known.

    What cannot be opened is left out.
    """
    return list(_members(family))


def _members(family: Family) -> Iterator[MemberAccount]:
    for path in _files(family):
        try:
            with datamodels.open(path) as model:
                yield _account(model, path)
        except InputError:
            continue


def _files(family: Family) -> list[Path]:
    combined = family.has("i2d", "s2d", "s3d", "x1d", "c1d")
    if combined is None:
        return []
    with family.open(combined) as model:
        name = meta_value(model, "meta.asn.table_name")
    table = family.folder / str(name or "none")
    if not table.is_file():
        return []
    try:
        association = load_association(table)
    except WebbcalError:
        return []
    product = next((p for p in association.products if p.name == family.root), association.products[0])
    found = [_best_file(association.resolve(member), family.folder) for member in product.science]
    return [path for path in found if path.is_file()] if len(found) > 1 else []


def _best_file(member: Path, folder: Path) -> Path:
    """Return the file of a member that stage 3 wrote in a folder, or the member."""
    root, _ = split_name(member)
    written = sorted(folder.glob(f"{_literal(root)}_*crf*.fits"))
    return written[-1] if written else member


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _account(model: Any, path: Path) -> MemberAccount:
    account = account_of_model(model, path)
    steps = {step.name: step for step in (account.runs[-1].steps if account.runs else ())}
    level = meta_value(model, "meta.background.level")
    sky = float(level) if isinstance(level, (int, float)) else None
    return MemberAccount(path, steps, sky, _coarse(model, sky))


def _coarse(model: Any, sky: float | None) -> Coarse | None:
    if model.source("data") is None or len(model.shape or ()) != 2:
        return None
    try:
        wcs = wcs_of(model)
    except InputError:
        return None
    if wcs is None:
        return None
    data = model.source("data").read().astype(np.float32)
    flags = model.source("dq")
    if flags is not None:
        data[flags.read().astype(np.uint32) & _DO_NOT_USE != 0] = np.nan
    if sky is not None and meta_value(model, "meta.background.subtracted") is False:
        data -= np.float32(sky)
    factor = max(1, -(-max(data.shape) // _BLOCKS))
    return Coarse(means(data, factor), factor, wcs, str(meta_value(model, "meta.bunit_data") or ""))
