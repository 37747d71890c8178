"""Bad pixels found in the exposures themselves, beside jwst 3.0.0: flags bit for bit."""

import numpy as np
import pytest
from peer_process import assert_same, needs_peer, run_peer

from webbcal import datamodels
from webbcal.core.errors import InputError, ParameterError
from webbcal.exposure.repair.badpix_selfcal import BadpixSelfcalStep
from webbcal.run.registry import step_class


def stack_of(count, shape, seed=1):
    rng = np.random.default_rng(seed)
    sky = rng.normal(5.0, 0.5, shape) + np.linspace(0, 4, shape[1])
    stack = (sky + rng.normal(0, 0.3, (count, *shape))).astype(np.float32)
    hot = rng.random(shape) < 0.002
    stack[:, hot] += 50.0
    stack[rng.random(stack.shape) < 0.01] = np.nan
    stack[:, rng.random(shape) < 0.003] = np.nan
    return stack


CASES = [
    {"stack": stack_of(n, shape, n), "axis": axis, "detector": detector, "parameters": parameters}
    for n, shape, axis, detector, parameters in (
        (4, (90, 70), 1, "MIRIMAGE", {}),
        (2, (90, 70), 2, "MIRIMAGE", {"kernel_size": 5, "flagfrac_upper": 0.01}),
        (1, (60, 64), None, "MIRIMAGE", {"force_single": True, "kernel_size": 3}),
        (3, (1024, 1032), 2, "MIRIFULONG", {"flagfrac_lower": 0.0}),
    )
]


def model_of(data, case, number=0):
    full = np.full(data.shape, 1.0, np.float32)
    model = datamodels.ImageModel(data=data.copy(), err=full, var_poisson=full.copy(), var_rnoise=full.copy())
    model.dq = np.zeros(data.shape, np.uint32)
    model.meta.filename = f"exposure{number}_rate.fits"
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", case["detector"]
    model.meta.wcsinfo.dispersion_direction = case["axis"]
    return model


def ours(case, **parameters):
    science, *rest = (model_of(data, case, k) for k, data in enumerate(case["stack"]))
    step = BadpixSelfcalStep(**case["parameters"], **parameters)
    result, backgrounds = step.run(science, rest[:1], rest[1:])
    assert science.dq.max() == 0, "the input was changed"
    found = {"data": result.data, "dq": result.dq, "err": result.err}
    for k, background in enumerate(backgrounds):
        found |= {f"bkg{k}": background.data, f"bkgdq{k}": background.dq}
    return found


@needs_peer
def test_the_same_pixels_are_flagged(tmp_path):
    for number, (case, theirs) in enumerate(
        zip(CASES, run_peer("badpix_selfcal_peer.py", CASES, tmp_path), strict=True)
    ):
        found = ours(case)
        assert set(found) == set(theirs) and (found["dq"] != 0).sum() > 5
        assert_same(found, theirs, f"case {number}")


def test_what_it_needs():
    case = CASES[0]
    assert step_class("badpix_selfcal") is BadpixSelfcalStep
    alone = BadpixSelfcalStep().run(model_of(case["stack"][0], case))
    assert alone.meta.cal_step.badpix_selfcal == "SKIPPED"
    with pytest.raises(ParameterError, match="kernel_size = 4: must be odd"):
        ours(case | {"parameters": {"kernel_size": 4}})
    other = model_of(case["stack"][1, :50], case, 7)
    with pytest.raises(InputError, match=r"exposure7_rate\.fits: has shape \(50, 70\)"):
        BadpixSelfcalStep().run(model_of(case["stack"][0], case), [other])


def test_backgrounds_are_saved(tmp_path):
    ours(CASES[0], save_flagged_bkg=True, output_dir=str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "exposure0_badpix_selfcal_bkg_0.fits",
        "exposure0_badpix_selfcal_bkg_1.fits",
    ]
