"""Saturation flags by the peer. Usage: saturation_peer.py IN.npz OUT.npz"""

from jwst.saturation.saturation import flag_saturation
from peer_models import main, outcome, place, ramp
from stdatamodels.jwst import datamodels


def run(case, a):
    model = ramp(a, nframes=case["nframes"])
    reference = place(datamodels.SaturationModel(data=a["threshold"], dq=a["threshold_dq"]), a["data"].shape)
    bias = datamodels.SuperBiasModel(data=a["bias"]) if "bias" in a else None
    return outcome(flag_saturation(model, reference, case["grow"], case["use_readpatt"], bias))


main(run)
