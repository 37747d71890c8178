"""ramp_fit: the rate of each pixel, by optimally weighted least squares over the segments of its ramp."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webbcal.core.errors import PlanError
from webbcal.kernels.ramp_fit import Fit, GroupRange, RampFitSettings, get, group_range, merge_segments
from webbcal.run.band_step import BandStep, Upstream
from webbcal.run.bands import RampBand, RateBand
from webbcal.run.chain import BandReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _State:
    settings: RampFitSettings
    groups: GroupRange
    gain_factor: float | None


class RampFitStep(BandStep):
    """Fit ramps: a rate image of the exposure (`_rate`) and of each integration (`_rateints`)."""

    class_alias = "ramp_fit"
    reference_file_types = ("readnoise", "gain")
    produces = "rate"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `RampFitStep`."""

        algorithm: Literal["OLS_C", "LIKELY"] = param("OLS_C", "Fitting algorithm")
        int_name: str = param("", "Name of the file of integrations")
        save_opt: bool = param(False, "Save the fit of every segment (_fitopt)")
        opt_name: str = param("", "Name of that file")
        suppress_one_group: bool = param(True, "Ignore ramps of which only the first group is good")
        firstgroup: int | None = param(None, "First group to use (0-based)")
        lastgroup: int | None = param(None, "Last group to use (0-based)")
        maximum_cores: str = param("1", "Cores to use: a number, 'half', 'quarter' or 'all'")

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """The likelihood fit comes later."""
        if p.algorithm == "LIKELY":
            raise PlanError("ramp_fit.algorithm = LIKELY is not available in this version; use OLS_C")
        return None

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Any, upstream: Upstream
    ) -> _State:
        """Collect the sampling of the ramps and the groups to use."""
        readout = exposure.readout
        assert readout is not None
        groups = group_range(p.firstgroup, p.lastgroup, readout.ngroups)
        for message in groups.warnings:
            log.warning("ramp_fit: %s", message)
        settings = RampFitSettings(
            group_time=readout.tgroup,
            frame_time=readout.tframe,
            nframes=readout.nframes,
            groupgap=readout.groupgap,
            drop_frames1=readout.drop_frames1,
            suppress_one_group=p.suppress_one_group,
            save_opt=p.save_opt,
        )
        return _State(settings, groups, references["gain"].meta.exposure.gain_factor)

    def apply(self, band: RampBand, references: BandReferences, p: Any, state: _State) -> RateBand:
        """Fit one band."""
        state.groups.apply(band.groupdq)
        fit = get()(
            band.data,
            band.groupdq,
            band.pixeldq,
            references.read("gain"),
            references.read("readnoise"),
            band.dark_current,
            band.zeroframe,
            state.settings,
        )
        rows = band.rows
        optional = (
            None if fit.segments is None else type(fit.segments)(*(a[..., rows, :] for a in fit.segments))
        )
        return RateBand(
            interior=band.interior,
            image=_interior(fit.rate, rows),
            ints=_interior(fit.rateints, rows),
            optional=optional,
            counts=band.counts,
        )

    def finish(self, model: Any, exposure: Exposure, counts: Mapping[str, float], state: _State) -> None:
        """Set the units, and the gain factor for gain_scale."""
        model.meta.bunit_data = model.meta.bunit_err = "DN/s"
        if state.gain_factor is not None:
            model.meta.exposure.gain_factor = state.gain_factor

    def save_optional(self, model: Any, results: Sequence[tuple[Any, Any]]) -> None:
        """Save the fit of every segment of the exposure, from those of its bands in order."""
        segments = merge_segments([segments for _, segments in results])
        for name, array in segments._asdict().items():
            setattr(model, name, array)
        self.save_model(model, suffix="fitopt", output_file=self.opt_name or None, force=True)


def _interior(fit: Fit, rows: slice) -> dict[str, Any]:
    names = {"slope": "data"}
    return {names.get(name, name): array[..., rows, :] for name, array in fit._asdict().items()}
