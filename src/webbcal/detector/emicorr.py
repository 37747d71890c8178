"""emicorr: the interference of MIRI's electronics (390 Hz and others), subtracted at each pixel's phase."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from webbcal.core import miri_clocks
from webbcal.core.errors import PlanError, ReferenceFileError
from webbcal.detector.emi_binned import Binning, measure_binned
from webbcal.detector.emi_joint import measure_joint
from webbcal.detector.emi_waves import Seen, Wave
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.unused_parameters import say_unused

log = logging.getLogger(__name__)

#: Read patterns whose phases are known, and those of them with a reset of a frame's length between
#: integrations.
_PATTERNS, _RESET_PATTERNS = ("FAST", "FASTR1", "SLOW", "SLOWR1"), ("FASTR1", "SLOWR1")
_FEWEST, _FEW = 3, 10
#: Parameters that only one of the algorithms has.
_OF_SEQUENTIAL = ("nints_to_phase", "nbins", "scale_reference", "use_n_cycles")
_OF_JOINT = ("fit_ints_separately",)
#: Group of four columns that holds the right reference pixels of a full row.
_LAST_QUAD = 257


@dataclass(frozen=True)
class _Case:
    """Clocks of a row and of a frame; what to correct: name, frequency (Hz), and the wave if it is known."""

    row: int
    frame: int
    frequencies: tuple[tuple[str, float, NDArray[Any] | None], ...]


class EmiCorrStep(BlockStep):
    """Subtract interference: its waves come from a reference file, or are measured on the exposure itself."""

    class_alias = "emicorr"
    only_once = True
    tiling = Tiling.EITHER
    reference_file_types = ("emicorr",)
    optional_reference_types = ("emicorr",)
    looks_at: ClassVar[str] = "all samples"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `EmiCorrStep`."""

        algorithm: Literal["sequential", "joint"] = param("joint", "Fitting algorithm")
        nints_to_phase: int | None = param(None, "Integrations to measure the wave on (sequential)", ge=1)
        nbins: int | None = param(None, "Bins in one period (sequential)", ge=1)
        scale_reference: bool = param(True, "Give the wave the amplitude that is measured (sequential)")
        onthefly_corr_freq: list[float] | None = param(
            None, "Frequencies to correct without a reference", unit="Hz", kind="float_list"
        )
        use_n_cycles: int | None = param(3, "Periods to measure the wave on (sequential)", ge=1)
        fit_ints_separately: bool = param(False, "Fit each integration on its own (joint)")
        user_supplied_reffile: str | None = param(None, "Deprecated: use override_emicorr")
        save_intermediate_results: bool = param(False, "Save waves that were measured without a reference")
        skip: bool = param(True, "Skip this step")

    def get_ref_override(self, reference_type: str) -> Any:
        """Frequencies of the user need no reference; an older parameter names one."""
        if self.onthefly_corr_freq is not None:
            return "N/A"
        override = super().get_ref_override(reference_type)
        if override is None and self.user_supplied_reffile is not None:
            message = "user_supplied_reffile is deprecated: use override_emicorr"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return self.user_supplied_reffile
        return override

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """The clocks of the read pattern must be known, and ramps long enough."""
        _check_frequencies(p.onthefly_corr_freq or ())
        if exposure.instrument != "MIRI":
            return f"not implemented for instrument {exposure.instrument}: it is only for MIRI data"
        readpatt = str(exposure.known("exposure.readpatt"))
        if readpatt.upper() not in _PATTERNS:
            return f"not implemented for read pattern {readpatt}: it is for {', '.join(_PATTERNS)}"
        if exposure.ngroups < _FEWEST:
            return f"{exposure.ngroups} groups are too few ({_FEWEST} needed)"
        if p.onthefly_corr_freq is not None and _case_on_the_fly(exposure, p.onthefly_corr_freq) is None:
            return f"the clocks of {_case_name(exposure)} are not known"
        return None

    def reason_by_references(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters
    ) -> str | None:
        """The reference has clocks and frequencies for some subarrays, speeds and detectors."""
        if p.onthefly_corr_freq is None:
            if references["emicorr"] is None:
                return "No EMICORR reference file found (N/A)"
            if _case_of_reference(exposure, references["emicorr"]) is None:
                name, detector = _case_name(exposure), exposure.detector
                return f"{references['emicorr'].name} has no frequencies for {name} of {detector}"
        if self._is_joint(p) or exposure.ngroups > _FEWEST:
            return None
        return f"{exposure.ngroups} groups are too few for the sequential algorithm ({_FEWEST + 1} needed)"

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> tuple[Wave, ...]:
        """Measure the waves one after another, each on what the ones before have left."""
        if p.onthefly_corr_freq is not None:
            case = _case_on_the_fly(exposure, p.onthefly_corr_freq)
        else:
            case = _case_of_reference(exposure, references["emicorr"])
        assert case is not None, "a reason to skip"
        joint = self._is_joint(p)
        say_unused("emicorr", p, _OF_SEQUENTIAL if joint else _OF_JOINT, f"the algorithm is {_name(joint)}")
        if not joint and exposure.ngroups < _FEW:
            log.warning("emicorr: with less than %d groups the joint algorithm is better", _FEW)
        seen = Seen(survey, _clocks(exposure, case), exposure.frame.shape[1])
        how = Binning(p.nints_to_phase, p.use_n_cycles, p.nbins, p.scale_reference)
        measured = {}
        for name, frequency, wave in case.frequencies:
            found: Wave
            if joint and wave is not None:
                found = measure_joint(seen, frequency, wave, p.fit_ints_separately)
            else:
                late = _late_quad(exposure)
                found, measured[name] = measure_binned(seen, frequency, case.frame, wave, how, late)
            seen = replace(seen, waves=(*seen.waves, found))
        for path in self.extra_products().values():
            self._save_waves(path, exposure, case, measured)
        return seen.waves

    def apply(self, block: RampBlock, references: Any, p: Parameters, state: tuple[Wave, ...]) -> RampBlock:
        """Subtract all waves from one block."""
        for wave in state:
            wave.subtract(block)
        return block

    def extra_products(self) -> Mapping[str, str]:
        """Waves that were measured without a reference, as a reference file."""
        if not self.save_intermediate_results or self.onthefly_corr_freq is None:
            return {}
        return {"emicorr": self.make_output_path(suffix="emi_ref_waves", ext=".asdf")}

    def _is_joint(self, p: Parameters) -> bool:
        """Tell whether known waves are fitted: without a reference there are none."""
        return p.algorithm == "joint" and p.onthefly_corr_freq is None

    def _save_waves(
        self, path: str, exposure: Exposure, case: _Case, measured: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Save measured waves as a reference file for exposures of this kind."""
        from webbcal import datamodels

        model = datamodels.EmiModel()
        names = {name: f"Hz{name.replace('.', '_')}" for name in measured}
        model.frequencies = {
            names[name]: {"frequency": frequency, "phase_amplitudes": measured[name]}
            for name, frequency, _ in case.frequencies
        }
        speed = miri_clocks.speed(str(exposure.known("exposure.readpatt")))
        wanted = list(names.values())
        freqs = {speed: wanted if speed == "FAST" else {exposure.detector: wanted}}
        clocks = {"rowclocks": case.row, "frameclocks": case.frame, "freqs": freqs}
        model.subarray_cases = {_case_name(exposure): clocks}
        model.meta.reftype = "emicorr"
        model.meta.author, model.meta.pedigree = "webbcal", "GROUND"
        model.meta.description = f"Interference measured on {exposure.filename}"
        model.meta.useafter = "2014-01-01T00:00:00"
        model.meta.instrument.name = "MIRI"
        model.save(path)
        self.note_saved(path)


def _name(joint: bool) -> str:
    return "joint" if joint else "sequential"


def _clocks(exposure: Exposure, case: _Case) -> miri_clocks.Clocks:
    reset = str(exposure.known("exposure.readpatt")).upper() in _RESET_PATTERNS
    nsamples = exposure.known("exposure.nsamples") or 1
    return miri_clocks.Clocks(
        exposure.frame.shape[0], exposure.ngroups, case.row, case.frame if reset else 0, nsamples
    )


def _case_name(exposure: Exposure) -> str:
    return miri_clocks.case_name(exposure.subarray, str(exposure.known("exposure.readpatt")))


def _late_quad(exposure: Exposure) -> int | None:
    """Return the last group of four columns, if it is that of the right reference pixels."""
    quads = exposure.frame.shape[1] // miri_clocks.OUTPUTS
    left = (exposure.known("subarray.xstart") or 1) - 1
    last = math.floor(exposure.frame.shape[1] / miri_clocks.OUTPUTS + left) == _LAST_QUAD + 1
    return quads - 1 if last else None


def _check_frequencies(frequencies: Iterable[float]) -> None:
    """A wave has a length, and one that is shorter than two clocks cannot be seen."""
    highest = 0.5 / miri_clocks.CLOCK
    for frequency in frequencies:
        if not 0 < frequency <= highest:
            raise PlanError(
                f"emicorr.onthefly_corr_freq has {frequency:g} Hz: frequencies are above 0, "
                f"and at most {highest:g} Hz"
            )


def _case_on_the_fly(exposure: Exposure, frequencies: list[float]) -> _Case | None:
    clocks = miri_clocks.CLOCKS.get(_case_name(exposure))
    if clocks is None or not frequencies:
        return None
    return _Case(*clocks, tuple((repr(f), float(f), None) for f in frequencies))


def _case_of_reference(exposure: Exposure, reference: Any) -> _Case | None:
    """Return what a reference has for an exposure.

    Raises
    ------
    ReferenceFileError
        If it names a frequency without a wave.
    """
    model = reference.model
    case: Any = getattr(getattr(model, "subarray_cases", None), _case_name(exposure), None)
    speed = miri_clocks.speed(str(exposure.known("exposure.readpatt")))
    names = getattr(getattr(case, "freqs", None), speed or "", None)
    if speed == "SLOW":
        names = getattr(names, exposure.detector, None)
    if not names:
        return None
    found = []
    for name in names:
        wave: Any = getattr(model.frequencies, name, None)
        if getattr(wave, "phase_amplitudes", None) is None:
            raise ReferenceFileError(
                f"{reference.name} names the frequency {name} for {_case_name(exposure)}, but has no wave"
            )
        found.append((str(name), float(wave.frequency), np.asarray(wave.phase_amplitudes, float)))
    return _Case(int(case.rowclocks), int(case.frameclocks), tuple(found))
