"""calwebb_detector1: from raw ramps to rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.detector.charge_migration import ChargeMigrationStep
from webbcal.detector.clean_flicker_noise import CleanFlickerNoiseStep
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.emicorr import EmiCorrStep
from webbcal.detector.firstframe import FirstFrameStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.group_scale import GroupScaleStep
from webbcal.detector.ipc import IPCStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.lastframe import LastFrameStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.persistence import PersistenceStep
from webbcal.detector.picture_frame import PictureFrameStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.reset import ResetStep
from webbcal.detector.rscd import RscdStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.superstriped import SuperstripedPipeline
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

_START = ("group_scale", "dq_init")
_END = (
    "charge_migration",
    "jump",
    "picture_frame",
    "clean_flicker_noise",
    "persistence",
    "ramp_fit",
    "gain_scale",
)
NEAR_INFRARED = (
    *_START,
    "saturation",
    "ipc",
    "superbias",
    "refpix",
    "linearity",
    "dark_current",
    *_END,
)
MIRI = (
    *_START,
    "emicorr",
    "saturation",
    "ipc",
    "firstframe",
    "lastframe",
    "reset",
    "linearity",
    "rscd",
    "dark_current",
    "refpix",
    *_END,
)


class Detector1Pipeline(SuperstripedPipeline):
    """Correct the detector's signatures, find jumps and fit ramps: `_uncal` to `_rate` and `_rateints`."""

    class_alias = "calwebb_detector1"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "rate", "ints": "rateints", "ramp": "ramp"}
    step_defs = {
        "group_scale": GroupScaleStep,
        "dq_init": DQInitStep,
        "emicorr": EmiCorrStep,
        "saturation": SaturationStep,
        "ipc": IPCStep,
        "superbias": SuperBiasStep,
        "refpix": RefPixStep,
        "rscd": RscdStep,
        "firstframe": FirstFrameStep,
        "lastframe": LastFrameStep,
        "linearity": LinearityStep,
        "dark_current": DarkCurrentStep,
        "reset": ResetStep,
        "persistence": PersistenceStep,
        "charge_migration": ChargeMigrationStep,
        "jump": JumpStep,
        "picture_frame": PictureFrameStep,
        "clean_flicker_noise": CleanFlickerNoiseStep,
        "ramp_fit": RampFitStep,
        "gain_scale": GainScaleStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Detector1Pipeline`."""

        save_calibrated_ramp: bool = param(False, "Save the corrected ramps that are fitted (_ramp)")

    def sequence(self, exposure: Exposure) -> Sequence[str]:
        """MIRI's steps come in another order; persistence is subtracted as soon as ramps are linear.

        Raises
        ------
        InputError
            For guide stars, which have no ramps to fit.
        """
        kind = exposure.known("exposure.type")
        if mode_of(kind).optics == "guider":
            raise InputError(f"{exposure.filename}: {kind} is an exposure of guide stars; use calwebb_guider")
        if exposure.instrument == "MIRI":
            return MIRI
        if not self.persistence.parameters.subtracts:
            return NEAR_INFRARED
        others = [name for name in NEAR_INFRARED if name != "persistence"]
        place = others.index("linearity") + 1
        return [*others[:place], "persistence", *others[place:]]

    def intermediate_products(self) -> Mapping[str, str]:
        """The calibrated ramp is what ramp_fit gets."""
        return {"ramp_fit": "ramp"} if self.save_calibrated_ramp else {}
