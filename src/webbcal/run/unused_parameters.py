"""Parameters that have no effect on an exposure, or with other parameters: the user is told."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from webbcal.run.parameters import StepParameters

log = logging.getLogger(__name__)


def say_unused(step: str, p: StepParameters, names: Iterable[str], why: str) -> None:
    """Warn of parameters that were set to another value than their default, although they do nothing."""
    default = type(p)()
    for name in names:
        if getattr(p, name) != getattr(default, name):
            log.warning("%s.%s has no effect: %s", step, name, why)
