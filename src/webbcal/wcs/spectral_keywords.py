"""Header keywords of the spectra of an exposure: along which axis it is dispersed, and whose wavelengths."""

from __future__ import annotations

from typing import Any

from webbcal.core.modes import mode_of

#: Axis of dispersion (1: along rows, 2: along columns) by optical element.
_GRISMS = {"GR150R": 2, "GR150C": 1, "GRISMR": 1, "GRISMC": 2, "GDHS0": 1}


def dispersion_axis(model: Any) -> int | None:
    """Return 1 for spectra along rows, 2 along columns, None if that is not known of the exposure."""
    mode, instrument = mode_of(model.meta.exposure.type), model.meta.instrument
    name = str(instrument.name).upper()
    if name == "MIRI":
        return 2
    if mode.optics == "grism":
        element = instrument.filter if name == "NIRISS" else instrument.pupil
        return _GRISMS.get(str(element))
    return 1


def set_spectral_keywords(model: Any) -> None:
    """Set SPECSYS and DISPAXIS of a spectroscopic exposure."""
    info = model.meta.wcsinfo
    info.specsys = "BARYCENT"
    info.dispersion_direction = dispersion_axis(model)
