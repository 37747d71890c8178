"""The observing modes: one table of exposure types (EXP_TYPE), with what distinguishes their treatment.

Nothing else in the package lists exposure types: code asks the table for a trait.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

#: Exposure type, optics, traits. Optics: image, aperture-image (NIRSpec, through its slits), slit, mos, ifu,
#: slitless, grism (wide-field), soss, guider, other, none. Traits: `mosaic` (images combined on the sky),
#: `coron`, `ami`, `tso` (a time series), `acq` (target acquisition), `internal` (no sky: no WCS), `template`
#: (the background is a reference that is scaled), `prism` (one order, dispersed along columns: MIRI LRS).
_TABLE = """
NRC_IMAGE         image           mosaic
NRC_TACQ          image           acq
NRC_TACONFIRM     image           acq
NRC_CORON         image           coron
NRC_FOCUS         image
NRC_TSIMAGE       image           tso
NRC_WFSC          other
NRC_WFSS          grism           template
NRC_TSGRISM       grism           tso
NRC_GRISM         grism           internal template
NRC_DARK          none            internal
NRC_FLAT          none            internal
NRC_LED           none            internal
NIS_IMAGE         image           mosaic
NIS_TACQ          image           acq
NIS_TACONFIRM     image           acq
NIS_AMI           image           ami
NIS_FOCUS         image
NIS_WFSS          grism           template
NIS_SOSS          soss            tso template
NIS_EXTCAL        other
NIS_DARK          none            internal
NIS_LAMP          none            internal
MIR_IMAGE         image           mosaic
MIR_TACQ          image           acq
MIR_TACONFIRM     image           acq
MIR_LYOT          image           coron
MIR_4QPM          image           coron
MIR_CORONCAL      image
MIR_LRS-FIXEDSLIT slit            prism
MIR_LRS-SLITLESS  slitless        tso prism
MIR_WFSS          grism           template
MIR_MRS           ifu
MIR_DARK          none            internal
MIR_DARKALL       none            internal
MIR_DARKIMG       none            internal
MIR_DARKMRS       none            internal
MIR_FLATIMAGE     none            internal
MIR_FLATIMAGE-EXT none            internal
MIR_FLAT-IMAGE    none            internal
MIR_FLATMRS       none            internal
MIR_FLATMRS-EXT   none            internal
MIR_FLAT-MRS      none            internal
NRS_IMAGE         aperture-image  mosaic
NRS_FOCUS         aperture-image
NRS_MIMF          aperture-image
NRS_CONFIRM       aperture-image  acq
NRS_TACONFIRM     aperture-image  acq
NRS_TACQ          aperture-image  acq
NRS_TASLIT        aperture-image  acq
NRS_MSATA         aperture-image  acq
NRS_WATA          aperture-image  acq
NRS_VERIFY        aperture-image  acq
NRS_FIXEDSLIT     slit
NRS_BRIGHTOBJ     slit            tso
NRS_MSASPEC       mos
NRS_IFU           ifu
NRS_LAMP          other
NRS_AUTOFLAT      other
NRS_AUTOWAVE      other
NRS_DARK          none            internal
FGS_IMAGE         image           mosaic
FGS_FOCUS         image
FGS_SKYFLAT       none            internal
FGS_INTFLAT       none            internal
FGS_DARK          none            internal
FGS_ACQ1          guider
FGS_ACQ2          guider
FGS_FINEGUIDE     guider
FGS_ID-IMAGE      guider
FGS_ID-STACK      guider
FGS_TRACK         guider
"""


@dataclass(frozen=True, slots=True)
class Mode:
    """What an exposure type is.

    Attributes
    ----------
    exp_type : str
    optics : str
        How light reaches the detector; "unknown" for a type that is not in the table.
    traits : frozenset of str
    """

    exp_type: str
    optics: str = "unknown"
    traits: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether the table has this type."""
        return self.optics != "unknown"

    @property
    def is_image(self) -> bool:
        """Whether it is an undispersed image of the sky, by optics that a distortion describes."""
        return self.optics == "image"

    @property
    def is_mosaicked(self) -> bool:
        """Whether exposures of this type are images of which mosaics are made."""
        return self.is_image and self.has("mosaic")

    @property
    def has_one_target(self) -> bool:
        """Whether an exposure is a spectrum of one target, whose kind the proposal tells."""
        return self.optics in ("slit", "slitless", "ifu", "soss") or (
            self.optics == "grism" and self.has("tso")
        )

    @property
    def is_spectrum(self) -> bool:
        """Whether the light of the sky is dispersed."""
        dispersed = self.optics in ("slit", "mos", "ifu", "slitless", "grism", "soss")
        return dispersed and not self.has("internal")

    @property
    def is_wide_field(self) -> bool:
        """Whether the spectra of all sources of a field are on the detector, through a grism."""
        return self.optics == "grism" and not self.has("tso")

    def has(self, trait: str) -> bool:
        """Tell whether the type has a trait."""
        return trait in self.traits

    def is_time_series(self, tsovisit: bool | None, integrations: int | None) -> bool:
        """Tell whether an exposure of this type is a time series; SOSS and LRS slitless need not be.

        Parameters
        ----------
        tsovisit : bool or None
            Its keyword TSOVISIT: the visit is a time series, whatever the type.
        integrations : int or None
            Its keyword NINTS: a single integration is no series.
        """
        several = integrations is None or integrations >= 2
        always = self.has("tso") and self.optics not in ("soss", "slitless")
        return several and (bool(tsovisit) or always)


@cache
def table() -> dict[str, Mode]:
    """Return all modes by exposure type."""
    rows = (line.split() for line in _TABLE.split("\n") if line)
    return {name: Mode(name, optics, frozenset(traits)) for name, optics, *traits in rows}


def mode_of(exp_type: object) -> Mode:
    """Return the mode of an exposure type, in any case."""
    name = str(exp_type).strip().upper()
    return table().get(name) or Mode(name)


def is_time_series(model: Any) -> bool:
    """Tell whether an exposure is a time series, by the keywords of its model."""
    meta = model.meta
    return mode_of(meta.exposure.type).is_time_series(meta.visit.tsovisit, meta.exposure.nints)


def mosaicked_types() -> list[str]:
    """Return the exposure types of which mosaics are made, in the order of the table."""
    return [name for name, mode in table().items() if mode.is_mosaicked]
