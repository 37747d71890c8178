"""Linearity correction by the peer. Usage: polynomial_peer.py IN.npz OUT.npz"""

from jwst.linearity.linearity import do_correction
from peer_models import main, outcome, place, ramp
from stdatamodels.jwst import datamodels


def run(case, a):
    model = ramp(a, nframes=case["nframes"])
    reference = datamodels.LinearityModel(coeffs=a["coeffs"], dq=a["coeffs_dq"])
    if "inverse" in a:
        reference.inv_coeffs = a["inverse"]
    place(reference, a["data"].shape)
    return outcome(do_correction(model, reference))


main(run)
