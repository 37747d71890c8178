"""`ModelContainer`: models in a list, with the association that they are of; opened when they are touched."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from pathlib import Path, PurePath
from typing import Any, Self

from webbcal import datamodels
from webbcal.associations.association import Association, Member
from webbcal.library.groups import first_science, group_in, places_of
from webbcal.library.members import Lazy, association_from, chosen, names_of_their_own


def open_several(init: Any, options: Mapping[str, Any]) -> ModelContainer:
    """Return what `datamodels.open` gives for an association or a list."""
    return ModelContainer(init, **options)


class ModelContainer(MutableSequence[Any]):
    """A list of models; `models_grouped` puts together what several detectors took at once.

    Parameters
    ----------
    init : path, mapping, list, ModelContainer or None
        An association (its first product counts), paths or models, or nothing.
    asn_exptypes : list of str, optional
        Roles of members that are taken; all by default.
    asn_n_members : int, optional
        The most members that are taken.
    **options
        Options of the models.

    Attributes
    ----------
    asn_table : dict
        The association.
    asn_table_name, asn_pool_name : str or None
        Name of its file (of a list: the first exposure's, without suffix), and of its pool.
    asn_file_path : path or None
        Its file.

    Raises
    ------
    MissingInputError
        If files are not there.
    InputError
        If the association is none.
    TypeError
        If it can be made of nothing of the kind.
    """

    crds_observatory = "jwst"

    def __init__(
        self,
        init: Any = None,
        asn_exptypes: Sequence[str] | str | None = None,
        asn_n_members: int | None = None,
        **options: Any,
    ) -> None:
        self.asn_exptypes, self.asn_n_members = asn_exptypes, asn_n_members
        self.asn_table: dict[str, Any] = {
            "asn_id": None,
            "asn_pool": None,
            "products": [{"name": "", "members": [{"exptype": "", "expname": ""}]}],
        }
        self.asn_table_name: str | None = None
        self.asn_pool_name: str | None = None
        self.asn_file_path: str | os.PathLike[str] | None = None
        self._models: list[Any] = []
        if isinstance(init, ModelContainer):
            self.__dict__.update(init.__dict__)
            self._models = [
                item if isinstance(item, Lazy) else datamodels.open(item) for item in init._models
            ]
        elif isinstance(init, (list, tuple)):
            self._take_list(init, options)
        elif isinstance(init, (str, os.PathLike, Mapping)):
            self._take_association(init, options)
        elif init is not None:
            raise TypeError(
                f"cannot make a container of {type(init).__name__}; give an association or a list"
            )

    def _take_list(self, items: Sequence[Any], options: Mapping[str, Any]) -> None:
        """Hold paths and models."""
        nothing = Association({"products": []})
        for item in items:
            if isinstance(item, (str, os.PathLike)):
                members = chosen(_association_of_one(item), None, None)
                self._models.append(_Path(members[0], nothing, options))
            else:
                self._models.append(datamodels.open(item, **options))
        if items:
            first = self._models[0]
            name = first.path if isinstance(first, Lazy) else first.meta.filename
            root = PurePath(name or "").name.partition(".")[0]
            self.asn_table_name = self.asn_table["products"][0]["name"] = root.rpartition("_")[0]

    def _take_association(self, init: Any, options: Mapping[str, Any]) -> None:
        """Hold the members of an association."""
        association = association_from(init)
        members = chosen(association, self.asn_exptypes, self.asn_n_members)
        self._models = [Lazy(member, association, options) for member in members]
        self.asn_table = association.data
        if association.path is not None:
            self.asn_file_path = association.path
            self.asn_table_name, self.asn_pool_name = association.path.name, association.asn_pool

    # ---------------------------------------------------------------- a list
    def _opened(self, index: int) -> Any:
        item = self._models[index]
        if isinstance(item, (Lazy, str, os.PathLike)):  # names of files may have been put in
            item = item.open() if isinstance(item, Lazy) else datamodels.open(item)
            self._models[index] = item
        return item

    def __len__(self) -> int:
        return len(self._models)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._opened(number) for number in range(*index.indices(len(self)))]
        return self._opened(index)

    def __setitem__(self, index: Any, model: Any) -> None:
        self._models[index] = model

    def __delitem__(self, index: Any) -> None:
        del self._models[index]

    def insert(self, index: int, model: Any) -> None:
        """Insert a model before `index`."""
        self._models.insert(index, model)

    def __repr__(self) -> str:
        opened = sum(hasattr(item, "meta") for item in self._models)
        return f"<ModelContainer of {len(self)} models, {opened} opened>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files of the models; arrays read later open them again."""
        for model in self._models:
            if hasattr(model, "close"):
                model.close()

    def copy(self, memo: dict[int, Any] | None = None) -> ModelContainer:
        """Return a container of deep copies."""
        return self.holding([item.copy(memo) if hasattr(item, "copy") else item for item in self._models])

    def holding(self, models: Sequence[Any]) -> ModelContainer:
        """Return a container of the same association that holds other models: what was made of these."""
        made = ModelContainer()
        made.__dict__.update(self.__dict__)
        made.asn_table = copy.copy(self.asn_table)
        made._models = list(models)
        return made

    # ---------------------------------------------------------------- exposures
    @property
    def models_grouped(self) -> list[list[Any]]:
        """The models of each exposure (several detectors), which are told their group: ``meta.group_id``."""
        groups: dict[str, list[Any]] = {}
        for index, model in enumerate(self):
            model.meta.group_id = group_in(model, index)
            groups.setdefault(model.meta.group_id, []).append(model)
        return list(groups.values())

    @property
    def group_names(self) -> list[str]:
        """The names of the groups."""
        return [group[0].meta.group_id for group in self.models_grouped]

    def ind_asn_type(self, asn_exptype: str) -> list[int]:
        """Return the places of the models that have a role."""
        return places_of(asn_exptype, self._roles())

    def _roles(self) -> Iterator[str]:
        return (str(model.meta.asn.exptype or "science") for model in self)

    def get_crds_parameters(self) -> dict[str, Any]:
        """Return the metadata that select reference files: those of the first science exposure."""
        parameters: dict[str, Any] = self[first_science(self._roles())].get_crds_parameters()
        return parameters

    def save(
        self, path: str | None = None, save_model_func: Callable[..., str] | None = None, **options: Any
    ) -> list[str]:
        """Save each model; return the paths.

        Parameters
        ----------
        path : str, optional
            What paths are made of: a number is added if there are several models. By default each is saved
            under its own file name.
        save_model_func : callable, optional
            ``save_model_func(model, idx=number)`` saves a model in place of its own `save`.
        **options
            Options of the models' `save`.
        """
        if save_model_func is not None:
            return [save_model_func(model, idx=index) for index, model in enumerate(self)]
        numbers = [str(index) if len(self) > 1 else "" for index in range(len(self))]
        names = [f"{str(path).removesuffix('.fits')}{number}.fits" for number in numbers]
        if path is None:
            names = names_of_their_own(self)
        return [model.save(name, **options) for model, name in zip(self, names, strict=True)]

    def __iter__(self) -> Iterator[Any]:
        return (self._opened(index) for index in range(len(self)))

    def extend(self, models: Iterable[Any]) -> None:
        """Add models at the end."""
        self._models.extend(models)


class _Path(Lazy):
    """A file that is in no association: there is nothing to tell its model."""

    def tell(self, model: Any) -> None:
        """Nothing to tell."""


def _association_of_one(path: str | os.PathLike[str]) -> Association:
    members = [Member(os.fspath(path)).entry()]
    return Association({"products": [{"name": Path(path).stem, "members": members}]})
