"""The exposures that are combined: members of an association, opened and looked at before any work."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from webbcal import datamodels
from webbcal.associations.association import Association, Product
from webbcal.core.errors import InputError, WrongModelError
from webbcal.core.wording import a_or_an
from webbcal.datamodels.lists import ListModel, items_of
from webbcal.library.groups import exposure_name
from webbcal.run.exposure import meta_value

log = logging.getLogger(__name__)

#: What else the entry of a member may say; it goes into ``meta``.
_ENTRY_KEYS = ("group_id", "tweakreg_catalog")
_COMPANIONS = ("err", "dq", "var_poisson", "var_rnoise", "var_flat")
#: What exposures may differ in if they must: label and place in the metadata.
_MAY_DIFFER = {"filter": "meta.instrument.filter", "pupil": "meta.instrument.pupil"}
_SHOULD_AGREE = {"instrument": "meta.instrument.name", "unit": "meta.bunit_data"}
#: What tells files of one exposure apart.
_ONE_EXPOSURE = ("meta.instrument.detector", "meta.exposure.segment_number", "meta.subarray.name")
_NAMED = 3  # files that a message names


def open_members(product: Product, association: Association) -> list[Any]:
    """Open the science members of a product; models that were given are copied.

    Raises
    ------
    InputError
        If a file cannot be opened, or its arrays do not agree with each other. What has none at all is
        opened: steps that do not apply need none (`check_data`).
    """
    models = []
    for member in product.science:
        path = association.resolve(member)
        model = datamodels.open(path) if member.model is None else member.model.copy()
        try:
            check_arrays(model, str(path))
            for key in _ENTRY_KEYS:
                if value := member.extra.get(key):
                    setattr(model.meta, key, str(association.resolve(value)) if "catalog" in key else value)
        finally:
            if member.model is None:
                model.close()  # it is opened again when it is read: there may be more than may be open
        models.append(model)
    return models


def check_data(model: Any, name: str) -> None:
    """Make sure that there is something to work on: a science array, or slits. Nothing is read.

    Raises
    ------
    InputError
        If not.
    """
    if isinstance(model, ListModel):
        if not len(items_of(model)):
            raise InputError(f"{name}: has no slits; make the file again")
    elif model.shape is None:
        raise InputError(f"{name}: has no science array (SCI extension); is it a JWST exposure?")


def check_arrays(model: Any, name: str) -> None:
    """Make sure that what stands beside the science array of a model has its shape; nothing is read.

    Raises
    ------
    InputError
        Naming the array.
    """
    if isinstance(model, ListModel) or model.shape is None:
        return
    for array in _COMPANIONS:
        source = model.source(array)
        if source is not None and tuple(source.shape) != model.shape:
            raise InputError(
                f"{name}: its {array} array has shape {tuple(source.shape)}, but data has {model.shape}; "
                "make the file again"
            )


def check_images(models: Sequence[Any], who: str) -> None:
    """Make sure that models are images, for the step of a name.

    Raises
    ------
    InputError
        If one has no science array; a `WrongModelError` if that has not two axes.
    """
    for model in models:
        check_data(model, str(model.meta.filename))
        if len(model.shape or ()) != 2:
            raise WrongModelError(
                f"{model.meta.filename}: is {a_or_an(type(model).__name__)} of shape {model.shape}; {who} "
                "takes images (_cal), one an exposure"
            )


def check_calibrated(models: Sequence[Any], names: Sequence[str]) -> None:
    """Make sure that exposures are calibrated images that can be combined.

    Raises
    ------
    InputError
        If one is no image, is resampled already or has no WCS, or they are of several instruments or units.
    """
    for model, name in zip(models, names, strict=True):
        kind = type(model).__name__
        if kind != "ImageModel" or len(model.shape or ()) != 2:
            raise InputError(
                f"{name}: is {a_or_an(kind)}; calwebb_image3 combines calibrated images (_cal), which "
                "calwebb_image2 makes"
            )
        if model.meta.cal_step.resample == "COMPLETE":
            raise InputError(f"{name}: is resampled already; give the _cal exposures that it was made of")
        if not has_wcs(model):
            raise InputError(
                f"{name}: has no WCS; calwebb_image3 combines calibrated images (_cal), which calwebb_image2 "
                "makes (assign_wcs attaches the WCS)"
            )
    check_agreement(models, {}, "give those of one {what} (the steps run alone take them, with a warning)")


def check_agreement(models: Sequence[Any], more: Mapping[str, str], advice: str) -> None:
    """Make sure that exposures are of one instrument and unit, and agree in what else they must.

    Parameters
    ----------
    models : sequence of DataModel
    more : mapping
        What they must agree in, in words -> place in the metadata.
    advice : str
        What to do, with ``{what}`` for the thing they differ in.

    Raises
    ------
    InputError
        Naming the exposures.
    """
    for what, path in (_SHOULD_AGREE | dict(more)).items():
        if mixture := _mixture(models, path):
            raise InputError(
                f"exposures of several {what}s cannot be combined: {mixture}; {advice.format(what=what)}"
            )


def warn_of_mixtures(models: Sequence[Any]) -> None:
    """Warn if exposures differ in what they should agree in, or one is there under several names.

    Raises
    ------
    InputError
        If one model is there twice.
    """
    _look_for_repeats(models)
    for what, path in (_SHOULD_AGREE | _MAY_DIFFER).items():
        if mixture := _mixture(models, path):
            log.warning("exposures of several %ss are combined: %s", what, mixture)


def _look_for_repeats(models: Sequence[Any]) -> None:
    """Refuse a model that is given twice; warn of copies of an exposure."""
    seen: set[int] = set()
    for model in models:
        if id(model.contents) in seen:
            raise InputError(
                f"{model.meta.filename}: the model is given twice; it counts once, so give it once"
            )
        seen.add(id(model.contents))
    found: dict[tuple[Any, ...], list[str]] = {}
    for model in models:
        name = exposure_name(model.meta.observation)
        if name is not None:
            key = name, *(meta_value(model, path) for path in _ONE_EXPOSURE)
            found.setdefault(key, []).append(str(model.meta.filename))
    for (name, detector, *_), files in found.items():
        if len(files) > 1:
            log.warning(
                "%s are one exposure of one detector (%s %s), which counts %d times: weights and errors are "
                "wrong; leave out all but one", _names(files), name, detector, len(files),
            )  # fmt: skip


def has_wcs(model: Any) -> bool:
    """Tell whether a model has a WCS, without making it."""
    return model.meta.hasattr("wcs") and model.meta.instance["wcs"] is not None


def _mixture(models: Sequence[Any], path: str) -> str | None:
    """Return the values of a keyword with the names of the exposures, or None if there is only one."""
    found: dict[str, list[str]] = {}
    for model in models:
        value = meta_value(model, path)
        if value is not None:
            found.setdefault(str(value), []).append(str(model.meta.filename))
    return None if len(found) < 2 else "; ".join(f"{value}: {_names(n)}" for value, n in found.items())


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
