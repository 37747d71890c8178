"""The members of an association that a container or library holds: chosen, opened, told what they are of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from webbcal import datamodels
from webbcal.associations.association import Association, Member
from webbcal.associations.reading import load_association
from webbcal.associations.validation import validate
from webbcal.core.errors import MissingInputError, OutputError


def association_from(init: Any) -> Association:
    """Return the association that a path names or a mapping is; the mapping itself is not changed.

    Raises
    ------
    InputError
        If it is none, or cannot be read.
    """
    if isinstance(init, (str, os.PathLike)):
        return load_association(init, twice=True)
    path = getattr(init, "path", None)
    validate(dict(init), str(path or "the association"), twice=True)
    return Association(dict(init), path=path)


def chosen(association: Association, exptypes: str | Sequence[str] | None, most: int | None) -> list[Member]:
    """Return the members of the first product that have one of some roles (None: any), `most` at most.

    Raises
    ------
    MissingInputError
        If files of theirs are not there.
    """
    wanted = [exptypes] if isinstance(exptypes, str) else exptypes
    wanted = None if not wanted else [exptype.lower() for exptype in wanted]
    members = [m for m in association.products[0].members if wanted is None or m.exptype in wanted]
    members = members[: most or None]
    missing = [str(p) for m in members if m.model is None and not (p := association.resolve(m)).is_file()]
    if missing:
        raise MissingInputError(
            f"{association.filename}: {len(missing)} of {len(members)} member files are missing: "
            f"{', '.join(missing)}; put them there, or correct expname in the association"
        )
    return members


def names_of_their_own(models: Iterable[Any]) -> list[str]:
    """Return the names of files that models are saved under.

    Raises
    ------
    OutputError
        If two have one name: the second would be saved over the first.
    """
    names = [str(model.meta.filename or f"model_{index}.fits") for index, model in enumerate(models)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OutputError(
            f"two models would be saved as {sorted(twice)[0]}; give them names of their own (meta.filename)"
        )
    return names


class Lazy:
    """A member that is not opened yet."""

    def __init__(self, member: Member, association: Association, options: Mapping[str, Any]) -> None:
        self.member, self._association, self._options = member, association, options

    @property
    def path(self) -> Path:
        """Its file."""
        return self._association.resolve(self.member)

    def open(self) -> Any:
        """Return its model, told its role and association; arrays are read when they are touched."""
        if self.member.model is not None:
            model = datamodels.open(self.member.model, **self._options)
        else:
            model = datamodels.open(self.path, **self._options)
            model.close()  # its file is opened again when it is read: there may be more than may be open
        self.tell(model)
        return model

    def tell(self, model: Any) -> None:
        """Tell a model what the association says of it."""
        association, extra = self._association, self.member.extra
        model.meta.asn.exptype = self.member.exptype
        if extra.get("group_id") is not None:
            model.meta.group_id = extra["group_id"]
        if "tweakreg_catalog" in extra:
            name = (extra["tweakreg_catalog"] or "").strip()
            model.meta.tweakreg_catalog = str(association.resolve(name)) if name else None
        if association.path is not None:
            model.meta.asn.table_name = association.filename
        if association.asn_pool is not None:
            model.meta.asn.pool_name = association.asn_pool
