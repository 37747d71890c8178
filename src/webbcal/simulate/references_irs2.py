"""What reference files of IRS2 hold: raw frames' masks and biases, and the REFPIX weights.

The REFPIX file lists one bad reference pixel; others that are too noisy the calibration has to find itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.dqflags import pixel as DQ
from webbcal.core.irs2 import SECTIONS, Interleaving
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.irs2 import LEVEL, OUTPUT_LEVEL, Filters, filters, spread

#: Types that differ between IRS2 and other read-outs of the full frame.
OF_IRS2 = ("mask", "superbias", "readnoise", "refpix")


def raw_mask(mask: np.ndarray, layout: Interleaving) -> np.ndarray:
    """Return the mask of raw frames."""
    reference = DQ["REFERENCE_PIXEL"]
    return spread(mask, layout, reference, reference)


def raw_superbias(superbias: np.ndarray, layout: Interleaving) -> np.ndarray:
    """Return the superbias of raw frames."""
    return spread(superbias, layout, LEVEL, OUTPUT_LEVEL)


def refpix_model(config: ExposureConfig, layout: Interleaving) -> Any:
    """Return the REFPIX reference: weights for the noise that is simulated, and a bad reference pixel."""
    weights: Filters = filters(config.electronics, layout)
    model = datamodels.IRS2Model()
    dtype = np.dtype(model.get_dtype("irs2_table"))
    table = np.zeros(2 * 2 * (weights.alpha.shape[1] - 1), dtype)
    for k in range(SECTIONS - 1):
        for name, half in (("alpha", weights.alpha[k]), ("beta", weights.beta[k])):
            table[f"{name}_{k}"][::2] = np.concatenate([half, half[-2:0:-1]])  # real: no phase
    model.irs2_table = table
    listed = np.zeros(8, model.get_dtype("dq_table"))
    listed["OUTPUT"], listed["ODD_EVEN"] = np.repeat(np.arange(1, 5), 2), np.tile([1, 2], 4)
    listed["MASK"][2] = 1 << 7 | 1 << 20
    model.dq_table = listed
    return model
