"""calwebb_spec2: from count rates to calibrated, rectified and extracted spectra."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webbcal import datamodels
from webbcal.associations.association import Association, Product
from webbcal.combine.rectified.resample_spec import ResampleSpecStep
from webbcal.core.errors import InputError, PlanError
from webbcal.core.modes import mode_of
from webbcal.detector.clean_flicker_noise import CleanFlickerNoiseStep
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.contamination.wfss_contam import WfssContamStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.geometry.extract_2d import Extract2dStep
from webbcal.exposure.geometry.field_agreement import check_together
from webbcal.exposure.geometry.field_files import FieldFiles
from webbcal.exposure.geometry.srctype import SourceTypeStep
from webbcal.exposure.geometry.targ_centroid import TargCentroidStep
from webbcal.exposure.images import why_no_image
from webbcal.exposure.repair.badpix_selfcal import BadpixSelfcalStep
from webbcal.exposure.repair.pixel_replace import PixelReplaceStep
from webbcal.exposure.response.electron_rate import ElectronRateStep
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.exposure.response.pathloss import PathLossStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline import other_modes
from webbcal.pipeline.exposure_pipeline import INTS, ExposurePipeline, kind_of, warn_if_empty
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import refuse_twice
from webbcal.run.script import Branch, Script, Task, Turn
from webbcal.run.script import Product as Final
from webbcal.spectra.extract_1d import Extract1dStep

log = logging.getLogger(__name__)

#: What comes after what all modes have in common, by optics.
_CHAINS = {
    "grism": (
        *("flat_field", "extract_2d", "srctype", "straylight", "fringe", "pathloss", "barshadow"),
        *("wfss_contam", "photom"),
    ),
    "soss": ("srctype", "flat_field", "straylight", "fringe", "pathloss", "barshadow"),
    "slit": (
        *("srctype", "targ_centroid", "straylight", "flat_field", "fringe", "pathloss", "barshadow"),
        *("photom", "residual_fringe"),
    ),
}
_CHAINS["slitless"] = _CHAINS["slit"]
#: MIRI's grism spectra go without what the others' do not get either, and without `wfss_contam`.
_MIRI_GRISM = ("flat_field", "extract_2d", "srctype", "pathloss", "photom")
#: What `wfss_contam` takes sources from.
_MAPS = ("direct_image", "segmentation")


class Spec2Pipeline(ExposurePipeline):
    """Attach the WCS, subtract backgrounds, cut out, calibrate, rectify, extract (`_cal`, `_s2d`, `_x1d`)."""

    class_alias = "calwebb_spec2"
    makes = "spectra"
    step_defs = {
        "assign_wcs": AssignWcsStep,
        "badpix_selfcal": BadpixSelfcalStep,
        "msa_flagging": other_modes.MSAFlagOpenStep,
        "clean_flicker_noise": CleanFlickerNoiseStep,
        "bkg_subtract": BackgroundStep,
        "imprint_subtract": other_modes.ImprintStep,
        "extract_2d": Extract2dStep,
        "master_background_mos": other_modes.MasterBackgroundMosStep,
        "targ_centroid": TargCentroidStep,
        "wavecorr": other_modes.WavecorrStep,
        "flat_field": FlatFieldStep,
        "srctype": SourceTypeStep,
        "straylight": other_modes.StraylightStep,
        "fringe": other_modes.FringeStep,
        "residual_fringe": other_modes.ResidualFringeStep,
        "pathloss": PathLossStep,
        "barshadow": other_modes.BarShadowStep,
        "wfss_contam": WfssContamStep,
        "photom": PhotomStep,
        "adaptive_trace_model": other_modes.AdaptiveTraceModelStep,
        "pixel_replace": PixelReplaceStep,
        "resample_spec": ResampleSpecStep,
        "cube_build": other_modes.CubeBuildStep,
        "extract_1d": Extract1dStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Spec2Pipeline`."""

        save_bsub: bool = param(False, "Save background-subtracted rates (bkg_subtract.save_results)")
        fail_on_exception: bool = param(True, "Does nothing: a product that fails ends the run")
        save_wfss_esec: bool = param(False, "Save the flat-fielded image in e-/s (_esec; WFSS)")

    def why_unfit(self, model: Any) -> str | None:
        """Return why the pipeline does not take an exposure, or None.

        Raises
        ------
        PlanError
            For modes that webbcal does not calibrate yet.
        """
        reason, exp_type = why_no_image(model), str(model.meta.exposure.type).upper()
        optics = mode_of(exp_type).optics
        if reason is None and optics in ("image", "none", "guider"):
            reason = (
                f"makes spectra, but the exposure is an image (EXP_TYPE {exp_type}): calwebb_image2 is for it"
            )
        elif reason is None and (optics not in _CHAINS or exp_type.startswith("NRS_")):
            raise PlanError(
                f"{model.meta.filename}: spectra of EXP_TYPE {exp_type} are not calibrated by this version "
                "of webbcal; MIR_LRS, NIS_SOSS and the grisms (WFSS, NRC_TSGRISM) are"
            )
        return reason

    def prepared(self, model: Any, product: Product, association: Association) -> Any:
        """Tell an exposure of the field which catalogue, segmentation map and direct image belong to it.

        Raises
        ------
        InputError
            If a field of spectra has no catalogue.
        """
        if not _is_field(model):
            return model
        files = self._field(model, product, association)
        files.name_in(model.meta)
        files.needed("catalog", str(model.meta.filename))
        self._check_field(files, model)
        return model

    def _check_field(self, files: FieldFiles, model: Any) -> None:
        """Look whether segmentation map and direct image are there, and of one mosaic.

        Raises
        ------
        InputError
            If they are not, and are wanted.
        """
        wanted = "wfss_contam" in _names_of(model) and not self.wfss_contam.is_left_out
        if not wanted and (files.direct_image is None or files.segmentation is None):
            return
        try:
            image, labels = (files.needed(field, str(model.meta.filename)) for field in _MAPS)
            with self.open_model(image) as direct, self.open_model(labels) as segmentation:
                check_together(direct, segmentation)
        except InputError as error:
            if wanted:
                raise
            log.warning("%s (nothing here needs them: wfss_contam is left out)", error)

    def _field(self, model: Any, product: Product, association: Association) -> FieldFiles:
        """Return the files of an exposure's field: members of its product, or else those that it names."""
        files = FieldFiles.of_product(product, association.resolve)
        (member, *_) = product.science
        return files if files.catalog else FieldFiles.of_model(model, association.resolve(member).parent)

    def script(self, model: Any, product: Product, association: Association) -> Script:
        """Return the steps in their order; see `ExposurePipeline.script`."""
        members = _Members(product, association)
        field = (self._field(model, product, association),) if _is_field(model) else ()
        ints, alias = INTS[kind_of(model)], str(self.class_alias)
        path = self.make_output_path(suffix=self.product_suffixes[kind_of(model)])
        background = self._background(model, members, field, ints)
        chain = self._chain(model, members, field)
        refuse_twice(
            model, [t.step for t in (background, *chain) if isinstance(t, Task) and t.step.only_once]
        )
        return [
            Task(self.assign_wcs),
            Task(self.badpix_selfcal, (members("selfcal"), members("background"))),
            Task(self.msa_flagging),
            Task(self.clean_flicker_noise.arranged(f"{alias}: only for NIRSpec", skip=True)),
            Task(self.imprint_subtract),
            background,
            *chain,
            Final(path, self.streams, warn_if_empty),
            Branch(),
            Task(self.adaptive_trace_model),
            Task(self.pixel_replace),
            *self._rectified(model),
            *self._extracted(model, alias, f"x1d{ints}"),
        ]

    def _background(self, model: Any, members: _Members, field: tuple[FieldFiles, ...], ints: str) -> Task:
        """Return the subtraction of backgrounds: of exposures, or of a template that CRDS has."""
        template = mode_of(model.meta.exposure.type).has("template")
        backgrounds = members("background") or None
        keeps = self.bkg_subtract.save_results or (self.save_bsub and bool(template or backgrounds))
        step = self.bkg_subtract.arranged(str(self.class_alias), save_results=keeps, suffix=f"bsub{ints}")
        return Task(step, (backgrounds,), beside=field)

    def _chain(self, model: Any, members: _Members, field: tuple[FieldFiles, ...]) -> list[Task | Turn]:
        """Return the steps that depend on the optics."""
        exp_type, names = str(model.meta.exposure.type).upper(), _names_of(model)
        beside: dict[str, tuple[Any, ...]] = {"extract_2d": field, "wfss_contam": field}
        beside["targ_centroid"] = tuple(members("target_acquisition")[:1])
        chain: list[Task | Turn] = [Task(getattr(self, name), beside=beside.get(name, ())) for name in names]
        if mode_of(exp_type).optics in ("slit", "slitless"):
            return [Turn(as_slit), *chain]
        if self.save_wfss_esec and _is_field(model):
            electrons = ElectronRateStep("electron_rate", self, save_results=True, suffix="esec")
            chain.insert(0 if exp_type == "MIR_WFSS" else 1, Task(electrons, aside=True))
        return chain

    def _rectified(self, model: Any) -> list[Task]:
        """Return what makes a rectified product, if the mode has one."""
        resample = self.resample_spec.arranged(str(self.class_alias), save_results=self.saves, suffix="s2d")
        is_slit = mode_of(model.meta.exposure.type).optics == "slit" and kind_of(model) == "image"
        return [Task(resample)] if is_slit else []

    def _extracted(self, model: Any, alias: str, suffix: str) -> list[Task]:
        """Return the extraction; spectra of SOSS are calibrated after it."""
        if mode_of(model.meta.exposure.type).optics != "soss":
            return [Task(self.extract_1d.arranged(alias, save_results=self.saves, suffix=suffix))]
        photom = self.photom.arranged(alias, save_results=self.saves, suffix=suffix)
        return [Task(self.extract_1d.arranged(alias, save_results=False)), Task(photom)]


class _Members:
    """The members of a product by their roles."""

    def __init__(self, product: Product, association: Association) -> None:
        self._product, self._association = product, association

    def __call__(self, role: str) -> Sequence[Any]:
        """Return models and paths of the members that have a role."""
        return [m.model or self._association.resolve(m) for m in self._product.members_of(role)]


def _names_of(model: Any) -> Sequence[str]:
    """Return the steps that depend on the optics, in their order."""
    exp_type = str(model.meta.exposure.type).upper()
    return _MIRI_GRISM if exp_type == "MIR_WFSS" else _CHAINS[mode_of(exp_type).optics]


def _is_field(model: Any) -> bool:
    """Tell whether an exposure is of a field of many spectra."""
    return mode_of(model.meta.exposure.type).is_wide_field


def as_slit(model: Any) -> Any:
    """Return an image or integrations as a slit that is as large as the subarray."""
    slit = datamodels.SlitModel(model)
    for name in ("xstart", "ystart", "xsize", "ysize"):
        setattr(slit, name, getattr(model.meta.subarray, name))
    return slit
