"""A draft of the rates, for steps that must know where the light is before ramps are fitted.

It is what `ramp_fit` makes with its default parameters of the ramps as they are at that point. Rows are
fitted a block at a time, so that no more than an image is held: the rate of the exposure, or of one of its
integrations. The photon noise in the weights is that of the mean rate of all integrations, as in `ramp_fit`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.detector.likelihood_fold import LikelihoodState
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.kernels.ramp_fit import RampFitSettings, empty_shares
from webbcal.run.engine.blocks import RateBlock, chunks
from webbcal.run.engine.operation import BlockReferences, Kept, Survey
from webbcal.run.engine.tiling import cut_rows
from webbcal.run.exposure import Exposure

ramp_fit = kernels.get("ramp_fit")

#: The references that it needs.
REFERENCES = ("gain", "readnoise")


@dataclass(frozen=True)
class Draft:
    """A rate image.

    Attributes
    ----------
    data : ndarray
        float32, (rows, columns), DN/s; NaN where there is none.
    dq : ndarray
        uint32, (rows, columns).
    """

    data: NDArray[np.float32]
    dq: NDArray[np.uint32]


class HasRates(Protocol):
    """The rates of integrations, one at a time."""

    def rate(self, integration: int) -> Draft: ...  # noqa: D102


def draft_rate(exposure: Exposure, references: Mapping[str, Any], survey: Survey) -> Draft:
    """Return the rate of the exposure, from all its integrations; rates are what they are, or their mean.

    Parameters
    ----------
    exposure : Exposure
    references : mapping
        With those of `REFERENCES`.
    survey : Survey
        Shows the ramps.
    """
    if exposure.readout is None:
        return _mean_rate(survey)
    step = RampFitStep()
    p = step.parameters
    state = step.measure(exposure, references, p, survey)
    draft = Draft(np.empty(survey.frame.shape, np.float32), np.empty(survey.frame.shape, np.uint32))

    def work(box: Box) -> None:
        fold = step.fold(box, exposure, BlockReferences(references, box, Kept()), p, state)
        some = chunks(survey.ints, _cut(exposure, survey).ints)
        for ints in some if len(some) > 1 else ():
            fold.look(survey.block(box, ints))
        for ints in some:
            fold.apply(survey.block(box, ints))
        values = fold.finish().values
        draft.data[box.slices], draft.dq[box.slices] = values["data"], values["dq"]

    survey.map(work, list(survey.frame.bands(_cut(exposure, survey).rows)))
    return draft


def _arrays(rates: RateBlock) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return rates and their flags; images made by hand may have none."""
    data = rates.values["data"]
    dq = rates.values.get("dq")
    return data, np.zeros(data.shape, np.uint32) if dq is None else dq


def _mean_rate(survey: Survey) -> Draft:
    data, dq = _arrays(survey.rates())
    if data.ndim == 2:
        return Draft(data.copy(), dq)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels without any value
        return Draft(np.nanmean(data, axis=0), np.bitwise_or.reduce(dq, axis=0))


def rates_of(exposure: Exposure, references: Mapping[str, Any], survey: Survey) -> HasRates:
    """Return the rates of the integrations, made of ramps one at a time, or read."""
    if exposure.readout is None:
        return RateIntegrations(survey)
    return DraftIntegrations(exposure, references, survey)


class RateIntegrations:
    """The rates of single integrations, where the data are rates."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def rate(self, integration: int) -> Draft:
        """Return the rate of an integration (0-based)."""
        data, dq = _arrays(self._survey.rates(range(integration, integration + 1)))
        shape = self._survey.frame.shape
        return Draft(data.reshape(shape), dq.reshape(shape))


class DraftIntegrations:
    """The rates of single integrations, made one at a time."""

    def __init__(self, exposure: Exposure, references: Mapping[str, Any], survey: Survey) -> None:
        step = RampFitStep()
        state = step.measure(exposure, references, step.parameters, survey)
        assert not isinstance(state, LikelihoodState)
        self._settings: RampFitSettings = state.settings
        self._references, self._survey = references, survey
        self._cut = _cut(exposure, survey)
        self._rates = np.zeros(survey.frame.shape)
        survey.map(self._look, list(survey.frame.bands(self._cut.rows)))
        self._rates /= len(survey.ints)

    def _look(self, box: Box) -> None:
        """Add to the median rates of some rows."""
        for ints in chunks(self._survey.ints, self._cut.ints):
            block = self._survey.block(box, ints)
            ramp_fit.add_median_rates(
                block.data, block.groupdq, block.zeroframe, self._settings, self._rates[box.slices]
            )

    def rate(self, integration: int) -> Draft:
        """Return the rate of an integration (0-based)."""
        shape = self._survey.frame.shape
        draft = Draft(np.empty(shape, np.float32), np.empty(shape, np.uint32))
        for box in self._survey.frame.bands(self._cut.rows):
            block = self._survey.block(box, range(integration, integration + 1))
            references = BlockReferences(self._references, box, Kept())
            fit, _ = ramp_fit.fit_integrations(
                block.data, block.groupdq, block.pixeldq, references.read("gain"),
                references.read("readnoise"), block.dark_current, block.zeroframe, self._settings,
                np.ascontiguousarray(self._rates[box.slices]), empty_shares(box.shape),
            )  # fmt: skip
            draft.data[box.slices], draft.dq[box.slices] = fit.slope[0], fit.dq[0]
        return draft


def _cut(exposure: Exposure, survey: Survey) -> Any:
    return cut_rows((len(survey.ints), exposure.ngroups, *survey.frame.shape), 0, survey.threads)
