"""Rates of raw exposures, with steps of one's own and a parameter file, as people write it for `jwst`."""

import sys

from jwst.pipeline import Detector1Pipeline
from jwst.stpipe import Step


class Brighten(Step):
    """Multiply ramps by a factor."""

    class_alias = "brighten"

    spec = """
    factor = float(default=1.5) # What ramps are multiplied by
    """

    def process(self, given):
        result = self.prepare_output(given)
        result.data *= self.factor
        return result


first, second = sys.argv[1:]
where = {"output_dir": "out", "save_results": True}
Detector1Pipeline.call(
    first,
    steps={
        "linearity": {"post_hooks": [Brighten]},
        "jump": {
            "pre_hooks": ["hooks_of_mine.mask_corner"],
            "rejection_threshold": "5",
            "save_results": "true",
        },
        "ramp_fit": {"maximum_cores": "none"},
    },
    **where,
)

template = Detector1Pipeline(steps={"jump": {"rejection_threshold": 6.0}, "ipc": {"skip": True}})
template.export_config("detector1.asdf")
Detector1Pipeline.call(
    second,
    config_file="detector1.asdf",
    logcfg="log.cfg",
    steps={"jump": {"find_showers": False}, "gain_scale": {"post_hooks": ["hooks_of_mine.note"]}},
    **where,
)
