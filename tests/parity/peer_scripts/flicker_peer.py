"""Functions of jwst's clean_flicker_noise on single images. Runs in the peer's environment only."""

import json
import logging
import sys

import numpy as np
from jwst.clean_flicker_noise import clean_flicker_noise as cfn

logging.disable(logging.WARNING)


def main(path_in, path_out):
    results = {}
    with np.load(path_in) as given:
        for n, case in enumerate(json.loads(str(given["cases"]))):
            image, mask = given[f"{n}/image"].copy(), given[f"{n}/mask"].copy()
            cleaned, background, _ = cfn._clean_one_image(
                image, mask, case["background_method"], case["box"], case["n_sigma"], case["fit_method"],
                case["detector"], tuple(case["fc"]), case["axis"], case["by_channel"], None,
            )  # fmt: skip
            results[f"{n}/cleaned"] = cleaned
            results[f"{n}/background"] = np.asarray(background)
            results[f"{n}/mask"] = mask
    np.savez(path_out, **results)


main(*sys.argv[1:])
