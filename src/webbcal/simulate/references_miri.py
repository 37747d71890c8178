"""The reference files of stage 1 that only MIRI has, or has in another form.

They hold the truth of `webbcal.simulate.miri`. MIRI has no superbias: the bias stays in its ramps until they
are fitted, and the linearity polynomial is one in raw DN. RESET and DARK have integrations: the first, and
the one that stands for all others. RSCD is a table of groups to reject; EMICORR has the waves of interference
and the clocks of the subarrays.
"""

from __future__ import annotations

from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.readout import PATTERNS, Readout
from webbcal.simulate import miri
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.headers import assign
from webbcal.simulate.personality import Personality

#: Integrations of RESET and DARK.
INTEGRATIONS = 2


def raw_polynomial(person: Personality) -> np.ndarray:
    """Return the linearity polynomial in raw DN, (5, ny, nx) float32: linear DN with the bias left in.

    With p the polynomial in signal s = raw - bias, it is p(raw - bias) + bias, multiplied out.
    """
    bias = person.superbias.astype(np.float64)
    order = len(person.linearity)
    out = np.zeros((order, *bias.shape))
    for power, coefficient in enumerate(person.linearity.astype(np.float64)):
        for k in range(power + 1):
            out[k] += coefficient * comb(power, k) * (-bias) ** (power - k)
    out[0] += bias
    return out.astype(np.float32)


def rscd_model() -> Any:
    """Return the RSCD reference: groups to reject, by subarray and read pattern."""
    model = datamodels.RSCDModel()
    names = sorted({name.split("_")[0] for name in miri.CLOCKS})
    patterns = [p for p in PATTERNS if p.startswith(("FAST", "SLOW"))]
    table = np.zeros(len(names) * len(patterns), model.get_dtype("rscd_group_skip_table"))
    for row, (name, pattern) in zip(table, ((n, p) for n in names for p in patterns), strict=True):
        row["subarray"], row["readpatt"] = name, pattern
        row["group_skip1"], row["group_skip"] = miri.RSCD_SKIP
    model.rscd_group_skip_table = table
    return model


def emicorr_model(detector: str) -> Any:
    """Return the EMICORR reference of a detector."""
    model = datamodels.EmiModel()
    tree = miri.emicorr_tree(detector)
    model.frequencies, model.subarray_cases = tree["frequencies"], tree["subarray_cases"]
    return model


def reset_model(person: Personality, readout: Readout) -> Any:
    """Return the RESET reference for exposures of a sampling."""
    pixels = miri.Pixels(person.box, person.reference)
    groups = min(miri.RESET_GROUPS, readout.ngroups)
    data = np.array(
        [[pixels.anomaly(i, readout.frames_of_group(g)) for g in range(groups)] for i in range(INTEGRATIONS)],
        np.float32,
    )
    model = datamodels.ResetModel(data=data)
    model.meta.exposure.nints, model.meta.exposure.ngroups = INTEGRATIONS, groups
    return model


def dark_ramp(person: Personality, readout: Readout, integration: int, group: int) -> np.ndarray:
    """Return a group of the DARK reference, linear DN."""
    pixels = miri.Pixels(person.box, person.reference)
    seconds = np.float32(readout.mean_times[group])
    ramp = person.dark / person.gain * seconds + pixels.dark(integration, readout.frames_of_group(group))
    return np.asarray(ramp, np.float32)


def write_others(
    cache: CrdsCache, config: ExposureConfig, person: Personality, match: dict[str, str], metadata: Any
) -> None:
    """Write RESET, RSCD and EMICORR for exposures like one, and register them.

    Parameters
    ----------
    cache : CrdsCache
    config : ExposureConfig
        Of the longest exposure of its read pattern.
    person : Personality
        Over the exposure's subarray.
    match : dict
        Detector and subarray.
    metadata : callable
        Returns a reference's metadata from its type and path.
    """
    pattern = {"META.EXPOSURE.READPATT": config.readpatt}
    detector = {k: v for k, v in match.items() if k.endswith("DETECTOR")}
    models = (
        ("reset", reset_model(person, config.readout), match | pattern, ".fits"),
        ("rscd", rscd_model(), detector, ".fits"),
        ("emicorr", emicorr_model(config.detector), detector, ".asdf"),
    )
    for reftype, model, where, extension in models:
        path: Path = cache.path_for("MIRI", reftype, where, extension)
        values = metadata(reftype, path)
        if reftype == "reset":
            values["exposure.readpatt"] = config.readpatt
        else:  # a table has no place on the detector
            values = {k: v for k, v in values.items() if not k.startswith("subarray.")}
        assign(model, values)
        model.save(path)
        cache.add(path, "MIRI", reftype, where)
