"""Run in the peer's environment: snowballs and showers of arrays, as jwst 3.0.0 finds them."""

import json
import sys

import numpy as np
from stcal.jump.jump import find_faint_extended, flag_large_events
from stcal.jump.jump_class import JumpData
from stdatamodels.jwst.datamodels import dqflags


def settings(case):
    """Return the peer's parameters as its step sets them."""
    data = JumpData(dqflags=dqflags.pixel)
    data.nframes = case["nframes"]
    p = case["parameters"]
    data.set_snowball_info(
        True,
        p["min_jump_area"],
        p["min_sat_area"],
        p["expand_factor"],
        p["sat_required_snowball"],
        p["min_sat_radius_extend"],
        2 * p["sat_expand"],
        p["edge_size"],
    )
    data.set_shower_info(
        True,
        p["extend_snr_threshold"],
        p["extend_min_area"],
        p["extend_inner_radius"],
        p["extend_outer_radius"],
        p["extend_ellipse_expand_ratio"],
        10,
        2 * p["max_extended_radius"],
    )
    data.set_sigma_clipping_info(3, p["minimum_sigclip_groups"], True)
    data.mask_persist_grps_next_int = p["mask_snowball_core_next_int"]
    data.persist_grps_flagged = int(p["snowball_time_masked_next_int"] // case["tgroup"])
    data.grps_masked_after_shower = int(p["time_masked_after_shower"] // case["tgroup"])
    data.max_shower_amplitude = p["max_shower_amplitude"] * case["tgroup"]
    return data


def main():
    """Answer each case with flags and the number of events."""
    with np.load(sys.argv[1]) as given:
        arrays = {key: given[key] for key in given.files}
    out = {}
    for n, case in enumerate(json.loads(str(arrays["cases"]))):
        groupdq, jump = arrays[f"{n}/groupdq"], settings(case)
        if case["kind"] == "snowballs":
            groupdq, number = flag_large_events(groupdq, jump.fl_jump, jump.fl_sat, jump)
        else:
            electrons, noise = arrays[f"{n}/electrons"], arrays[f"{n}/noise"]
            pixeldq = arrays[f"{n}/pixeldq"]
            groupdq, number = find_faint_extended(electrons, groupdq, pixeldq, noise, jump)
        out |= {f"{n}/groupdq": groupdq, f"{n}/number": np.array(number)}
    np.savez(sys.argv[2], **out)


if __name__ == "__main__":
    main()
