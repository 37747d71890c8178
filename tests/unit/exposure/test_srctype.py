"""``srctype``: each rule, in the order in which they count."""

import pytest

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.exposure.geometry.srctype import SourceTypeStep

SHAPE = {"SlitModel": (4, 4), "IFUImageModel": (4, 4), "ImageModel": (4, 4), "CubeModel": (2, 4, 4)}


def exposure(exp_type, cls="SlitModel", **values):
    """Return a small model of an exposure type with these metadata."""
    model = getattr(datamodels, cls)() if cls == "MultiSlitModel" else getattr(datamodels, cls)(SHAPE[cls])
    model.meta.exposure.type = exp_type
    model.meta.filename = "jw_cal.fits"
    for name, value in values.items():
        model[f"meta.{name.replace('__', '.')}"] = value
    return model


@pytest.mark.parametrize(
    "values, given, expected",
    [
        ({}, None, "POINT"),
        ({"target__source_type_apt": "EXTENDED"}, None, "EXTENDED"),
        ({"target__source_type_apt": "UNKNOWN", "dither__primary_type": "2-POINT-NOD"}, None, "POINT"),
        ({"target__source_type": "EXTENDED"}, None, "EXTENDED"),
        ({"target__source_type_apt": "POINT", "observation__bkgdtarg": True}, None, "EXTENDED"),
        ({"target__source_type_apt": "EXTENDED", "visit__tsovisit": True}, None, "POINT"),
        (
            {"target__source_type_apt": "EXTENDED", "visit__tsovisit": True, "exposure__nints": 1},
            None,
            "EXTENDED",
        ),
        ({"target__source_type_apt": "POINT", "observation__bkgdtarg": True}, "POINT", "POINT"),
        ({"target__source_type_apt": "POINT"}, "EXTENDED", "EXTENDED"),
    ],
)  # fmt: skip
def test_one_target(values, given, expected):
    model = SourceTypeStep(source_type=given).run(exposure("MIR_LRS-FIXEDSLIT", **values))
    assert model.meta.target.source_type == model.source_type == expected
    assert model.meta.cal_step.srctype == "COMPLETE"


def test_integral_fields_are_extended_unless_the_pattern_is_of_points():
    for exp_type, pattern in (
        ("MIR_MRS", {"dither__optimized_for": "POINT-SOURCE"}),
        ("NRS_IFU", {"dither__primary_type": "2-POINT-NOD"}),
    ):
        assert SourceTypeStep().run(exposure(exp_type, "IFUImageModel")).meta.target.source_type == "EXTENDED"
        told = exposure(exp_type, "IFUImageModel", **pattern)
        assert SourceTypeStep().run(told).meta.target.source_type == "POINT"


def test_only_the_primary_fixed_slit_has_the_target():
    model = exposure("NRS_FIXEDSLIT", "MultiSlitModel", instrument__fixed_slit="S400A1")
    for name in ("S200A1", "S400A1"):
        model.slits.append(model.slits.item(name=name, source_xpos=0.3))
    assert [s.source_type for s in SourceTypeStep().run(model).slits] == ["EXTENDED", "POINT"]
    extended = SourceTypeStep(source_type="EXTENDED").run(model)
    assert [s.source_xpos for s in extended.slits] == [0.3, 0.0]


def test_micro_shutters_by_stellarity():
    model = exposure("NRS_MSASPEC", "MultiSlitModel", target__source_type="POINT")
    for stellarity in (-1.0, 0.0, 0.75, 0.76):
        model.slits.append(model.slits.item(stellarity=stellarity))
    result = SourceTypeStep().run(model)
    assert [s.source_type for s in result.slits] == ["POINT", "EXTENDED", "EXTENDED", "POINT"]
    assert result.meta.target.source_type is None


def test_a_type_given_for_fields_is_said_to_do_nothing(caplog):
    model = exposure("NRC_WFSS", "MultiSlitModel")
    model.slits.append(model.slits.item(is_extended=True))
    assert SourceTypeStep(source_type="POINT").run(model).slits[0].source_type == "EXTENDED"
    assert "srctype.source_type has no effect" in caplog.text


@pytest.mark.parametrize("exp_type", ["NRC_WFSS", "NIS_WFSS", "MIR_WFSS"])
def test_grisms_by_the_catalogue(exp_type):
    model = exposure(exp_type, "MultiSlitModel")
    for extended in (True, False):
        model.slits.append(model.slits.item(is_extended=extended))
    assert [s.source_type for s in SourceTypeStep().run(model).slits] == ["EXTENDED", "POINT"]


def test_images_are_unknown_and_missing_slits_are_said():
    assert SourceTypeStep().run(exposure("NRC_IMAGE", "ImageModel")).meta.target.source_type == "UNKNOWN"
    assert SourceTypeStep().run(exposure("NRC_TSIMAGE", "CubeModel")).meta.target.source_type == "POINT"
    with pytest.raises(InputError, match="run extract_2d first"):
        SourceTypeStep().run(exposure("NRC_WFSS", "ImageModel"))
    with pytest.raises(InputError, match="no EXP_TYPE"):
        SourceTypeStep().run(exposure(None, "ImageModel"))


def test_a_plan_leaves_the_model_as_it_is():
    model = datamodels.ImageModel((4, 5))
    model.meta.exposure.type = "MIR_LRS-FIXEDSLIT"
    model.meta.target.source_type_apt = "EXTENDED"
    seen = SourceTypeStep().foresee(model)
    assert (seen.meta.target.source_type, seen.shape) == ("EXTENDED", model.shape)
    assert model.meta.target.source_type is None
