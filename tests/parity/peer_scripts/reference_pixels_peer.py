"""Reference-pixel correction by the peer. Usage: reference_pixels_peer.py IN.npz OUT.npz"""

from types import SimpleNamespace

import numpy as np
from jwst.refpix.reference_pixels import correct_model
from peer_models import main, ramp
from refpix_scene import digest, make, sirs_coefficients


def run(case, _):
    data, pixeldq, zeroframe = make(case)
    arrays = {"data": data, "pixeldq": pixeldq}
    if zeroframe is not None:
        arrays["zeroframe"] = zeroframe
    place = {k: case[k] for k in ("xstart", "ystart", "fastaxis", "slowaxis")}
    name = "FULL" if data.shape[-2:] == (2048, 2048) else "SUB"
    model = ramp(arrays, case["instrument"], case["detector"], name=name, **place)
    model.meta.exposure.noutputs = case["noutputs"]
    sirs = None
    if case.get("sirs"):
        gamma, zeta = sirs_coefficients(case["seed"])
        detector = case["detector"].lower()
        flat = {f"{detector}.gamma": gamma, f"{detector}.zeta": zeta}
        sirs = SimpleNamespace(to_flat_dict=lambda: flat)
    kernel = {
        "refpix_algorithm": "sirs" if sirs else "median",
        "sirs_kernel_model": sirs,
        "sigreject": 4.0,
        "gaussmooth": 1.0,
        "halfwidth": 30,
    }
    o = case["options"]
    status = correct_model(
        model,
        o.get("odd_even_columns", True),
        o.get("use_side_ref_pixels", True),
        o.get("side_smoothing_length", 11),
        o.get("side_gain", 1.0),
        True,
        kernel,
        o.get("siglimit", 3.0),
    )
    found = digest(model.data) | {"status": np.array([status])}
    if zeroframe is not None:
        found |= {f"zero_{k}": v for k, v in digest(model.zeroframe).items()}
    return found


main(run)
