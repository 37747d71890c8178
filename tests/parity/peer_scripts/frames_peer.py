"""Group scale, DQ initialisation, superbias, dark and gain scale by the peer.

Usage: frames_peer.py IN.npz OUT.npz
"""

from types import SimpleNamespace

import numpy as np
from jwst.dark_current.dark_current_step import DarkCurrentStep, dark_output_data_2_ramp_model
from jwst.dq_init.dq_initialization import do_dqinit
from jwst.gain_scale.gain_scale import do_correction as scale_rates
from jwst.group_scale.group_scale_step import GroupScaleStep
from jwst.superbias.bias_sub import do_correction as subtract_bias
from peer_models import main, outcome, place, ramp
from stcal.dark_current import dark_sub
from stdatamodels.dynamicdq import dynamic_mask
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import dqflags


def group_scale(case, a):
    model = ramp(a, nframes=case["nframes"])
    model.meta.exposure.frame_divisor = case["frame_divisor"]
    result = GroupScaleStep().process(model)
    done = result.meta.cal_step.group_scale == "COMPLETE"
    return outcome(result) | {"done": np.array([done])}


def dq_init(case, a):
    dq_def = np.rec.fromarrays([a["value"], a["name"].astype("U40")], names="VALUE,NAME")
    mask = datamodels.MaskModel(dq=dynamic_mask(SimpleNamespace(dq=a["mask"], dq_def=dq_def), dqflags.pixel))
    place(mask, a["data"].shape)
    return outcome(do_dqinit(ramp(a), mask, user_dq=a.get("user_dq")))


def superbias(case, a):
    bias = datamodels.SuperBiasModel(data=a["bias"], dq=a["bias_dq"])
    return outcome(subtract_bias(ramp(a), place(bias, a["data"].shape)))


def dark(case, a):
    model = ramp(a, nframes=case["nframes"], groupgap=case["groupgap"])
    reference = datamodels.DarkModel(data=a["dark"].copy(), dq=a["dark_dq"])
    exposure = reference.meta.exposure
    exposure.ngroups, exposure.nframes = a["dark"].shape[0], case["dark_nframes"]
    exposure.groupgap, exposure.average_dark_current = case["dark_groupgap"], case["reference_value"]
    step = DarkCurrentStep()
    step.average_dark_current = case["parameter"]
    step.set_average_dark_current(model, reference)
    current = model.average_dark_current.copy()
    result, _ = dark_sub.do_correction(model, reference)
    found = outcome(dark_output_data_2_ramp_model(result, model))
    return found | {"current": current, "done": np.array([result.cal_step == "COMPLETE"])}


def gain_scale(case, a):
    model = datamodels.ImageModel(**{k: v.copy() for k, v in a.items()})
    model = scale_rates(model, case["factor"])
    return {k: getattr(model, k) for k in ("data", "err", "var_poisson", "var_rnoise")}


main(lambda case, a: globals()[case["step"]](case, a))
