"""``srctype``: decide once whether the source is treated as a point or as extended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webbcal.core.errors import InputError
from webbcal.core.modes import is_time_series, mode_of
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run
from webbcal.run.unused_parameters import say_unused

log = logging.getLogger(__name__)

_POINT, _EXTENDED = "POINT", "EXTENDED"
#: Stellarity above which a source of the micro-shutters counts as a point (so does one that has none: < 0).
_STELLARITY = 0.75


class SourceTypeStep(ModelStep):
    """Set SRCTYPE, of the exposure or of each slit; flux calibration and extraction go by it."""

    class_alias = "srctype"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `SourceTypeStep`."""

        source_type: Literal["POINT", "EXTENDED"] | None = param(
            None, "Type of the source, whatever the headers say"
        )

    def foresee(self, data: Any) -> Any:
        """Return the exposure with the type of its one target; those of slits are found by the work."""
        if not data.meta.exposure.type or not mode_of(data.meta.exposure.type).has_one_target:
            return data
        seen = type(data)(data.shape)  # with metadata of its own: a plan changes no model
        seen.update(data)
        seen.meta.target.source_type, _ = _single_type(seen, self.parameters.source_type)
        return seen

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Set the type of the source.

        Raises
        ------
        InputError
            If the exposure type is not known, or slits are needed that are not there.
        """
        if not model.meta.exposure.type:
            raise InputError(f"{model.meta.filename}: it has no EXP_TYPE, and srctype cannot do without")
        mode = mode_of(model.meta.exposure.type)
        if not mode.has_one_target:
            say_unused("srctype", p, ["source_type"], f"the headers decide for {mode.exp_type}")
        if mode.has_one_target:
            found, why = _single_type(model, p.source_type)
            log.info("%s: SRCTYPE is %s (%s)", model.meta.filename, found, why)
            _set_single(model, found)
        elif mode.optics == "mos":
            _set_by_stellarity(model)
        elif is_time_series(model):
            model.meta.target.source_type = _POINT
        elif mode.optics == "grism" and not mode.has("internal"):
            for slit in _slits(model):
                slit.source_type = _EXTENDED if slit.is_extended else _POINT
        else:
            log.warning(
                "%s: srctype does not know EXP_TYPE %s; SRCTYPE is UNKNOWN",
                model.meta.filename,
                mode.exp_type,
            )
            model.meta.target.source_type = "UNKNOWN"
        return model


def _single_type(model: Any, given: str | None) -> tuple[str, str]:
    """Return the type of the one target of an exposure, and why: the first rule that applies decides."""
    meta, mode = model.meta, mode_of(model.meta.exposure.type)
    if not meta.target.source_type_apt:  # files of before 2020 have but one keyword
        meta.target.source_type_apt = meta.target.source_type
    is_mrs = mode.exp_type == "MIR_MRS"
    pattern = str((meta.dither.optimized_for if is_mrs else meta.dither.primary_type) or "")
    proposed = meta.target.source_type_apt
    if given is not None:
        why, found = "source_type", given
    elif meta.observation.bkgdtarg:
        why, found = "BKGDTARG: a background target", _EXTENDED
    elif is_time_series(model):
        why, found = "a time series", _POINT
    elif proposed in (_POINT, _EXTENDED):
        why, found = "SRCTYAPT: the proposal", proposed
    elif "NOD" in pattern or "POINT-SOURCE" in pattern:
        why, found = f"dither pattern {pattern}", _POINT
    else:
        why, found = "default", _EXTENDED if mode.optics == "ifu" else _POINT
    return found, why


def _set_single(model: Any, kind: str) -> None:
    """Set the type of the target, and of the slits that have it: of NIRSpec's fixed slits the primary one."""
    model.meta.target.source_type = kind
    if model.has("slits"):
        primary = model.meta.instrument.fixed_slit if model.meta.exposure.type == "NRS_FIXEDSLIT" else None
        for slit in model.slits:
            own = primary is None or slit.name == primary
            slit.source_type = kind if own else _EXTENDED
            if primary is not None and own and kind == _EXTENDED:
                slit.source_xpos = slit.source_ypos = 0.0
    elif type(model).__name__ == "SlitModel":
        model.source_type = kind


def _set_by_stellarity(model: Any) -> None:
    """Set the type of each slit by its source's stellarity; the exposure as a whole has none."""
    for slit in _slits(model):
        stellarity = slit.stellarity
        is_point = stellarity is None or stellarity < 0 or stellarity > _STELLARITY
        slit.source_type = _POINT if is_point else _EXTENDED
    model.meta.target.source_type = None


def _slits(model: Any) -> Any:
    if not model.has("slits"):
        raise InputError(
            f"{model.meta.filename}: {model.meta.exposure.type} has a source in each slit, and there are no "
            "slits yet; run extract_2d first"
        )
    return model.slits
