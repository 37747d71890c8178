"""Pipelines whose input may be an exposure, a list, or an association."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from webbcal.associations.association import Association
from webbcal.associations.sources import is_association_name
from webbcal.run.pipeline import Pipeline


class AssociationPipeline(Pipeline):
    """A pipeline that takes its input as an association; subclasses say of which level."""

    def _association(self, init: Any) -> Association:
        """Return any input as an association."""
        raise NotImplementedError

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open an exposure; of several the first science member, which selects parameters."""
        several = isinstance(init, (list, tuple, Mapping))
        if several or (isinstance(init, (str, os.PathLike)) and is_association_name(init)):
            association = self._association(init)
            member = association.products[0].science[0]
            init = member.model or association.resolve(member)
        return super().open_model(init, **kwargs)
