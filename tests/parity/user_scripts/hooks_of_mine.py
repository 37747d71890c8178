"""Hooks that scripts name by their import path."""

from jwst.datamodels import dqflags
from jwst.stpipe import Step


def mask_corner(ramp):
    """Leave the corner of the frame out."""
    ramp.pixeldq[:4, :4] |= dqflags.pixel["DO_NOT_USE"]
    return ramp


def note(model):
    """Leave a note in a product."""
    model.meta.observation.obs_label = "seen by a hook"
    return model


class Halve(Step):
    """Halve what is given, with a parameter as a `spec` declares it."""

    class_alias = "halve"

    spec = """
    divisor = float(min=1, default=2.0) # What data are divided by
    """

    def process(self, given):
        with self.open_model(given) as model:
            result = model.copy()
        result.data /= self.divisor
        return result
