"""What the field's tutorials do in stage 1 (two notebooks of 2021), operation by operation."""

import copy
from pathlib import Path
from typing import Any

import asdf
import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.datamodels import dqflags
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.detector1 import Detector1Pipeline


@pytest.fixture
def uncal_file(crds: Any) -> str:
    """The raw exposure in the working directory, as the notebooks have it."""
    name: str = crds.uncal[0].name
    Path(name).symlink_to(crds.uncal[0])
    return name


def test_imaging_run_method(uncal_file: str) -> None:
    detector1 = Detector1Pipeline()
    detector1.output_dir = "./"
    detector1.save_results = True
    detector1.refpix.use_side_ref_pixels = True
    detector1.linearity.save_results = True
    detector1.jump.rejection_threshold = 6
    detector1.persistence.input_trapsfilled = "jw98765001001_01101_00002_nrcb5_trapsfilled.fits"
    run_output = detector1.run(uncal_file)
    rate_file = uncal_file.replace("uncal.fits", "rate.fits")
    np.testing.assert_array_equal(fits.getdata(rate_file), run_output.data)
    linear = fits.getdata(rate_file.replace("rate.fits", "linearity.fits"))
    assert linear[0, -1, :, :].shape == (64, 64)


def test_imaging_call_method_with_a_parameter_file(uncal_file: str) -> None:
    tree = {
        "class": "jwst.pipeline.calwebb_detector1.Detector1Pipeline",
        "name": "Detector1Pipeline",
        "parameters": {"save_results": True, "output_dir": "by_file"},
        "steps": [
            {"class": "jwst.refpix.refpix_step.RefPixStep", "name": "refpix",
             "parameters": {"use_side_ref_pixels": False}},
            {"class": "jwst.jump.jump_step.JumpStep", "name": "jump",
             "parameters": {"rejection_threshold": 6}},
        ],
    }  # fmt: skip
    asdf.AsdfFile(tree).write_to("detector1_modified.asdf")
    by_file = Detector1Pipeline.call(uncal_file, config_file="detector1_modified.asdf")
    assert Path("by_file", uncal_file.replace("uncal", "rate")).exists()
    parameter_dict = {"refpix": {"use_side_ref_pixels": False}, "jump": {"rejection_threshold": 6}}
    by_dict = Detector1Pipeline.call(
        uncal_file, output_dir="by_dict", save_results=True, steps=parameter_dict
    )
    np.testing.assert_array_equal(by_file.data, by_dict.data)
    refpix = {"class": "jwst.refpix.refpix_step.RefPixStep", "name": "RefPixStep",
              "parameters": {"side_smoothing_length": 51}}  # fmt: skip
    asdf.AsdfFile(refpix).write_to("refpix_paramfile.asdf")
    superbias = SuperBiasStep().run(uncal_file)
    RefPixStep.call(superbias, output_dir="./", save_results=True, config_file="refpix_paramfile.asdf")
    assert Path(uncal_file.replace("uncal", "refpixstep")).exists()


def test_imaging_step_by_step(uncal_file: str) -> None:
    base = uncal_file.replace("uncal.fits", "")

    def run(step: Any, init: Any) -> Any:
        step.output_dir = "./"
        step.save_results = True
        return step.run(init)

    dq_init = run(DQInitStep(), uncal_file)
    assert Path(f"{base}dqinitstep.fits").exists()
    assert (dq_init.pixeldq.flatten() == 0).sum() > 0
    saturation = run(SaturationStep(), dq_init)
    saturated = (saturation.groupdq & dqflags.pixel["SATURATED"]) > 0
    assert saturated.shape == saturation.data.shape
    copied = copy.deepcopy(saturation.data[0, :, 5, 5])
    copied[~saturated[0, :, 5, 5]] = np.nan
    superbias = run(SuperBiasStep(), saturation)
    assert superbias.data[0, 0, :, :].shape == (64, 64)
    no_side = RefPixStep()
    no_side.output_file = "refpix_test_no_side_pixels"
    no_side.use_side_ref_pixels = False
    run(no_side, superbias)
    assert Path("refpix_test_no_side_pixels_refpixstep.fits").exists()
    refpix = run(RefPixStep(), f"{base}superbiasstep.fits")
    linearity = run(LinearityStep(), refpix)
    assert np.median(linearity.data[0, 3] - refpix.data[0, 3]) != 0
    dark = run(DarkCurrentStep(), linearity)
    jump_step = JumpStep()
    jump_step.rejection_threshold = 9
    jump = run(jump_step, dark)
    flags = (jump.groupdq & dqflags.pixel["JUMP_DET"]) > 0
    assert 0 < np.sum(flags[0], axis=0).astype(bool).sum() < 64 * 64
    fit_step = RampFitStep()
    fit_step.save_opt = True
    ramp_fit = run(fit_step, jump)
    assert type(ramp_fit) is tuple
    assert (ramp_fit[0].shape, ramp_fit[1].shape) == ((64, 64), (2, 64, 64))
    assert ramp_fit[0].meta.bunit_data == "DN/s"
    for name in ("0_rampfitstep", "1_rampfitstep", "darkcurrentstep", "jumpstep", "linearitystep"):
        assert Path(f"{base}{name}.fits").exists()
    with fits.open(f"{base}fitopt.fits") as hdulist:
        intercepts = hdulist["YINT"].data[0, 0, :, :]
    times = np.arange(ramp_fit[0].meta.exposure.ngroups) * ramp_fit[0].meta.exposure.group_time
    quiet = ~flags[0].any(axis=0) & (ramp_fit[1].dq[0] == 0)
    line = intercepts + ramp_fit[1].data[0] * times[:, None, None]
    residual = (jump.data[0] - line)[:, quiet]
    assert abs(np.median(residual)) < 5


def test_time_series(uncal_file: str, crds: Any) -> None:
    uncal_data = datamodels.open(uncal_file)
    uncal_data.meta.dither.dither_points = int(uncal_data.meta.dither.dither_points or 1)
    dq_results = DQInitStep.call(uncal_data, output_dir="outputs", save_results=True)
    special = np.where((dq_results.pixeldq != 0) & (dq_results.pixeldq != 2147483648))
    assert len(special) == 2
    saturation_results = SaturationStep.call(dq_results, output_dir="outputs", save_results=True)
    name = saturation_results.meta.ref_file.saturation.name
    folder = Path(crds.environment["CRDS_PATH"], "references/jwst/nircam")
    assert fits.open(folder / name[7:])[1].data.shape == (64, 64)
    saturation_results.groupdq[0, 2:, 12, 12] = 2
    reference = next(folder.glob("*superbias*"))
    superbias = SuperBiasStep.call(
        saturation_results, output_dir="outputs", override_superbias=str(reference), save_results=True
    )
    assert superbias.meta.ref_file.superbias.name == str(reference)
    linearity = LinearityStep.call(RefPixStep.call(superbias))
    assert (linearity.groupdq[0, 2:, 12, 12] & 2).all()
    assert linearity.data.shape == superbias.data.shape


def test_logging_configuration(uncal_file: str) -> None:
    Path("pipeline-log.cfg").write_text("[*]\nhandler = file:pipeline.log\nlevel = INFO\n")
    Detector1Pipeline.call(uncal_file, logcfg="pipeline-log.cfg")
    assert "step jump with" in Path("pipeline.log").read_text()


def test_specs_print() -> None:
    assert "side_smoothing_length = integer(default=11)" in RefPixStep.spec
    assert "suppress_one_group = boolean(default=True)" in str(RampFitStep.spec)
