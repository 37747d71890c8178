"""Steps on whole frames beside steps on rows: in any order, alone, saved on the way, and in a pipeline.

The step of these tests subtracts the median of each column of each group, which no block of rows can know.
"""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.ipc import IPCStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.run.block_step import BlockStep
from webbcal.run.engine import block_plan, passes, tiling
from webbcal.run.engine.tiling import Cut, Tiling
from webbcal.run.pipeline import Pipeline

RATES = ("data", "err", "dq", "var_poisson", "var_rnoise")
RAMP = ("data", "groupdq", "pixeldq")


class ColumnMedianStep(BlockStep):
    """Subtract the median of each column of each group."""

    class_alias = "column_median"
    tiling = Tiling.FRAMES

    def apply(self, block: Any, references: Any, p: Any, state: Any) -> Any:
        assert block.box == block.interior and block.data.shape[-2:] == (64, 64)
        block.data -= np.median(block.data, axis=-2, keepdims=True)
        return block


class SecondMedianStep(ColumnMedianStep):
    class_alias = "second_median"


def pipeline_of(*names: str) -> type[Pipeline]:
    """Return a pipeline with steps on frames among those of stage 1, in this order."""
    steps = {
        "dq_init": DQInitStep, "saturation": SaturationStep, "ipc": IPCStep, "superbias": SuperBiasStep,
        "refpix": RefPixStep, "linearity": LinearityStep, "jump": JumpStep, "ramp_fit": RampFitStep,
        "gain_scale": GainScaleStep, "column_median": ColumnMedianStep, "second_median": SecondMedianStep,
    }  # fmt: skip

    class Mixed(Pipeline):
        step_defs = {name: steps[name] for name in names}
        product_suffixes = {"image": "rate", "ints": "rateints", "ramp": "ramp"}

    return Mixed


ROWS_STEPS = ("dq_init", "saturation", "superbias", "refpix", "linearity", "jump", "ramp_fit", "gain_scale")
ORDERS = {
    "in front": ("column_median", *ROWS_STEPS),
    "between": (*ROWS_STEPS[:4], "column_median", *ROWS_STEPS[4:]),
    "before a measurement": (*ROWS_STEPS[:3], "column_median", *ROWS_STEPS[3:]),
    "behind": (*ROWS_STEPS[:6], "column_median"),
    "alone with its kind": ("column_median", "second_median"),
    "twice": ("dq_init", "column_median", *ROWS_STEPS[1:5], "second_median", *ROWS_STEPS[5:]),
}


def one_by_one(names: tuple[str, ...], init: Any) -> Any:
    """Run the steps of an order by themselves, each on the whole model that the one before has made."""
    model = init
    for cls in pipeline_of(*names).step_defs.values():
        model = cls().run(model)
        model = model[0] if isinstance(model, tuple) and cls is not RampFitStep else model
        if isinstance(model, tuple):
            return [GainScaleStep().run(m) for m in model]
    return [model]


@pytest.mark.parametrize("kept", [0, 1 << 30], ids=["scratch", "memory"])
@pytest.mark.parametrize("order", ORDERS)
def test_any_order(crds: Any, monkeypatch: pytest.MonkeyPatch, order: str, kept: int) -> None:
    names = ORDERS[order]
    expected = one_by_one(names, crds.uncal[0])
    monkeypatch.setattr(block_plan.BlockPlan, "kept_bytes", property(lambda self: kept))
    monkeypatch.setattr(passes, "cut_rows", lambda shape, halo, threads: Cut(17, 1, shape[1], 20))
    monkeypatch.setattr(tiling, "FRAMES_BYTES", 4 * 64 * 64 * 4)  # four of six groups at a time
    mixed = pipeline_of(*names)(save_results=True)
    mixed.run(crds.uncal[0])
    root = crds.uncal[0].name.removesuffix("_uncal.fits")
    kinds = ("rate", "rateints") if len(expected) == 2 else ("ramp",)
    for kind, wanted in zip(kinds, expected, strict=True):
        with datamodels.open(f"{root}_{kind}.fits") as got:
            for name in RATES if kind != "ramp" else RAMP:
                np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)


def test_it_is_what_it_says(crds: Any) -> None:
    model = DQInitStep().run(crds.uncal[0])
    result = ColumnMedianStep().run(model)
    np.testing.assert_array_equal(result.data, model.data - np.median(model.data, axis=2, keepdims=True))
    assert result.meta.cal_step.instance.get("column_median", "COMPLETE") == "COMPLETE"


def test_saved_on_the_way(crds: Any) -> None:
    names = ORDERS["between"]
    mixed = pipeline_of(*names)(save_results=True)
    for name in ("refpix", "column_median", "linearity"):
        getattr(mixed, name).save_results = True
    mixed.run(crds.uncal[0])
    root = crds.uncal[0].name.removesuffix("_uncal.fits")
    for count, name in ((4, "refpix"), (5, "column_median"), (6, "linearity")):
        (expected,) = one_by_one(names[:count], crds.uncal[0])
        with datamodels.open(f"{root}_{name}.fits") as got:
            for array in RAMP:
                np.testing.assert_array_equal(getattr(got, array), getattr(expected, array), err_msg=name)


def test_the_plan_tells_passes_and_scratch(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = pipeline_of(*ORDERS["between"])().plan(crds.uncal[0])
    text = "\n".join(plan.passes)
    assert text.index("dq_init → saturation") < text.index("whole frames") < text.index("linearity → jump")
    assert text.count("keep the ramps in memory: 0 MB") == 2 and plan.scratch_bytes == 0
    memory = plan.memory
    monkeypatch.setattr(block_plan.BlockPlan, "kept_bytes", property(lambda self: 0))
    plan = pipeline_of(*ORDERS["between"])().plan(crds.uncal[0])
    assert "keep the ramps in scratch space" in "\n".join(plan.passes)
    ramps = 5 * 2 * 6 * 64 * 64
    assert plan.scratch_bytes == ramps
    assert plan.memory == memory - ramps


def test_a_full_scratch_folder_is_named(crds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_plan.BlockPlan, "kept_bytes", property(lambda self: 0))
    monkeypatch.setenv("WEBBCAL_SCRATCH", "/nowhere")
    with pytest.raises(OSError, match=r"scratch space in /nowhere .*WEBBCAL_SCRATCH"):
        pipeline_of(*ORDERS["between"])().run(crds.uncal[0])
