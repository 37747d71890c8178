"""Steps on exposures made by hand: each asks only for what it uses, and names what is missing."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.run.exposure import Exposure
from webbcal.run.registry import step_class

NY, NX = 12, 10
ONE = np.ones((NY, NX), np.float32)
LINEAR = np.stack([0 * ONE, ONE, 0 * ONE])
POINT = np.pad(np.ones((1, 1), np.float32), 1)
READ = {"exposure.nframes": 1, "exposure.groupgap": 0}
TIMES = READ | {"exposure.group_time": 10.0, "exposure.frame_time": 10.0}
CORNER = {"subarray.xstart": 1, "subarray.ystart": 1}
SPECTRAL_FLATS = ("fflat", "sflat", "dflat")
FACTOR = np.array(
    [("F200W", "CLEAR", 2.0, 0.1)],
    [("filter", "S12"), ("pupil", "S15"), ("photmjsr", "f4"), ("uncertainty", "f4")],
)
WHEELS = {"instrument.name": "NIRCAM", "instrument.filter": "F200W", "instrument.pupil": "CLEAR"}


def fitting() -> dict[str, Any]:
    return {
        "gain": datamodels.GainModel(data=2 * ONE),
        "readnoise": datamodels.ReadnoiseModel(data=5 * ONE),
    }


#: Step -> all that it needs beside the arrays: metadata and references. Nothing says where on the detector.
RAMP_STEPS: dict[str, tuple[dict[str, Any], Any]] = {
    "group_scale": ({"exposure.nframes": 2, "exposure.frame_divisor": 4}, dict),
    "dq_init": ({}, lambda: {"mask": datamodels.MaskModel(dq=np.zeros((NY, NX), np.uint32))}),
    "saturation": (
        {"exposure.nframes": 1},
        lambda: {"saturation": datamodels.SaturationModel(data=60000 * ONE), "superbias": "N/A"},
    ),
    "ipc": (CORNER, lambda: {"ipc": datamodels.IPCModel(data=POINT)}),
    "superbias": ({}, lambda: {"superbias": datamodels.SuperBiasModel(data=ONE)}),
    "linearity": ({}, lambda: {"linearity": datamodels.LinearityModel(coeffs=LINEAR)}),
    "dark_current": (READ, lambda: {"dark": datamodels.DarkModel(data=np.stack([ONE] * 8))}),
    "charge_migration": ({}, dict),
    "jump": ({"exposure.nframes": 1, "exposure.group_time": 10.0}, fitting),
    "ramp_fit": (TIMES, fitting),
}
IMAGE_STEPS: dict[str, tuple[dict[str, Any], Any]] = {
    "gain_scale": ({"exposure.gain_factor": 2.0}, lambda: {"gain": "N/A"}),
    "flat_field": (
        {},
        lambda: {"flat": datamodels.FlatModel(data=2 * ONE)} | dict.fromkeys(SPECTRAL_FLATS, "N/A"),
    ),
    "photom": (
        WHEELS | {"exposure.type": "NRC_IMAGE"},
        lambda: {"photom": datamodels.NrcImgPhotomModel(phot_table=FACTOR), "area": "N/A"},
    ),
}


def ramp(meta: dict[str, Any]) -> Any:
    model = datamodels.RampModel(
        data=np.arange(5)[None, :, None, None] * 100.0 + 500 + np.zeros((2, 5, NY, NX))
    )
    for path, value in meta.items():
        model[f"meta.{path}"] = value
    return model


def image(meta: dict[str, Any], planes: int = 0) -> Any:
    cls = datamodels.CubeModel if planes else datamodels.ImageModel
    model = cls(np.full((planes, NY, NX) if planes else (NY, NX), 3, np.float32))
    for path, value in meta.items():
        model[f"meta.{path}"] = value
    return model


def run_on(name: str, model: Any, references: dict[str, Any]) -> Any:
    step = step_class(name)(skip=False, **{f"override_{k}": v for k, v in references.items()})
    made = step.run(model)
    made = made[0] if isinstance(made, tuple) else made
    return getattr(made.meta.cal_step, step.cal_step or name)


@pytest.mark.parametrize("name", RAMP_STEPS)
def test_a_step_on_ramps_asks_for_what_it_uses(name: str) -> None:
    meta, references = RAMP_STEPS[name]
    assert run_on(name, ramp(meta), references()) == "COMPLETE"


@pytest.mark.parametrize(
    ("name", "path", "keyword"),
    [
        (name, path, keyword)
        for path, keyword in {
            "exposure.nframes": "NFRAMES",
            "exposure.groupgap": "GROUPGAP",
            "exposure.group_time": "TGROUP",
            "exposure.frame_time": "TFRAME",
            "subarray.ystart": "SUBSTRT2",
        }.items()
        for name, (meta, _) in RAMP_STEPS.items()
        if path in meta and name != "group_scale"
    ],
)
def test_what_is_missing_is_named(name: str, path: str, keyword: str) -> None:
    meta, references = RAMP_STEPS[name]
    with pytest.raises(InputError, match=rf"input model: .*{keyword} \(meta\.{path}\)") as error:
        run_on(name, ramp({p: value for p, value in meta.items() if p != path}), references())
    assert str(error.value).count("meta.") == 1


def test_group_scale_without_its_keywords_has_nothing_to_do() -> None:
    assert run_on("group_scale", ramp({}), {}) == "SKIPPED"


@pytest.mark.parametrize("planes", [0, 2])
@pytest.mark.parametrize("name", IMAGE_STEPS)
def test_a_step_on_images_asks_for_what_it_uses(name: str, planes: int) -> None:
    meta, references = IMAGE_STEPS[name]
    assert run_on(name, image(meta, planes), references()) == "COMPLETE"


def test_backgrounds_of_the_same_size_lie_upon_the_exposure() -> None:
    made = step_class("bkg_subtract")().run(image({}), [image({}), image({})])
    assert made.meta.cal_step.bkg_subtract == "COMPLETE" and np.all(made.data == 0)


def test_the_wcs_needs_the_exposure_type() -> None:
    with pytest.raises(InputError, match=r"EXP_TYPE \(meta\.exposure\.type\)"):
        run_on("assign_wcs", image({}), {})


def test_a_pipeline_names_all_that_is_missing_before_it_starts() -> None:
    with pytest.raises(InputError) as error:
        Detector1Pipeline().run(ramp({"instrument.name": "NIRCAM"}))
    for keyword in ("DETECTOR", "EXP_TYPE", "SUBSTRT1", "FASTAXIS", "TFRAME", "TGROUP", "NGROUPS"):
        assert keyword in str(error.value)
    assert "INSTRUME" not in str(error.value)


def test_what_is_there_must_make_sense() -> None:
    for path, value in {"exposure.nframes": 0, "exposure.group_time": float("nan")}.items():
        with pytest.raises(InputError, match="must be a number above 0"):
            Exposure.of_model(ramp({path: value}))
    with pytest.raises(InputError, match="NGROUPS = 9 but the SCI array has 5 groups"):
        run_on("dark_current", ramp(READ | {"exposure.ngroups": 9}), RAMP_STEPS["dark_current"][1]())


def test_a_full_frame_needs_no_corner() -> None:
    image = datamodels.ImageModel(np.zeros((2048, 2048), np.float32))
    assert Exposure.of_model(image).box == Box(0, 2048, 0, 2048)
    image.meta.instrument.name = "MIRI"
    assert not Exposure.of_model(image).has_place
