"""ramp_fit: the rate of each pixel.

By optimally weighted least squares over the segments of its ramp, or by likelihood (`likelihood_fold.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.detector.likelihood_fold import LikelihoodFold, LikelihoodState
from webbcal.kernels.likelihood import FEWEST_GROUPS, read_times, sampling
from webbcal.kernels.ramp_fit import (
    Fit,
    GroupRange,
    RampFitSettings,
    combine,
    empty_shares,
    group_range,
    merge_segments,
)
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock, RateBlock
from webbcal.run.engine.operation import BlockReferences, Fold, Survey
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.unused_parameters import say_unused

ramp_fit = kernels.get("ramp_fit")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _State:
    settings: RampFitSettings
    groups: GroupRange
    gain_factor: float | None


class RampFitStep(BlockStep):
    """Fit ramps: a rate image of the exposure (`_rate`) and of each integration (`_rateints`)."""

    class_alias = "ramp_fit"
    reference_file_types = ("readnoise", "gain")
    produces = "rate"
    folds = True

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
        maximum_cores: str = param("1", "Most cores: a number, 'none', 'quarter', 'half', 'all'; if set")

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> _State | LikelihoodState:
        """Collect the sampling of the ramps and the groups to use."""
        readout = exposure.readout
        assert readout is not None
        groups = group_range(p.firstgroup, p.lastgroup, readout.ngroups)
        for message in groups.warnings:
            log.warning("ramp_fit: %s", message)
        say_unused("ramp_fit", p, ["int_name"], "products are named by output_file (as in jwst)")
        gain_factor = references["gain"].meta.exposure.gain_factor
        given = exposure.known("exposure.read_times")
        if given and p.algorithm != "LIKELY":
            log.warning("ramp_fit: groups are not evenly spaced (read_times); fitting by likelihood")
        if given or p.algorithm == "LIKELY":
            if readout.ngroups >= FEWEST_GROUPS:
                return self._likelihood(exposure, p, groups, gain_factor, given, survey.scratch)
            log.warning("ramp_fit: a likelihood fit needs %d groups; fitting with OLS_C", FEWEST_GROUPS)
        if exposure.known("instrument.name") == "MIRI" and readout.ngroups > 1:
            unused = groups.last < readout.ngroups - 1 or last_group_is_unused(survey)
            groups = replace(groups, end_dropped=unused)
        settings = RampFitSettings(
            group_time=readout.tgroup,
            frame_time=readout.tframe,
            nframes=readout.nframes,
            groupgap=readout.groupgap,
            drop_frames1=readout.drop_frames1,
            suppress_one_group=p.suppress_one_group,
            save_opt=p.save_opt,
        )
        return _State(settings, groups, gain_factor)

    def _likelihood(
        self,
        exposure: Exposure,
        p: Parameters,
        groups: GroupRange,
        gain_factor: float | None,
        given: Sequence[Sequence[float]] | None,
        scratch: Path,
    ) -> LikelihoodState:
        """Plan the likelihood fit; `given` are the times at which groups are read, if not as usual."""
        readout = exposure.readout
        assert readout is not None
        say_unused("ramp_fit", p, ["suppress_one_group"], "the fit is by likelihood")
        times = read_times(readout.ngroups, readout.nframes, readout.groupgap, readout.tframe)
        if given:
            times = [np.atleast_1d(np.asarray(t, float)) for t in given]
            if len(times) != readout.ngroups:
                raise InputError(
                    f"{exposure.filename}: meta.exposure.read_times has {len(times)} entries, but there are "
                    f"{readout.ngroups} groups; it needs one for each"
                )
        plans = sampling(times), sampling(times, zeroframe=True)
        return LikelihoodState(*plans, groups, gain_factor, scratch, p.save_opt)

    def fold(
        self,
        box: Box,
        exposure: Exposure,
        references: BlockReferences,
        p: Parameters,
        state: _State | LikelihoodState,
    ) -> Fold:
        """Begin with the ramps of some rows."""
        if isinstance(state, LikelihoodState):
            return LikelihoodFold(box, exposure.nints, references, state)
        return RampFold(box, exposure.nints, references, state)

    def finish(self, model: Any, exposure: Exposure, result: Any, state: _State | LikelihoodState) -> None:
        """Set the units, and the gain factor for gain_scale."""
        model.meta.bunit_data = model.meta.bunit_err = "DN/s"
        if state.gain_factor is not None:
            model.meta.exposure.gain_factor = state.gain_factor

    def extra_products(self) -> Mapping[str, str]:
        """The fit of every segment, or chi-square."""
        kind = "chisq" if self.algorithm == "LIKELY" else "optional"
        return {kind: self._extra_path(kind)} if self.save_opt else {}

    def _extra_path(self, kind: str) -> str:
        suffix = {"chisq": "likely_chisq", "optional": "fitopt"}[kind]
        return self.make_output_path(basepath=self.opt_name or self.output_file, suffix=suffix)

    def save_extra(self, make: Callable[[str], Any], pieces: Sequence[RateBlock]) -> None:
        """Save the fit of every segment of the exposure, or its chi-square."""
        kind = "chisq" if isinstance(pieces[0].extra, np.ndarray) else "optional"
        if kind == "chisq":
            model = make("ImageModel")
            in_order = sorted(pieces, key=lambda b: b.interior.y0)
            model.data = np.concatenate([b.extra for b in in_order])
        else:
            model = make("RampFitOutputModel")
            placed = [(b.interior.y0, b.ints.start if b.ints else 0, b.extra) for b in pieces]
            for name, array in merge_segments(placed)._asdict().items():
                setattr(model, name, array)
        path = self._extra_path(kind)
        model.save(path)
        self.note_saved(path)


def last_group_is_unused(survey: Survey) -> bool:
    """Tell whether the last group is DO_NOT_USE in all of a few pixels that may be used in others.

    That is what lastframe does to all pixels of MIRI.
    """
    flag = np.uint8(dqflags.group["DO_NOT_USE"])
    first = range(survey.ints.start, survey.ints.start + 1)
    ny, nx = survey.frame.shape
    for part in (0.5, 0.3, 0.7, 0.1, 0.9):
        y, x = int(part * (ny - 1)), int(part * (nx - 1))
        block = survey.block(Box(y, y + 1, x, min(x + 16, nx)), first)
        groupdq = block.groupdq[(..., *block.inner.slices)] & flag
        usable = (groupdq == 0).any(axis=1)
        if usable.any():
            return bool((groupdq[:, -1] != 0).all())
    return False


class RampFold:
    """The fit of some rows. Photon noise is that of the rate of all integrations, so they are seen first."""

    looks = True

    def __init__(self, box: Box, nints: int, references: BlockReferences, state: _State) -> None:
        self._box, self._nints, self._references, self._state = box, nints, references, state
        self._rates = np.zeros(box.shape)
        self._shares = empty_shares(box.shape)
        self._pixeldq: np.ndarray | None = None
        self._whole: Fit | None = None

    def look(self, block: RampBlock) -> None:
        """Add to the median rates."""
        groupdq = block.groupdq.copy()
        self._state.groups.apply(groupdq)
        ramp_fit.add_median_rates(block.data, groupdq, block.zeroframe, self._state.settings, self._rates)

    def apply(self, block: RampBlock) -> RateBlock:
        """Fit some integrations."""
        self._state.groups.apply(block.groupdq)
        references = self._references.over(block.box)
        arguments = (
            block.data,
            block.groupdq,
            block.pixeldq,
            references.read("gain"),
            references.read("readnoise"),
            block.dark_current,
            block.zeroframe,
            self._state.settings,
        )
        if len(block.ints) == self._nints:
            done = ramp_fit.fit_ramps(*arguments)
            self._whole, fit, segments = done.rate, done.rateints, done.segments
            if block.box != block.interior:
                rows = block.inner.slices[0]
                self._whole, fit = (Fit(*(a[..., rows, :] for a in f)) for f in (done.rate, fit))
                segments = segments and type(segments)(*(a[..., rows, :] for a in segments))
        else:
            rates = self._rates / self._nints
            fit, segments = ramp_fit.fit_integrations(*arguments, rates, self._shares)
            self._pixeldq = block.pixeldq
        return RateBlock(block.interior, block.ints, _values(fit), segments)

    def finish(self) -> RateBlock:
        """Combine all integrations."""
        fit = self._whole
        if fit is None:
            assert self._pixeldq is not None
            fit = combine(self._shares, self._pixeldq, self._references.read("gain"))
        return RateBlock(self._box, None, _values(fit))


def _values(fit: Fit) -> dict[str, np.ndarray]:
    names = {"slope": "data"}
    return {names.get(name, name): array for name, array in fit._asdict().items()}
