"""calwebb_dark: from raw ramps to the corrected ramps that dark references are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from webbcal.pipeline.detector1 import MIRI, NEAR_INFRARED, Detector1Pipeline
from webbcal.pipeline.superstriped import SuperstripedPipeline
from webbcal.run.exposure import Exposure

#: Near-infrared detectors end with linearity; MIRI goes on to rscd.
_NEAR_INFRARED = NEAR_INFRARED[: NEAR_INFRARED.index("linearity") + 1]
_MIRI = MIRI[: MIRI.index("rscd") + 1]


class DarkPipeline(SuperstripedPipeline):
    """Correct a dark exposure up to its linearity: `_uncal` to ramps, named as by jwst (`_darkpipeline`)."""

    class_alias = "calwebb_dark"
    step_defs: ClassVar = {
        name: step for name, step in Detector1Pipeline.step_defs.items() if name in {*_NEAR_INFRARED, *_MIRI}
    }

    def sequence(self, exposure: Exposure) -> Sequence[str]:
        """MIRI's steps come in another order."""
        return _MIRI if exposure.instrument == "MIRI" else _NEAR_INFRARED
