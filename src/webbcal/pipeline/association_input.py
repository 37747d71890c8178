"""Pipelines whose input may be an exposure, a list, or an association."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from webbcal.associations import RULES
from webbcal.associations.association import Association, Product
from webbcal.associations.containers import is_container
from webbcal.associations.sources import is_association_name
from webbcal.core.errors import InputError
from webbcal.run.pipeline import Pipeline

log = logging.getLogger(__name__)

#: What pipelines make -> what the type of their associations has in it.
_TYPES = {"images": "image", "spectra": "spec"}


class AssociationPipeline(Pipeline):
    """A pipeline that takes its input as an association; subclasses say of which level."""

    takes = "list"
    #: Level of the associations that it takes.
    level: ClassVar[int]
    #: What it makes.
    makes: ClassVar[str] = "images"

    def as_association(self, init: Any) -> Association:
        """Return any input as an association of this pipeline's level."""
        raise NotImplementedError

    def association(self, init: Any) -> Association:
        """Return any input as an association, after a look at what it is for.

        Raises
        ------
        InputError
            If it is of another level, and would not be processed as it says.
        """
        association = self.as_association(self.located(init))
        kind, products = str(association.asn_type), association.products
        rule = RULES.get(str(association.asn_rule))
        level = int(kind[-1]) if kind[-1:] in ("2", "3") else rule.level if rule else self.level
        # Level 2 makes a product of each exposure, level 3 one of all: with one of one, both are the same.
        if level != self.level and (len(products) > 1 or len(products[0].science) > 1):
            raise InputError(
                f"{association.filename} is an association of level {level} (asn_type {kind}, asn_rule "
                f"{association.asn_rule}), but {self.class_alias} takes level {self.level}; make one: "
                f"webbcal asn from-list -r {'DMSLevel2bBase' if self.level == 2 else 'DMS_Level3_Base'}"
            )
        if kind.lower() not in ("none", "") and _TYPES[self.makes] not in kind.lower():
            log.warning(
                "%s is for %s; %s makes %s of it", association.filename, kind, self.class_alias, self.makes
            )
        return association

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open an exposure; of several the first science member, which selects parameters."""
        several = isinstance(init, (list, tuple, Mapping)) or is_container(init)
        if several or (isinstance(init, (str, os.PathLike)) and is_association_name(init)):
            association = self.as_association(self.located(init))
            member = association.products[0].science[0]
            init = member.model or association.resolve(member)
        return super().open_model(init, **kwargs)


def science_names(product: Product, association: Association) -> list[str]:
    """Return the paths of the science members, for messages."""
    return [str(association.resolve(member)) for member in product.science]
