"""Names of steps and pipelines: aliases, class names, and the paths that scripts for jwst use."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError
from webbcal.run.parameters import suggestion

#: Alias -> module and class.
STEPS: dict[str, tuple[str, str]] = {
    "calwebb_detector1": ("webbcal.pipeline.detector1", "Detector1Pipeline"),
    "calwebb_dark": ("webbcal.pipeline.dark", "DarkPipeline"),
    "group_scale": ("webbcal.detector.group_scale", "GroupScaleStep"),
    "dq_init": ("webbcal.detector.dq_init", "DQInitStep"),
    "saturation": ("webbcal.detector.saturation", "SaturationStep"),
    "ipc": ("webbcal.detector.ipc", "IPCStep"),
    "superbias": ("webbcal.detector.superbias", "SuperBiasStep"),
    "refpix": ("webbcal.detector.refpix", "RefPixStep"),
    "linearity": ("webbcal.detector.linearity", "LinearityStep"),
    "dark_current": ("webbcal.detector.dark_current", "DarkCurrentStep"),
    "charge_migration": ("webbcal.detector.charge_migration", "ChargeMigrationStep"),
    "jump": ("webbcal.detector.jump", "JumpStep"),
    "ramp_fit": ("webbcal.detector.ramp_fit", "RampFitStep"),
    "gain_scale": ("webbcal.detector.gain_scale", "GainScaleStep"),
    "calwebb_image2": ("webbcal.pipeline.image2", "Image2Pipeline"),
    "bkg_subtract": ("webbcal.exposure.background.bkg_subtract", "BackgroundStep"),
    "assign_wcs": ("webbcal.exposure.geometry.assign_wcs", "AssignWcsStep"),
    "srctype": ("webbcal.exposure.geometry.srctype", "SourceTypeStep"),
    "extract_2d": ("webbcal.exposure.geometry.extract_2d", "Extract2dStep"),
    "wfss_contam": ("webbcal.exposure.contamination.wfss_contam", "WfssContamStep"),
    "flat_field": ("webbcal.exposure.response.flat_field", "FlatFieldStep"),
    "photom": ("webbcal.exposure.response.photom", "PhotomStep"),
    "targ_centroid": ("webbcal.exposure.geometry.targ_centroid", "TargCentroidStep"),
    "pathloss": ("webbcal.exposure.response.pathloss", "PathLossStep"),
    "pixel_replace": ("webbcal.exposure.repair.pixel_replace", "PixelReplaceStep"),
    "outlier_detection": ("webbcal.combine.outliers.outlier_detection", "OutlierDetectionStep"),
    "resample": ("webbcal.combine.mosaic.resample", "ResampleStep"),
    "resample_spec": ("webbcal.combine.rectified.resample_spec", "ResampleSpecStep"),
    "tweakreg": ("webbcal.combine.alignment.tweakreg", "TweakRegStep"),
    "skymatch": ("webbcal.combine.sky.skymatch", "SkyMatchStep"),
    "source_catalog": ("webbcal.combine.sources.source_catalog", "SourceCatalogStep"),
    "calwebb_image3": ("webbcal.pipeline.image3", "Image3Pipeline"),
    "assign_mtwcs": ("webbcal.combine.alignment.moving_target", "AssignMTWcsStep"),
    "calwebb_spec2": ("webbcal.pipeline.spec2", "Spec2Pipeline"),
    "calwebb_spec3": ("webbcal.pipeline.spec3", "Spec3Pipeline"),
    "msa_flagging": ("webbcal.pipeline.other_modes", "MSAFlagOpenStep"),
    "imprint": ("webbcal.pipeline.other_modes", "ImprintStep"),
    "master_background_mos": ("webbcal.pipeline.other_modes", "MasterBackgroundMosStep"),
    "wavecorr": ("webbcal.pipeline.other_modes", "WavecorrStep"),
    "straylight": ("webbcal.pipeline.other_modes", "StraylightStep"),
    "fringe": ("webbcal.pipeline.other_modes", "FringeStep"),
    "residual_fringe": ("webbcal.pipeline.other_modes", "ResidualFringeStep"),
    "barshadow": ("webbcal.pipeline.other_modes", "BarShadowStep"),
    "spectral_leak": ("webbcal.pipeline.other_modes", "SpectralLeakStep"),
    "adaptive_trace_model": ("webbcal.pipeline.other_modes", "AdaptiveTraceModelStep"),
    "cube_build": ("webbcal.pipeline.other_modes", "CubeBuildStep"),
    "badpix_selfcal": ("webbcal.exposure.repair.badpix_selfcal", "BadpixSelfcalStep"),
    "emicorr": ("webbcal.detector.emicorr", "EmiCorrStep"),
    "rscd": ("webbcal.detector.rscd", "RscdStep"),
    "firstframe": ("webbcal.detector.firstframe", "FirstFrameStep"),
    "lastframe": ("webbcal.detector.lastframe", "LastFrameStep"),
    "reset": ("webbcal.detector.reset", "ResetStep"),
    "persistence": ("webbcal.detector.persistence", "PersistenceStep"),
    "picture_frame": ("webbcal.detector.picture_frame", "PictureFrameStep"),
    "calwebb_guider": ("webbcal.pipeline.guider", "GuiderPipeline"),
    "combine_1d": ("webbcal.spectra.combine_1d", "Combine1dStep"),
    "master_background": ("webbcal.spectra.master_background", "MasterBackgroundStep"),
    "extract_1d": ("webbcal.spectra.extract_1d", "Extract1dStep"),
    "guider_cds": ("webbcal.detector.guider_cds", "GuiderCdsStep"),
    "clean_flicker_noise": ("webbcal.detector.clean_flicker_noise", "CleanFlickerNoiseStep"),
}
#: Names that jwst once had. Time series go through the same pipeline: its steps see for themselves.
FORMER = {"calwebb_tso-image2": "calwebb_image2", "calwebb_tso-spec2": "calwebb_spec2"}
_BY_CLASS = {cls: alias for alias, (_, cls) in STEPS.items()}


def step_class(name: str) -> Any:
    """Return the class of an alias, a class name, or a dotted path whose last part is one.

    Paths of the `jwst` package are understood by their last part; other paths are imported.

    Raises
    ------
    ParameterError
        For a name that is neither.
    """
    name = FORMER.get(name, name)
    last = name.rpartition(".")[2]
    alias = name if name in STEPS else _BY_CLASS.get(last)
    if alias is not None and (alias == name or not _is_foreign(name)):
        module, cls = STEPS[alias]
        return getattr(importlib.import_module(module), cls)
    if _is_foreign(name) or name.rpartition(".")[0] in sys.modules or (name != last and _is_stood_in()):
        return _imported(name)
    known = [*STEPS, *_BY_CLASS]
    raise ParameterError(
        f"{name!r} is not a step, pipeline or parameter file{suggestion(name, known)} "
        f"(known: {', '.join(STEPS)})"
    )


def imported(name: str) -> Any:
    """Import a user's function or class by its dotted path; modules in the working directory are found last.

    Raises
    ------
    ImportError, AttributeError
        If there is none.
    """
    module_name, _, attribute = name.rpartition(".")
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        return getattr(importlib.import_module(module_name), attribute)
    finally:
        sys.path.remove(here)


def import_path(thing: Any) -> str | None:
    """Return the dotted path by which a function or class is imported; None where there is none."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(name, str) or not isinstance(module, str) or module == "__main__":
        return None
    return f"{module}.{name}" if getattr(sys.modules.get(module), name, None) is thing else None


def _imported(name: str) -> Any:
    """Import a user's own step."""
    attribute = name.rpartition(".")[2]
    try:
        found = imported(name)
    except (ImportError, AttributeError) as error:
        raise ParameterError(f"cannot import step {name!r}: {error}") from None
    if not hasattr(found, "step_defs"):
        raise ParameterError(f"{name!r} is no step: {attribute} does not derive from webbcal.run.step.Step")
    return found


def _is_stood_in() -> bool:
    """Tell whether `jwst` is webbcal in this process: then what is found below it is the user's, or ours."""
    return "webbcal" in getattr(sys.modules.get("jwst"), "__version__", "")


def _is_foreign(name: str) -> bool:
    return "." in name and not name.startswith(("jwst.", "webbcal."))
