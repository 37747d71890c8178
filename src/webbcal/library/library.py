"""`ModelLibrary`: models that are borrowed and given back, so that few of them are in memory at a time."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from webbcal import datamodels
from webbcal.associations.association import Association
from webbcal.core.errors import WebbcalError
from webbcal.library.groups import first_science, group_in, places_of
from webbcal.library.members import Lazy, association_from, chosen, names_of_their_own


class LibraryError(WebbcalError):
    """A library is not used as it is meant to be."""


class BorrowError(LibraryError):
    """A model is borrowed twice, not given back, or given back without having been borrowed."""


class ClosedLibraryError(LibraryError):
    """A model is borrowed or given back outside of ``with library:``."""


class ModelLibrary:
    """The exposures of an association; models are borrowed inside of ``with library:``, and given back.

    Parameters
    ----------
    init : path, mapping, or iterable of models and paths
        An association (its first product counts), or the models.
    asn_exptypes : str or list of str, optional
        Roles of members that are taken; all by default.
    asn_n_members : int, optional
        The most members that are taken.
    on_disk : bool
        Keep models that are given back in temporary files; else in memory, where arrays that nobody has
        touched are still in their files.
    temp_directory : path, optional
        Where these files go; by default a temporary folder that lives as long as the library.
    **options
        Options of the models.

    Raises
    ------
    MissingInputError
        If files are not there.
    InputError
        If the association is none.
    ValueError
        If models that are given shall be on disk, or it can be made of nothing of the kind.
    """

    crds_observatory = "jwst"

    def __init__(
        self,
        init: Any,
        asn_exptypes: str | Sequence[str] | None = None,
        asn_n_members: int | None = None,
        on_disk: bool = False,
        temp_directory: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        self._on_disk, self._options, self._is_open = on_disk, options, False
        self._lent: dict[int, Any] = {}
        self._kept: dict[int, Any] = {}
        self._files: dict[int, Path] = {}
        self._asn_dir: Path | None = None
        given = None
        if isinstance(init, (str, os.PathLike, Mapping)):
            association = association_from(init)
            self._asn_dir = association.folder.absolute()
        elif isinstance(init, Iterable) and not isinstance(init, ModelLibrary):
            if on_disk:
                raise ValueError("on_disk cannot be used for models that are given")
            given = [datamodels.open(m, **options) if isinstance(m, (str, os.PathLike)) else m for m in init]
            association = _association_of(given)
        else:
            raise ValueError(f"cannot make a library of {type(init).__name__}; give an association or models")
        self._association = association
        members = chosen(association, asn_exptypes, asn_n_members)
        self._members = [Lazy(member, association, options) for member in members]
        self._entries: list[dict[str, Any]] = [dict(member.entry()) for member in members]
        if given is not None:
            for index, lazy in enumerate(self._members):
                self._kept[index] = lazy.member.model
                self._entries[index]["expname"] = lazy.member.expname
                lazy.member.model.meta.asn.exptype = lazy.member.exptype
                self._grouped(index, lazy.member.model)
        if on_disk:
            self._temporary = tempfile.TemporaryDirectory() if temp_directory is None else None
            self._folder = Path(temp_directory or self._temporary.name)  # type: ignore[union-attr]

    # ---------------------------------------------------------------- the association
    def holding(self, models: Sequence[Any]) -> ModelLibrary:
        """Return a library of the same association that holds other models: what was made of these."""
        made = ModelLibrary(models)
        made._association, made._asn_dir = self._association, self._asn_dir
        return made

    @property
    def asn(self) -> Mapping[str, Any]:
        """The association, with a group of each member; it cannot be changed."""
        self._name_groups()
        data = {**self._association.data, "products": [{**self._product, "members": self._entries}]}
        if self._association.path is not None:
            data["table_name"] = self._association.filename
        frozen: Mapping[str, Any] = _frozen(data)
        return frozen

    @property
    def _product(self) -> Mapping[str, Any]:
        product: Mapping[str, Any] = self._association["products"][0]
        return product

    @property
    def asn_dir(self) -> str:
        """Folder of the association."""
        return str(self._asn_dir)

    @property
    def on_disk(self) -> bool:
        """Whether models that are given back are kept in temporary files."""
        return self._on_disk

    @property
    def exptypes(self) -> list[str]:
        """The role of each member."""
        return [entry["exptype"] for entry in self._entries]

    def indices_for_exptype(self, exptype: str) -> list[int]:
        """Return the places of the members that have a role."""
        return places_of(exptype, self.exptypes)

    @property
    def group_indices(self) -> dict[str, list[int]]:
        """The places of the members of each group: detectors that were read at once."""
        self._name_groups()
        groups: dict[str, list[int]] = {}
        for index, entry in enumerate(self._entries):
            groups.setdefault(entry["group_id"], []).append(index)
        return groups

    @property
    def group_names(self) -> set[str]:
        """The names of the groups."""
        return set(self.group_indices)

    def _name_groups(self) -> None:
        """Have each member say which group it is of; headers are read, once."""
        for index, entry in enumerate(self._entries):
            if entry.get("group_id") is None:
                self._fetch(index)

    def _grouped(self, index: int, model: Any) -> Any:
        """Return a model that was told its group."""
        entry = self._entries[index]
        if entry.get("group_id") is None:
            entry["group_id"] = group_in(model, index)
        model.meta.group_id = entry["group_id"]
        return model

    # ---------------------------------------------------------------- lending
    def __enter__(self) -> Self:
        self._is_open = True
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._is_open = False
        if kind is None and self._lent:
            raise BorrowError(f"{len(self._lent)} models were not given back: shelve each that is borrowed")

    def __repr__(self) -> str:
        return f"<ModelLibrary of {len(self)} models, {'on disk' if self._on_disk else 'in memory'}>"

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Any]:
        """Borrow one after the other; each has to be given back."""
        return (self.borrow(index) for index in range(len(self)))

    def borrow(self, index: int) -> Any:
        """Return a model; give it back with `shelve`.

        Raises
        ------
        ClosedLibraryError
            Outside of ``with library:``.
        BorrowError
            If it is lent already.
        """
        self._check_open()
        if index in self._lent:
            raise BorrowError(f"model {index} is borrowed already: shelve it first")
        model = self._fetch(index)
        if not self._on_disk:
            self._kept[index] = model
        self._lent[index] = model
        return model

    def _fetch(self, index: int) -> Any:
        if index in self._kept:
            return self._kept[index]
        if index in self._files:
            return datamodels.open(self._files[index], **self._options)
        return self._grouped(index, self._members[index].open())

    def shelve(self, model: Any, index: int | None = None, modify: bool = True) -> None:
        """Give a model back.

        Parameters
        ----------
        model : DataModel
        index : int, optional
            Which one; needed if it is another than the one that was lent.
        modify : bool
            Whether what was changed in it is kept.

        Raises
        ------
        ClosedLibraryError
            Outside of ``with library:``.
        BorrowError
            If it was not borrowed.
        """
        self._check_open()
        if index is None:
            index = next((k for k, lent in self._lent.items() if lent is model), None)
        if index is None or index not in self._lent:
            raise BorrowError("this model was not borrowed")
        if modify and self._on_disk:
            self._store(model, index)
        elif modify:
            self._kept[index] = model
        del self._lent[index]

    def _store(self, model: Any, index: int) -> None:
        folder = self._folder / str(index)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / str(model.meta.filename or "model.fits")
        model.save(path)
        old = self._files.get(index)
        if old is not None and old != path:
            old.unlink()
        self._files[index] = path

    def _check_open(self) -> None:
        if not self._is_open:
            raise ClosedLibraryError("the library is not open: use it inside of 'with library:'")

    def map_function(self, function: Callable[[Any, int], Any], modify: bool = True) -> Iterator[Any]:
        """Yield ``function(model, index)`` for each model, which is borrowed and given back."""
        with self:
            for index in range(len(self)):
                model = self.borrow(index)
                try:
                    yield function(model, index)
                finally:
                    self.shelve(model, index, modify)
                del model

    # ---------------------------------------------------------------- metadata, saving
    def read_metadata(self, idx: int, flatten: bool = True) -> dict[str, Any]:
        """Return the metadata of a member that is not lent: by dotted names, or as a tree.

        Raises
        ------
        BorrowError
            If it is lent.
        """
        if idx in self._lent:
            raise BorrowError(f"model {idx} is borrowed: shelve it before its metadata are read")
        model = self._fetch(idx)
        parameters: dict[str, Any] = model.get_crds_parameters()
        return parameters if flatten else {"meta": copy.deepcopy(model.meta.instance)}

    def get_crds_parameters(self) -> dict[str, Any]:
        """Return the metadata that select reference files: those of the first science exposure."""
        return self.read_metadata(first_science(self.exptypes))

    def finalize_result(self, step: Any, reference_files_used: list[Any]) -> None:
        """Have a step complete each model."""
        for _ in self.map_function(lambda m, _: step.finalize_result(m, reference_files_used)):
            pass

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Save the models into a folder, with an association of them (``asn.json``); return its path."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self._name_groups()
        names = names_of_their_own(self.map_function(lambda model, _: model, modify=False))

        def saved(model: Any, index: int) -> dict[str, Any]:
            name = names[index]
            model.save(folder / name, **options)
            return {**{k: self._entries[index][k] for k in ("exptype", "group_id")}, "expname": name}

        members = list(self.map_function(saved, modify=False))
        target = folder / "asn.json"
        target.write_text(json.dumps({"products": [{**self._product, "members": members}]}))
        return target


def _association_of(models: Sequence[Any]) -> Association:
    """Return an association of models, each with the role that it says it has."""
    members = [{"expname": m, "exptype": str(m.meta.asn.exptype or "SCIENCE")} for m in models]
    return Association({"products": [{"members": members}]})


def _frozen(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return MappingProxyType({key: _frozen(value) for key, value in tree.items()})
    return tuple(map(_frozen, tree)) if isinstance(tree, (list, tuple)) else tree
