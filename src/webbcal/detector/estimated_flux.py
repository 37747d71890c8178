"""FLUX_ESTIMATED: pixels that keep a group which others lose, because they saturate soon after it.

PIXELDQ is one for all integrations, and these come block by block: what a block finds is remembered for the
later blocks of the same pixels, so that the last one, which is what products and later steps see, has all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences

_FLUX_ESTIMATED = np.uint32(dqflags.pixel["FLUX_ESTIMATED"])


def flag_estimated(block: RampBlock, estimated: NDArray[np.bool_], references: BlockReferences) -> None:
    """Flag pixels of a block in PIXELDQ, and those that earlier integrations have flagged.

    Parameters
    ----------
    block : RampBlock
        Changed in place.
    estimated : (rows, columns) bool
    references : BlockReferences
        Of the step: they remember, for each task.
    """
    known = references.once("estimated flux", lambda: np.zeros(estimated.shape, bool))
    known |= estimated
    block.pixeldq[known] |= _FLUX_ESTIMATED


def newly(found: NDArray[np.bool_], references: BlockReferences, key: str) -> NDArray[np.bool_]:
    """Return which pixels of those found no earlier integration had, to count pixels once."""
    known = references.once(key, lambda: np.zeros(found.shape, bool))
    new = found & ~known
    known |= found
    return new
